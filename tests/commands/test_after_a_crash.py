"""A copy after a run that has left indexes off."""

from __future__ import annotations

import json
import re
import sqlite3
from contextlib import closing

from tests.commands.test_restoreindexes import LEAVE_OFF, indexes
from tests.hosts.site import Site


def test_the_next_copy_puts_back_what_the_dead_run_has_left_off(registry: Site) -> None:
    before = indexes(registry)
    assert registry.shell(LEAVE_OFF.format(status="interrupted")) > 1
    preflight = json.loads(registry.manage("preflight", "--json").stdout)
    findings = preflight["findings"]
    (finding,) = [found for found in findings if found["code"] == "indexes-left-off"]
    assert "restoreindexes" in finding["remedy"]
    assert [found for found in findings if found["table"] == "registry_pid"] == []
    done = registry.manage("copydata", "--all", "--wipe", "dest.sqlite3", "--json")
    assert json.loads(done.stdout)["status"] == "succeeded"
    assert indexes(registry) == before


def test_an_index_that_old_rows_kept_off_is_back_when_they_are_wiped(registry: Site) -> None:
    """Two rows of the destination clash, so the index can't be put back before the wipe."""
    registry.manage("copydata", "--all", "--wipe", "dest.sqlite3")
    path = registry.env["DEST_DATABASE_URL"].removeprefix("sqlite:///")
    with closing(sqlite3.connect(path)) as database:
        database.execute("CREATE UNIQUE INDEX one_spelling ON registry_pid (lower(pid))")
    before = indexes(registry)
    registry.shell(LEAVE_OFF.format(status="interrupted"))
    with closing(sqlite3.connect(path)) as database, database:
        (one, other), *_ = database.execute("SELECT min(id), max(id) FROM registry_pid")
        database.execute("UPDATE registry_pid SET pid = 'a' WHERE id = ?", [one])
        database.execute("UPDATE registry_pid SET pid = 'A' WHERE id = ?", [other])
    said = registry.manage("restoreindexes", fails=True).stderr
    assert re.search(rf"lower\(pid\) = a .* id = ({one} and {other}|{other} and {one})", said)

    done = registry.manage("copydata", "--all", "--wipe", "dest.sqlite3", "--json")
    assert json.loads(done.stdout)["status"] == "succeeded"
    assert indexes(registry) == before
