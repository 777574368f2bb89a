"""A demo that really runs, and an operator's browser in front of it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.conftest import ROOT
from tests.servers import free_port
from tests.settings import VARIABLES

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page

# Enough for some seconds of copying, so that there is something to see.
ROWS = 120_000
PATIENCE = 150
WAIT = 30_000  # milliseconds


@dataclass(frozen=True)
class Demo:
    """The demo's address."""

    url: str

    def sign_in(self, page: Page, name: str = "demo") -> None:
        page.goto(f"{self.url}/")
        page.fill("#id_username", name)
        page.fill("#id_password", name)
        page.click("[type=submit]")
        page.wait_for_url(f"{self.url}/")


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """`make demo`, as a process of its own: one for all tests, since each ends what it starts."""
    folder = tmp_path_factory.mktemp("demo")
    port = free_port()
    env = {name: value for name, value in os.environ.items() if name not in VARIABLES}
    env |= {"CUTOVER_VAR": str(folder / "var"), "PORT": str(port), "DEMO_ROWS": str(ROWS)}
    log = folder / "said.txt"
    with log.open("wb") as said:
        process = subprocess.Popen(  # our own command line
            [sys.executable, "-m", "dashboard.demo.serve"],
            cwd=ROOT,
            env=env,
            stdout=said,
            stderr=subprocess.STDOUT,
        )
    try:
        wait_until_ready(process, log)
        yield Demo(f"http://127.0.0.1:{port}")
        assert "Traceback" not in log.read_text(), log.read_text()
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(PATIENCE)


def wait_until_ready(process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while "Ctrl-C stops it" not in log.read_text():
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.1)


OpenBrowser = Callable[..., "Page"]


@pytest.fixture
def open_browser(browser: Browser) -> Iterator[OpenBrowser]:
    """`open_browser(**options)`: a fresh page; any complaint in its console fails the test."""
    contexts: list[BrowserContext] = []
    complaints: list[str] = []

    def listen(message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            complaints.append(message.text)

    def open_browser(**options: Any) -> Page:
        contexts.append(browser.new_context(viewport={"width": 1280, "height": 900}, **options))
        page = contexts[-1].new_page()
        page.set_default_timeout(WAIT)
        page.on("console", listen)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        return page

    yield open_browser
    for context in contexts:
        context.close()
    assert complaints == []
