"""restoreindexes: what an interrupted run has left off is put back, as often as one likes."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing

import pytest

from tests.hosts.site import Site

LEAVE_OFF = """
import json
from migrations_ui.models import DroppedIndex, Run
from migrations_ui.sides import endpoints
with endpoints().open_source() as source, endpoints().open_dest() as dest:
    read, server = source.server(), dest.server()
    run = Run.objects.create(
        status={status!r}, operator="alice", fingerprint="",
        source={{"identity": read.identity, "name": read.name}},
        dest={{"identity": server.identity, "name": server.name}},
        active_dest=server.identity if {status!r} == "running" else None,
    )
    indexes = dest.secondary_indexes(["registry_pid"])
    for index in indexes:
        DroppedIndex.objects.create(
            run=run, table=index.table, name=index.name, facts=index.to_json()
        )
    dest.drop_indexes("registry_pid", indexes)
print(json.dumps(len(indexes)))
"""


NOTED = """
import json
from migrations_ui.models import DroppedIndex
print(json.dumps(list(DroppedIndex.objects.values_list("name", flat=True))))
"""


def indexes(registry: Site) -> dict[str, str]:
    """The destination's indexes, with the statements that made them."""
    path = registry.env["DEST_DATABASE_URL"].removeprefix("sqlite:///")
    with closing(sqlite3.connect(path)) as database:
        return dict(
            database.execute(
                "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql > ''"
            )
        )


def test_what_was_left_off_is_put_back_and_once_more_does_no_harm(registry: Site) -> None:
    before = indexes(registry)
    off = registry.shell(LEAVE_OFF.format(status="interrupted"))
    assert off > 1
    assert len(indexes(registry)) == len(before) - off

    done = registry.manage("restoreindexes", "--json")
    assert json.loads(done.stdout) == {"missing": off, "problems": []}
    assert indexes(registry) == before

    again = registry.manage("restoreindexes")
    assert again.stdout == "Nothing that Cutover took off is missing in dest.sqlite3.\n"


def test_an_index_that_is_there_in_another_form_is_named(registry: Site) -> None:
    registry.shell(LEAVE_OFF.format(status="interrupted"))
    name = sorted(registry.shell(NOTED))[0]
    path = registry.env["DEST_DATABASE_URL"].removeprefix("sqlite:///")
    with closing(sqlite3.connect(path)) as database:
        database.execute(f'CREATE INDEX "{name}" ON registry_pid (id)')
    done = registry.manage("restoreindexes", fails=True)
    assert done.returncode == 1
    assert name in done.stderr
    assert "not the one that was noted down" in done.stderr


@pytest.mark.parametrize("arguments", [[], ["--json"]])
def test_during_a_run_it_keeps_its_hands_off(registry: Site, arguments: list[str]) -> None:
    registry.shell(LEAVE_OFF.format(status="running"))
    before = indexes(registry)
    done = registry.manage("restoreindexes", *arguments, fails=True)
    assert done.returncode == 1
    assert "Run 1 is active on dest.sqlite3" in done.stderr
    assert indexes(registry) == before
