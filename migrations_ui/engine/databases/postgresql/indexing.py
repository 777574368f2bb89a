"""PostgreSQL's secondary indexes: each is built by a statement of its own."""

from __future__ import annotations

from abc import ABC
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress

import psycopg2

from migrations_ui.engine.databases import base, indexing
from migrations_ui.engine.databases.indexing import Found, Index, Refusal
from migrations_ui.engine.errors import ServerError

# Classes of errors: what an index's expression can't take, and what its function raises.
DATA_EXCEPTION, RAISED = "22", "P0"
INTEGRITY_VIOLATION = "23"
TOO_LONG = "54000"  # a value that has no room in an index
# The least memory for building an index.  Five indexes on 500,000 rows took 2.9 s of sorting with
# 16 MB, 2.3 and 1.7 s with the server's default of 64 MB, 1.9 and 1.6 s with 256 MB, and 2.2 s with
# 1 GB.  Each index that is built at the same time takes as much, so more could hurt.
BUILD_MEMORY = 256 << 20

# An index can be put back as it is unless something of it is not in its definition: a comment, a
# statistics target, a mark, a tablespace, a parent, something else that depends on it, or a right
# that this role has not.  Foreign keys depend on it, too, but they are dropped before.
REMOVABLE = """
    x.indisvalid AND x.indisready AND NOT x.indisreplident AND NOT x.indisclustered
    AND NOT i.relispartition AND i.reltablespace = 0 AND c.relkind = 'r'
    AND pg_has_role(c.relowner, 'USAGE')
    AND has_schema_privilege(c.relnamespace, 'CREATE')
    AND NOT EXISTS (
        SELECT FROM pg_description WHERE objsubid = 0
        AND (classoid = 'pg_class'::regclass AND objoid = i.oid
             OR classoid = 'pg_constraint'::regclass AND objoid = f.oid))
    AND NOT EXISTS (
        SELECT FROM pg_attribute WHERE attrelid = i.oid AND COALESCE(attstattarget, -1) >= 0)
    AND NOT EXISTS (
        SELECT FROM pg_depend
        WHERE classid = 'pg_class'::regclass AND objid = i.oid AND deptype IN ('x', 'e'))
    AND NOT EXISTS (
        SELECT FROM pg_depend d
        WHERE (refclassid = 'pg_class'::regclass AND refobjid = i.oid
               OR refclassid = 'pg_constraint'::regclass AND refobjid = f.oid)
        AND deptype <> 'i'
        AND NOT (classid = 'pg_constraint'::regclass AND EXISTS (
            SELECT FROM pg_constraint k WHERE k.oid = d.objid AND contype = 'f')))
"""
# Of the key with the number `k`: its column or expression, and SQL for it under its collation.
KEYS = """
    SELECT array_agg(COALESCE(a.attname::text, pg_get_indexdef(i.oid, k, true)) ORDER BY k) shown,
        array_agg(pg_get_indexdef(i.oid, k, false) || COALESCE(
            (SELECT format(' COLLATE %%I.%%I', nspname, collname) FROM pg_collation o
             JOIN pg_namespace n ON n.oid = collnamespace WHERE o.oid = x.indcollation[k - 1]), ''
        ) ORDER BY k) sql
    FROM generate_series(1, x.indnkeyatts) k
    LEFT JOIN pg_attribute a ON attrelid = x.indrelid AND attnum = NULLIF(x.indkey[k - 1], 0)
"""
# Only what is built by CREATE UNIQUE INDEX can be made a constraint afterwards.
INDEXES = f"""
    SELECT c.oid, i.relname,
        CASE WHEN x.indisexclusion THEN format('ALTER TABLE ONLY %%s ADD CONSTRAINT %%I %%s',
            c.oid::regclass, conname, pg_get_constraintdef(f.oid))
            ELSE pg_get_indexdef(i.oid) END,
        keys.shown, x.indisunique AND NOT x.indisexclusion, f.oid IS NOT NULL,
        CASE WHEN f.oid IS NULL OR x.indisexclusion THEN ''
            ELSE format('ALTER TABLE ONLY %%s ADD CONSTRAINT %%I UNIQUE USING INDEX %%I%%s%%s',
                c.oid::regclass, conname, i.relname,
                CASE WHEN condeferrable THEN ' DEFERRABLE' ELSE '' END,
                CASE WHEN condeferred THEN ' INITIALLY DEFERRED' ELSE '' END) END,
        CASE WHEN x.indisunique AND NOT x.indisexclusion THEN keys.sql ELSE '{{}}'::text[] END,
        COALESCE(pg_get_expr(x.indpred, x.indrelid), ''),
        COALESCE((to_jsonb(x) ->> 'indnullsnotdistinct')::boolean, false),
        {REMOVABLE}
    FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid JOIN pg_class c ON c.oid = x.indrelid
    LEFT JOIN pg_constraint f ON f.conindid = i.oid AND f.contype IN ('u', 'x')
    CROSS JOIN LATERAL ({KEYS}) keys
    WHERE x.indrelid = ANY(%s::oid[]) AND NOT x.indisprimary AND x.indislive
    ORDER BY array_position(%s::oid[], c.oid), i.oid
"""


