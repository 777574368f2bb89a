"""Two real databases for the pages to show, and ready-made runs and audits."""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dj_database_url
import pytest
from django.contrib.auth import get_user_model
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from migrations_ui import services, signing
from migrations_ui.engine.databases import access
from migrations_ui.models import (
    Audit,
    AuditedTable,
    CountRequest,
    RejectedRow,
    Run,
    SignOff,
    TableCopy,
)
from migrations_ui.signing_models import canonical, digest, in_utc
from migrations_ui.templatetags import table_rows
from migrations_ui.views import watching
from tests.conftest import ROOT
from tests.settings import VARIABLES

if TYPE_CHECKING:
    from playwright.sync_api import Page
    from pytest_django.live_server_helper import LiveServer

Reject = Callable[..., RejectedRow]

POLL = 5_000  # milliseconds in which a poll has certainly come
Open = Callable[[str], "Page"]

GROUPS = 7  # rows of auth_group in the source

SOURCE = {
    "role": "source",
    "vendor": "postgresql",
    "product": "PostgreSQL 15.4",
    "name": "shop",
    "host": "db.example.org:5432",
    "identity": "pg:1:1",
    "error": "",
}
DEST = SOURCE | {
    "role": "dest",
    "vendor": "mysql",
    "product": "MariaDB 10.11.6",
    "name": "shop_mysql",
    "host": "db2.example.org:3306",
    "identity": "my:1:1",
}


@dataclass(frozen=True)
class Files:
    """The SQLite files that the pages show."""

    source: Path
    dest: Path

    def execute(self, side: str, statement: str) -> None:
        with closing(sqlite3.connect(getattr(self, side))) as connection, connection:
            connection.execute(statement)


def endpoint(url: str) -> dict[str, Any]:
    return access.endpoint(dict(dj_database_url.parse(url)))


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with the demo application's tables."""
    folder = tmp_path_factory.mktemp("migrated")
    inherited = {name: value for name, value in os.environ.items() if name not in VARIABLES}
    (path := folder / "empty.sqlite3").touch()
    environment = inherited | {
        "DJANGO_SETTINGS_MODULE": "dashboard.settings",
        "CUTOVER_VAR": str(folder / "var"),
        "SOURCE_DATABASE_URL": f"sqlite:///{folder}/none.sqlite3",
        "DEST_DATABASE_URL": f"sqlite:///{path}",
    }
    command = [sys.executable, "manage.py", "migrate", "--database", "dest", "-v0"]
    subprocess.run(command, cwd=ROOT, env=environment, check=True)  # noqa: S603  # our own command
    return path


@pytest.fixture
def files(migrated: Path, tmp_path: Path, settings: Settings) -> Files:
    """A source with some rows, and a destination named shop.sqlite3, both migrated."""
    found = Files(tmp_path / "source.sqlite3", tmp_path / "shop.sqlite3")
    for path in (found.source, found.dest):
        shutil.copy(migrated, path)
    for number in range(GROUPS):
        found.execute("source", f"INSERT INTO auth_group (name) VALUES ('group {number}')")
    settings.ENDPOINTS = {
        "source": endpoint(f"sqlite:///{found.source}"),
        "dest": endpoint(f"sqlite:///{found.dest}"),
    }
    return found


@pytest.fixture
def namesakes(files: Files, settings: Settings) -> Files:
    """The same, with a source in another folder that is named like the destination."""
    path = files.source.parent / "old" / files.dest.name
    path.parent.mkdir()
    shutil.move(files.source, path)
    settings.ENDPOINTS = settings.ENDPOINTS | {"source": endpoint(f"sqlite:///{path}")}
    return Files(path, files.dest)


@pytest.fixture(autouse=True)
def nothing_is_shared() -> Iterator[None]:
    """No test gets what a process has kept of another's pages."""
    yield
    watching._shared.cache_clear()
    table_rows._row.cache_clear()


@pytest.fixture
def sign_in(client: Client) -> Callable[[Any], Client]:
    """`sign_in(alice)`: the test client, as alice."""

    def sign_in(user: Any) -> Client:
        client.force_login(user)
        return client

    return sign_in


@pytest.fixture
def make_run(db: None) -> Callable[..., Run]:
    """`make_run(status, tables=3, **fields)`: a run whose tables fit its status."""

    def make(status: str = Run.Status.RUNNING, tables: int = 3, **fields: Any) -> Run:
        now = timezone.now()
        run = Run.objects.create(
            **{"status": status, "operator": "alice", "source": SOURCE, "dest": DEST}
            | ({} if status == Run.Status.QUEUED else {"started_at": now, "heartbeat_at": now})
            | fields
        )
        TableCopy.objects.bulk_create(_table(run, position) for position in range(tables))
        return run

    return make


