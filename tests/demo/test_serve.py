"""`make demo`'s server: it starts, starts again, and leaves nothing running behind."""

from __future__ import annotations

import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import pytest

from tests.conftest import ROOT
from tests.settings import VARIABLES

PATIENCE = 150


class Demo:
    """A running `python -m dashboard.demo.serve`, and what it has said."""

    def __init__(self, folder: Path, port: int | str, rows: int | str) -> None:
        self.log = folder.parent / f"said-{time.monotonic_ns()}.txt"
        self.port = port
        env = {name: value for name, value in os.environ.items() if name not in VARIABLES}
        env |= {"CUTOVER_VAR": str(folder), "PORT": str(port), "DEMO_ROWS": str(rows)}
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "dashboard.demo.serve"],
                cwd=ROOT,
                env=env,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def said(self) -> str:
        return self.log.read_text()

    def until(self, text: str) -> Demo:
        deadline = time.monotonic() + PATIENCE
        while text not in self.said():
            assert time.monotonic() < deadline, self.said()
            assert self.process.poll() is None, self.said()
            time.sleep(0.05)
        return self

    def children(self) -> list[int]:
        pid = self.process.pid
        return [int(i) for i in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Ask it to stop; its exit status.  No child of its may live on."""
        children = self.children()
        self.process.send_signal(number)
        status = self.process.wait(PATIENCE)
        assert [pid for pid in children if Path(f"/proc/{pid}").exists()] == []
        return status

    def answer(self, path: str) -> str:
        with urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=PATIENCE) as response:
            return str(response.read().decode())


Start = Callable[..., Demo]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "a folder" / "with 100% and #"


@pytest.fixture
def start(folder: Path, port: int) -> Iterator[Start]:
    demos: list[Demo] = []

    def run(port: int | str = port, rows: int | str = 1500) -> Demo:
        folder.parent.mkdir(exist_ok=True)
        demos.append(Demo(folder, port, rows))
        return demos[-1]

    yield run
    for demo in demos:
        if demo.process.poll() is None:
            demo.stop()


@pytest.fixture
def port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def test_it_serves_until_it_is_asked_to_stop_and_starts_again_on_the_same_data(
    start: Start, folder: Path
) -> None:
    demo = start().until("Ctrl-C stops it")
    assert f"http://127.0.0.1:{demo.port}/" in demo.said()
    assert "demo, password demo" in demo.said()
    assert "INFO" not in demo.said()
    assert demo.answer("/healthz").startswith("ok")
    assert "csrfmiddlewaretoken" in demo.answer("/admin/login/")
    assert len(demo.children()) == 2
    assert demo.stop(signal.SIGTERM) == 0
    with pytest.raises(URLError):
        demo.answer("/healthz")

    source = (folder / "source.sqlite3").stat()
    again = start(rows=2500).until("Ctrl-C stops it")
    assert "Making the sample" not in again.said()
    assert "make demo-reset" in again.said()
    assert "about 1,500 rows" in again.said()
    assert again.stop(signal.SIGINT) == 0
    assert "The demo has stopped." in again.said()
    after = (folder / "source.sqlite3").stat()
    assert (after.st_ino, after.st_mtime_ns) == (source.st_ino, source.st_mtime_ns)


def test_a_restart_writes_nothing_into_a_destination_that_a_run_has_wiped(
    start: Start, folder: Path
) -> None:
    start().until("Ctrl-C stops it").stop()
    dest = folder / "dest.sqlite3"
    with closing(sqlite3.connect(dest)) as wiped, wiped:
        wiped.execute("DELETE FROM auth_permission")
        wiped.execute("DELETE FROM django_content_type")

    start().until("Ctrl-C stops it").stop()

    with closing(sqlite3.connect(dest)) as after:
        assert after.execute("SELECT count(*) FROM django_content_type").fetchone() == (0,)
        assert after.execute("SELECT count(*) FROM auth_permission").fetchone() == (0,)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_first_start_that_was_stopped_in_the_middle_is_made_anew(
    start: Start, folder: Path, number: int
) -> None:
    demo = start(rows=1_000_000).until("Making the sample source")
    deadline = time.monotonic() + PATIENCE
    while not list(folder.glob("source.unfinished.*")):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert demo.stop(number) == 0
    assert not (folder / "source.sqlite3").exists()

    start().until("Ctrl-C stops it")
    assert not list(folder.glob("source.unfinished.*"))


@pytest.mark.parametrize(("victim", "name"), [(0, "The web server"), (1, "The worker")])
def test_when_one_of_the_two_dies_the_other_is_stopped_and_it_says_so(
    start: Start, victim: int, name: str
) -> None:
    demo = start().until("Ctrl-C stops it")
    both = demo.children()
    os.kill(both[victim], signal.SIGKILL)
    assert demo.process.wait(PATIENCE) == 1
    assert f"{name} has ended by itself" in demo.said()
    assert not Path(f"/proc/{both[1 - victim]}").exists()


def test_a_port_that_is_taken_is_named_with_what_to_do(start: Start) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        demo = start(port=port)
        assert demo.process.wait(PATIENCE) == 1
    assert f"port {port} can't be used" in demo.said()
    assert "make demo PORT=" in demo.said()


@pytest.mark.parametrize(("port", "rows"), [("80x", "5"), ("0", "5"), ("70000", "5"), ("9", "-1")])
def test_a_number_that_makes_no_sense_is_refused_before_anything_is_made(
    start: Start, folder: Path, port: str, rows: str
) -> None:
    demo = start(port=port, rows=rows)
    assert demo.process.wait(PATIENCE) == 1
    assert "is not a whole number" in demo.said()
    assert not folder.exists()


def test_two_demos_do_not_share_a_folder(start: Start, port: int) -> None:
    first = start().until("Making the sample")
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        free = listener.getsockname()[1]
    second = start(port=free)
    assert second.process.wait(PATIENCE) == 1
    assert "another demo is running" in second.said()
    first.until("Ctrl-C stops it")


def test_what_the_shell_says_about_other_databases_does_not_reach_the_demo(
    start: Start, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("tests.demo.test_serve.VARIABLES", ())
    monkeypatch.setenv("SOURCE_DATABASE_URL", "postgres://nobody@127.0.0.1:1/none")
    monkeypatch.setenv("HOST_SETTINGS", "no.such.settings")
    monkeypatch.setenv("HUEY_URL", "redis://127.0.0.1:1/0")
    start().until("Ctrl-C stops it")
