"""Who runs when, and what becomes of a contestant that fails."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.bench import ending
from tests.bench.contestants import DIRECTIONS, Contestant, Direction
from tests.bench.figures import FASTER, bars
from tests.bench.process import Failed, Measured
from tests.bench.racing import Race
from tests.bench.report import race_table
from tests.bench.stock import Place


@pytest.fixture
def race(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Race:
    """A race on no ground at all."""

    @contextmanager
    def fresh(vendor: str) -> Iterator[Place]:
        yield Place(vendor, "")

    def source(vendor: str, scale: float) -> Place:
        return Place(vendor, str(scale))

    monkeypatch.setattr(ending, "lacks", lambda *places: ["1 of 2 checks"])
    ground: Any = SimpleNamespace(folder=tmp_path, fresh=fresh, source=source, schema=fresh)
    return Race(ground, scale=1.0, runs=3, tell=lambda text: None, prepared={"sqlite": []})


def contestants(monkeypatch: pytest.MonkeyPatch, *found: Contestant) -> None:
    monkeypatch.setitem(DIRECTIONS, "here-there", Direction("sqlite", "sqlite", found))


def test_the_order_alternates(race: Race, monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []

    def named(name: str) -> Contestant:
        def copy(*ends: Any) -> Measured:
            order.append(name)
            return Measured(1.0, 1.0)

        return Contestant(name, copy)

    contestants(monkeypatch, named("Cutover"), named("b"))
    race.run("here-there")
    assert order == ["Cutover", "b", "b", "Cutover", "Cutover", "b"]


def test_a_failure_is_told_as_one_and_not_tried_again(
    race: Race, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries = []

    def fail(*ends: Any) -> Measured:
        tries.append(ends)
        raise Failed("no such word: DEFERRABLE")

    ours = Contestant("Cutover", lambda *ends: Measured(2.0, 1.0))
    contestants(monkeypatch, ours, Contestant("rival", fail))
    outcomes = race.run("here-there")
    assert len(tries) == 1
    assert (outcomes["rival"].failure, outcomes["rival"].median) == (
        "no such word: DEFERRABLE",
        None,
    )
    table = race_table("here-there", outcomes)
    assert "rival: FAILED: no such word: DEFERRABLE" in table
    assert "Cutover: LACKS 1 of 2 checks" in table


def test_a_share_is_projected_beyond_what_an_empty_source_takes(
    race: Race, monkeypatch: pytest.MonkeyPatch
) -> None:
    def copy(source: Place, dest: Place, folder: Path) -> Measured:
        return Measured({"0.0": 2.0, "0.1": 5.0}[source.url], 1.0)

    ours = Contestant("Cutover", lambda *ends: Measured(2.0, 1.0))
    contestants(monkeypatch, ours, Contestant("rival", copy, share=0.1))
    assert race.run("here-there")["rival"].seconds == pytest.approx([32.0] * 3)


def test_a_slow_rival_runs_once_but_for_the_one_that_the_bar_is_about(
    race: Race, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = [Contestant(name, lambda *ends: Measured(91.0, 1.0)) for name in ("Cutover", "a", "b")]
    contestants(monkeypatch, *slow)
    monkeypatch.setitem(FASTER, "here-there", ("a", 2.0))
    found = race.run("here-there")
    assert {name: len(outcome.seconds) for name, outcome in found.items()} == {
        "Cutover": 3,
        "a": 3,
        "b": 1,
    }


def test_only_those_run_who_were_asked_for_and_ourselves(
    race: Race, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(source: Place, dest: Place, folder: Path) -> Measured:
        return Measured(1.0, 1.0)

    names = ("Cutover", "pgloader", "seed's method", "limit, indexes built")
    contestants(monkeypatch, *(Contestant(name, run) for name in names))
    chosen = replace(race, against=["pgloader", "limit"], runs=1).run("here-there")
    assert list(chosen) == ["Cutover", "pgloader", "limit, indexes built"]
    assert bars("here-there", chosen)
