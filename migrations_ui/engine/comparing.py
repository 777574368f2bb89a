"""Comparing every cell of one table: what differs, and how it is told.

Two ways lead through a table, `merging` and `digests`; both hand rows that seem to differ to
`Suspects`, which reads them once more on both sides before it believes so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import NamedTuple, Protocol

from migrations_ui.engine.databases.base import Database, KeyList, KeyRange, Rows, TypedColumn
from migrations_ui.engine.differences import Difference, What, difference, value_text
from migrations_ui.engine.equality import Equality, differing
from migrations_ui.engine.errors import ServerError
from migrations_ui.engine.kinds import NULL, Kind, unescape
from migrations_ui.engine.layout import CopiedColumn, Layout

# Differences of one table that are kept with their values; the others are counted.
KEPT = 1_000
# And so many of those in what both sides compute.
KEPT_COMPUTED = 100
# Rows that seem to differ are read again, so many at once, but no more bytes of them than this.
AT_ONCE = 200
AT_ONCE_BYTES = 1024 * 1024
# So many of a table.  Rows change while they are compared, but not that many.
READ_AGAIN = 10_000


class RowDifference(NamedTuple):
    """A row that differs, as both sides have it: canonical rows as the destination takes them."""

    what: What
    key: bytes  # its columns' canonical values, separated by tabs
    source: bytes | None
    dest: bytes | None


@dataclass
class Comparison:
    """What comparing a table, or a part of it, has found.  Counts are of rows.

    `rejected` rows are missing because they were set aside; `computed` rows differ in nothing that
    was copied.  The digests are BLAKE2b of the canonical rows of either side, in hex.
    """

    rows_source: int = 0
    rows_dest: int = 0
    missing: int = 0
    extra: int = 0
    different: int = 0
    computed: int = 0
    rejected: int = 0
    differences: list[Difference] = field(default_factory=list)
    computed_differences: list[Difference] = field(default_factory=list)
    digest_source: str = ""
    digest_dest: str = ""

    @property
    def is_identical(self) -> bool:
        """Whether all that was copied, or is to be, is the same."""
        return not (self.missing or self.extra or self.different or self.rejected)

    def add(self, part: Comparison) -> None:
        """Take what another part of the same table has found; digests are not added."""
        for name in ("rows_source", "rows_dest", *What, "rejected"):
            setattr(self, name, getattr(self, name) + getattr(part, name))
        self.differences += part.differences[: KEPT - len(self.differences)]
        left = KEPT_COMPUTED - len(self.computed_differences)
        self.computed_differences += part.computed_differences[:left]


Found = Callable[[RowDifference], None]


class ByKey(Protocol):
    """Writes the rows of a side that have the listed keys; without keys, all of them."""

    def __call__(
        self, write: Callable[[bytes], object], *, listed: Sequence[bytes] = ()
    ) -> object: ...


def is_ordered(layout: Layout) -> bool:
    """Whether both vendors sort the table's key alike: of integers all do."""
    key = [layout.columns[position] for position in layout.key_positions]
    return len(key) == len(layout.table.key) and all(
        column.source.storage is column.dest.storage is Kind.INTEGER for column in key
    )


