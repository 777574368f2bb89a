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
from tests.hosts.site import PASSWORD, Site, file_of

CLINIC = {"HOST_SETTINGS": "tests.hosts.clinic.settings.production", "CLINIC_NAME": "St. Luke's"}

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


def tables(path: Path | str) -> set[str]:
    with closing(sqlite3.connect(path)) as connection:
        return {
            name
            for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        }


def control(site: Site, tmp_path: Path) -> Path:
    return tmp_path / "var" / "control.sqlite3"


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
