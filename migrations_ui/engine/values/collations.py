"""Texts that the destination's collation may not hold apart, compared by its own server.

What a collation holds equal (case, accents, trailing spaces, ligatures, invisible characters …)
nobody but the server knows.  So the candidates go into a temporary table there, which this session
alone sees; those for SQLite, which is in this process, into a database of their own.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from hashlib import md5
from itertools import islice

from migrations_ui.engine.databases.base import Column, Database, TypedColumn
from migrations_ui.engine.kinds import Kind, escape
from migrations_ui.engine.layout import CopiedColumn, Layout
from migrations_ui.engine.values.readers import Reader
from migrations_ui.engine.values.scan import SAMPLES

ROWS_AT_ONCE = 20_000
# What holds all different texts apart, spaces at their ends among them.
EXACT = {"MariaDB": "utf8mb4_nopad_bin", "MySQL": "utf8mb4_0900_bin"}
BESIDE = "\x1f"
OTHERS = Column("cutover_others", "char", Kind.TEXT, nullable=True, charset="ascii")
SAMPLE = Column("cutover_sample", "longtext", Kind.TEXT, nullable=True, charset="utf8mb4")


class Comparison:
    """The rows of one table, by columns some of which (`texts`) a collation may fold."""

    def __init__(
        self,
        layout: Layout,
        columns: Sequence[CopiedColumn],
        texts: Sequence[CopiedColumn],
        reader: Reader,
    ) -> None:
        self.layout = layout
        self.columns, self.texts = columns, texts
        self.others = [column for column in columns if column not in texts]
        self.reader = reader
        self.table = reader.database.quote(layout.source_name)

    def odd(self) -> str:
        """SQL that is true for a text without which there can be no clash."""
        return " OR ".join(
            self.reader.trailing_space(column.source)
            if column.dest.collation.endswith("_bin")
            else self.reader.folding(column.source)
            for column in self.texts
        )

    def may_clash(self) -> bool:
        """Whether there is such a text."""
        sql = f"SELECT 1 FROM {self.table} WHERE {self.odd()} LIMIT 1"
        return bool(self.reader.database.query(sql))

    def candidates(self) -> str:
        """The query for rows that may clash: the texts, the sample key, then the other columns."""
        quote = self.reader.database.quote
        keys = [self.layout.columns[index].source for index in self.layout.key_positions]
        shown = [self.reader.raw(column.source) for column in self.texts]
        shown += [self.reader.key(column) for column in keys]
        shown += [self.reader.key(column.source) for column in self.others]
        present = " AND ".join(f"{quote(c.source.name)} IS NOT NULL" for c in self.columns)
        sql = f"SELECT {', '.join(shown)} FROM {self.table} WHERE {present}"
        if not self.others:
            return sql
        others = ", ".join(quote(column.source.name) for column in self.others)
        return (
            f"{sql} AND ({others}) IN (SELECT {others} FROM {self.table} WHERE {present} "
            f"GROUP BY {others} HAVING COUNT(*) > 1)"
        )

    def rows(self) -> Iterator[list[bytes]]:
        """The candidates: what stands for the other columns, the texts, and the sample key."""
        texts, keys = len(self.texts), len(self.layout.key_positions)
        for row in self.reader.stream(self.candidates()):
            values = [value if isinstance(value, bytes) else str(value).encode() for value in row]
            sample = b", ".join(values[texts : texts + keys])
            others = b"\x1f".join(values[texts + keys :])
            digest = md5(others, usedforsecurity=False).hexdigest().encode()
            yield [digest, *values[:texts], sample]

    def clashes(self, dest: Database, name: str) -> tuple[int, tuple[str, ...]]:
        """How many rows clash there, and a few of their keys; `name` is a name for the table."""
        texts = dest.quoted(column.dest.name for column in self.texts)
        # A key of its own, which a server may ask of every table (sql_require_primary_key).
        dest.execute(
            f"CREATE TEMPORARY TABLE {dest.quote(name)} "
            f"(cutover_row BIGINT AUTO_INCREMENT PRIMARY KEY, {OTHERS.name} CHAR(32) CHARACTER SET "
            f"ascii, {SAMPLE.name} LONGTEXT CHARACTER SET utf8mb4) "
            f"SELECT {texts} FROM {dest.quote(self.layout.dest_name)} LIMIT 0"
        )
        try:
            self.fill(dest, name)
            return compared(dest, name, f"{OTHERS.name}, {texts}")
        finally:
            dest.execute(f"DROP TEMPORARY TABLE IF EXISTS {dest.quote(name)}")

    def fill(self, dest: Database, name: str) -> None:
        dest.prepare_load()
        columns = [
            TypedColumn(Kind.TEXT, OTHERS),
            *(TypedColumn(Kind.TEXT, column.dest) for column in self.texts),
            TypedColumn(Kind.TEXT, SAMPLE),
        ]
        rows = (b"\t".join(map(escape, row)) + b"\n" for row in self.rows())
        with dest.transaction():
            while batch := b"".join(islice(rows, ROWS_AT_ONCE)):
                dest.load(name, columns, batch)


def clashes_in_sqlite(
    comparison: Comparison, collations: Sequence[str]
) -> tuple[int, tuple[str, ...]]:
    """The same as `Comparison.clashes`, by collations of SQLite's own.

    These every SQLite has, so the destination's file is not locked: the table is nobody else's.
    """
    texts = [f"t{number} COLLATE {name}" for number, name in enumerate(collations)]
    marks = ", ".join(["CAST(? AS TEXT)"] * (len(texts) + 2))
    with closing(sqlite3.connect("")) as beside:
        beside.execute(f"CREATE TABLE candidates (others, {', '.join(texts)}, sample)")
        beside.executemany(f"INSERT INTO candidates VALUES ({marks})", comparison.rows())
        found = beside.execute(
            "SELECT COUNT(*) OVER (), CAST(sample AS BLOB) FROM (SELECT sample, COUNT(*) OVER w AS "
            "how_many, MIN(sample) OVER w AS first FROM candidates "
            f"WINDOW w AS (PARTITION BY others, {', '.join(texts)})) WHERE how_many > 1 "
            f"ORDER BY LENGTH(first), first, LENGTH(sample), sample LIMIT {SAMPLES}"
        ).fetchall()
    samples = [sample.decode(errors="replace") for _, sample in found]
    return found[0][0] if found else 0, tuple(sample for sample in samples if sample)


def compared(dest: Database, name: str, columns: str) -> tuple[int, tuple[str, ...]]:
    """How many rows are equal to another one in these columns, and the keys of a few."""
    rest = f"FROM {dest.quote(name)} GROUP BY {columns} HAVING COUNT(*) > 1"
    total = dest.query(f"SELECT SUM(how_many) FROM (SELECT COUNT(*) AS how_many {rest}) clashing")
    if not (rows := int(total[0][0] or 0)):
        return 0, ()
    order = f"LENGTH({SAMPLE.name}), {SAMPLE.name}"
    groups = dest.query(
        f"SELECT GROUP_CONCAT({SAMPLE.name} ORDER BY {order} SEPARATOR '{BESIDE}') AS samples "
        f"{rest} ORDER BY LENGTH(MIN({SAMPLE.name})), MIN({SAMPLE.name}) LIMIT {SAMPLES}"
    )
    samples = [sample for (joined,) in groups for sample in str(joined).split(BESIDE)]
    return rows, tuple(sample for sample in samples if sample)[:SAMPLES]