class Pair:
    """A table on both sides: how its rows are read, and when two of them are the same."""

    def __init__(self, layout: Layout, source: Database, dest: Database) -> None:
        self.layout = layout
        self.finds_by_literal = (source.finds_by_literal, dest.finds_by_literal)
        zeros = source.has_negative_zero and dest.has_negative_zero
        self.equalities = [
            Equality(column.loaded_as, column.source, column.dest, has_negative_zero=zeros)
            for column in self.layout.columns
        ]
        # Without a key that says which row is meant, all columns do.
        self.key = self.layout.key_positions or list(range(len(self.layout.columns)))
        self.has_key = bool(self.layout.key_positions)
        # The columns of which each server has values of its own, whatever the other one has.
        self.computed = {
            position
            for position, column in enumerate(self.layout.columns)
            if column.source.generated and column.dest.generated and source.vendor != dest.vendor
        }

    @cached_property
    def key_columns(self) -> list[CopiedColumn]:
        return [self.layout.columns[position] for position in self.key]

    @property
    def can_read_again(self) -> bool:
        """Whether a row can be asked for by its key."""
        return self.has_key and all(column.through is None for column in self.key_columns)

    # -- Reading ----------------------------------------------------------------------------------

    def read_source(
        self,
        source: Database,
        write: Callable[[bytes], object],
        keys: KeyRange | None = None,
        listed: Sequence[bytes] = (),
        *,
        ordered: bool = False,
    ) -> None:
        """Write the source's canonical rows as the destination takes them."""
        columns = self.layout.source_columns
        names = tuple(columns[position].column.name for position in self.key)
        rows = Rows(
            self.layout.filters,
            keys,
            names if ordered else (),
            self.keys_listed(source, columns, listed) if listed else None,
        )

        def convert(block: bytes) -> None:
            write(self.layout.for_dest(block))

        source.read(self.layout.source_name, columns, convert, rows)

    def read_dest(
        self,
        dest: Database,
        write: Callable[[bytes], object],
        keys: KeyRange | None = None,
        listed: Sequence[bytes] = (),
        *,
        ordered: bool = False,
    ) -> None:
        """Write the destination's canonical rows; `keys` has the source's names and bounds."""
        columns = self.layout.dest_columns
        names = tuple(columns[position].column.name for position in self.key)
        rows = Rows(
            (),
            keys and keys._replace(columns=names),
            names if ordered else (),
            self.keys_listed(dest, columns, listed) if listed else None,
        )
        dest.read(self.layout.dest_name, columns, write, rows)

    def keys_listed(
        self, database: Database, columns: Sequence[TypedColumn], keys: Sequence[bytes]
    ) -> KeyList:
        """The rows with these keys, canonical and escaped, in the database's own SQL."""
        own = [columns[position] for position in self.key]
        return KeyList(
            tuple(column.column.name for column in own),
            tuple(
                tuple(
                    database.literal(column, unescape(value) or b"")
                    for column, value in zip(own, key.split(b"\t"), strict=True)
                )
                for key in keys
            ),
        )

    def with_keys(self, read: ByKey, keys: Sequence[bytes], *, on_source: bool) -> list[bytes]:
        """The rows of one side that have these keys; `read` gives its rows by key, or all.

        What a literal does not find may be there, spelt in another way or transformed: a date with
        a T, a UUID in capitals.  Such a key is looked for among all rows, and so are all where the
        server takes one for no value at all: a zero date that was set aside.
        """
        found: list[bytes] = []
        try:
            read(found.append, listed=keys)
        except ServerError as error:
            if error.transient:
                raise
            found.clear()
        else:
            if self.is_found_by_literal(on_source=on_source):
                return lines(found)
        rows = lines(found)
        lost = {self.same_key(key, on_source=side) for key in keys for side in (True, False)}
        lost -= {self.same_key(self.key_of(line), on_source=on_source) for line in rows}

        def pick(block: bytes) -> None:
            for line in lines([block]):
                if self.same_key(self.key_of(line), on_source=on_source) in lost:
                    rows.append(line)

        if lost:
            read(pick)
        return rows

    def is_found_by_literal(self, *, on_source: bool) -> bool:
        """Whether a literal of a canonical key finds every row of a side that has the key."""
        if any(
            column.kind is Kind.FLOAT or (on_source and column.transform)
            for column in self.key_columns
        ):
            return False
        return is_ordered(self.layout) or self.finds_by_literal[not on_source]

    # -- Rows -------------------------------------------------------------------------------------

    def key_of(self, line: bytes) -> bytes:
        """The key's columns as they stand in a canonical row."""
        values = line.split(b"\t", self.key[-1] + 1) if self.key[-1:] else []
        return b"\t".join(values[position] for position in self.key)

    def same_key(self, key: bytes, *, on_source: bool) -> bytes:
        """The key in a form that is equal just where two rows are the same row."""
        values = key.split(b"\t")
        forms = [self.equalities[position] for position in self.key]
        return b"\t".join(
            form.normal(value, on_source=on_source)
            for form, value in zip(forms, values, strict=True)
        )

    def differing(self, source: bytes, dest: bytes) -> list[int]:
        """The positions of the columns in which two canonical rows differ."""
        return differing(self.equalities, source.split(b"\t"), dest.split(b"\t"))

    def judged(self, key: bytes, source: bytes | None, dest: bytes | None) -> RowDifference | None:
        """How the two rows of a key differ, if they do."""
        if source is None and dest is None:
            return None
        if dest is None:
            return RowDifference(What.MISSING, key, source, None)
        if source is None:
            return RowDifference(What.EXTRA, key, None, dest)
        if source == dest or not (found := self.differing(source, dest)):
            return None
        what = What.COMPUTED if self.computed.issuperset(found) else What.DIFFERENT
        return RowDifference(what, key, source, dest)

    def told(self, row: RowDifference) -> list[Difference]:
        """A row's difference in full: one for each column that differs."""
        values = map(value_text, row.key.split(b"\t"))
        key = ", ".join("NULL" if value is None else value for value in values)
        if row.source is None or row.dest is None:
            return [difference(row.what, key, "", self._whole(row.source), self._whole(row.dest))]
        there, here = row.source.split(b"\t"), row.dest.split(b"\t")
        names = [column.dest.name for column in self.layout.columns]
        return [
            difference(row.what, key, names[position], there[position], here[position])
            for position in differing(self.equalities, there, here)
        ]

    def _whole(self, line: bytes | None) -> bytes:
        """A whole row with the names of its columns."""
        if line is None:
            return NULL
        names = [column.dest.name.encode() for column in self.layout.columns]
        return b"\t".join(
            name + b"=" + value for name, value in zip(names, line.split(b"\t"), strict=True)
        )


