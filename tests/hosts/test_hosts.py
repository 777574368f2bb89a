"""The dashboard starts on, and copies, projects that are not the demo."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from itertools import islice
from pathlib import Path

import pytest

from tests.conftest import ROOT, MakeDatabase, RunManage
from tests.hosts.site import PASSWORD, Site

CLINIC = {"HOST_SETTINGS": "tests.hosts.clinic.settings.production", "CLINIC_NAME": "St. Luke's"}
ATTIC = {"HOST_SETTINGS": "tests.hosts.attic.settings"}

FILL_CLINIC = """
from tests.hosts.clinic.people.models import *
practice, _ = Practice.objects.using("dest").get_or_create(name="Müllers Praxis")
users = [
    User(email=f"u{n}@example.org", practice=practice if n % 2 else None, password="!")
    for n in range(50)
]
User.objects.using("dest").bulk_create(users)
users[0].colleagues.add(*users[1:4])
profiles = [Profile(user=user, room=str(user.pk)[:4]) for user in users]
Profile.objects.using("dest").bulk_create(profiles)
"""
READ_CLINIC = """
import json
import os
from tests.hosts.clinic.people.models import *
# Sorted here: MariaDB has an order of UUIDs of its own.
rows = lambda model: sorted(map(str, model._base_manager.using({alias!r}).values_list()))
models = (Practice, User, Profile, User.colleagues.through)
print(json.dumps({{model.__name__: rows(model) for model in models}}))
"""


# What alice does about accounts: her own password, and another operator.
OPERATORS = """
import json
from django.test import Client
from tests.hosts.clinic.people.models import User
browser = Client(SERVER_NAME="localhost", raise_request_exception=False)
def post(page, **form):
    return browser.post("/admin/" + page, form).status_code
