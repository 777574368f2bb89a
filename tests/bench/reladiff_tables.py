"""reladiff over every table that has rows, in one process; prints how many rows differ.

It compares all columns but the UUID, which it refuses to compare between these two vendors.
"""

from __future__ import annotations

import logging
import os
import sys
from typing import Any

import django
import reladiff

from tests.bench.ground import opened, tables
from tests.bench.stock import Place

THREADS = 2  # for each of the two databases: the fastest of 1, 2 and 4 on two cores


def main() -> None:
    django.setup()
    logging.disable(logging.WARNING)  # that it has no conversion for texts
    source = Place("postgresql", os.environ["SOURCE_DATABASE_URL"])
    dest = Place("mysql", os.environ["DEST_DATABASE_URL"])
    sides = [reladiff.connect(address(place), thread_count=THREADS) for place in (source, dest)]
    differences = 0
    with opened(source) as connection, connection.cursor() as cursor:
        for table in tables(connection):
            described = connection.introspection.get_table_description(cursor, table)
            key, *others = [column.name for column in described]
            cursor.execute(f"SELECT 1 FROM {table} LIMIT 1")
            if not cursor.fetchone():  # it takes an empty table for an error
                continue
            columns = tuple(name for name in others if name != "uuid")
            segments = [
                reladiff.connect_to_table(side, table, key, extra_columns=columns) for side in sides
            ]
            found = reladiff.diff_tables(
                *segments, algorithm=reladiff.Algorithm.HASHDIFF, max_threadpool_size=THREADS
            )
            differences += sum(1 for _ in found)
    sys.stdout.write(f"{differences}\n")


def address(place: Place) -> dict[str, Any]:
    """The database as reladiff wants it named; left alone it speaks to MariaDB in three bytes."""
    shared = {"host": place.host, "port": place.port, "user": place.user}
    shared["password"] = place.password
    if place.vendor == "postgresql":
        return {**shared, "driver": "postgresql", "dbname": place.name}
    own = {"driver": "mysql", "database": place.name, "init_command": "SET NAMES utf8mb4"}
    return {**shared, **own}


if __name__ == "__main__":
    main()
