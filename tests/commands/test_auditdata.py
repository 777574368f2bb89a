"""auditdata: what it prints, and its exit status."""

from __future__ import annotations

import json
import signal
import sqlite3
from contextlib import closing
from pathlib import Path

from tests.commands.terminal import Terminal
from tests.hosts.site import Site
from tests.servers import free_port

KEYS = [
    "label",
    "table",
    "source_rows",
    "dest_rows",
    "missing",
    "extra",
    "different",
    "verdict",
]


def test_sides_that_differ_are_1(registry: Site) -> None:
    done = registry.manage("auditdata", "--counts", "--json", fails=True)
    assert done.returncode == 1
    answer = json.loads(done.stdout)
    assert answer["status"] == "differs"
    assert list(answer["tables"][0]) == KEYS


def test_counts_that_agree_are_0_and_never_more_than_counts_only(registry: Site) -> None:
    registry.manage("copydata", "--all", "--wipe", "dest.sqlite3")
    done = registry.manage("auditdata", "--counts", "--json")
    answer = json.loads(done.stdout)
    assert answer["status"] == "counts-only"
    assert {table["verdict"] for table in answer["tables"]} == {"counts-only"}
    assert all(table["source_rows"] == table["dest_rows"] for table in answer["tables"])
    assert done.stderr == ""


def test_people_see_mismatches_first_and_that_cells_were_not_compared(registry: Site) -> None:
    registry.manage("copydata", "auth", "contenttypes", "--wipe", "dest.sqlite3")
    done = registry.manage("auditdata", "--counts", "auth", "registry.Pid", fails=True)
    lines = done.stdout.splitlines()
    assert lines[0].startswith("registry.Pid: ")
    assert lines[0].endswith("0 rows, differs")
    assert lines[-1].endswith("Cells were not compared.")


def test_every_cell_is_compared_unless_counts_alone_are_wanted(registry: Site) -> None:
    registry.manage("copydata", "--all", "--wipe", "dest.sqlite3")
    done = registry.manage("auditdata", "--json")
    answer = json.loads(done.stdout)
    assert answer["status"] == "identical"
    for table in answer["tables"]:
        assert table["verdict"] == "identical"
        assert (table["missing"], table["extra"], table["different"]) == (0, 0, 0)


def test_people_see_which_cell_differs(registry: Site) -> None:
    registry.manage("copydata", "--all", "--wipe", "dest.sqlite3")
    path = registry.env["DEST_DATABASE_URL"].removeprefix("sqlite:///")
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE auth_group SET name = 'Other' WHERE id = 2")
    done = registry.manage("auditdata", "auth", fails=True)
    assert done.returncode == 1
    assert "auth.Group: " in done.stdout.splitlines()[0]
    assert "  key 2, name: " in done.stdout
    assert " → 'Other'" in done.stdout


def test_a_label_that_does_not_exist_is_2(registry: Site) -> None:
    done = registry.manage("auditdata", "--counts", "registri", fails=True)
    assert done.returncode == 2
    assert "Did you mean registry" in done.stderr


def test_an_unreachable_side_is_1_and_an_answer_in_json(registry: Site) -> None:
    """At once: a file that is not there does not come by itself."""
    site = registry.with_env(DEST_DATABASE_URL="sqlite:////nowhere/dest.sqlite3")
    done = site.manage("auditdata", "--counts", "--json", fails=True)
    assert done.returncode == 1
    assert json.loads(done.stdout)["status"] == "failed"
    assert "/nowhere/dest.sqlite3 can't be opened" in done.stderr
    assert "tried again" not in done.stderr


def test_an_audit_that_was_cancelled_is_not_said_to_differ(registry: Site, tmp_path: Path) -> None:
    """A side that can't be reached keeps it waiting until it is interrupted."""
    url = f"postgres://cutover@127.0.0.1:{free_port()}/shop"
    terminal = Terminal(registry.with_env(DEST_DATABASE_URL=url), tmp_path, "auditdata")
    terminal.read(until="tried again after")
    terminal.process.send_signal(signal.SIGINT)
    assert terminal.ended() == 1
    said = " ".join(terminal.text.split())
    assert "was cancelled before its end: it proves nothing" in said
    assert "differ" not in said


def test_a_key_is_no_order_to_the_terminal(registry: Site) -> None:
    path = registry.env["SOURCE_DATABASE_URL"].removeprefix("sqlite:///")
    row = ("\x1b]0;all is well\x07\x9b2K\u202e", "", "2026-01-01 00:00:00")
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("INSERT INTO django_session VALUES (?, ?, ?)", row)
    done = registry.manage("auditdata", "sessions.Session", fails=True)
    assert r"missing: key \x1b]0;all is well\x07\x9b2K\u202e" in done.stdout
    assert {char for char in done.stdout if not char.isprintable()} == {"\n"}