signed_in = post("login/?next=/", username="alice@example.org", password={password!r})
new = dict(new_password1="another good one", new_password2="another good one")
changed = [signed_in, post("password_change/", old_password={password!r}, **new)]
new = dict(password1="another good one", password2="another good one", usable_password="true")
added = [post("people/user/add/", email="bob@example.org", **new)]
added.append(User.objects.get(email="bob@example.org").check_password("another good one"))
names = sorted(User.objects.values_list("full_name", flat=True))
print(json.dumps(dict(changed=changed, added=added, names=names)))
"""


@pytest.fixture
def clinic(run_manage: RunManage, make_database: MakeDatabase) -> Site:
    return Site(
        run_manage,
        CLINIC
        | {
            "SOURCE_DATABASE_URL": make_database("sqlite"),
            "DEST_DATABASE_URL": make_database("sqlite"),
        },
    )


@pytest.fixture
def attic(run_manage: RunManage, make_database: MakeDatabase) -> Site:
    """Its own settings say where its data is."""
    file = make_database("sqlite").removeprefix("sqlite:///")
    return Site(
        run_manage, ATTIC | {"ATTIC_FILE": file, "DEST_DATABASE_URL": make_database("sqlite")}
    )


def tables(path: Path | str) -> set[str]:
    with closing(sqlite3.connect(path)) as connection:
        return {
            name
            for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        }


def control(site: Site, tmp_path: Path) -> Path:
    return tmp_path / "var" / "control.sqlite3"


def file_of(url: str) -> str:
    return url.removeprefix("sqlite:///")


def test_a_host_that_demands_middleware_urls_and_an_admin_of_its_own_is_loaded(
    clinic: Site,
) -> None:
    clinic.manage("check")


def test_the_hosts_pages_tags_checks_tasks_and_handlers_stay_out(attic: Site) -> None:
    attic.manage("check")
    attic.manage("migrate")
    attic.manage("migrate", "--database", "dest")
    attic.manage("createsuperuser", "--noinput", "--username", "alice", "--email", "a@example.org")


def test_the_settings_that_models_read_are_the_hosts_and_the_sites_are_ours(attic: Site) -> None:
    found = attic.shell(
        "import json; from django.conf import settings;"
        "from tests.hosts.attic.boxes.models import Box;"
        "print(json.dumps([settings.USE_TZ, settings.TIME_ZONE, settings.DEFAULT_AUTO_FIELD,"
        " settings.CUTOVER, settings.PREPEND_WWW, settings.SESSION_COOKIE_DOMAIN,"
        " settings.HUEY['immediate'], Box._meta.pk.get_internal_type()]))"
    )
    ours = [False, None, False]
    assert found == [
        False,
        "Asia/Tokyo",
        "django.db.models.AutoField",
        "of the attic's own",
        *ours,
        "AutoField",
    ]


def test_the_source_is_the_hosts_default_database_unless_a_url_says_otherwise(
    attic: Site, tmp_path: Path
) -> None:
    as_dest = attic.with_env(
        SOURCE_DATABASE_URL=attic.env["DEST_DATABASE_URL"],
        DEST_DATABASE_URL=f"sqlite:///{attic.env['ATTIC_FILE']}",
    )
    as_dest.manage("migrate", "--database", "dest")
    attic.manage("migrate")
    attic.manage("migrate", "--database", "dest")
    done = attic.manage("preflight", "--json")
    assert json.loads(done.stdout) == {"status": "ok", "findings": []}


def test_the_control_database_gets_no_table_of_the_host_but_the_users(
    clinic: Site, tmp_path: Path
) -> None:
    clinic.manage("migrate")
    made = tables(control(clinic, tmp_path))
    assert {name for name in made if name.startswith("people_")} == {
        "people_user",
        "people_user_colleagues",
        "people_user_groups",
        "people_user_user_permissions",
    }
    assert "migrations_ui_run" in made


def test_the_destination_gets_what_the_hosts_own_migrate_makes_and_nothing_of_ours(
    clinic: Site,
) -> None:
    clinic.manage("migrate", "--database", "dest")
    dest = file_of(clinic.env["DEST_DATABASE_URL"])
    assert not {name for name in tables(dest) if name.startswith("migrations_ui")}
    with closing(sqlite3.connect(dest)) as connection:
        labels = {
            label for (label,) in connection.execute("SELECT app_label FROM django_content_type")
        }
        practices = list(connection.execute("SELECT name FROM people_practice"))
    assert labels == {"admin", "auth", "contenttypes", "people", "sessions", "sites"}
    assert practices == [("High Street",)]


def test_nobody_migrates_the_source(clinic: Site) -> None:
    done = clinic.manage("migrate", "--database", "source", fails=True)
    assert "The source is never written" in done.stderr
    assert tables(file_of(clinic.env["SOURCE_DATABASE_URL"])) == set()


def test_a_hosts_app_is_not_migrated_in_the_control_database(clinic: Site) -> None:
    done = clinic.manage("migrate", "people", fails=True)
    assert "--database dest" in done.stderr


@pytest.mark.parametrize("vendor", ["postgresql", "mysql"])
def test_a_host_with_a_custom_user_model_is_copied(
    clinic: Site, make_database: MakeDatabase, vendor: str
) -> None:
    site = clinic.with_env(DEST_DATABASE_URL=(url := make_database(vendor)))
    site.exchanged().manage("migrate", "--database", "dest")
    site.exchanged().manage("shell", "-v0", "-c", FILL_CLINIC)
    site.manage("migrate")
    site.manage("migrate", "--database", "dest")
    name = url.rpartition("/")[2]
    done = site.manage("copydata", "--all", "--wipe", name, "--json")
    assert json.loads(done.stdout)["status"] == "succeeded"
    source = site.shell(READ_CLINIC.format(alias="source"))
    assert source == site.shell(READ_CLINIC.format(alias="dest"))
    assert [len(rows) for rows in source.values()] == [2, 50, 50, 6]


@pytest.mark.parametrize("vendor", ["postgresql", "mysql", "sqlite"])
def test_createsuperuser_makes_an_operator_in_a_control_database_of_any_vendor(
    clinic: Site, make_database: MakeDatabase, vendor: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DJANGO_SUPERUSER_PASSWORD", PASSWORD)
    site = clinic.with_env(CONTROL_DATABASE_URL=make_database(vendor))
    site.manage("migrate")
    site.manage("createsuperuser", "--noinput", "--email", "alice@example.org")
    answer = site.sign_in("alice@example.org")
    assert answer["before"] == [302, 200]
    assert answer["signed in"]
    assert set(answer["pages"].values()) == {200}
    assert answer["may"] == ["copy_run", "view_run", "wipe_destination"]
    assert site.shell(OPERATORS.format(password=PASSWORD)) == {
        "changed": [302, 302],
        "added": [302, True],
        "names": ["alice", "bob"],
    }


def test_where_operators_live_in_control_accounts_of_the_source_do_not_sign_in(
    clinic: Site,
) -> None:
    clinic.manage("migrate")
    clinic.exchanged().manage("migrate", "--database", "dest")
    clinic.exchanged().shell(
        "from tests.hosts.clinic.people.models import User;"
        f"User.objects.db_manager('dest').create_superuser('alice@example.org', {PASSWORD!r})"
    )
    answer = clinic.sign_in("alice@example.org")
    assert not answer["signed in"]
    assert set(answer["pages"].values()) == {302}


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
    "kept.py": """
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
        return {table["label"] for table in json.loads(done.stdout)["tables"]}

    shelves = {"archive.Shelf", "archive.Shelf_scrolls", "archive.Scroll"}
    seals = {"archive.Seal", "archive.Seal_scrolls"}
    assert (missed(plain), missed(ready)) == (seals, set())
    assert (copied(plain), copied(ready)) == (shelves, shelves | seals)


def test_the_worker_knows_our_tasks_and_none_of_the_hosts(attic: Site, tmp_path: Path) -> None:
    attic.manage("migrate", "-v0")
    worker = subprocess.Popen(  # our own command line
        [sys.executable, "manage.py", "run_huey"],
        cwd=ROOT,
        env={
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "dashboard.settings",
            "CUTOVER_VAR": str(tmp_path / "var"),
            **attic.env,
        },
        stderr=subprocess.PIPE,
        text=True,
    )
    assert worker.stderr is not None
    lines = list(islice(worker.stderr, 7))
    worker.kill()
    worker.communicate(timeout=30)
    assert [line.strip() for line in lines if line.startswith("+")] == [
        "+ migrations_ui.tasks.execute_run",
        "+ migrations_ui.tasks.answer_count_request",
        "+ migrations_ui.tasks.execute_audit",
    ]