class Suspects:
    """Rows that seem to differ: read once more on both sides, because rows may be changing."""

    def __init__(
        self,
        pair: Pair,
        connections: Callable[[], tuple[Database, Database]],
        result: Comparison,
        set_aside: Iterable[bytes] = (),
        found: Found | None = None,
    ) -> None:
        """`connections` are asked for when the first row is read again: those that rows are
        streamed through are busy.  `set_aside` are the source's canonical rows of a run's rejects;
        `found` is told each row of which something that is copied differs."""
        self.pair = pair
        self.connections = connections
        self.result = result
        self.set_aside = {pair.same_key(pair.key_of(row), on_source=True) for row in set_aside}
        self.found = found
        self._waiting: list[RowDifference] = []
        self._size = 0
        self._seen = 0

    def add(self, key: bytes, source: bytes | None, dest: bytes | None) -> None:
        """Take the two rows of a key, of which one may not be there."""
        row = self.pair.judged(key, source, dest)
        if row is None:
            return
        self._seen += 1
        if not self.pair.can_read_again or self._seen > READ_AGAIN or NULL in key.split(b"\t"):
            self._believe(row)
            return
        self._waiting.append(row)
        self._size += len(source or b"") + len(dest or b"")
        if len(self._waiting) >= AT_ONCE or self._size >= AT_ONCE_BYTES:
            self.flush()

    def flush(self) -> None:
        """Look at those that wait once more, and believe what still differs."""
        waiting, self._waiting, self._size = self._waiting, [], 0
        if not waiting:
            return
        keys = [row.key for row in waiting]
        source, dest = self.connections()
        sources = self._by_key(partial(self.pair.read_source, source), keys, on_source=True)
        dests = self._by_key(partial(self.pair.read_dest, dest), keys, on_source=False)
        for row in waiting:
            same = self.pair.same_key(row.key, on_source=row.source is not None)
            again = self.pair.judged(row.key, sources.get(same), dests.get(same))
            if again is not None:
                self._believe(again)

    def _by_key(self, read: ByKey, keys: Sequence[bytes], *, on_source: bool) -> dict[bytes, bytes]:
        return {
            self.pair.same_key(self.pair.key_of(line), on_source=on_source): line
            for line in self.pair.with_keys(read, keys, on_source=on_source)
        }

    def _believe(self, row: RowDifference) -> None:
        result = self.result
        if (
            self.set_aside
            and row.what is What.MISSING
            and self.pair.same_key(row.key, on_source=True) in self.set_aside
        ):
            result.rejected += 1
            return
        setattr(result, row.what, getattr(result, row.what) + 1)
        if row.what is What.COMPUTED:
            self._keep(row, result.computed_differences, KEPT_COMPUTED)
            return
        self._keep(row, result.differences, KEPT)
        if self.found is not None:
            self.found(row)

    def _keep(self, row: RowDifference, kept: list[Difference], most: int) -> None:
        if len(kept) < most:
            kept += self.pair.told(row)[: most - len(kept)]


def lines(blocks: Iterable[bytes]) -> list[bytes]:
    """The canonical rows of blocks, without their newlines."""
    return b"".join(blocks).split(b"\n")[:-1]
