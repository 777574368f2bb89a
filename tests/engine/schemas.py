"""What a database has of indexes and constraints, asked of its own catalog, not of the engine."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from migrations_ui.engine.databases.base import Database

POSTGRESQL = (
    (
        "SELECT schemaname, tablename, indexname, indexdef, tablespace FROM pg_indexes "
        "WHERE schemaname NOT LIKE 'pg\\_%'"
    ),
    (
        "SELECT conrelid::regclass::text, conname, contype::text, pg_get_constraintdef(oid),"
        " condeferrable, condeferred, convalidated, obj_description(oid, 'pg_constraint') "
        "FROM pg_constraint WHERE conrelid <> 0"
    ),
    (
        "SELECT indexrelid::regclass::text, indisunique, indisclustered, indisvalid, indimmediate,"
        " indisreplident, obj_description(indexrelid, 'pg_class'), i.reloptions,"
        " (SELECT array_agg(attstattarget ORDER BY attnum) FROM pg_attribute"
        "  WHERE attrelid = indexrelid), pg_get_userbyid(i.relowner) "
        "FROM pg_index JOIN pg_class i ON i.oid = indexrelid JOIN pg_class t ON t.oid = indrelid "
        "WHERE t.relnamespace NOT IN ('pg_catalog'::regnamespace, 'pg_toast'::regnamespace)"
    ),
)
SQLITE = (
    "SELECT tbl_name, name, sql FROM sqlite_master WHERE type IN ('table', 'index')",
    (
        'SELECT m.name, l.seq, l.name, l."unique", l.origin, l.partial, x.seqno, x.name, x."desc",'
        " x.coll FROM sqlite_master m JOIN pragma_index_list(m.name) l"
        " JOIN pragma_index_xinfo(l.name) x WHERE m.type = 'table'"
    ),
)


def _postgresql(database: Database) -> list[Any]:
    return [sorted(database.query(sql), key=repr) for sql in POSTGRESQL]


def _mysql(database: Database) -> list[Any]:
    names = database.query(
        "SELECT table_name FROM information_schema.tables "
        "WHERE table_schema = DATABASE() ORDER BY 1"
    )
    return [
        database.query(f"SHOW CREATE TABLE {database.quote(name)}")[0][1].rpartition(") ENGINE")[0]
        for (name,) in names
    ]


def _sqlite(database: Database) -> list[Any]:
    return [sorted(database.query(sql), key=repr) for sql in SQLITE]


SCHEMAS: dict[str, Callable[[Database], list[Any]]] = {
    "postgresql": _postgresql,
    "mysql": _mysql,
    "sqlite": _sqlite,
}


def schema(database: Database) -> list[Any]:
    """Everything about all indexes and constraints, in a form that can be compared."""
    return SCHEMAS[database.vendor](database)


def without_foreign_keys(found: list[Any]) -> list[Any]:
    """A schema without what PostgreSQL has of foreign keys, which may be there but not valid."""
    return [[row for row in part if isinstance(row, str) or row[2] != "f"] for part in found]
