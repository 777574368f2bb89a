"""The limit: what the servers themselves need to load prepared files and to build the indexes.

No program of ours is in the way: the servers read the files, through two connections, and every
table's secondary indexes and foreign keys are off while it is loaded.  Taking them off isn't timed.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from django.db.backends.base.base import BaseDatabaseWrapper

from dashboard.demo.filling import INDEXES
from tests.bench.ground import opened
from tests.bench.prepared import File
from tests.bench.process import Measured
from tests.bench.stock import Place

CONNECTIONS = 2
SECONDARY = re.compile(r"^  ((?:UNIQUE )?KEY|CONSTRAINT) (`\w+`) (.*?),?$", re.MULTILINE)


def load(dest: Place, files: Sequence[File], *, rebuild: bool) -> Measured:
    """Load the files; whether indexes are built afterwards, or filled row by row."""
    place = dest.as_super()
    with opened(place) as connection:
        builds = BUILDS[dest.vendor](connection, files) if rebuild else []
    began = time.monotonic()
    largest_first = sorted(files, key=lambda file: file.size, reverse=True)
    side_by_side(place, [partial(LOADS[dest.vendor], file=file) for file in largest_first])
    for statements in builds:
        side_by_side(place, [partial(execute, statement=statement) for statement in statements])
    return Measured(time.monotonic() - began, 0.0)


def side_by_side(place: Place, jobs: Sequence[Callable[[BaseDatabaseWrapper], None]]) -> None:
    """Do the jobs on as many connections as the limit has, each as soon as one is free."""

    def do(job: Callable[[BaseDatabaseWrapper], None]) -> None:
        with opened(place) as connection:
            with connection.cursor() as cursor:
                for statement in SESSION[place.vendor]:
                    cursor.execute(statement)
            job(connection)

    with ThreadPoolExecutor(CONNECTIONS) as threads:
        list(threads.map(do, jobs))


def execute(connection: BaseDatabaseWrapper, statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)


SESSION = {
    "postgresql": ("SET maintenance_work_mem = '256MB'",),
    "mysql": ("SET foreign_key_checks = 0", "SET unique_checks = 0", "SET time_zone = '+00:00'"),
}


def _copy(connection: BaseDatabaseWrapper, file: File) -> None:
    columns = ", ".join(file.columns)
    execute(connection, f"COPY {file.table} ({columns}) FROM '{file.path}'")


def _load_data(connection: BaseDatabaseWrapper, file: File) -> None:
    columns = ", ".join(f"`{name}`" for name in file.columns)
    execute(
        connection,
        f"LOAD DATA INFILE '{file.path}' INTO TABLE {file.table} CHARACTER SET utf8mb4 ({columns})",
    )


LOADS = {"postgresql": _copy, "mysql": _load_data}


def _postgresql_builds(connection: BaseDatabaseWrapper, files: Sequence[File]) -> list[list[str]]:
    """Drop them; what builds them: unique constraints, then indexes, then foreign keys.

    Statements of one list don't lock each other out.
    """
    statements: list[tuple[str, str]] = []
    with connection.cursor() as cursor:
        for file in files:
            cursor.execute(INDEXES["postgresql"], [file.table] * 2)
            statements += cursor.fetchall()
        for drop, _ in sorted(statements):
            cursor.execute(drop)
    adding = [add for _, add in statements]
    unique = [[add] for add in adding if " UNIQUE (" in add and add.startswith("ALTER")]
    indexes = [add for add in adding if not add.startswith("ALTER")]
    keys = [[add] for add in adding if " FOREIGN KEY " in add]
    return [*unique, indexes, *keys]


def _mysql_builds(connection: BaseDatabaseWrapper, files: Sequence[File]) -> list[list[str]]:
    """Drop them; one statement a table that builds what it had."""
    builds = []
    with connection.cursor() as cursor:
        cursor.execute("SET foreign_key_checks = 0")
        for file in sorted(files, key=lambda file: file.size, reverse=True):
            cursor.execute(f"SHOW CREATE TABLE {file.table}")
            found = [
                match
                for match in SECONDARY.finditer(cursor.fetchone()[1])
                if match[1] != "CONSTRAINT" or match[3].startswith("FOREIGN KEY")
            ]
            if not found:
                continue
            drops = [
                f"DROP {'FOREIGN KEY' if match[1] == 'CONSTRAINT' else 'KEY'} {match[2]}"
                for match in sorted(found, key=lambda match: match[1])
            ]
            cursor.execute(f"ALTER TABLE {file.table} {', '.join(drops)}")
            adds = ", ".join(f"ADD {match[1]} {match[2]} {match[3]}" for match in found)
            builds.append(f"ALTER TABLE {file.table} {adds}")
    return [builds]


BUILDS = {"postgresql": _postgresql_builds, "mysql": _mysql_builds}
