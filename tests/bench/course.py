"""The whole course of a bench: its parts one after the other, what they print and write."""

from __future__ import annotations

import json
import os
import signal
import sys
import tempfile
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from tests.bench import comparing, figures, growth, pages
from tests.bench.contestants import DIRECTIONS
from tests.bench.figures import Bar, Outcome
from tests.bench.ground import Ground
from tests.bench.process import ROOT
from tests.bench.racing import Race
from tests.bench.report import audit_table, bars_table, growth_table, pages_table, race_table
from tests.bench.stock import StockServers

TITLE = "Cutover against everything that one could use instead, side by side."
PARTS = (*DIRECTIONS, "audit", "growth", "pages")


def main() -> None:
    for asked in (signal.SIGINT, signal.SIGTERM):
        signal.signal(asked, lambda *_: sys.exit("The bench was stopped."))  # and tidies up
    options = arguments()
    answer: dict[str, Any] = {
        "began_at": datetime.now(UTC).isoformat(),
        "scale": options.scale,
        "runs": options.runs,
        "cores": os.cpu_count(),
    }
    found: list[Bar] = []
    with ExitStack() as keeping:
        ground = prepared_ground(keeping)
        race = Race(ground, options.scale, options.runs, say, options.against)
        for part in options.only:
            say(f"\n{part} …")
            measured, bars = COURSE.get(part, partial(direction, name=part))(race)
            answer[part], found = measured, found + bars
            write(answer, found)
    say(f"\n{bars_table(found)}")
    if options.scale < 1:
        say("The bars are meant for SCALE=1: in less, what a start takes weighs too much.")


# Each part runs, shows its tables, and returns what goes into the file, and its bars.
Part = Callable[[Race], tuple[Any, list[Bar]]]


def direction(race: Race, name: str) -> tuple[Any, list[Bar]]:
    outcomes = race.run(name)
    say(f"\n{race_table(name, outcomes)}")
    return as_json(outcomes.values()), figures.bars(name, outcomes)


def audit(race: Race) -> tuple[Any, list[Bar]]:
    directions = dict(comparing.races(race))
    say(f"\n{audit_table(directions)}")
    answer = {name: as_json(outcomes.values()) for name, outcomes in directions.items()}
    return answer, comparing.bars(directions)


def grow(race: Race) -> tuple[Any, list[Bar]]:
    outcomes = growth.grow(race)
    say(f"\n{growth_table(outcomes)}")
    return as_json(outcomes), growth.bars(outcomes)


def look(race: Race) -> tuple[Any, list[Bar]]:
    found = pages.look(race)
    say(f"\n{pages_table(found)}")
    return found.as_json(), pages.bars(found)


COURSE: Mapping[str, Part] = {"audit": audit, "growth": grow, "pages": look}


def as_json(outcomes: Iterable[Outcome]) -> list[dict[str, Any]]:
    return [outcome.as_json() for outcome in outcomes]


def arguments() -> Namespace:
    parser = ArgumentParser(prog="make bench", description=TITLE)
    parser.add_argument("--scale", type=float, default=1.0, help="share of the seed's rows")
    parser.add_argument(
        "--runs", type=int, help="of each contestant; 3 at the seed's size, else 1 unless given"
    )
    parser.add_argument("--only", default="", help=f"some of {', '.join(PARTS)}")
    parser.add_argument("--against", default="", help="words of the names of rivals and limits")
    options = parser.parse_args()
    options.runs = options.runs or (3 if options.scale >= 1 else 1)
    options.only = [part for part in options.only.split(",") if part] or list(PARTS)
    options.against = [word for word in options.against.split(",") if word]
    if unknown := set(options.only) - set(PARTS):
        parser.error(f"ONLY: {', '.join(sorted(unknown))} is none of {', '.join(PARTS)}")
    return options


def prepared_ground(keeping: ExitStack) -> Ground:
    folder = Path(keeping.enter_context(tempfile.TemporaryDirectory(prefix="cutover-bench-")))
    folder.chmod(0o711)  # the servers' own accounts have to pass
    servers = keeping.enter_context(StockServers(folder))
    return Ground(folder, servers, keeping)


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def write(answer: dict[str, Any], found: list[Bar]) -> None:
    """After each part, so that one which is stopped leaves what it has measured."""
    (ROOT / "var").mkdir(exist_ok=True)
    answer["bars"] = [bar.as_json() for bar in found]
    (ROOT / "var" / "bench.json").write_text(json.dumps(answer, indent=1))
