"""PostgreSQL's triggers: their owner may switch each off and on."""

from __future__ import annotations

from abc import ABC
from collections.abc import Iterable

import psycopg2

from migrations_ui.engine.databases import base
from migrations_ui.engine.databases.triggers import Trigger
from migrations_ui.engine.errors import ServerError

UNDEFINED = {"42704", "42P01", "3F000"}  # a trigger, a table, a schema that is not there
# The bits of tgtype: what a trigger is about, and when it fires.
ROW, BEFORE, INSERT, DELETE, TRUNCATE = 1, 2, 4, 8, 32
FIRES = f"NOT tgisinternal AND tgtype & {INSERT | DELETE | TRUNCATE} <> 0"
ON = "tgenabled IN ('O', 'A')"
# Those of partitions have states of their own, so each is switched by itself.
SWITCHES = f"""
    SELECT wanted, tgname::text,
        format('ALTER TABLE ONLY %%I.%%I DISABLE TRIGGER %%I', nspname, relname, tgname),
        format('ALTER TABLE ONLY %%I.%%I ENABLE %%sTRIGGER %%I', nspname, relname,
            CASE tgenabled WHEN 'A' THEN 'ALWAYS ' ELSE '' END, tgname),
        tgtype & {ROW | BEFORE | INSERT} = {ROW | BEFORE | INSERT}
    FROM unnest(%s::text[], %s::text[]) AS tables (wanted, quoted)
    CROSS JOIN LATERAL (
        SELECT to_regclass(quoted)::oid AS part
        UNION SELECT relid::oid FROM pg_partition_tree(to_regclass(quoted))) parts
    JOIN pg_class c ON c.oid = part
    JOIN pg_namespace n ON n.oid = relnamespace
    JOIN pg_trigger ON tgrelid = c.oid
    WHERE {FIRES} AND {ON} AND pg_has_role(relowner, 'USAGE')
    ORDER BY wanted, part, tgname
"""


class Triggering(base.Database, ABC):
    """The part of a PostgreSQL database that is about triggers."""

    def switchable_triggers(self, tables: Iterable[str]) -> list[Trigger]:
        names = list(tables)
        return [
            Trigger(*row) for row in self.query(SWITCHES, [names, [self.quote(n) for n in names]])
        ]

    def switch_on(self, trigger: Trigger) -> None:
        try:
            super().switch_on(trigger)
        except ServerError as error:
            cause = error.__cause__
            if not isinstance(cause, psycopg2.Error) or cause.pgcode not in UNDEFINED:
                raise
