"""copydata: what it wants confirmed, what it prints, and its exit status."""

from __future__ import annotations

import json
import signal
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest

from tests.commands.terminal import Terminal
from tests.hosts.site import Site

TABLE = [
    "label",
    "table",
    "source_rows",
    "dest_rows",
    "copied_rows",
    "rejected_rows",
    "seconds",
    "verdict",
]
NAME = "dest.sqlite3"


def pids(path: Path) -> int:
    with closing(sqlite3.connect(path)) as connection:
        return int(connection.execute("SELECT count(*) FROM registry_pid").fetchone()[0])


# What it does


def test_all_is_copied_and_the_answer_is_one_json_object(registry: Site, tmp_path: Path) -> None:
    done = registry.manage("copydata", "--all", "--wipe", NAME, "--json")
    answer = json.loads(done.stdout)
    assert list(answer) == ["run", "status", "rows", "seconds", "tables"]
    assert answer["status"] == "succeeded"
    assert list(answer["tables"][0]) == TABLE
    labels = [table["label"] for table in answer["tables"]]
    assert "registry.Target" in labels
    assert "sessions.Session" not in labels
    for table in answer["tables"]:
        assert table["source_rows"] == table["copied_rows"] == table["dest_rows"]
        assert table["verdict"] == "identical"
    assert pids(tmp_path / NAME) == pids(tmp_path / "source.sqlite3") > 0


def test_it_can_be_done_again(registry: Site) -> None:
    for _ in range(2):
        done = registry.manage("copydata", "--all", "--wipe", NAME)
        assert "succeeded" in done.stdout


def looks(tmp_path: Path) -> int:
    """How often the values were looked at."""
    with closing(sqlite3.connect(next(tmp_path.glob("**/control.sqlite3")))) as connection:
        return int(connection.execute("SELECT count(*) FROM migrations_ui_datacheck").fetchone()[0])


def test_values_that_preflight_has_looked_at_are_not_looked_at_again(
    registry: Site, tmp_path: Path
) -> None:
    registry.manage("preflight")
    registry.manage("copydata", "--all", "--wipe", NAME)
    assert looks(tmp_path) == 1
    with closing(sqlite3.connect(tmp_path / "source.sqlite3")) as source, source:
        source.execute("UPDATE registry_pid SET name = 'written since'")
    registry.manage("copydata", "--all", "--wipe", NAME)
    assert looks(tmp_path) == 2


def test_values_that_were_mended_since_preflight_has_refused_them_are_copied(
    registry: Site, tmp_path: Path
) -> None:
    def write(value: str) -> None:
        with closing(sqlite3.connect(tmp_path / "source.sqlite3")) as source, source:
            source.execute(f"UPDATE registry_pid SET name = {value} WHERE id = 1")

    write("CAST(x'ff' AS TEXT)")
    registry.manage("preflight", fails=True)
    write("'mended'")
    registry.manage("copydata", "--all", "--wipe", NAME)
    assert pids(tmp_path / NAME) == pids(tmp_path / "source.sqlite3")
    with closing(sqlite3.connect(tmp_path / NAME)) as connection, connection:
        connection.execute("UPDATE auth_group SET name = 'ours' WHERE id = 1")
    said = registry.manage("preflight", "auth", "--exclude", "auth.User", "--reverse").stdout
    assert f"Source: SQLite {sqlite3.sqlite_version}, {NAME}" in said
    said = registry.manage("auditdata", "auth.Group", "--reverse", fails=True).stdout
    assert "name: 'ours' → " in said


def test_labels_choose_tables_and_exclude_leaves_some_out(registry: Site) -> None:
    done = registry.manage(
        "copydata",
        "contenttypes",
        "auth",
        "--exclude",
        "auth.User_groups",
        "--wipe",
        NAME,
        "--json",
    )
    labels = {table["label"] for table in json.loads(done.stdout)["tables"]}
    assert {"contenttypes.ContentType", "auth.User", "auth.Group_permissions"} <= labels
    assert "auth.User_groups" not in labels
    assert not any(label.startswith("registry") for label in labels)


def test_what_stays_behind_is_said_and_is_no_error(registry: Site, tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "source.sqlite3")) as connection:
        connection.execute("ALTER TABLE registry_proxy ADD legacy varchar(9)")
    done = registry.manage("copydata", "--all", "--wipe", NAME, "--json")
    assert "column legacy that neither the model nor the destination has" in done.stderr
    assert json.loads(done.stdout)["status"] == "succeeded"


def test_reverse_exchanges_the_two_and_wants_the_other_name(registry: Site, tmp_path: Path) -> None:
    registry.manage("copydata", "--all", "--wipe", NAME)
    done = registry.manage("copydata", "--all", "--reverse", "--wipe", NAME, fails=True)
    assert done.returncode == 2
    assert "the destination is 'source.sqlite3'" in done.stderr
    done = registry.manage("copydata", "--all", "--reverse", "--wipe", "source.sqlite3", "--json")
    assert json.loads(done.stdout)["status"] == "succeeded"
    assert pids(tmp_path / NAME) == pids(tmp_path / "source.sqlite3")


def test_counts_that_no_worker_has_made_are_not_waited_for(registry: Site) -> None:
    registry.manage(
        "shell",
        "-v0",
        "-c",
        "from migrations_ui.models import CountRequest;"
        "CountRequest.objects.create(labels=['registry.Policy'])",
    )
    registry.manage("copydata", "registry.Policy", "--wipe", NAME)