class Indexing(base.Database, ABC):
    """The part of a PostgreSQL database that is about indexes."""

    # Half of the time for 5,000 rows with five indexes (33 to 38 ms instead of 44 to 66 ms), a
    # third or less for 500,000 (3 s instead of 10 s); about the same time for 1,000.
    rebuilds_indexes_from = 5_000
    # Two sessions built five indexes on 500,000 rows in 1.9 to 2.9 s, one in 3.5 to 3.7 s.
    builds_indexes_at_once = True

    def indexes(self, tables: Iterable[str]) -> list[Found]:
        quoted = {self.quote(table): table for table in tables}
        names = {
            oid: quoted[name]
            for name, oid in self.query(
                "SELECT n, to_regclass(n)::oid FROM unnest(%s::text[]) n", [list(quoted)]
            )
            if oid
        }
        oids = list(names)
        # Without a search path every name in a definition has its schema.
        with self._settings(search_path=""):
            rows = self.query(INDEXES, [oids, oids])
        return [
            Found(
                Index(
                    table=names[oid],
                    name=name,
                    definition=definition,
                    columns=tuple(columns),
                    unique=unique,
                    constraint=constraint,
                    attach=attach,
                    keys=tuple(keys),
                    condition=condition,
                    nulls_clash=nulls_clash,
                ),
                removable,
            )
            for oid, name, definition, columns, unique, constraint, attach, keys, *rest in rows
            for condition, nulls_clash, removable in [rest]
        ]

    @contextmanager
    def _settings(self, **settings: str) -> Iterator[None]:
        """Set the session's settings for what is done meanwhile."""
        before = {name: self.query("SELECT current_setting(%s)", [name])[0][0] for name in settings}
        self._set(settings)
        try:
            yield
        finally:
            with suppress(ServerError):  # a dead connection has no settings
                self._set(before)

    def _set(self, settings: dict[str, str]) -> None:
        for name, value in settings.items():
            self.query("SELECT set_config(%s, %s, false)", [name, value])

    def remove_indexes(self, table: str, indexes: Sequence[Index]) -> None:
        quoted = self.quote(table)
        ((schema,),) = self.query(
            "SELECT relnamespace::regnamespace::text FROM pg_class WHERE oid = %s::regclass",
            [quoted],
        )
        for index in indexes:
            name = base.Database.quote(self, index.name)
            self.execute(
                f"ALTER TABLE {quoted} DROP CONSTRAINT {name}"
                if index.constraint
                else f"DROP INDEX {schema}.{name}"
            )

    def build_indexes(self, table: str, indexes: Sequence[Index]) -> list[Refusal]:
        there = {found.index.name for found in self.indexes([table])}
        ((memory,),) = self.query(
            "SELECT greatest(pg_size_bytes(current_setting('maintenance_work_mem')), %s)",
            [BUILD_MEMORY],
        )
        refused = []
        with self._settings(
            maintenance_work_mem=f"{memory >> 10}kB",
            default_tablespace="",  # this role's or database's own default may be another
            # What makes an index a constraint waits for those that are being built beside it.
            lock_timeout="0",
        ):
            for index in indexes:
                try:
                    if index.name not in there:
                        self.execute(index.definition)
                    if index.attach:
                        self.execute(index.attach)
                except ServerError as error:
                    if not is_about_rows(index, error):
                        raise
                    refused.append(Refusal(index, words(error)))
        return refused

    def clash(self, index: Index) -> str:
        key = self.query(
            "SELECT attname::text FROM pg_index JOIN pg_attribute "
            "ON attrelid = indrelid AND attnum = ANY(indkey) "
            "WHERE indrelid = %s::regclass AND indisprimary "
            "ORDER BY array_position(indkey::int2[], attnum)",
            [self.quote(index.table)],
        )
        return indexing.clash(
            self, index, [name for (name,) in key] or ["ctid"], "{0} IS NOT DISTINCT FROM {1}"
        )


def is_about_rows(index: Index, error: ServerError) -> bool:
    """Whether the index can't hold the rows, rather than the server not do its work."""
    cause = error.__cause__
    if not isinstance(cause, psycopg2.Error) or cause.pgcode is None:
        return False
    if cause.pgcode.startswith(INTEGRITY_VIOLATION):  # the catalog has unique indexes of its own
        return cause.diag.constraint_name == index.name
    return cause.pgcode.startswith((DATA_EXCEPTION, RAISED)) or cause.pgcode == TOO_LONG


def words(error: ServerError) -> str:
    """The server's words, with the values of two rows that exclude each other."""
    cause = error.__cause__
    diagnosis = cause.diag if isinstance(cause, psycopg2.Error) else None
    said = [diagnosis.message_primary, diagnosis.message_detail] if diagnosis else []
    return ". ".join(part.rstrip(".") for part in said if part) or str(error)
