"""`make demo`: a dashboard with sample databases, its web server and its worker.

Set PORT, DEMO_ROWS or CUTOVER_VAR (the folder of its files) to have it otherwise.
"""

from __future__ import annotations

import fcntl
import os
import socket
import sqlite3
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.error import URLError
from urllib.request import ProxyHandler, build_opener

from dashboard.demo.children import ROOT, AskedToStop, ChildFailed, Children
from dashboard.demo.databases import Folder, prepare

HOST = "127.0.0.1"
WORKER = "The worker"
WORKER_SETTINGS = "dashboard.demo.worker_settings"
# Seconds that web server and worker get to give their first signs of life.
READY_WITHIN = 120.0

READY = """
Cutover is ready:  http://{host}:{port}/

  sign in as demo, password demo (may do everything), or viewer, password viewer (may only look)
  source:      {source}
  destination: {dest}

Ctrl-C stops it. `make demo` goes on where it was; `make demo-reset` starts anew.
"""
STOPPED = """
The demo has stopped. `make demo` goes on where it was; `make demo-reset` starts anew."""


class CannotStart(Exception):
    """Something that the person at the keyboard can change; the message says what."""


def main() -> int:
    try:
        port = number("PORT", 8000, 65_535)
        rows = number("DEMO_ROWS", 300_000, 10**9)
        folder = Folder(Path(os.environ.get("CUTOVER_VAR") or ROOT / "var" / "demo").resolve())
        check_port(port)
        with only_one(folder), Children(folder.environment()) as children:
            serve(folder, port, rows, children)
    except AskedToStop:
        print(STOPPED, flush=True)
        return 0
    except (CannotStart, ChildFailed) as error:
        verb = "can't start" if isinstance(error, CannotStart) else "has stopped"
        print(f"The demo {verb}: {error}.", file=sys.stderr, flush=True)
        return 1
    return 0


def number(name: str, default: int, maximum: int) -> int:
    """The variable as a whole number."""
    text = os.environ.get(name) or str(default)
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= maximum):
        raise CannotStart(f"{name}={text!r} is not a whole number from 1 to {maximum:,}")
    return int(text)


def check_port(port: int) -> None:
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((HOST, port))
        except OSError as error:
            raise CannotStart(
                f"port {port} can't be used ({error.strerror}); choose another one, "
                "for example: make demo PORT=8765"
            ) from error


@contextmanager
def only_one(folder: Folder) -> Iterator[None]:
    """Hold the folder, so that two demos don't work on the same files."""
    folder.path.mkdir(parents=True, exist_ok=True)
    with (folder.path / "demo.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise CannotStart(f"another demo is running on the files in {folder.path}") from error
        yield


def serve(folder: Folder, port: int, rows: int, children: Children) -> None:
    """Prepare, start, and watch until something ends.  Raises AskedToStop or ChildFailed."""
    prepare(folder, rows, children)
    children.start("The web server", web_server(port))
    children.start(WORKER, ["manage.py", "run_huey"], DJANGO_SETTINGS_MODULE=WORKER_SETTINGS)
    wait_until_ready(port, children)
    wait_for_the_worker(folder, children)
    print(READY.format(host=HOST, port=port, source=folder.source, dest=folder.dest), flush=True)
    while True:
        children.watch()


def web_server(port: int) -> list[str]:
    options = {"bind": f"{HOST}:{port}", "threads": "4", "log-level": "warning"}
    flags = [f"--{name}={value}" for name, value in options.items()]
    return ["-m", "gunicorn", "dashboard.wsgi:application", "--no-control-socket", *flags]


def wait_until_ready(port: int, children: Children) -> None:
    deadline = time.monotonic() + READY_WITHIN
    answer = "nothing"
    while time.monotonic() < deadline:
        children.watch()
        try:
            # Our own machine: a proxy from the environment must not get in between.
            build_opener(ProxyHandler({})).open(f"http://{HOST}:{port}/healthz", timeout=5).close()
        except (URLError, OSError) as error:
            answer = str(error)
        else:
            return
    raise CannotStart(f"the web server did not become ready in {READY_WITHIN:.0f} s: {answer}")


def wait_for_the_worker(folder: Folder, children: Children) -> None:
    """Until it has written its row: before that, the pages would say that there is none."""
    deadline = time.monotonic() + READY_WITHIN
    question = "SELECT 1 FROM migrations_ui_worker WHERE pid = ?"
    with closing(sqlite3.connect(folder.control, isolation_level=None)) as control:
        while time.monotonic() < deadline:
            children.watch()
            if control.execute(question, [children.running[WORKER].pid]).fetchone():
                return
    raise CannotStart(f"the worker did not become ready in {READY_WITHIN:.0f} s")


if __name__ == "__main__":
    sys.exit(main())
