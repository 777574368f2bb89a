"""MySQL's and MariaDB's secondary indexes: all of a table are built by one statement, one scan.

The indexes that foreign keys need go as well, and the table's own foreign keys before them.
Without `foreign_key_checks` MariaDB would let the indexes go and keep the keys, but then each row
takes InnoDB longer: a tenth of the server's time goes into the length of names, so it seems to
look for an index of each key.  A load of 185,336 rows with five foreign keys took 2.0 to 2.7 s so,
1.4 to 1.9 s without the keys, 3.7 s with their indexes in place, and 6.2 s with all (MariaDB
10.11).  To put keys back takes milliseconds, validates nothing, and needs no privilege REFERENCES.

MySQL keeps every index that a foreign key refers to, even without `foreign_key_checks`.
"""

from __future__ import annotations

import re
from abc import ABC
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any, NamedTuple

import MySQLdb

from migrations_ui.engine.databases import base, indexing
from migrations_ui.engine.databases.base import ForeignKey
from migrations_ui.engine.databases.indexing import Found, Index, Refusal
from migrations_ui.engine.errors import ServerError

DUPLICATE_ENTRY = 1062
# A key in SHOW CREATE TABLE, which is what ALTER TABLE … ADD takes.
KEY = re.compile(
    r"^  ((?:(UNIQUE|FULLTEXT|SPATIAL) )?KEY `((?:[^`\n]|``)+)` \(.*?),?$", re.MULTILINE
)


class Part(NamedTuple):
    """A key part of an index."""

    column: str | None  # None where it is an expression
    prefix: int | None  # characters or bytes, where not all of the value is indexed
    kind: str  # BTREE, HASH, FULLTEXT, SPATIAL
    repeats: int  # 0 where the index is unique

    @property
    def is_hashed(self) -> bool:
        """Whether MariaDB compares hashes of what is too long for a tree to be unique.

        One that need not be unique is a tree, whatever was asked for, and since MariaDB 11 it is
        told by what was asked for.
        """
        return self.kind == "HASH" and not self.repeats

    @property
    def is_tree(self) -> bool:
        return self.kind in ("BTREE", "HASH") and not self.is_hashed


