"""Hosts whose database engine is a package's own, made of one of Django's."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from tests.hosts.site import Site

ENGINES = """
import json
from django.conf import settings
from django.db import connections
from migrations_ui.engine.databases import access
print(json.dumps({
    alias: [connections[alias].settings_dict["ENGINE"], access.vendor(settings.DATABASES[alias])]
    for alias in ("default", "source", "dest")
}))
"""


def wrapped(attic: Site, folder: Path, engine: str = "extra.backend") -> Site:
    """The host with an engine that reads its settings when it is imported, and declares a type."""
    (folder / "extra" / "backend").mkdir(parents=True)
    (folder / "extra" / "__init__.py").touch()
    (folder / "extra" / "backend" / "__init__.py").touch()
    (folder / "extra" / "backend" / "base.py").write_text(
        "from importlib import import_module\n"
        "from django.conf import settings\n"
        "base = import_module(getattr(settings, 'EXTRA_BASE') + '.base')\n"
        "class DatabaseWrapper(base.DatabaseWrapper):\n"
        "    data_types = base.DatabaseWrapper.data_types | {'CharField': 'varchar(77)'}\n"
    )
    (folder / "wrapping.py").write_text(
        "from tests.hosts.attic.settings import *\n"
        "EXTRA_BASE = 'django.db.backends.sqlite3'\n"
        f"DATABASES['default']['ENGINE'] = '{engine}'\n"
    )
    return attic.with_env(HOST_SETTINGS="wrapping", PYTHONPATH=str(folder))


def test_it_is_known_by_what_it_is_made_of_and_used_for_both_sides(
    attic: Site, tmp_path: Path
) -> None:
    site = wrapped(attic, tmp_path)
    assert site.shell(ENGINES) == {
        "default": ["django.db.backends.sqlite3", "sqlite"],
        "source": ["extra.backend", "sqlite"],
        "dest": ["extra.backend", "sqlite"],
    }
    (tmp_path / "new.sqlite3").touch()
    new = site.with_env(DEST_DATABASE_URL=f"sqlite:///{tmp_path}/new.sqlite3")
    new.manage("migrate", "--database", "dest")
    with closing(sqlite3.connect(tmp_path / "new.sqlite3")) as database:
        (sql,) = database.execute("SELECT group_concat(sql) FROM sqlite_master")
    assert "varchar(77)" in sql[0]


def test_a_database_of_another_vendor_has_djangos_engine(attic: Site, tmp_path: Path) -> None:
    site = wrapped(attic, tmp_path)
    site = site.with_env(DEST_DATABASE_URL="postgres://somebody@127.0.0.1:1/name")
    assert site.shell(ENGINES)["dest"] == ["django.db.backends.postgresql", "postgresql"]


def test_one_that_can_not_be_imported_is_named_where_it_is_needed(
    attic: Site, tmp_path: Path
) -> None:
    site = wrapped(attic, tmp_path, engine="not_installed.backend")
    done = site.manage("check", fails=True)
    assert "'not_installed.backend' is not one that Cutover can read" in done.stderr
    assert "No module named 'not_installed'" in done.stderr

    named = site.with_env(SOURCE_DATABASE_URL=f"sqlite:///{site.env['ATTIC_FILE']}")
    assert named.shell(ENGINES)["source"] == ["django.db.backends.sqlite3", "sqlite"]


def test_of_one_that_imports_models_the_vendor_is_told_before_they_can_be(
    attic: Site, tmp_path: Path
) -> None:
    """That of django-tenants does, which no host with it was moved with."""
    site = wrapped(attic, tmp_path)
    base = tmp_path / "extra" / "backend" / "base.py"
    models = "from django.contrib.contenttypes.models import ContentType\n"
    base.write_text(models + base.read_text() + "BASE = 'django.db.backends.sqlite3'\n")
    assert site.shell(ENGINES)["source"] == ["extra.backend", "sqlite"]
    base.write_text(models + base.read_text() + "OTHER = 'django.db.backends.mysql'\n")
    assert "is not one that Cutover can read: it" in site.manage("check", fails=True).stderr


def test_what_one_makes_of_the_hosts_settings_is_forgotten(attic: Site, tmp_path: Path) -> None:
    """That of psqlextra asks for the connections; the control database was the source then."""
    site = wrapped(attic, tmp_path)
    base = tmp_path / "extra" / "backend" / "base.py"
    asking = (
        "from django.core.cache import caches\n"
        "from django.db import connections, router\n"
        "connections['default'], caches['default'], router.routers\n"
    )
    base.write_text(base.read_text() + asking)
    assert site.shell(ENGINES)["dest"] == ["extra.backend", "sqlite"]
    (tmp_path / "new.sqlite3").touch()
    new = site.with_env(ATTIC_FILE=f"{tmp_path}/new.sqlite3")
    new.manage("migrate")
    assert (tmp_path / "new.sqlite3").read_bytes() == b""