# What it refuses


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        pytest.param([], "Give either labels or --all", id="nothing"),
        pytest.param(["--all", "registry"], "Give either labels or --all", id="both"),
        pytest.param(["registry.Pud"], "Did you mean registry.Pid", id="unknown label"),
        pytest.param(["--all", "--exclude", "nothing"], "no table or app 'nothing'", id="exclude"),
        pytest.param(["registry.Pid", "--exclude", "registry.Pid"], "no table", id="none left"),
        pytest.param(["--all"], f"Add --wipe {NAME}", id="not confirmed"),
        pytest.param(["--all", "--wipe", "shop"], f"destination is '{NAME}'", id="wrong name"),
        pytest.param(["--all", "--threads", "3"], "unrecognized arguments", id="unknown option"),
    ],
)
def test_wrong_usage_is_2_and_touches_nothing(
    registry: Site, tmp_path: Path, arguments: list[str], said: str
) -> None:
    before = (tmp_path / NAME).read_bytes()
    done = registry.manage("copydata", "--json", *arguments, fails=True)
    assert done.returncode == 2
    assert said in done.stderr
    assert done.stdout == ""
    assert (tmp_path / NAME).read_bytes() == before


def test_a_blocker_is_1_says_what_to_do_and_touches_nothing(registry: Site, tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / NAME)) as connection:
        connection.execute("ALTER TABLE registry_pid DROP COLUMN name")
    before = (tmp_path / NAME).read_bytes()
    done = registry.manage("copydata", "--all", "--wipe", NAME, "--json", fails=True)
    assert done.returncode == 1
    assert json.loads(done.stdout) == {
        "run": None,
        "status": "refused",
        "rows": 0,
        "seconds": 0.0,
        "tables": [],
    }
    assert "migrate --database dest" in done.stderr
    assert (tmp_path / NAME).read_bytes() == before


def test_the_same_database_twice_is_1(registry: Site) -> None:
    site = registry.with_env(DEST_DATABASE_URL=registry.env["SOURCE_DATABASE_URL"])
    done = site.manage("copydata", "--all", "--wipe", "source.sqlite3", fails=True)
    assert done.returncode == 1
    assert "the same physical database" in done.stderr


def test_a_second_run_on_an_active_destination_is_1(registry: Site, tmp_path: Path) -> None:
    registry.manage("copydata", "registry.Policy", "--wipe", NAME)
    with closing(sqlite3.connect(tmp_path / "var/control.sqlite3")) as connection, connection:
        connection.execute(
            "UPDATE migrations_ui_run SET status = 'running', heartbeat_at = datetime('now'), "
            "active_dest = json_extract(dest, '$.identity')"
        )
    done = registry.manage("copydata", "auth.Group", "--wipe", NAME, fails=True)
    assert done.returncode == 1
    assert "is active on dest.sqlite3" in done.stderr


# On a terminal


def test_on_a_terminal_the_name_is_asked_for_and_what_it_wipes_is_said(
    registry: Site, tmp_path: Path
) -> None:
    terminal = Terminal(registry, tmp_path, "copydata", "--all")
    said = terminal.read(until="to go on: ")
    assert "This wipes" in said
    assert NAME in said
    terminal.type(NAME)
    assert terminal.ended() == 0
    assert "succeeded" in terminal.text
    assert pids(tmp_path / NAME) > 0


def test_a_name_that_is_typed_wrong_wipes_nothing(registry: Site, tmp_path: Path) -> None:
    before = (tmp_path / NAME).read_bytes()
    terminal = Terminal(registry, tmp_path, "copydata", "--all")
    terminal.read(until="to go on: ")
    terminal.type("source.sqlite3")
    assert terminal.ended() == 1
    assert "Nothing was wiped." in terminal.text
    assert (tmp_path / NAME).read_bytes() == before


@pytest.mark.parametrize(
    ("number", "status", "said"),
    [
        (signal.SIGINT, "cancelled", "ended as cancelled"),
        (signal.SIGTERM, "queued", "was stopped before its end. Start the same command again"),
    ],
)
def test_ctrl_c_cancels_a_run_and_sigterm_leaves_it_to_the_next(
    registry: Site, tmp_path: Path, number: signal.Signals, status: str, said: str
) -> None:
    """A lock on the destination keeps the run from ending before it is interrupted."""
    with closing(sqlite3.connect(tmp_path / NAME, isolation_level=None)) as lock:
        terminal = Terminal(registry, tmp_path, "copydata", "--all", "--wipe", NAME)
        lock.execute("BEGIN")
        lock.execute("SELECT count(*) FROM registry_pid").fetchone()
        terminal.read(until=" rows")
        terminal.process.send_signal(number)
        time.sleep(1)
        lock.execute("ROLLBACK")
    assert terminal.ended() == 1
    assert said in " ".join(terminal.text.split())
    with closing(sqlite3.connect(tmp_path / "var/control.sqlite3")) as connection:
        run = connection.execute("SELECT status FROM migrations_ui_run").fetchone()
    assert run == (status,)
    again = registry.manage("copydata", "--all", "--wipe", NAME, "--json")
    number_again = json.loads(again.stdout)["run"]
    assert number_again == (1 if status == "queued" else 2)