class Indexing(base.Database, ABC):
    """The part of a MySQL or MariaDB database that is about indexes."""

    # With four indexes: about the same time for 2,000 and 5,000 rows, half of it for 10,000 (70
    # to 140 ms instead of 190 to 260 ms), a third for 100,000 and 500,000.
    rebuilds_indexes_from = 10_000

    def indexes(self, tables: Iterable[str]) -> list[Found]:
        self.execute("SET SESSION sql_quote_show_create = 1")
        return [found for table in tables for found in self._indexes(table)]

    def _indexes(self, table: str) -> list[Found]:
        """The table's indexes in the order in which the server keeps them.

        One that comes before another that stays, of the same kind, stays as well: it would come
        back behind it.
        """
        parts = self._parts(table)
        ((_, sql),) = self.query(f"SHOW CREATE TABLE {self.quote(table)}")
        virtual = self._virtual_columns(table)
        fixed = self._fixed_columns(table, parts)
        found: list[Found] = []
        stays: set[str] = set()
        for definition, kind, quoted in reversed(KEY.findall(sql)):
            name = quoted.replace("``", "`")
            if not (columns := parts.get(name)):
                continue  # the text of a comment or an expression
            names = {part.column for part in columns}
            # The server keeps unique ones first, and those of FULLTEXT behind all others.
            group = kind.replace("SPATIAL", "")
            if virtual & names and self.product == "MySQL":
                group += " virtual"  # MySQL keeps them behind others of their kind
            if fixed is None or not columns[0].is_tree or (fixed | virtual) & names:
                stays.add(group)
            removable = group not in stays
            found.insert(0, Found(self._index(table, name, definition, kind, columns), removable))
        return found

    def _index(
        self, table: str, name: str, definition: str, kind: str, parts: Sequence[Part]
    ) -> Index:
        columns = [part.column for part in parts if part.column is not None]
        return Index(
            table=table,
            name=name,
            definition=definition,
            columns=tuple(part.column or "an expression" for part in parts),
            unique=kind == "UNIQUE",
            constraint=kind == "UNIQUE",
            keys=tuple(self._key(part) for part in parts)
            if kind == "UNIQUE" and len(columns) == len(parts)
            else (),
        )

    def _key(self, part: Part) -> str:
        column = self.quote(part.column or "")
        return f"LEFT({column}, {int(part.prefix)})" if part.prefix else column

    def _parts(self, table: str) -> dict[str, list[Part]]:
        """The key parts of each of the table's indexes, PRIMARY among them."""
        parts: dict[str, list[Part]] = {}
        for name, *facts in self.query(
            "SELECT index_name, column_name, sub_part, index_type, non_unique "
            "FROM information_schema.statistics "
            "WHERE table_schema = DATABASE() AND table_name = %s ORDER BY 1, seq_in_index",
            [table],
        ):
            parts.setdefault(name, []).append(Part(*facts))
        return parts

    def _fixed_columns(self, table: str, parts: dict[str, list[Part]]) -> set[str | None] | None:
        """Columns whose indexes stay; None when all stay.

        All do for other engines and for partitions, where a unique index takes the place of the
        primary key, and where one is hashed: its hash is a hidden virtual column, for the sake of
        which MariaDB would copy the whole table.
        """
        ((engine, kind, options),) = self.query(
            "SELECT engine, table_type, create_options FROM information_schema.tables "
            "WHERE table_schema = DATABASE() AND table_name = %s",
            [table],
        )
        if (engine, kind) != ("InnoDB", "BASE TABLE") or "partitioned" in options:
            return None
        hashed = any(part.is_hashed for columns in parts.values() for part in columns)
        if hashed or "PRIMARY" not in parts:
            return None
        counted = parts["PRIMARY"][0].column
        found = self.query(
            "SELECT column_name FROM information_schema.columns "
            "WHERE table_schema = DATABASE() AND table_name = %s AND "
            "extra LIKE '%%auto_increment%%' AND column_name <> %s",
            [table, counted],
        )
        fixed: set[str | None] = {name for (name,) in found}
        if self.product == "MySQL":
            keys = self.foreign_keys([table])
            fixed |= {key.parent_columns[0] for key in keys if key.parent == table}
        return fixed

    def _virtual_columns(self, table: str) -> set[str | None]:
        """Virtual columns, None among them for expressions.

        Their indexes stay, because a row is refused for such a value only while it has an index.
        """
        found = self.query(
            "SELECT column_name FROM information_schema.columns "
            "WHERE table_schema = DATABASE() AND table_name = %s AND extra LIKE '%%VIRTUAL%%'",
            [table],
        )
        return {None, *(name for (name,) in found)}

    def remove_indexes(self, table: str, indexes: Sequence[Index]) -> None:
        # In place or not at all: a table is not to be copied for this.
        self._alter(table, [f"DROP KEY {self.quote(index.name)}" for index in indexes], "INPLACE")

    def build_indexes(self, table: str, indexes: Sequence[Index]) -> list[Refusal]:
        left = list(indexes)
        refused = []
        while left:
            try:
                self._alter(table, [f"ADD {index.definition}" for index in left], "DEFAULT")
                break
            except ServerError as error:
                violated = violated_index(left, error.__cause__)
                if violated is None:
                    raise
                refused.append(Refusal(violated, str(error)))
                left.remove(violated)
        return refused

    def _alter(self, table: str, changes: Sequence[str], algorithm: str) -> None:
        sql = f"ALTER TABLE {self.quote(table)} {', '.join(changes)}, ALGORITHM={algorithm}"
        ((checks,),) = self.query("SELECT @@foreign_key_checks")
        self.execute("SET SESSION foreign_key_checks = 0")
        try:
            self.execute(sql)
        finally:
            with suppress(ServerError):  # a session that is lost has told so
                self.execute(f"SET SESSION foreign_key_checks = {int(checks)}")

    # -- Foreign keys -----------------------------------------------------------------------------

    def defined(self, keys: Sequence[ForeignKey], indexes: Sequence[Index]) -> list[ForeignKey]:
        rules = {
            (table, name): f"{self._rule('DELETE', on_delete)}{self._rule('UPDATE', on_update)}"
            for table in {index.table for index in indexes}
            for name, on_delete, on_update in self.query(
                "SELECT constraint_name, delete_rule, update_rule "
                "FROM information_schema.referential_constraints "
                "WHERE constraint_schema = DATABASE() AND table_name = %s",
                [table],
            )
        }
        return [
            replace(key, definition=f"{self._form(key)}{rules[key.table, key.name]}")
            if (key.table, key.name) in rules
            else key
            for key in keys
        ]

    def _rule(self, event: str, name: str) -> str:
        """A foreign key's rule in SQL; a default that is spelled out would come back changed."""
        default = "RESTRICT" if self.product == "MariaDB" else "NO ACTION"
        return "" if name == default else f" ON {event} {name}"

    def _form(self, key: ForeignKey) -> str:
        """The key in SQL, but for its rules."""
        parent = f"{self.quote(key.parent)} ({self.quoted(key.parent_columns)})"
        return f"FOREIGN KEY ({self.quoted(key.columns)}) REFERENCES {parent}"

    def drop_foreign_key(self, key: ForeignKey) -> None:
        if self._is_there(key):
            self._alter(key.table, [f"DROP FOREIGN KEY {self.quote(key.name)}"], "INPLACE")

    def restore_foreign_key(self, key: ForeignKey) -> None:
        if key.definition and not self._is_there(key):
            name = self.quote(key.name)
            self._alter(key.table, [f"ADD CONSTRAINT {name} {key.definition}"], "INPLACE")

    def _is_there(self, key: ForeignKey) -> bool:
        return bool(
            self.query(
                "SELECT 1 FROM information_schema.table_constraints "
                "WHERE table_schema = DATABASE() AND constraint_schema = DATABASE() "
                "AND constraint_type = 'FOREIGN KEY' AND table_name = %s AND constraint_name = %s",
                [key.table, key.name],
            )
        )

    def clash(self, index: Index) -> str:
        key = [part.column or "" for part in self._parts(index.table)["PRIMARY"]]
        return indexing.clash(self, index, key)


def violated_index(indexes: Sequence[Index], cause: Any) -> Index | None:
    """Which of the indexes the server could not build because of a duplicate."""
    if not isinstance(cause, MySQLdb.Error) or cause.args[0] != DUPLICATE_ENTRY:
        return None
    # MySQL puts the table before the name.
    return next(
        (
            index
            for index in indexes
            if cause.args[1].endswith((f"for key '{index.name}'", f".{index.name}'"))
        ),
        None,
    )
