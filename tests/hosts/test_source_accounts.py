"""Where the user model can't live in the control database, the source's staff sign in."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from shutil import copy

import pytest

from tests.conftest import MakeDatabase, RunManage, manage
from tests.hosts.site import PASSWORD, Site
from tests.servers import Servers

# An old hash, which Django would replace at the next sign-in.
PEOPLE = f"""
from django.contrib.auth.hashers import PBKDF2PasswordHasher
from tests.hosts.atlas.members.models import Member
old = PBKDF2PasswordHasher().encode({PASSWORD!r}, "salt", iterations=1000)
make = lambda name, **flags: Member.objects.using("dest").create(
    username=name, password=old, regions=["north"], **flags
)
make("alice", is_staff=True, is_superuser=True)
make("bob", is_staff=True)
make("charlie")
make("dora", is_staff=True, is_active=False)
"""
ACCOUNTS = """
import json
from tests.hosts.atlas.members.models import Member
columns = ("username", "password", "last_login")
print(json.dumps(list(Member.objects.using("source").order_by("pk").values_list(*columns))))
"""
SOURCE_GOES_DOWN = """
import json
from migrations_ui.recall import memory
from django.db import connections
from django.test import Client
from dashboard import operators
browser = Client(SERVER_NAME="localhost", raise_request_exception=False)
credentials = {"username": "alice", "password": "%s"}
browser.post("/admin/login/?next=/", credentials)
seen = [browser.get("/runs/").status_code]
connections["source"].close()
connections["source"].settings_dict["PORT"] = "1"
operators.FRESH = 0
seen.append(browser.get("/runs/").status_code)
memory.clear()  # as time does
seen.append(browser.get("/runs/").status_code)
page = browser.post("/admin/login/", credentials).content.decode()
print(json.dumps([*seen, "can&#x27;t be reached" in page]))
"""

SIGN = """
import json
from django.contrib.auth import get_user_model
from django.test import RequestFactory
from migrations_ui import signing
from migrations_ui.models import Audit, SignOffAttempt
from migrations_ui.sides import Refused
request = RequestFactory().post("/")
request.user = get_user_model().objects.using("source").get(username="alice")
audit = Audit.objects.create(operator="alice", source={}, dest={})
try:
    signing.verify(request, audit, "wrong")
except Refused as refusal:
    said = str(refusal)
signing.verify(request, audit, "%s")
tries = SignOffAttempt.objects.order_by("id").values_list("succeeded", flat=True)
print(json.dumps([said, list(tries)]))
"""


def site(run_manage: RunManage, source: str, folder: Path) -> Site:
    (dest := folder / "dest.sqlite3").touch()
    return Site(
        run_manage,
        {
            "HOST_SETTINGS": "tests.hosts.atlas.settings",
            "SOURCE_DATABASE_URL": source,
            "DEST_DATABASE_URL": f"sqlite:///{dest}",
        },
    )


@dataclass(frozen=True)
class Template:
    """The source with its people, and the file of a control database: tests have copies of both."""

    url: str
    control: Path


@pytest.fixture(scope="module")
def template(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Template]:
    url, drop = servers.create_database("postgresql")
    (var := (folder := tmp_path_factory.mktemp("atlas")) / "var").mkdir()
    made = site(partial(manage, var), url, folder)
    made.exchanged().manage("migrate", "--database", "dest")
    made.exchanged().shell(PEOPLE)
    made.manage("migrate")
    yield Template(url, var / "control.sqlite3")
    drop()


@pytest.fixture
def atlas(
    template: Template, clone_postgres: MakeDatabase, run_manage: RunManage, tmp_path: Path
) -> Site:
    copy(template.control, tmp_path / "var")
    return site(run_manage, clone_postgres(template.url), tmp_path)


def test_staff_of_the_source_sign_in_and_nothing_is_written_there(atlas: Site) -> None:
    before = atlas.shell(ACCOUNTS)
    alice, bob = atlas.sign_in("alice"), atlas.sign_in("bob")
    assert atlas.shell(ACCOUNTS) == before
    assert alice["may"] == ["copy_run", "view_run", "wipe_destination"]
    assert bob["may"] == ["view_run"]
    assert set(alice["pages"].values()) == {200}
    assert {page: status for page, status in bob["pages"].items() if status != 200} == {}


@pytest.mark.parametrize(
    ("name", "password"),
    [
        pytest.param("charlie", PASSWORD, id="not staff"),
        pytest.param("dora", PASSWORD, id="not active"),
        pytest.param("alice", "wrong", id="wrong password"),
        pytest.param("nobody", PASSWORD, id="no such account"),
    ],
)
def test_nobody_else_signs_in(atlas: Site, name: str, password: str) -> None:
    assert not atlas.sign_in(name, password)["signed in"]


def test_createsuperuser_says_who_signs_in_instead(atlas: Site) -> None:
    done = atlas.manage("createsuperuser", "--noinput", "--username", "eve", fails=True)
    assert "members.Member.regions is a ArrayField" in done.stderr
    assert "staff accounts" in done.stderr


def test_who_is_signed_in_stays_so_for_a_while_when_the_source_goes_down(atlas: Site) -> None:
    assert atlas.shell(SOURCE_GOES_DOWN % PASSWORD) == [200, 200, 302, True]


def test_an_account_of_the_source_is_never_saved(atlas: Site) -> None:
    code = """
import json
from tests.hosts.atlas.members.models import Member
from dashboard.routers import SourceIsReadOnly
alice = Member.objects.using("source").get(username="alice")
try:
    alice.save()
except SourceIsReadOnly as error:
    print(json.dumps(str(error)))
"""
    assert "The source is never written" in atlas.shell(code)


def test_an_audit_is_signed_with_the_password_of_the_sources_account(atlas: Site) -> None:
    before = atlas.shell(ACCOUNTS)

    said, attempts = atlas.shell(SIGN % PASSWORD)

    assert said == "That is not your password. Nothing was signed."
    assert attempts == [False, True]
    assert atlas.shell(ACCOUNTS) == before
