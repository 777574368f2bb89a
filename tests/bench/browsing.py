"""The dashboard's web server as in production, and browsers that look at it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from html import unescape
from http.cookiejar import CookieJar
from pathlib import Path
from threading import Event
from urllib.parse import urlencode
from urllib.request import HTTPCookieProcessor, OpenerDirector, ProxyHandler, build_opener

from tests.bench.process import ROOT, Failed, environment, family, manage, measure
from tests.servers import free_port, orphan_guard

OPERATOR, PASSWORD = "bench", "bench-password"
PATIENCE = 60  # seconds until it must answer
POLLED = re.compile(r'hx-get="([^"]+)" hx-trigger="every (\d+)s"')


def pages(run: int) -> dict[str, str]:
    """What an operator has open while a run is at work."""
    return {"tables": "/tables/", "run": f"/runs/{run}/", "poll": f"/runs/{run}/live/"}


@dataclass
class Browser:
    """Somebody who is signed in; `seconds` and `sizes` (bytes) of every answer, by name."""

    address: str
    opener: OpenerDirector = field(
        default_factory=lambda: build_opener(ProxyHandler({}), HTTPCookieProcessor(CookieJar()))
    )
    seconds: dict[str, list[float]] = field(default_factory=dict)
    sizes: dict[str, list[int]] = field(default_factory=dict)

    def sign_in(self) -> None:
        page = self.get("sign-in", "/admin/login/")
        token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page)
        form = {"username": OPERATOR, "password": PASSWORD, "next": "/healthz"}
        form["csrfmiddlewaretoken"] = token[1] if token else ""
        with self.opener.open(f"{self.address}/admin/login/", urlencode(form).encode()) as answer:
            if not answer.url.endswith("/healthz"):
                raise Failed("the operator can't sign in")

    def get(self, name: str, path: str) -> str:
        """Ask for a page and note how long that took and how large it was."""
        began = time.monotonic()
        with self.opener.open(self.address + path) as answer:
            content = answer.read()
            if answer.url != self.address + path:
                raise Failed(f"{path} leads to {answer.url}")
        self.seconds.setdefault(name, []).append(time.monotonic() - began)
        self.sizes.setdefault(name, []).append(len(content))
        return str(content, "utf-8")


@dataclass
class Server:
    """The dashboard at an address of the loopback."""

    address: str
    process: subprocess.Popen[bytes]

    def browser(self) -> Browser:
        browser = Browser(self.address)
        browser.sign_in()
        return browser

    @property
    def cpu_seconds(self) -> float:
        """Of the web server and its workers, so far."""
        ticks = 0
        for pid in family(self.process.pid):
            facts = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            ticks += int(facts[11]) + int(facts[12])
        return ticks / os.sysconf("SC_CLK_TCK")


def next_poll(fragment: str, path: str) -> tuple[float, str]:
    """After how many seconds it asks for what; for `path` after one, where it does not say."""
    found = POLLED.search(fragment)
    return (float(found[2]), unescape(found[1])) if found else (1.0, path)


@contextmanager
def polling(browsers: Sequence[Browser], path: str) -> Iterator[None]:
    """Each of these browsers asks for the path meanwhile, out of step, as often as it says."""
    stop = Event()

    def poll(browser: Browser, first: float) -> None:
        wait, asked = first, path
        while not stop.wait(wait):
            wait, asked = next_poll(browser.get("poll", asked), path)

    with ThreadPoolExecutor(max(1, len(browsers))) as threads:
        polls = [
            threads.submit(poll, browser, number / len(browsers))
            for number, browser in enumerate(browsers)
        ]
        try:
            yield
        finally:
            stop.set()
    for each in polls:
        each.result()  # raises what the browser met


@contextmanager
def serving(folder: Path, env: Mapping[str, str]) -> Iterator[Server]:
    """gunicorn as `make demo` starts it, with one operator who may do everything."""
    account = {"DJANGO_SUPERUSER_PASSWORD": PASSWORD, "DJANGO_SUPERUSER_EMAIL": "b@example.org"}
    command = manage("createsuperuser", "--noinput", "--username", OPERATOR)
    measure(command, folder, {**env, **account})
    port = free_port()
    options = {"bind": f"127.0.0.1:{port}", "threads": "4", "log-level": "warning"}
    flags = [f"--{name}={value}" for name, value in options.items()]
    command = [sys.executable, "-m", "gunicorn", "dashboard.wsgi", "--no-control-socket", *flags]
    with (folder / "gunicorn.log").open("wb") as log:
        process = subprocess.Popen(  # noqa: S603  # our own program
            [
                *orphan_guard(signal.SIGTERM),
                sys.executable,
                "-m",
                "gunicorn",
                "dashboard.wsgi:application",
            ]
            + ["--no-control-socket", *flags],
            cwd=ROOT,
            env=environment(env),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
    server = Server(f"http://127.0.0.1:{port}", process)
    try:
        wait_for(server, folder / "gunicorn.log")
        yield server
    finally:
        process.terminate()
        process.wait()


def wait_for(server: Server, log: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            Browser(server.address).get("health", "/healthz")
        except OSError:
            if time.monotonic() > deadline or server.process.poll() is not None:
                raise Failed(f"the web server doesn't answer: {log.read_text()[-500:]}") from None
            time.sleep(0.1)
        else:
            return
