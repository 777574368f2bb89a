"""Rejected rows as files: CSV for spreadsheets, JSON for programs."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterable, Iterator

from migrations_ui.engine.kinds import NULL, unescape
from migrations_ui.models import RejectedRow, Run

BATCH = 50  # rows of a query: few, since each may hold megabytes
ABOUT = ("table", "key", "column", "message", "arrived_at")
# What a spreadsheet takes for a formula, also behind blanks and in full width.
FORMULA = re.compile(r"[\s\x00-\x1f\ufeff]*[=+\-@\uff1d\uff0b\uff0d\uff20]|[\t\r\n]")
NUMBER = re.compile(r"-[0-9]+(\.[0-9]+)?(e[+-]?[0-9]+)?", re.IGNORECASE)


class Line:
    """What csv writes to: it hands the line back instead of keeping it."""

    def write(self, line: str) -> str:
        return line


def as_csv(run: Run) -> Iterator[str]:
    """One line a row; the tables' columns stand side by side, and NULL is `\\N`."""
    names = column_names(run)
    writer = csv.writer(Line(), quoting=csv.QUOTE_ALL)
    yield writer.writerow([guarded(name) for name in (*ABOUT, *names)])
    for row in rejected(run):
        held = {name: NULL.decode() if text is None else text for name, text in values(row).items()}
        cells = [*about(row).values(), *(held.get(name, "") for name in names)]
        yield writer.writerow([guarded(cell or "") for cell in cells])


def as_json(run: Run) -> Iterator[str]:
    """A list of one object a row, whose values are texts as in the canonical row, or null."""
    before = "[\n"
    for row in rejected(run):
        yield before + json.dumps(about(row) | {"values": values(row)}, ensure_ascii=False)
        before = ",\n"
    yield "[]\n" if before == "[\n" else "\n]\n"


def rejected(run: Run) -> Iterator[RejectedRow]:
    """The run's rejected rows in order, by queries that end before anything is sent.

    A cursor kept open would hold up the worker's writes for as long as a slow browser reads.
    """
    last = 0
    while batch := list(run.rejected.filter(pk__gt=last).order_by("pk")[:BATCH]):
        yield from batch
        last = batch[-1].pk


def column_names(run: Run) -> list[str]:
    """The columns of all tables that have rejected rows, each once."""
    signatures: Iterable[list[str]] = (
        run.rejected.order_by("label").values_list("signature", flat=True).distinct()
    )
    return list(dict.fromkeys(name(entry) for signature in signatures for entry in signature))


def about(row: RejectedRow) -> dict[str, str | None]:
    arrived = row.arrived_at.isoformat() if row.arrived_at else None
    return dict(zip(ABOUT, (row.label, row.key, row.column, row.message, arrived), strict=True))


def values(row: RejectedRow) -> dict[str, str | None]:
    """The values of the canonical row, by column."""
    held = bytes(row.row).rstrip(b"\n").split(b"\t")
    return {name(entry): plain(value) for entry, value in zip(row.signature, held, strict=True)}


def name(entry: str) -> str:
    """The column of a signature's entry, "column kind"; it may hold spaces itself."""
    return entry.rpartition(" ")[0]


def plain(value: bytes) -> str | None:
    """A value as text, None for NULL; bytes that are no UTF-8 are written as `\\xff`."""
    found = unescape(value)
    return None if found is None else found.decode(errors="backslashreplace")


def guarded(cell: str) -> str:
    """A cell that no spreadsheet runs as a formula; negative numbers stay as they are."""
    return f"'{cell}" if FORMULA.match(cell) and not NUMBER.fullmatch(cell) else cell
