"""Whole projects, migrated as their operators migrate them: nothing to warn of, any direction."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.conftest import manage
from tests.servers import Servers

PROJECTS = {"demo": {}, "nasty": {"HOST_SETTINGS": "tests.conformance.host_settings"}}
SERVERS = ("postgresql", "mysql")

# One process for all nine: starting one takes longer than looking.
CHECK = """
import json, dj_database_url
from django.conf import settings
from migrations_ui.engine import preflight
from migrations_ui.engine.databases import access
from migrations_ui.sides import endpoints, host_app_labels, host_tables
configs = {{name: access.endpoint(dict(dj_database_url.parse(url)))
           for name, url in {urls!r}.items()}}
control, found = endpoints().control, {{}}
for source in {vendors!r}:
    for dest in {vendors!r}:
        there, here = configs[f"{{source}} source"], configs[f"{{dest}} dest"]
        ends = preflight.Endpoints(there, here, control)
        report = preflight.check(ends, host_tables(), host_app_labels())
        found[f"{{source}} to {{dest}}"] = [
            [finding.severity, finding.code, finding.table, finding.column]
            for finding in report.findings
        ]
print(json.dumps(found))
"""


@pytest.fixture
def urls(servers: Servers, tmp_path: Path) -> Iterator[dict[str, str]]:
    """Two fresh databases of each vendor."""
    with ExitStack() as dropping:
        made = {}
        for role in ("source", "dest"):
            (file := tmp_path / f"{role}.sqlite3").touch()
            made[f"sqlite {role}"] = f"sqlite:///{file}"
            for vendor in SERVERS:
                made[f"{vendor} {role}"], drop = servers.create_database(vendor)
                dropping.callback(drop)
        yield made


@pytest.mark.parametrize("project", PROJECTS)
def test_what_migrate_makes_raises_no_alarm(
    project: str, urls: dict[str, str], tmp_path: Path
) -> None:
    (var := tmp_path / "var").mkdir()
    (tmp_path / "spare.sqlite3").touch()
    env = {**PROJECTS[project], "SOURCE_DATABASE_URL": f"sqlite:///{tmp_path}/spare.sqlite3"}
    for url in urls.values():
        dest = env | {"DEST_DATABASE_URL": url}
        done = manage(var, dest, "migrate", "--database", "dest", "-v0")
        assert done.returncode == 0, done.stderr
    code = CHECK.format(urls=urls, vendors=(*SERVERS, "sqlite"))
    done = manage(var, dest, "shell", "-v0", "-c", code)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert len(found) == 9
    alarms = {pair: [f for f in findings if f[0] != "info"] for pair, findings in found.items()}
    assert {pair: findings for pair, findings in alarms.items() if findings} == {}
