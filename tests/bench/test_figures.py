"""The bench's arithmetic."""

from __future__ import annotations

import pytest

from tests.bench import comparing, growth, pages
from tests.bench.figures import Bar, Outcome, bars, fastest_limit, projected, ratio
from tests.bench.pages import Pages
from tests.bench.process import Measured


def outcome(name: str, *seconds: float, load: float | None = None, rss: int = 0) -> Outcome:
    found = Outcome(name, rows=1_000, size=5_000_000)
    for measured in seconds:
        found.add(Measured(measured, 1.0, {"python 1": rss} if rss else {}, load_seconds=load))
    return found


def test_the_median_is_of_all_runs_and_the_rates_are_the_medians() -> None:
    found = outcome("Cutover", 9.0, 1.0, 2.0)
    assert (found.median, found.rows_per_second, found.mb_per_second) == (2.0, 500.0, 2.5)


def test_a_contestant_that_never_finished_has_no_figures() -> None:
    found = outcome("pgloader")
    assert (found.median, found.rows_per_second, found.mb_per_second) == (None, None, None)


def test_memory_is_that_of_the_run_with_the_largest_process() -> None:
    found = Outcome("Cutover", 1, 1)
    for peaks in ({"python 1": 5}, {"python 2": 70, "python 3": 60}, {"python 4": 20}):
        found.add(Measured(1.0, 1.0, peaks))
    assert found.peak_rss == {"python 2": 70, "python 3": 60}
    assert found.largest_rss == 70


def test_a_tenth_is_projected_without_multiplying_what_no_rows_take() -> None:
    assert projected(12.0, 2.0, 0.1) == pytest.approx(102.0)
    assert projected(12.0, 2.0, 1.0) == 12.0


def test_a_run_faster_than_one_without_rows_is_not_projected_below_itself() -> None:
    assert projected(1.5, 2.0, 0.1) == 1.5


def test_a_ratio_of_what_is_unknown_is_unknown() -> None:
    assert ratio(6.0, 2.0) == 3.0
    assert ratio(None, 2.0) is None
    assert ratio(6.0, None) is None


def test_the_limit_is_the_faster_of_its_ways() -> None:
    ways = {
        name: outcome(name, seconds) for name, seconds in (("limit, a", 4.0), ("limit, b", 3.0))
    }
    assert fastest_limit({**ways, "Cutover": outcome("Cutover", 1.0)}) == 3.0
    assert fastest_limit({"Cutover": outcome("Cutover", 1.0)}) is None


@pytest.mark.parametrize(
    ("value", "at_least", "verdict"),
    [
        (2.0, True, "met"),
        (1.9, True, "missed"),
        (2.0, False, "met"),
        (2.1, False, "missed"),
        (None, True, "not measured"),
    ],
)
def test_a_bar_is_met_at_its_own_value(value: float | None, at_least: bool, verdict: str) -> None:
    assert Bar("a bar", value, 2.0, at_least=at_least).verdict == verdict


def test_rivals_are_compared_with_the_whole_command_and_the_limit_with_the_load() -> None:
    outcomes = {
        "Cutover": outcome("Cutover", 10.0, load=6.0, rss=90_000_000),
        "pgloader": outcome("pgloader", 30.0),
        "limit, indexes built": outcome("limit, indexes built", 5.0),
    }
    found = [(bar.value, bar.verdict) for bar in bars("mariadb-pg", outcomes)]
    assert found == [(3.0, "met"), (1.2, "met"), (90.0, "met")]


def test_a_rival_that_failed_leaves_its_bar_not_measured() -> None:
    outcomes = {"Cutover": outcome("Cutover", 10.0), "pgloader": outcome("pgloader")}
    assert {bar.verdict for bar in bars("sqlite-pg", outcomes)} == {"not measured"}


def test_growth_is_by_the_load_and_memory_by_the_largest_process() -> None:
    steps = [
        outcome("1×", 3.0, load=1.0, rss=100_000_000),
        outcome("4×", 6.0, load=4.0, rss=100_000_000),
        outcome("16×", 20.0, load=18.0, rss=109_000_000),
    ]
    assert [(bar.value, bar.verdict) for bar in growth.bars(steps)] == [
        (18.0, "missed"),
        (1.09, "met"),
        (109.0, "met"),
    ]


def test_an_audit_may_take_as_long_as_reladiff_and_elsewhere_twice_as_long() -> None:
    found = comparing.bars(
        {
            "pg-mariadb": {
                "Cutover": outcome("Cutover", 8.0),
                "reladiff": outcome("reladiff", 7.5),
            },
            "pg-pg": {"Cutover": outcome("Cutover", 15.0)},
        }
    )
    assert [bar.verdict for bar in found] == ["missed", "met", "not measured"]


def test_pages_are_judged_by_medians_growth_of_queries_and_the_largest_poll() -> None:
    found = Pages(
        seconds={"tables": [0.09, 0.5, 0.08], "poll": [0.2, 0.2]},
        sizes={"tables": [50_000], "poll": [9_000, 11_000]},
        queries={50: {"tables": 7, "poll": 5}, 500: {"tables": 7, "poll": 8}},
        alone=[10.0, 10.0, 30.0],
        watched=[10.4, 10.2, 10.4],
    )
    judged = {bar.what: (bar.value, bar.verdict) for bar in pages.bars(found)}
    assert judged == {
        "pages: tables, median": (90.0, "met"),
        "pages: poll, median": (200.0, "missed"),
        "pages: most queries more with 500 tables than with 50": (3, "missed"),
        "pages: largest poll": (11.0, "missed"),
        "pages: 10 browsers cost the copy": (pytest.approx(4.0), "met"),
    }
