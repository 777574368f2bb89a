"""Where a PostgreSQL database stands: the server's statistics of each table, and transaction ids.

Not the WAL's position: checkpoints, vacuum and other databases of the server move it.

How exact it is.  Every transaction that writes takes an id, so that as long as the server's
snapshot is the same, nothing has been written anywhere in it.  Once it has moved, the tables'
counters of written rows tell whether it was one of these tables; a session reports to them when it
is idle for ten seconds at the latest, or ends, and an open transaction when it ends.  A table that
is emptied or rewritten as a whole gets another file.  A server that was started anew may have lost
its counters, and on a standby there are none.
"""

from __future__ import annotations

from abc import ABC
from collections.abc import Iterable

from migrations_ui.engine.databases import base
from migrations_ui.engine.databases.positions import STOOD, Movement, Others, Position, State

# With its partitions, which alone have counters.
TABLES = """
    SELECT n, sum(pg_stat_get_tuples_inserted(o))::bigint,
        sum(pg_stat_get_tuples_updated(o))::bigint, sum(pg_stat_get_tuples_deleted(o))::bigint,
        string_agg(pg_relation_filenode(o)::text, ' ' ORDER BY o)
    FROM unnest(%s::text[]) n CROSS JOIN LATERAL (
        SELECT to_regclass(n)::oid o
        UNION SELECT relid FROM pg_partition_tree(to_regclass(n))) parts
    WHERE o IS NOT NULL GROUP BY n
"""
ABOUT = """
    SELECT txid_current_snapshot()::text,
        current_setting('track_counts')::boolean AND NOT pg_is_in_recovery(),
        concat_ws(' ', pg_postmaster_start_time(), stats_reset)
    FROM pg_stat_database WHERE datname = current_database()
"""
# Whoever writes holds such a lock until the transaction ends; anybody may see locks.
WRITING = """
    SELECT l.pid, usename::text, application_name,
        string_agg(DISTINCT l.relation::regclass::text, ', ')
    FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid
    JOIN pg_class c ON c.oid = l.relation AND c.relkind IN ('r', 'p')
    WHERE l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
    AND l.mode IN ('RowExclusiveLock', 'ShareRowExclusiveLock', 'ExclusiveLock',
        'AccessExclusiveLock')
    AND c.relnamespace <> 'pg_catalog'::regnamespace AND l.granted
    AND l.pid <> pg_backend_pid() AND a.backend_type = 'client backend'
    AND application_name <> 'cutover'
    GROUP BY 1, 2, 3 ORDER BY 1
"""
CONNECTED = """
    SELECT pid, usename::text, application_name FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()
    AND backend_type = 'client backend' AND application_name <> 'cutover' ORDER BY pid
"""
ANEW = (
    "The server was started anew, or its statistics were reset: they can't tell whether anything "
    "was written before that."
)
NO_COUNTERS = (
    "Something was written on this server, and it keeps no statistics (it is a standby, or "
    "track_counts is off) that would tell where."
)


class Positions(base.Database, ABC):
    """What PostgreSQL tells of writes."""

    def position(self, tables: Iterable[str], *, settled: bool = False) -> Position:
        quoted = {self.quote(name): name for name in tables}
        # The snapshot first: what is written after it is looked at again at the next position.
        ((mark, counted, since),) = self.query(ABOUT)
        found = self.query(TABLES, [list(quoted)]) if counted else None
        return Position(
            identity=self.server().identity,
            mark=mark,
            tables=None if found is None else {quoted[n]: list(facts) for n, *facts in found},
            since=since,
        )

    @classmethod
    def compare(cls, before: Position, now: Position) -> Movement:
        if before.mark == now.mark:
            return STOOD  # whatever counters have arrived late
        if before.tables is None or now.tables is None:
            return Movement(State.UNKNOWN, why=NO_COUNTERS)
        if before.since != now.since:
            return Movement(State.UNKNOWN, why=ANEW)
        moved = now.differing(before)
        return Movement(State.CHANGED, tuple(moved)) if moved else STOOD

    def others(self) -> Others:
        return Others(
            writing=tuple(
                f"{named(pid, user, program)} is writing {tables}"
                for pid, user, program, tables in self.query(WRITING)
            ),
            connected=tuple(named(*session) for session in self.query(CONNECTED)),
        )


def named(pid: int, user: str | None, program: str | None) -> str:
    """A session, for people."""
    return f"process {pid} of {user or 'an unknown role'}" + (f" ({program})" if program else "")
