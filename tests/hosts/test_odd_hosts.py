"""What hosts do that is no business of ours, and must not keep us from their rows."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

from tests.hosts.site import Site, file_of


def test_an_app_that_completes_models_when_it_starts_is_started(
    attic: Site, tmp_path: Path
) -> None:
    """The one kind of start-up code that decides which columns there are."""
    package = tmp_path / "modeltranslation"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "apps.py").write_text(
        "from django.apps import AppConfig\n"
        "from django.db.models import CharField\n"
        "class TranslationConfig(AppConfig):\n"
        "    name = 'modeltranslation'\n"
        "    def ready(self):\n"
        "        from tests.hosts.attic.boxes.models import Box\n"
        "        CharField(max_length=50).contribute_to_class(Box, 'label_de')\n"
    )
    (tmp_path / "translated.py").write_text(
        "from tests.hosts.attic.settings import *\n"
        "INSTALLED_APPS = [*INSTALLED_APPS, 'modeltranslation']\n"
    )
    site = attic.with_env(HOST_SETTINGS="translated", PYTHONPATH=str(tmp_path))
    names = site.shell(
        "import json; from tests.hosts.attic.boxes.models import Box;"
        "print(json.dumps([field.name for field in Box._meta.get_fields()]))"
    )
    assert "label_de" in names


def test_a_host_with_an_older_package_for_djangos_tasks_is_loaded(
    attic: Site, tmp_path: Path
) -> None:
    (tmp_path / "django_tasks").mkdir()
    (tmp_path / "django_tasks" / "__init__.py").touch()
    attic.with_env(PYTHONPATH=str(tmp_path)).manage("check")


def test_a_host_without_the_admin_may_have_a_log_of_that_name(attic: Site, tmp_path: Path) -> None:
    (tmp_path / "ledger").mkdir()
    (tmp_path / "ledger" / "__init__.py").touch()
    (tmp_path / "ledger" / "models.py").write_text(
        "from django.db import models\n"
        "class LogEntry(models.Model):\n"
        "    user = models.ForeignKey('auth.User', models.PROTECT)\n"
        "    content_type = models.ForeignKey('contenttypes.ContentType', models.PROTECT)\n"
    )
    (tmp_path / "keeping.py").write_text(
        "from tests.hosts.attic.settings import *\nINSTALLED_APPS = [*INSTALLED_APPS, 'ledger']\n"
    )
    attic.with_env(HOST_SETTINGS="keeping", PYTHONPATH=str(tmp_path)).manage("check")


def test_what_insists_on_a_folder_of_static_files_is_loaded(attic: Site, tmp_path: Path) -> None:
    found = attic.shell(
        "import json; from django.conf import settings;print(json.dumps(str(settings.STATIC_ROOT)))"
    )
    assert Path(found) == tmp_path / "var" / "static"
    assert not list(Path(found).iterdir())


def test_migrations_that_can_not_be_imported_are_a_blocker(attic: Site, tmp_path: Path) -> None:
    attic.manage("migrate")
    attic.manage("migrate", "--database", "dest")
    (tmp_path / "unset.py").write_text(
        "from tests.hosts.attic.settings import *\nMIGRATION_MODULES = {'boxes': 'broken'}\n"
    )
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "__init__.py").touch()
    (tmp_path / "broken" / "0001_initial.py").write_text(
        "from django.conf import settings\nsettings.ONLY_SET_BY_READY\n"
    )
    site = attic.with_env(HOST_SETTINGS="unset", PYTHONPATH=str(tmp_path))
    done = site.manage("preflight", "--json", fails=True)
    found = {each["code"]: each for each in json.loads(done.stdout)["findings"]}
    assert found["migrations-unreadable"]["severity"] == "blocker"
    assert "ONLY_SET_BY_READY" in found["migrations-unreadable"]["message"]


ARCHIVE = {
    "__init__.py": "",
    "apps.py": """
from django.apps import AppConfig
class ArchiveConfig(AppConfig):
    name = "archive"
    def ready(self):
        from archive import kept
""",
    "models/__init__.py": """
from django.db import models
class Shelf(models.Model):
    scrolls = models.ManyToManyField("archive.Scroll")
""",
    "models/broken.py": "1 / 0",
    "models/hidden.py": """
from django.db import models
class Scroll(models.Model):
    pass
""",
    "models/stale.py": """
from django.db import models
class Tablet(models.Model):
    pass
""",
    "testimonials/models.py": """
from django.db import models
class Coin(models.Model):
    pass
""",
    "tests/__init__.py": "",
    "tests/models.py": """
from django.db import models
class Seal(models.Model):
    pass
""",
    "kept.py": """
import archive.testimonials.models
from django.db import models
class Seal(models.Model):
    scrolls = models.ManyToManyField("archive.Scroll")
    class Meta:
        app_label = "archive"
        db_table = "Seals"
