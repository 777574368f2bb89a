"""Looking into PostgreSQL, by the server's own functions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from migrations_ui.engine.databases import inspecting
from migrations_ui.engine.databases.base import Database
from migrations_ui.engine.databases.inspecting import (
    Check,
    Index,
    Lack,
    Session,
    Settings,
    Width,
    what_by,
)
from migrations_ui.engine.databases.postgresql.database import NAME
from migrations_ui.engine.databases.postgresql.triggers import FIRES, ON
from migrations_ui.engine.errors import ServerError

# The tables by name, not by to_regclass(): that fails in a schema that may not be used.
TABLES = (
    "(SELECT c.*, wanted FROM pg_class c JOIN unnest(%s::text[]) wanted"
    f" ON wanted = {NAME.format('c')} WHERE relkind IN ('r', 'p')) c"
)
MAY_SELECT = (
    "(has_table_privilege(c.oid, 'SELECT') OR (SELECT bool_and(has_column_privilege(c.oid, attnum,"
    " 'SELECT')) FROM pg_attribute WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped))"
)
# What hands out a table's keys: whether its last key may be read, and the next one set.
SEQUENCES = (
    "(SELECT refobjid, bool_and(has_sequence_privilege(objid, 'SELECT')) AS readable,"
    " bool_and(has_sequence_privilege(objid, 'UPDATE')) AS settable"
    " FROM pg_depend JOIN pg_sequence ON seqrelid = objid WHERE deptype IN ('a', 'i')"
    " AND classid = 'pg_class'::regclass AND refclassid = 'pg_class'::regclass"
    " GROUP BY refobjid) s"
)
PRIVILEGES_FOR_READING = {
    "USAGE of its schema": "has_schema_privilege(c.relnamespace, 'USAGE')",
    "SELECT": MAY_SELECT,
    "SELECT on its sequence": "coalesce(s.readable, true)",
}
PRIVILEGES_FOR_REPLACING = PRIVILEGES_FOR_READING | {
    "INSERT": "has_table_privilege(c.oid, 'INSERT')",
    "TRUNCATE": "has_table_privilege(c.oid, 'TRUNCATE')",
    "UPDATE on its sequence": "coalesce(s.settable, true)",
}
KEYS_THAT_ARE_DROPPED = (
    "SELECT DISTINCT {child}, pg_has_role(t.relowner, 'USAGE'),"
    " has_table_privilege(confrelid, 'REFERENCES') "
    f"FROM pg_constraint JOIN {TABLES} ON c.oid IN (conrelid, confrelid) "
    "JOIN pg_class t ON t.oid = conrelid WHERE contype = 'f' AND conparentid = 0 ORDER BY 1"
)


# Bytes that an entry of a B-tree may have, after compression.
BTREE_ENTRY = 2704
# A row lies in one page.  These are the bytes that come before it and its values; a value's place
# is a multiple of its alignment, and the row's size one of the largest.
PAGE_HEADER = 32
ROW_HEADER = 24
ALIGNMENTS = {"c": 1, "s": 2, "i": 4, "d": 8}
# A longer value can be kept elsewhere, with 18 bytes in the row that lead to it.  One of so many
# bytes, its own header included, can't, however little room the others leave.
KEPT_IN_ROW = 24
LONGEST = (
    "CASE WHEN attlen > 0 THEN attlen"
    " WHEN typname IN ('varchar', 'bpchar') AND atttypmod > 4"
    # In most languages' texts a character is a byte.
    f" THEN LEAST({KEPT_IN_ROW}, atttypmod - 4 + 1)"
    " WHEN typname = 'numeric' AND atttypmod > 4"
    # Four digits in two bytes, on either side of the point.
    f" THEN LEAST({KEPT_IN_ROW}, 3 + 2 * (((atttypmod - 4 >> 16) - (atttypmod - 4 & 2047) + 3) / 4"
    " + ((atttypmod - 4 & 2047) + 3) / 4))"
    f" ELSE {KEPT_IN_ROW} END"
)
# Whose locales a database may go by instead of the system's.
LIBRARIES = {"i": "ICU", "b": "built in"}
# No table with fewer columns is too wide: types of a fixed length are short.
MANY_COLUMNS = 100


class Inspector(inspecting.Inspector):
    """Looks into a PostgreSQL database."""

    oldest_for_django = (14,)
    has_covering_constraints = True
    has_deferrable_constraints = True
    has_special_indexes = True
    checks_json = False

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self.has_nulls_distinct = database.server().version >= (15,)

    # -- The server -------------------------------------------------------------------------------

    def settings(self) -> Settings:
        ((encoding, by_system, provider, by_provider, read_only),) = self.database.query(
            "SELECT pg_encoding_to_char(encoding), datcollate, to_jsonb(d) ->> 'datlocprovider',"
            # ICU's alone before PostgreSQL 17, and not there before 15.
            " coalesce(to_jsonb(d) ->> 'datlocale', to_jsonb(d) ->> 'daticulocale'),"
            " current_setting('transaction_read_only') = 'on' "
            "FROM pg_database d WHERE datname = current_database()"
        )
        return Settings(
            encoding=encoding,
            holds_unicode=encoding == "UTF8",
            checks_encoding=encoding != "SQL_ASCII",
            collation=collation_of(by_system, provider, by_provider),
            is_read_only=read_only,
        )

    def could_write(self) -> str:
        # Refused before privileges are looked at: the transaction itself must be read-only.
        statement = "CREATE TEMPORARY TABLE cutover_probe ()"
        self.database.execute("BEGIN")
        try:
            self.database.execute(statement)
        except ServerError as error:
            if error.transient:
                raise
            code = getattr(error.__cause__, "pgcode", "")
            return "" if code == "25006" else f"{statement} ({error})"
        else:
            return statement
        finally:
            self.database.rollback()

    def lacks_for_reading(self, tables: Sequence[str]) -> list[Lack]:
        return list(self._lacks(PRIVILEGES_FOR_READING, tables))

    def lacks_for_replacing(self, tables: Sequence[str]) -> list[Lack]:
        lacks = list(self._lacks(PRIVILEGES_FOR_REPLACING, tables))
        for table, owned, may_refer in self.database.query(
            KEYS_THAT_ARE_DROPPED.format(child=NAME.format("t")), [list(tables)]
        ):
            if not owned:
                lacks.append(
                    Lack(table, ("ownership (its foreign keys are dropped and put back)",))
                )
            elif not may_refer:
                lacks.append(Lack(table, ("REFERENCES on the table that it refers to",)))
        return lacks

    def _lacks(self, privileges: dict[str, str], tables: Sequence[str]) -> Iterator[Lack]:
        """The tables for which not all of the conditions hold."""
        sql = (
            f"SELECT wanted, {', '.join(privileges.values())} FROM {TABLES} "
            f"LEFT JOIN {SEQUENCES} ON s.refobjid = c.oid ORDER BY wanted"
        )
        for table, *held in self.database.query(sql, [list(tables)]):
            if missing := [name for name, has in zip(privileges, held, strict=True) if not has]:
                yield Lack(table, tuple(missing))

    def sessions(self, tables: Sequence[str]) -> list[Session]:
        # pg_locks shows everybody's locks; pg_stat_activity hides what others do.
        return [
            Session(f"{user} from {address}{f' ({program})' if program else ''}", busy)
            for user, address, program, busy in self.database.query(
                "SELECT usename, coalesce(host(client_addr), 'a local socket'), application_name,"
                " EXISTS (SELECT 1 FROM pg_locks l WHERE l.pid = a.pid AND granted AND"
                "  (locktype = 'transactionid' OR (locktype = 'relation' AND l.database = a.datid"
                f"  AND relation IN (SELECT c.oid FROM {TABLES})))) "
                "FROM pg_stat_activity a WHERE datname = current_database()"
                " AND pid <> pg_backend_pid() AND usename IS NOT NULL"
                " AND application_name <> 'cutover' ORDER BY 4 DESC, 1, 2",
                [list(tables)],
            )
        ]

    def size(self) -> int | None:
        return int(self.database.query("SELECT pg_database_size(current_database())")[0][0])

    # -- The schema -------------------------------------------------------------------------------

    def indexes(self, tables: Sequence[str]) -> list[Index]:
        return [
            made_index(*facts)
            for facts in self.database.query(
                "SELECT wanted, i.relname, ARRAY(SELECT attname::text FROM"
                "  unnest((indkey::int2[])[0:indnkeyatts - 1]) WITH ORDINALITY k(number, place)"
                "  LEFT JOIN pg_attribute ON attrelid = indrelid AND attnum = number"
                "  AND number <> 0 ORDER BY place),"
                " indisunique, indpred IS NOT NULL, indisvalid AND indisready,"
                " (SELECT bool_and(opcdefault) FROM pg_opclass WHERE oid = ANY(indclass::oid[])),"
                " ARRAY(SELECT collname::text FROM pg_collation"
                "  WHERE oid = ANY(indcollation::oid[]) AND NOT collisdeterministic),"
                " amname = 'btree' "
                f"FROM {TABLES} JOIN pg_index ON indrelid = c.oid "
                "JOIN pg_class i ON i.oid = indexrelid JOIN pg_am a ON a.oid = i.relam "
                "ORDER BY 1, 2",
                [list(tables)],
            )
        ]

    def checks(self, tables: Sequence[str]) -> list[Check]:
        return [
            Check(table, name, definition, valid)
            for table, name, definition, valid in self._constraints("cx", tables)
        ]

    def invalid_foreign_keys(self, tables: Sequence[str]) -> list[tuple[str, str]]:
        """Those that were never validated, and those whose triggers are off.

        PostgreSQL 15 validates a key that leads to a partitioned table without saying so of its
        parts, one for each partition.
        """
        found = self.database.query(
            f"SELECT wanted, conname FROM {TABLES} JOIN pg_constraint k ON conrelid = c.oid "
            "WHERE contype = 'f' AND (NOT convalidated AND conparentid = 0 OR EXISTS (SELECT FROM "
            "pg_trigger WHERE tgconstraint = k.oid AND tgenabled NOT IN ('O', 'A'))) "
            "ORDER BY 1, 2",
            [list(tables)],
        )
        return [(table, name) for table, name in found]

    def _constraints(self, types: str, tables: Sequence[str]) -> list[tuple[Any, ...]]:
        return self.database.query(
            "SELECT wanted, conname, pg_get_constraintdef(k.oid), convalidated "
            f"FROM {TABLES} JOIN pg_constraint k ON conrelid = c.oid "
            'WHERE contype = ANY(%s::"char"[]) ORDER BY 1, 2',
            [list(tables), list(types)],
        )

    def counted_keys(self, tables: Sequence[str]) -> set[tuple[str, str]]:
        return {
            (table, column)
            for table, column in self.database.query(
                f"SELECT wanted, attname FROM {TABLES} JOIN pg_depend d ON refobjid = c.oid"
                " AND deptype IN ('a', 'i') AND refclassid = 'pg_class'::regclass"
                " AND d.classid = 'pg_class'::regclass "
                "JOIN pg_sequence ON seqrelid = d.objid "
                "JOIN pg_attribute ON attrelid = c.oid AND attnum = refobjsubid",
                [list(tables)],
            )
        }

    def too_wide(self, tables: Sequence[str]) -> list[Width]:
        found: dict[tuple[str, int], list[tuple[int, int]]] = {}
        for table, block, longest, align in self.database.query(
            f"SELECT wanted, current_setting('block_size')::int, {LONGEST},"
            " CASE WHEN attlen > 0 THEN attalign ELSE 'c' END "
            f"FROM {TABLES} JOIN pg_attribute ON attrelid = c.oid "
            "JOIN pg_type t ON t.oid = atttypid "
            f"WHERE relnatts > {MANY_COLUMNS} AND attnum > 0 AND NOT attisdropped "
            "ORDER BY wanted, attnum",
            [list(tables)],
        ):
            found.setdefault((table, block), []).append((longest, ALIGNMENTS[align]))
        widths = (
            Width(table, len(columns), row_size(columns), block - PAGE_HEADER)
            for (table, block), columns in found.items()
        )
        return [width for width in widths if width.size > width.room]

    def triggers(self, tables: Sequence[str]) -> list[tuple[str, str]]:
        return self._triggers(f"{FIRES} AND {ON}", tables)

    def disabled_triggers(self, tables: Sequence[str]) -> list[tuple[str, str]]:
        return self._triggers("NOT tgisinternal AND tgenabled = 'D'", tables)

    def _triggers(self, which: str, tables: Sequence[str]) -> list[tuple[str, str]]:
        return [
            (table, name)
            for table, name in self.database.query(
                f"SELECT wanted, tgname FROM {TABLES} JOIN pg_trigger ON tgrelid = c.oid "
                f"WHERE {which} ORDER BY 1, 2",
                [list(tables)],
            )
        ]

    def hiding_rows(self, tables: Sequence[str]) -> list[str]:
        return [
            table
            for (table,) in self.database.query(
                f"SELECT wanted FROM {TABLES} WHERE row_security_active(c.oid) ORDER BY 1",
                [list(tables)],
            )
        ]

    def heirs(self, tables: Sequence[str]) -> list[tuple[str, str]]:
        # A partitioned table has no rows but those of its partitions.
        return [
            (table, heir)
            for table, heir in self.database.query(
                f"SELECT wanted, inhrelid::regclass::text FROM {TABLES} "
                "JOIN pg_inherits ON inhparent = c.oid WHERE relkind = 'r' ORDER BY 1, 2",
                [list(tables)],
            )
        ]


def collation_of(by_system: str, provider: str | None, by_provider: str | None) -> str:
    """What texts are sorted by: the system's locale, or one of a library that the server brings."""
    library = LIBRARIES.get(provider or "")
    return f"{by_provider} ({library})" if library else by_system


def row_size(columns: Sequence[tuple[int, int]]) -> int:
    """Bytes of a row whose values have these lengths and alignments."""
    size = ROW_HEADER
    for length, align in columns:
        size += -size % align + length
    return size + -size % max(ALIGNMENTS.values())


def made_index(
    table: str,
    name: str,
    columns: list[str | None],
    unique: bool,
    partial: bool,
    valid: bool,
    ordinary: bool,
    folding: list[str],
    is_btree: bool,
) -> Index:
    """A row of pg_index as an index; `folding` are collations that hold different texts equal."""
    by = what_by([f"the collation {c}" for c in folding], columns=columns, partial=partial)
    most = BTREE_ENTRY if is_btree else None
    return Index(table, name, tuple(columns), unique, partial, valid, ordinary, by, most)
