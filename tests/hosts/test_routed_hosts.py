"""Hosts with several databases, whose own routers say what is where."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from tests.conftest import MakeDatabase, RunManage
from tests.hosts.site import Site, file_of

MODELS = """
from django.db import models
class Page(models.Model):
    path = models.CharField(max_length=9)
class Hit(models.Model):
    pages = models.ManyToManyField(Page)
"""
MIGRATION = """
from django.db import migrations, models
def note(apps, schema_editor):
    apps.get_model("stats", "Page").objects.using(schema_editor.connection.alias).create(path="/")
class Migration(migrations.Migration):
    initial = True
    operations = [
        migrations.CreateModel("Page", [
            ("id", models.AutoField(primary_key=True)), ("path", models.CharField(max_length=9)),
        ]),
        migrations.CreateModel("Hit", [
            ("id", models.AutoField(primary_key=True)),
            ("pages", models.ManyToManyField("stats.page")),
        ]),
        migrations.RunPython(note, hints={"of": "stats"}),
    ]
"""
SETTINGS = """
import os
SECRET_KEY = "the site's"
INSTALLED_APPS = ["django.contrib.contenttypes", "django.contrib.auth", "stats"]
DATABASES = {
    alias: {"ENGINE": "django.db.backends.sqlite3", "NAME": os.environ[f"{alias.upper()}_FILE"]}
    for alias in ("default", "stats")
}
DATABASE_ROUTERS = ["routed.Reading", "routed.Router"]
class Reading:
    def db_for_read(self, model, **hints):
        return "nowhere"
class Router:
    def allow_migrate(self, db, app_label, model_name=None, **hints):
        if app_label == "stats" or hints.get("of") == "stats":
            return db == "stats"
        return None if db == "default" else False
"""


@pytest.fixture
def routed(run_manage: RunManage, make_database: MakeDatabase, tmp_path: Path) -> Site:
    """A site that keeps its statistics in another database; both are migrated by itself."""
    (tmp_path / "stats" / "migrations").mkdir(parents=True)
    for file, text in {
        "stats/__init__.py": "",
        "stats/models.py": MODELS,
        "stats/migrations/__init__.py": "",
        "stats/migrations/0001_initial.py": MIGRATION,
        "routed.py": SETTINGS,
    }.items():
        (tmp_path / file).write_text(text)
    site = Site(
        run_manage,
        {
            "HOST_SETTINGS": "routed",
            "PYTHONPATH": str(tmp_path),
            "DEFAULT_FILE": file_of(make_database("sqlite")),
            "STATS_FILE": file_of(make_database("sqlite")),
            "DEST_DATABASE_URL": make_database("sqlite"),
        },
    )
    for alias in ("default", "stats"):
        subprocess.run(  # noqa: S603  # our own command line
            [
                sys.executable,
                "-m",
                "django",
                "migrate",
                "-v0",
                "--skip-checks",
                "--database",
                alias,
            ],
            env={**os.environ, **site.env, "DJANGO_SETTINGS_MODULE": "routed"},
            check=True,
        )
    site.manage("migrate")
    return site


def tables(file: str) -> set[str]:
    with closing(sqlite3.connect(file)) as connection:
        names = connection.execute("SELECT name FROM sqlite_master WHERE name NOT LIKE 'sqlite_%'")
        return {name for (name,) in names if not name.startswith("django_")}


def copied(site: Site) -> set[str]:
    """The labels of what `--all` copies, once the destination is migrated."""
    site.manage("migrate", "--database", "dest")
    name = Path(file_of(site.env["DEST_DATABASE_URL"])).name
    done = site.manage("copydata", "--all", "--wipe", name, "--json")
    return {table["label"] for table in json.loads(done.stdout)["tables"]}


def test_tables_that_the_site_keeps_in_another_database_are_neither_made_nor_copied(
    routed: Site,
) -> None:
    assert {label.partition(".")[0] for label in copied(routed)} == {"auth", "contenttypes"}
    made = tables(file_of(routed.env["DEST_DATABASE_URL"]))
    assert made == tables(routed.env["DEFAULT_FILE"])
    assert "auth_user" in made
    assert "stats_page" not in made
    assert json.loads(routed.manage("auditdata", "--json").stdout)["status"] == "identical"


def test_of_another_of_the_sites_databases_its_own_tables_are_copied(routed: Site) -> None:
    stats = routed.with_env(SOURCE_DATABASE_URL=f"sqlite:///{routed.env['STATS_FILE']}")
    assert copied(stats) == {"stats.Page", "stats.Hit", "stats.Hit_pages"}
    made = tables(file_of(routed.env["DEST_DATABASE_URL"]))
    assert made == tables(routed.env["STATS_FILE"])
    assert {name for name in made if name.startswith("auth_")} == set()


def test_rows_in_the_source_that_the_site_would_look_for_elsewhere_are_told_of(
    routed: Site,
) -> None:
    with closing(sqlite3.connect(routed.env["DEFAULT_FILE"])) as source:
        source.executescript("CREATE TABLE stats_page (id, path); CREATE TABLE stats_hit (id)")
        source.execute("INSERT INTO stats_page VALUES (1, '/')")
        source.commit()
    routed.manage("migrate", "--database", "dest")
    found = json.loads(routed.manage("preflight", "--json").stdout)
    assert found["status"] == "warnings"
    told = [each for each in found["findings"] if each["severity"] == "warning"]
    assert [(each["code"], each["table"]) for each in told] == [
        ("table-of-another-database", "stats_page")
    ]


def test_a_router_that_can_not_be_asked_here_has_no_say(routed: Site, tmp_path: Path) -> None:
    """That of django-tenants wants a connection with a schema's name."""
    (tmp_path / "schemas.py").write_text(
        "from routed import *\n"
        "DATABASE_ROUTERS = ['not.there.Router', 'schemas.BySchema']\n"
        "class BySchema:\n"
        "    def allow_migrate(self, db, app_label, **hints):\n"
        "        from django.db import connections\n"
        "        return connections[db].schema_name == 'public'\n"
    )
    site = routed.with_env(HOST_SETTINGS="schemas")
    said = site.manage("migrate", "--database", "dest").stderr
    assert [said.count(router) for router in ("not.there.Router", "BySchema")] == [1, 1]
    assert "stats_page" in tables(file_of(routed.env["DEST_DATABASE_URL"]))


def test_routers_that_keep_nothing_in_a_database_call_it_otherwise(
    routed: Site, tmp_path: Path
) -> None:
    """Its `default` is a dummy, and the source has another name for the site's own host."""
    (tmp_path / "dummy.py").write_text(
        "from routed import *\n"
        "DATABASES = {'default': {}, 'primary': {'ENGINE': 'django.db.backends.postgresql', "
        "'NAME': 'shop', 'HOST': 'db.example'}}\n"
        "DATABASE_ROUTERS = ['dummy.Primary']\n"
        "class Primary:\n"
        "    def allow_migrate(self, db, app_label, **hints):\n"
        "        return db == 'primary'\n"
    )
    site = routed.with_env(
        HOST_SETTINGS="dummy", SOURCE_DATABASE_URL=f"sqlite:///{routed.env['DEFAULT_FILE']}"
    )
    said = site.manage("migrate", "--database", "dest").stderr
    assert said.count("keep nothing in 'default'") == 1
    assert "auth_user" in tables(file_of(routed.env["DEST_DATABASE_URL"]))