""",
    "migrations/__init__.py": "",
}


def test_models_that_only_other_code_imports_are_found_or_missed(
    attic: Site, tmp_path: Path
) -> None:
    for name, text in ARCHIVE.items():
        (path := tmp_path / "archive" / name).parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (tmp_path / "archived.py").write_text(
        "from tests.hosts.attic.settings import *\nINSTALLED_APPS = [*INSTALLED_APPS, 'archive']\n"
    )
    plain = attic.with_env(
        HOST_SETTINGS="archived",
        PYTHONPATH=str(tmp_path),
        SOURCE_DATABASE_URL=f"sqlite:///{attic.env['ATTIC_FILE']}",
    )
    ready = plain.with_env(CUTOVER_READY="archive")
    (stale := tmp_path / "archive" / "models" / "stale.py").rename(tmp_path / "stale")
    ready.manage("makemigrations", "archive")
    (tmp_path / "stale").rename(stale)
    ready.manage("migrate", "--database", "dest")
    ready.exchanged().manage("migrate", "--database", "dest")
    ready.manage("migrate")
    with closing(sqlite3.connect(attic.env["ATTIC_FILE"])) as source, source:
        source.execute("INSERT INTO archive_scroll DEFAULT VALUES")
        source.execute("INSERT INTO Seals DEFAULT VALUES")
        source.execute("INSERT INTO Seals_scrolls (seal_id, scroll_id) VALUES (1, 1)")

    def missed(site: Site) -> set[str]:
        findings = json.loads(site.manage("preflight", "--json").stdout)["findings"]
        return {each["label"] for each in findings if each["code"] == "table-not-loaded"}

    def copied(site: Site) -> set[str]:
        name = Path(file_of(site.env["DEST_DATABASE_URL"])).name
        done = site.manage("copydata", "archive", "--wipe", name, "--json")
        assert ("no such model is loaded" in done.stderr) == bool(missed(site))
        return {table["label"] for table in json.loads(done.stdout)["tables"]}

    shelves = {"archive.Shelf", "archive.Shelf_scrolls", "archive.Scroll", "archive.Coin"}
    seals = {"archive.Seal", "archive.Seal_scrolls"}
    assert (missed(plain), missed(ready)) == (seals, set())
    assert (copied(plain), copied(ready)) == (shelves, shelves | seals)


def test_settings_that_ask_djangos_print_and_take_their_place_are_read(
    attic: Site, tmp_path: Path
) -> None:
    """As Label Studio's, ephios' and, by dynaconf, Pulp's do."""
    (tmp_path / "asking.py").write_text(
        "import sys\n"
        "from tests.hosts.attic.settings import *\n"
        "from django.conf import settings\n"
        "print('Loading the environment')\n"
        "SENTRY_DSN = ''\n"
        "assert settings.SENTRY_DSN == ''\n"
        "import django.conf\n"
        "django.conf.settings = sys.modules['django.conf'] = object()\n"
    )
    site = attic.with_env(HOST_SETTINGS="asking", PYTHONPATH=str(tmp_path))
    done = site.manage("auditdata", "--counts", "--json", fails=True)
    assert json.loads(done.stdout)["status"]
    assert "Loading the environment" in done.stderr


def test_what_is_wrong_with_settings_that_have_asked_djangos_is_said(
    attic: Site, tmp_path: Path
) -> None:
    (tmp_path / "wrong.py").write_text(
        "from tests.hosts.attic.settings import *\n"
        "from django.conf import settings\n"
        "settings.INSTALLED_APPS\n"
        "import a_package_that_is_missing\n"
    )
    site = attic.with_env(HOST_SETTINGS="wrong", PYTHONPATH=str(tmp_path))
    done = site.manage("preflight", fails=True)
    assert done.returncode == 2
    assert "'wrong' could not be imported: ModuleNotFoundError" in done.stderr


def test_an_app_that_asks_its_sites_cache_while_it_is_imported_is_loaded(
    attic: Site, tmp_path: Path
) -> None:
    (tmp_path / "hurried").mkdir()
    (tmp_path / "hurried" / "__init__.py").touch()
    (tmp_path / "hurried" / "models.py").write_text(
        "from django.core.cache import caches\ncaches['quick'].get('anything')\n"
    )
    (tmp_path / "caching.py").write_text(
        "from tests.hosts.attic.settings import *\n"
        "INSTALLED_APPS = [*INSTALLED_APPS, 'hurried']\n"
        "LOCAL = {'BACKEND': 'django.core.cache.backends.locmem.LocMemCache'}\n"
        "CACHES = {'default': LOCAL, 'quick': LOCAL}\n"
    )
    attic.with_env(HOST_SETTINGS="caching", PYTHONPATH=str(tmp_path)).manage("check")


def test_a_zone_in_which_mysql_and_sqlite_keep_local_times_is_told(
    attic: Site, tmp_path: Path
) -> None:
    """Django reads and writes such datetimes by DATABASES' TIME_ZONE, which no server knows of."""
    (tmp_path / "zoned.py").write_text(
        "from tests.hosts.attic.settings import *\n"
        "USE_TZ = True\n"
        "DATABASES['default']['TIME_ZONE'] = 'Europe/Berlin'\n"
    )
    site = attic.with_env(HOST_SETTINGS="zoned", PYTHONPATH=str(tmp_path))

    def told(site: Site) -> list[str]:
        done = site.run_manage(site.env, "preflight", "--json")
        found = json.loads(done.stdout)["findings"]
        return [each["severity"] for each in found if each["code"] == "time-zone-of-database"]

    assert (told(site), told(attic)) == (["warning"], [])
