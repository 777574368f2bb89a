"""The bench's tables, as text."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from statistics import median
from textwrap import wrap

from tests.bench.figures import MB, OURS, Bar, Outcome, ratio
from tests.bench.pages import Pages

WIDTH = 100
HEADINGS = ("", "seconds", "runs", "rows/s", "MB/s", "we are", "our load is", "CPU s", "peak RSS")


def race_table(name: str, outcomes: Mapping[str, Outcome]) -> str:
    """One race: a line for each contestant, then what is to be said of them."""
    ours = outcomes[OURS]
    title = f"{name}: {ours.rows:,} rows, {ours.size / MB:,.0f} MB as text"
    lines = [contestant_line(outcome, ours) for outcome in outcomes.values()]
    remarks = [line for outcome in outcomes.values() for line in remarks_on(outcome)]
    return "\n".join([title, *aligned([HEADINGS, *lines]), *remarks])


def audit_table(directions: Mapping[str, Mapping[str, Outcome]]) -> str:
    """A line for each auditor of each direction, then what is to be said of them."""
    headings = ("", "seconds", "rows/s", "MB/s", "CPU s", "peak RSS")
    found = [
        (f"{name}, {outcome.name}", outcome)
        for name, outcomes in directions.items()
        for outcome in outcomes.values()
    ]
    lines = [
        (
            name,
            number(outcome.median, ".1f") if not outcome.failure else "failed",
            number(outcome.rows_per_second, ",.0f"),
            number(outcome.mb_per_second, ".1f"),
            number(median(outcome.cpu_seconds or [0]) or None, ".1f"),
            memory(outcome.largest_rss),
        )
        for name, outcome in found
    ]
    remarks = {line: None for _, outcome in found for line in remarks_on(outcome)}  # each once
    return "\n".join(["full audit of all tables", *aligned([headings, *lines]), *remarks])


def growth_table(outcomes: Sequence[Outcome]) -> str:
    """A line for each step."""
    headings = ("", "rows", "seconds", "load s", "µs/row", "CPU s", "peak RSS")
    lines = [
        (
            outcome.name,
            f"{outcome.rows:,}",
            number(outcome.median, ".1f"),
            number(outcome.load_median, ".1f"),
            number(ratio(outcome.load_median, outcome.rows / 1e6), ".2f"),
            number(median(outcome.cpu_seconds), ".1f"),
            memory(outcome.largest_rss),
        )
        for outcome in outcomes
    ]
    return "\n".join(["growth: one table, PostgreSQL → MariaDB", *aligned([headings, *lines])])


def pages_table(found: Pages) -> str:
    """A line for each page, then the copies alone and watched."""
    numbers = [f"queries, {tables} tables" for tables in found.queries]
    lines = [
        (
            name,
            f"{milliseconds:.1f}",
            f"{len(found.seconds[name])}",
            *(str(queries[name]) for queries in found.queries.values()),
            f"{max(found.sizes[name]):,}",
        )
        for name, milliseconds in found.medians.items()
    ]
    copies = [
        f"  the copy {words}: {median(seconds):.1f} s ({'/'.join(f'{s:.1f}' for s in seconds)})"
        for words, seconds in (("alone", found.alone), ("with ten browsers", found.watched))
    ]
    cpu = f"  the web server meanwhile: {median(found.server_cpu):.1f} s of CPU"
    headings = ("a run at work", "median ms", "asked", *numbers, "largest bytes")
    return "\n".join([*aligned([headings, *lines]), *copies, cpu])


def contestant_line(outcome: Outcome, ours: Outcome) -> tuple[str, ...]:
    return (
        outcome.name,
        number(outcome.median, ".1f") if not outcome.failure else "failed",
        "/".join(f"{seconds:.1f}" for seconds in outcome.seconds),
        number(outcome.rows_per_second, ",.0f"),
        number(outcome.mb_per_second, ".1f"),
        *compared(outcome, ours),
        number(median(outcome.cpu_seconds or [0]) or None, ".1f"),
        memory(outcome.largest_rss),
    )


def compared(outcome: Outcome, ours: Outcome) -> tuple[str, str]:
    """How many times faster we are, and our load alone; of the limit, how many times its time."""
    if outcome is ours:
        return "", number(ours.load_median, ".1f", " s")
    if outcome.name.startswith("limit"):
        return "", number(ratio(ours.load_median, outcome.median), ".2f", "× its time")
    whole, load = (ratio(outcome.median, our) for our in (ours.median, ours.load_median))
    return number(whole, ".1f", "× faster"), number(load, ".1f", "× faster")


def remarks_on(outcome: Outcome) -> Iterable[str]:
    """What a contestant's figures stand for, what it lacks, why it failed."""
    remarks = [outcome.note] if outcome.note else []
    if outcome.lacks:
        remarks.append(f"LACKS {'; '.join(outcome.lacks)}")
    if outcome.failure:
        remarks.append(f"FAILED: {outcome.failure}")
    if outcome.phases:
        parts = (f"{name} {seconds:.1f}" for name, seconds in outcome.phases.items())
        remarks.append(f"seconds of the last run's phases: {', '.join(parts)}")
    if outcome.name == OURS and len(outcome.peak_rss) > 1:
        remarks.append(
            "processes: "
            + ", ".join(f"{name} {memory(size)}" for name, size in outcome.peak_rss.items())
        )
    for remark in remarks:
        yield from wrap(
            f"{outcome.name}: {remark}", WIDTH, initial_indent="  ", subsequent_indent="    "
        )


def bars_table(bars: Sequence[Bar]) -> str:
    """The bars, each with what was measured."""
    lines = [
        (
            bar.what,
            number(bar.value, ".2f", bar.unit),
            f"{'≥' if bar.at_least else '≤'} {bar.bar:g}{bar.unit}",
            bar.verdict,
        )
        for bar in bars
    ]
    return "\n".join(aligned([("bar", "measured", "wanted", ""), *lines]))


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """The rows in columns: the first to the left, the others to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.rjust(width) if place else cell.ljust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def number(value: float | None, form: str, unit: str = "") -> str:
    return "–" if value is None else f"{value:{form}}{unit}"


def memory(size: int) -> str:
    return f"{size / MB:.0f} MB" if size else "–"
