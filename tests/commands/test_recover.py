"""recover: what it says of a run whose worker has died just now, and that it can wait."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from tests.commands.test_restoreindexes import LEAVE_OFF
from tests.hosts.site import Site

LIVES = "UPDATE migrations_ui_run SET heartbeat_at = STRFTIME('%Y-%m-%d %H:%M:%f', 'NOW')"


def test_a_worker_that_died_just_now_is_not_given_up_before_its_lease_is_over(
    registry: Site, tmp_path: Path
) -> None:
    assert "No run waits for a worker." in registry.manage("recover").stdout
    registry.shell(LEAVE_OFF.format(status="running"))
    with closing(sqlite3.connect(tmp_path / "var/control.sqlite3")) as control, control:
        control.execute(LIVES)
    said = registry.with_env(CUTOVER_LEASE="60").manage("recover").stdout
    assert "The worker of Run 1 was last heard of" in said
    assert "the next one goes on in" in said
    assert "No run waits" not in said

    with closing(sqlite3.connect(tmp_path / "var/control.sqlite3")) as control, control:
        control.execute(LIVES)
    said = registry.with_env(CUTOVER_LEASE="3").manage("recover", "--wait").stdout
    assert "Run 1 waits for a worker, which has been told." in said
