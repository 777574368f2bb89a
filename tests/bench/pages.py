"""Pages under load: many tables and a run at work; what ten open browsers cost the copy."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from tests.bench.browsing import Server, pages, polling, serving
from tests.bench.contestants import control, copy_all, prepare_control, sides
from tests.bench.figures import Bar, ratio
from tests.bench.host import Host, fill
from tests.bench.process import Failed, Measured, measure
from tests.bench.racing import Race
from tests.bench.stock import Place

TABLES, FEW = 500, 50
ROWS = 1_000_000  # of the largest table, at the seed's size
OTHERS = 100  # rows of each other table
BROWSERS = 10


@dataclass
class Pages:
    """What was measured; seconds, bytes, and queries by number of tables, each by page."""

    seconds: dict[str, list[float]] = field(default_factory=dict)
    sizes: dict[str, list[int]] = field(default_factory=dict)
    queries: dict[int, dict[str, int]] = field(default_factory=dict)
    alone: list[float] = field(default_factory=list)  # seconds of the load
    watched: list[float] = field(default_factory=list)
    server_cpu: list[float] = field(default_factory=list)  # the web server's seconds meanwhile

    @property
    def medians(self) -> dict[str, float]:
        """Milliseconds by page."""
        return {name: median(seconds) * 1000 for name, seconds in self.seconds.items()}

    @property
    def cost(self) -> float | None:
        """By how many per cent the copy takes longer when it is watched."""
        slower = ratio(median(self.watched), median(self.alone)) if self.alone else None
        return None if slower is None else (slower - 1) * 100

    def as_json(self) -> dict[str, Any]:
        return asdict(self) | {"medians_ms": self.medians, "cost_percent": self.cost}


def look(race: Race) -> Pages:
    """Measure everything, from PostgreSQL to MariaDB."""
    found = Pages()
    for tables in (FEW, TABLES):
        folder = race.ground.folder / f"pages-{tables}"
        host = Host(folder, tables)
        host.write()
        with (
            host.migrated(race.ground, "postgresql") as source,
            host.migrated(race.ground, "mysql") as dest,
        ):
            for number in range(tables):
                fill(source, number, OTHERS)
            env = {**sides(source, dest), **host.environment, "CUTOVER_VAR": str(folder)}
            prepare_control(env, folder)
            if tables == TABLES:
                fill(source, 0, round(ROWS * race.scale))
            copy = Copy(env, dest, folder)
            with serving(folder, env) as server:
                if tables == TABLES:
                    watch(race, copy, server, found)
                else:
                    copy.run()
            found.queries[tables] = queries(folder, env)
    return found


@dataclass(frozen=True)
class Copy:
    """A copy by a command, which pages show as they show any run."""

    env: Mapping[str, str]
    dest: Place
    folder: Path

    def run(self) -> Measured:
        (folder := self.folder / "copying").mkdir(exist_ok=True)
        return copy_all(self.env, self.dest, folder)

    @contextmanager
    def started(self) -> Iterator[tuple[int, Future[Measured]]]:
        """The run, once it loads, and what comes of it."""
        with ThreadPoolExecutor(1) as thread:
            coming = thread.submit(self.run)
            while not coming.done() and (run := self.loading()) is None:
                time.sleep(0.05)
            if coming.done():
                raise Failed(f"over before it was seen: {coming.exception() or 'too few rows'}")
            yield run or 0, coming

    def loading(self) -> int | None:
        """The key of the run that is loading."""
        with closing(control(self.env)) as connection:
            row = connection.execute(
                "SELECT id FROM migrations_ui_run WHERE status = 'running' AND phase = 'load'"
            ).fetchone()
        return None if row is None else int(row[0])


def watch(race: Race, copy: Copy, server: Server, found: Pages) -> None:
    """Look at each page in turn while a copy runs; then copy alone and watched, alternating."""
    browser = server.browser()
    with copy.started() as (run, coming):
        while not coming.done():
            for name, path in pages(run).items():
                browser.get(name, path)
    del browser.seconds["sign-in"], browser.sizes["sign-in"]
    found.seconds, found.sizes = browser.seconds, browser.sizes
    # Signed in before: to hash a password takes as long as hundreds of polls.
    crowd = [server.browser() for _ in range(BROWSERS)]
    for _ in range(race.runs):
        for browsers, seconds in (([], found.alone), (crowd, found.watched)):
            with copy.started() as (run, coming):
                before = server.cpu_seconds
                with polling(browsers, pages(run)["poll"]):
                    measured = coming.result()
                if browsers:
                    found.server_cpu.append(server.cpu_seconds - before)
            seconds.append(measured.load_seconds or 0.0)
            race.tell(f"  {len(browsers)} browsers: {seconds[-1]:.1f} s")


def queries(folder: Path, env: Mapping[str, str]) -> dict[str, int]:
    """How many queries each page makes."""
    command = [sys.executable, "-m", "tests.bench.page_queries"]
    answer = json.loads(measure(command, folder, env).output)
    return {name: page["queries"] for name, page in answer.items()}


def bars(found: Pages) -> list[Bar]:
    few, many = found.queries[FEW], found.queries[TABLES]
    return [
        *(
            Bar(f"pages: {name}, median", milliseconds, 100, unit=" ms")
            for name, milliseconds in found.medians.items()
        ),
        Bar(
            f"pages: most queries more with {TABLES} tables than with {FEW}",
            max(many[name] - few[name] for name in many),
            0,
            unit="",
        ),
        Bar("pages: largest poll", max(found.sizes["poll"]) / 1000, 10, unit=" KB"),
        Bar(f"pages: {BROWSERS} browsers cost the copy", found.cost, 5, unit=" %"),
    ]
