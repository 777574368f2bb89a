"""Rows that the destination refuses: found among thousands, set aside, and told apart."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from migrations_ui.engine.databases.base import Database
from migrations_ui.engine.errors import EngineError, RowRefused
from migrations_ui.engine.exactness import exact
from migrations_ui.engine.kinds import is_utf8, unescape
from migrations_ui.engine.layout import Layout

SHORTENED = 80
TAB = b"\t"


@dataclass(frozen=True)
class Rejected:
    """A row that was set aside: its canonical row, what that holds in order, and why."""

    key: str
    column: str
    message: str
    row: bytes
    signature: list[str]


class Allowance:
    """How many rows of a run may be set aside, by all its workers together."""

    def __init__(self, limit: int = 0, taken: int = 0) -> None:
        self.limit = limit
        self._left = limit - taken
        self._lock = threading.Lock()

    def of(self, part: Any) -> Allowance:
        """What the rows of one part of the run count for; here no part counts apart."""
        return self

    def take(self) -> bool:
        """Whether one more row may be set aside; it is counted then."""
        with self._lock:
            if self._left <= 0:
                return False
            self._left -= 1
            return True

    def give_back(self, rows: int) -> None:
        """So many rows were set aside in vain: what they were part of was undone."""
        with self._lock:
            self._left += rows


@dataclass
class Rejects:
    """The rows of one chunk that were set aside, as far as the allowance goes."""

    allowance: Allowance = field(default_factory=Allowance)
    found: list[Rejected] = field(default_factory=list)

    def add(self, layout: Layout, row: bytes, error: RowRefused, line: int) -> None:
        """Set a row aside, or raise what says that there are too many."""
        error.column = error.column or no_text(layout, row)
        if self.allowance.take():
            key = key_of(layout, row)
            self.found.append(Rejected(key, error.column, error.message, row, layout.signature))
            return
        why = explained(error, layout, row)
        if limit := self.allowance.limit:
            why += f" ({limit:,} other rows were set aside, which is the limit)"
        raise RowRefused(why, line=line, column=error.column)


def load_batch(dest: Database, layout: Layout, batch: bytes, rejects: Rejects) -> int:
    """Load a batch inside the open transaction and return how many rows were written.

    Refused rows are set aside, each for about log2 of the batch in attempts, or two where the
    server tells the row.  The first that is more than the limit is raised as `RowRefused`, with
    table, column, key and value.
    """
    dest.savepoint()
    try:
        written = load(dest, layout, batch)
    except RowRefused as error:
        dest.rollback_to_savepoint()
        written = _load_but_refused(dest, layout, batch, rejects, error)
    dest.release_savepoint()
    return written


def _load_but_refused(
    dest: Database, layout: Layout, batch: bytes, rejects: Rejects, error: RowRefused
) -> int:
    lines = [line + b"\n" for line in batch.split(b"\n")[:-1]]
    before = len(rejects.found)
    written = Search(dest, layout, lines, rejects).run(error)
    if written + len(rejects.found) - before != len(lines):
        raise EngineError(
            f"{layout.label}: {len(lines):,} rows were read, but {written:,} written and "
            f"{len(rejects.found) - before:,} set aside. Nothing of the table was kept."
        )
    return written


def load(dest: Database, layout: Layout, rows: bytes) -> int:
    """Load rows as they are, and count them, or raise what is wrong with the first of them."""
    return dest.load(layout.dest_name, layout.dest_columns, exact(layout, rows, dest))


class Search:
    """Loads all rows of a batch but those that are refused.

    What is loaded stays loaded, behind a savepoint, so no row is sent twice without need.
    """

    def __init__(
        self, dest: Database, layout: Layout, lines: Sequence[bytes], rejects: Rejects
    ) -> None:
        self.dest = dest
        self.layout = layout
        self.lines = lines
        self.rejects = rejects

    def run(self, error: RowRefused | None) -> int:
        """Load and set aside, after all rows at once were refused; the number of rows written."""
        start = written = 0
        end = len(self.lines)
        while error is not None:
            refused, error = self.refused(start, end, error)
            self.rejects.add(self.layout, self.lines[refused], error, refused + 1)
            written += refused - start
            start = refused + 1
            error = self.attempt(start, end)
        return written + end - start

    def attempt(self, start: int, end: int) -> RowRefused | None:
        """Load these rows, or undo them and say why they were refused."""
        if start == end:
            return None
        rows = b"".join(self.lines[start:end])
        try:
            load(self.dest, self.layout, rows)
        except RowRefused as error:
            self.dest.rollback_to_savepoint()
            return error
        self.dest.release_savepoint()
        self.dest.savepoint()
        return None

    def refused(self, low: int, high: int, error: RowRefused) -> tuple[int, RowRefused]:
        """The first refused row, when loading `low` to `high` failed; those before it are loaded.

        The row that the server named is tried first.
        """
        guess = error.line
        while high - low > 1:
            known = guess is not None and 1 <= guess <= high - low
            middle = low + max(1, (guess or 1) - 1) if known else (low + high) // 2
            failure = self.attempt(low, middle)
            if failure is None:
                guess = 1 if known and (guess or 1) > 1 else None
                low = middle
            else:
                guess = failure.line
                high, error = middle, failure
        return low, error


def key_of(layout: Layout, row: bytes) -> str:
    """The primary key of a canonical row, for people."""
    values = row.rstrip(b"\n").split(TAB)
    return ", ".join(shown(values[position]) for position in layout.key_positions)


def no_text(layout: Layout, row: bytes) -> str:
    """The column that has a NUL or no UTF-8, which PostgreSQL refuses without naming it."""
    values = row.rstrip(b"\n").split(TAB)
    for column, value in zip(layout.columns, values, strict=True):
        if b"\0" in value or not is_utf8(value):
            return column.dest.name
    return ""


def explained(error: RowRefused, layout: Layout, row: bytes) -> str:
    """The refusal with table, column, key and value."""
    where = f"{layout.label} (table {layout.dest_name})"
    if error.column:
        where += f", column {error.column}"
    if key := key_of(layout, row):
        where += f", key {key}"
    names = [column.dest.name for column in layout.columns]
    if error.column in names:
        values = row.rstrip(b"\n").split(TAB)
        where += f", value {shown(values[names.index(error.column)])}"
    return f"{where}: {error.message}"


def shown(value: bytes) -> str:
    """A value for a message: readable and short."""
    plain = unescape(value)
    if plain is None:
        return "NULL"
    text = plain[: SHORTENED * 4].decode(errors="backslashreplace")
    readable = "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)
    return readable if len(readable) <= SHORTENED else f"{readable[:SHORTENED]}…"
