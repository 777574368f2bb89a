"""Servers on this machine that are told of runs: a web hook's and a mail box's."""

from __future__ import annotations

import json
import socketserver
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Server:
    """Serves from a thread of its own until it is closed."""

    def __init__(self, server: socketserver.TCPServer) -> None:
        self.server = server
        self.port = server.server_address[1]
        self.thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        self.thread.start()

    def close(self) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


class Receiver(Server):
    """Keeps what is posted to it, and answers as it is told: 204 by default."""

    def __init__(self) -> None:
        self.got: list[tuple[dict[str, str], bytes]] = []
        self.answers: list[int] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.got.append((dict(self.headers), body))
                self.send_response(receiver.answers.pop(0) if receiver.answers else 204)
                self.send_header("Location", "/elsewhere")
                self.end_headers()

            def log_message(self, *args: Any) -> None:
                """Nothing."""

        super().__init__(ThreadingHTTPServer(("127.0.0.1", 0), Handler))
        self.url = f"http://127.0.0.1:{self.port}/hooks/t0ken"

    @property
    def messages(self) -> list[dict[str, Any]]:
        return [json.loads(body) for _, body in self.got]


class Mailbox(Server):
    """As much of SMTP as a client needs to hand a letter over."""

    def __init__(self) -> None:
        self.letters: list[str] = []
        mailbox = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                self.say("220 here")
                for line in self.rfile:
                    command = line.split()[0].upper()
                    if command == b"DATA":
                        self.say("354 go on")
                        mailbox.letters.append(self.letter())
                    self.say("221 bye" if command == b"QUIT" else "250 ok")

            def letter(self) -> str:
                return b"".join(iter(self.rfile.readline, b".\r\n")).decode()

            def say(self, answer: str) -> None:
                self.wfile.write(f"{answer}\r\n".encode())

        super().__init__(socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler))