def _table(run: Run, position: int) -> TableCopy:
    ended = run.status in {Run.Status.SUCCEEDED, Run.Status.INCOMPLETE}
    done = ended or (run.status == Run.Status.RUNNING and not position)
    return TableCopy(
        run=run,
        position=position,
        label=f"shop.Table{position}",
        table=f"shop_table{position}",
        status=TableCopy.Status.DONE if done else TableCopy.Status.WAITING,
        source_rows=1000,
        dest_rows_before=10,
        copied_rows=1000 if done else 0,
        wiped=done,
    )


@pytest.fixture
def reject(db: None) -> Reject:
    """`reject(run, key, row=b"...", signature=[...], **fields)`: a row that was set aside."""

    def reject(run: Run, key: str, **fields: Any) -> RejectedRow:
        table = run.tables.earliest("position")
        run.tables.filter(pk=table.pk).update(rejected_rows=run.rejected.count() + 1)
        return RejectedRow.objects.create(
            **{
                "run": run,
                "label": table.label,
                "key": key,
                "column": "name",
                "message": "Data too long for column 'name'",
                "row": f"{key}\tA name\n".encode(),
                "signature": ["id integer", "name text"],
            }
            | fields
        )

    return reject


@pytest.fixture
def make_audit(db: None) -> Callable[..., Audit]:
    """`make_audit(*verdicts, labels=(), **fields)`: a finished audit with a table for each verdict.

    The project has no tables of these names, unless they have `labels`.
    """

    def make(*verdicts: str, labels: Sequence[str] = (), **fields: Any) -> Audit:
        audit = Audit.objects.create(
            **{
                "status": Audit.Status.FINISHED,
                "verdict": max(verdicts, key=Audit.Verdict.values.index, default="not-checked"),
                "operator": "alice",
                "source": SOURCE,
                "dest": DEST,
            }
            | fields
        )
        AuditedTable.objects.bulk_create(
            AuditedTable(
                audit=audit,
                position=position,
                label=labels[position] if labels else f"shop.Table{position}",
                table=f"shop_table{position}",
                source_rows=1000,
                dest_rows=997 if verdict == Audit.Verdict.DIFFERS else 1000,
                verdict=verdict,
            )
            for position, verdict in enumerate(verdicts)
        )
        return audit

    return make


@pytest.fixture
def make_sign_off(make_audit: Callable[..., Audit]) -> Callable[..., SignOff]:
    """`make_sign_off(audit=None, **fields)`: a record of an audit, which is green by default."""

    def make(audit: Audit | None = None, **fields: Any) -> SignOff:
        audit = audit or make_audit("identical", "identical")
        now = timezone.now()
        signed = {"audit": audit.pk, "operator": "alice", "at": in_utc(now)}
        text = canonical({"signed": signed} | signing.record(audit, {}, []))
        return SignOff.objects.create(
            **{
                "audit": audit,
                "operator": "alice",
                "signed_at": now,
                "record": text,
                "digest": digest(text),
            }
            | fields
        )

    return make


@pytest.fixture
def text() -> Callable[[Any], str]:
    """`text(response)`: the page's HTML with its white space folded."""
    return lambda response: " ".join(response.content.decode().split())


@pytest.fixture
def open_page(
    page: Page, live_server: LiveServer, files: Files, transactional_db: None
) -> Iterator[Open]:
    """`open_page("/tables/")`: that page in the browser, signed in as a superuser."""
    get_user_model().objects.create_superuser("alice", password="alice")

    def open_page(path: str) -> Page:
        page.goto(f"{live_server.url}/admin/login/?next={path}")
        page.fill("#id_username", "alice")
        page.fill("#id_password", "alice")
        page.click("[type=submit]")
        page.wait_for_url(f"**{path}")
        return page

    yield open_page
    page.goto("about:blank")  # no poll may outlive the test's database


def expect(page: Page, selector: str, text: str) -> None:
    page.locator(selector, has_text=re.compile(text)).wait_for(timeout=POLL)


def count_everything() -> None:
    services.count_now(table.label for table in services.host_tables())
    services.check_data_now(None, "alice")
    CountRequest.objects.update(finished_at=timezone.now())
