"""preflight: what it prints, and its exit status."""

from __future__ import annotations

import json

from tests.conftest import MakeDatabase
from tests.hosts.site import Site


def test_nothing_found_is_0(registry: Site) -> None:
    done = registry.manage("preflight", "--json")
    assert json.loads(done.stdout) == {"status": "ok", "findings": []}
    assert done.stderr == ""


def test_people_are_told_which_databases_were_looked_at(registry: Site) -> None:
    lines = registry.manage("preflight").stdout.splitlines()
    assert "source.sqlite3 on" in lines[0]
    assert "dest.sqlite3 on" in lines[1]
    assert lines[2] == "No blockers, no warnings."


def test_a_destination_that_is_not_migrated_is_1_and_says_what_to_do(
    registry: Site, make_database: MakeDatabase
) -> None:
    site = registry.with_env(DEST_DATABASE_URL=make_database("sqlite"))
    done = site.manage("preflight", "registry", "--json", fails=True)
    assert done.returncode == 1
    report = json.loads(done.stdout)
    assert report["status"] == "blockers"
    assert set(report["findings"][0]) == {
        "code",
        "severity",
        "label",
        "table",
        "column",
        "rows",
        "sample_keys",
        "message",
        "remedy",
    }
    assert any("migrate --database dest" in found["remedy"] for found in report["findings"])
    assert "BLOCKER" in site.manage("preflight", fails=True).stdout


def test_the_same_database_twice_is_1(registry: Site) -> None:
    site = registry.with_env(DEST_DATABASE_URL=registry.env["SOURCE_DATABASE_URL"])
    done = site.manage("preflight", fails=True)
    assert done.returncode == 1
    assert "the same physical database" in done.stdout


def test_a_label_that_does_not_exist_is_2_and_names_near_ones(registry: Site) -> None:
    done = registry.manage("preflight", "registry.Pidd", "--json", fails=True)
    assert done.returncode == 2
    assert "Did you mean registry.Pid" in done.stderr
    assert done.stdout == ""
