"""What the environment says wrongly is answered with a sentence, and never with a password."""

from __future__ import annotations

import json
import stat
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from dashboard import environment
from dashboard.queue import RedisHuey
from tests.conftest import RunManage

SECRET = "s3kr1t"
DATABASES = ("SOURCE_DATABASE_URL", "DEST_DATABASE_URL", "CONTROL_DATABASE_URL")


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    """Two SQLite files, which are right."""
    for name in ("source", "dest"):
        (tmp_path / name).touch()
    return {
        "SOURCE_DATABASE_URL": f"sqlite:///{tmp_path}/source",
        "DEST_DATABASE_URL": f"sqlite:///{tmp_path}/dest",
    }


def refused(
    run_manage: RunManage, env: Mapping[str, str], *arguments: str, status: int
) -> subprocess.CompletedProcess[str]:
    """The finished process, which has this exit status and has shown no password."""
    done = run_manage(env, *arguments)
    assert done.returncode == status, done.stdout + done.stderr
    assert SECRET not in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done


# Database URLs


@pytest.mark.parametrize("variable", DATABASES)
@pytest.mark.parametrize(
    "url",
    [
        pytest.param(f"mssql+odd://user:{SECRET}@host/name", id="unknown scheme"),
        pytest.param(f"user:{SECRET}@host/name", id="no scheme"),
        pytest.param(SECRET, id="no URL at all"),
        pytest.param(f"postgres://user:{SECRET}/x@host:5432/name", id="slash in the password"),
        pytest.param(f"postgres://user:2/{SECRET}@host:5432/name", id="slash after a number"),
        pytest.param(f"mysql://user:/{SECRET}@host/name", id="slash as its first character"),
        pytest.param(f"postgres:user:{SECRET}@host/name", id="no slashes after the scheme"),
        pytest.param(f"postgres://user:{SECRET}@host:port/name", id="port in words"),
        pytest.param(f"postgres://user:{SECRET}@host:5432/", id="no database"),
    ],
)
def test_a_wrong_url_is_refused_by_the_variables_name_and_says_what_urls_look_like(
    variable: str, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, url)
    with pytest.raises(ImproperlyConfigured) as caught:
        environment.database(variable)
    assert str(caught.value).startswith(variable)
    assert "mysql://user:password@host:3306/name" in str(caught.value)
    assert SECRET not in str(caught.value)
    # Else a traceback would show it.
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


def test_a_command_says_it_without_a_traceback(run_manage: RunManage, env: dict[str, str]) -> None:
    env["DEST_DATABASE_URL"] = f"postgres://user:{SECRET}/x@host/name"
    for command in ("preflight", "migrate", "check"):
        done = refused(run_manage, env, command, status=2)
        assert "DEST_DATABASE_URL" in done.stderr


def test_a_name_may_have_an_at_sign(monkeypatch: pytest.MonkeyPatch) -> None:
    for url in ("postgres://user@host/shop%40old", "sqlite:////srv/shop@old"):
        monkeypatch.setenv("SOURCE_DATABASE_URL", url)
        config = environment.database("SOURCE_DATABASE_URL")
        assert config
        assert config["NAME"].endswith("shop@old")


@pytest.mark.parametrize("side", ["SOURCE", "DEST"])
def test_a_database_that_is_not_set_is_asked_for(
    run_manage: RunManage, env: dict[str, str], side: str
) -> None:
    del env[f"{side}_DATABASE_URL"]
    done = refused(run_manage, env, "preflight", status=2)
    assert done.stderr.startswith(f"{side}_DATABASE_URL is not set.")
    assert "make demo" in done.stderr


def test_another_vendor_is_refused(run_manage: RunManage, env: dict[str, str]) -> None:
    env["SOURCE_DATABASE_URL"] = f"oracle://user:{SECRET}@host/name"
    done = refused(run_manage, env, "preflight", status=2)
    assert "between PostgreSQL, MySQL/MariaDB and SQLite" in done.stderr


def test_a_missing_driver_says_what_to_install(
    run_manage: RunManage, env: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "MySQLdb.py").write_text("raise ImportError('libmariadb.so.3 is missing')")
    env["DEST_DATABASE_URL"] = f"mysql://user:{SECRET}@127.0.0.1/name"
    done = refused(run_manage, env | {"PYTHONPATH": str(tmp_path)}, "preflight", status=2)
    assert "libmariadb.so.3 is missing" in done.stderr
    assert "pip install '.[mysql]'" in done.stderr


@pytest.mark.parametrize("side", ["SOURCE", "DEST"])
@pytest.mark.parametrize(
    ("url", "said"),
    [
        (f"postgres://user:{SECRET}@127.0.0.1:1/name", "PostgreSQL database name at 127.0.0.1:1"),
        (f"mysql://user:{SECRET}@127.0.0.1:1/name", "MySQL database name at 127.0.0.1:1"),
        ("sqlite:////nowhere/at/all.sqlite3", "The SQLite file /nowhere/at/all.sqlite3"),
    ],
)
def test_a_database_that_cannot_be_reached_is_a_blocker(
    run_manage: RunManage, env: dict[str, str], side: str, url: str, said: str
) -> None:
    env[f"{side}_DATABASE_URL"] = url
    done = refused(run_manage, env, "preflight", "--json", status=1)
    report = json.loads(done.stdout)
    assert report["status"] == "blockers"
    assert any(said in found["message"] for found in report["findings"])
    assert f"{side}_DATABASE_URL" in done.stdout


def test_a_wrong_password_is_a_blocker_that_does_not_repeat_it(
    run_manage: RunManage, env: dict[str, str], postgres_url: str
) -> None:
    scheme, _, rest = postgres_url.partition("://")
    credentials, _, place = rest.rpartition("@")
    user = credentials.partition(":")[0]
    env["SOURCE_DATABASE_URL"] = f"{scheme}://{user}:{SECRET}@{place}"
    done = refused(run_manage, env, "preflight", status=1)
    assert "can't be reached" in done.stdout


def test_an_unreachable_control_database_is_said_by_migrate(
    run_manage: RunManage, env: dict[str, str]
) -> None:
    env["CONTROL_DATABASE_URL"] = f"postgres://user:{SECRET}@127.0.0.1:1/name"
    done = refused(run_manage, env, "migrate", status=1)
    assert "The database can't be reached" in done.stderr


def test_a_control_database_without_its_tables_asks_for_migrate(
    run_manage: RunManage, env: dict[str, str]
) -> None:
    done = refused(run_manage, env, "auditdata", "--counts", status=1)
    assert "manage.py migrate" in done.stderr


@pytest.mark.parametrize("side", ["SOURCE", "DEST"])
def test_a_control_database_that_is_one_of_the_sides_stops_everything(
    run_manage: RunManage, env: dict[str, str], side: str, tmp_path: Path
) -> None:
    env["CONTROL_DATABASE_URL"] = env[f"{side}_DATABASE_URL"]
    done = refused(run_manage, env, "migrate", status=2)
    assert "The control database is also the" in done.stderr
    assert (tmp_path / side.lower()).stat().st_size == 0


# The host's settings


def test_host_settings_that_cannot_be_imported_say_why_without_a_password(
    run_manage: RunManage, env: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "hostile.py").write_text(
        f"raise KeyError('DATABASE_URL=postgres://user:{SECRET}@host/name is wrong')"
    )
    env |= {"HOST_SETTINGS": "hostile", "PYTHONPATH": str(tmp_path)}
    done = refused(run_manage, env, "check", status=2)
    assert "HOST_SETTINGS='hostile' could not be imported: KeyError" in done.stderr


def test_host_settings_that_are_not_there_ask_for_pythonpath(
    run_manage: RunManage, env: dict[str, str]
) -> None:
    done = refused(run_manage, env | {"HOST_SETTINGS": "shop.settings"}, "check", status=2)
    assert "No module named 'shop'" in done.stderr
    assert "PYTHONPATH" in done.stderr


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ("INSTALLED_APPS = ['dashboard.apps.ShopDashboard']", "a package of Cutover's own"),
        ("INSTALLED_APPS = ['nothing.apps.NothingConfig']", "'nothing.apps.NothingConfig'"),
        ("class Production: INSTALLED_APPS = []", "no INSTALLED_APPS"),
    ],
)
def test_host_settings_that_cannot_be_used_say_why(
    run_manage: RunManage, env: dict[str, str], tmp_path: Path, settings: str, said: str
) -> None:
    (tmp_path / "shop_settings.py").write_text(settings)
    env |= {"HOST_SETTINGS": "shop_settings", "PYTHONPATH": str(tmp_path)}
    assert said in refused(run_manage, env, "check", status=2).stderr


# Everything else


@pytest.mark.parametrize("text", ["1", "true", "Yes", "on"])
def test_yes_is_true(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEBUG", text)
    assert environment.boolean("DEBUG", default=False)


@pytest.mark.parametrize("text", ["0", "false", "No", "off", ""])
def test_no_is_false(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEBUG", text)
    assert not environment.boolean("DEBUG", default=True)


def test_perhaps_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEBUG", "perhaps")
    with pytest.raises(ImproperlyConfigured, match="Set it to 1 or 0"):
        environment.boolean("DEBUG", default=True)


def test_the_queue_is_never_immediate_whatever_debug_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEBUG", "1")
    assert environment.huey(tmp_path / "huey.sqlite3")["immediate"] is False


@pytest.mark.parametrize(
    ("url", "class_"),
    [
        ("redis://127.0.0.1:6379/0", "dashboard.queue.RedisHuey"),
        ("rediss://127.0.0.1:6379/0", "dashboard.queue.RedisHuey"),
        ("sqlite:////tmp/queue.sqlite3", "dashboard.queue.SqliteHuey"),
        ("", "dashboard.queue.SqliteHuey"),
    ],
)
def test_the_queue_is_what_its_url_says(
    url: str, class_: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HUEY_URL", url)
    assert environment.huey(tmp_path / "huey.sqlite3")["huey_class"] == class_


@pytest.mark.parametrize("asked", ["", "?db=1", "?socket_connect_timeout=1.5"])
def test_a_redis_server_that_does_not_answer_is_not_waited_for(
    asked: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HUEY_URL", f"redis://127.0.0.1:6379/0{asked}")
    found = environment.huey(tmp_path / "huey.sqlite3")
    storage = RedisHuey(url=found["url"]).storage
    options = storage.pool.connection_kwargs
    assert options["socket_connect_timeout"] == (1.5 if "timeout" in asked else 5)
    assert options.get("socket_timeout") is None  # the worker waits for tasks


@pytest.mark.parametrize("url", [f"amqp://user:{SECRET}@host", "sqlite://", SECRET])
def test_another_queue_is_refused(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HUEY_URL", url)
    with pytest.raises(ImproperlyConfigured, match="redis://host:6379/0") as caught:
        environment.huey(tmp_path / "huey.sqlite3")
    assert SECRET not in str(caught.value)


def test_a_secret_key_is_made_once_and_nobody_else_can_read_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SECRET_KEY", raising=False)
    path = tmp_path / "var" / "secret_key"
    key = environment.secret_key(path)
    assert len(key) > 50
    assert environment.secret_key(path) == key
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(path.parent.iterdir()) == [path]


def test_nobody_else_can_read_the_sessions_in_the_control_database(
    run_manage: RunManage, env: dict[str, str], tmp_path: Path
) -> None:
    path = tmp_path / "var" / "own.sqlite3"
    env["CONTROL_DATABASE_URL"] = f"sqlite:///{path}"
    assert run_manage(env, "migrate", "-v0").returncode == 0
    assert path.stat().st_size
    assert [oct(stat.S_IMODE(file.stat().st_mode)) for file in path.parent.glob("own*")] == [
        "0o600"
    ]


def test_a_control_database_that_is_there_keeps_its_mode(tmp_path: Path) -> None:
    path = tmp_path / "control.sqlite3"
    path.touch()
    path.chmod(0o660)
    environment.private({"ENGINE": "django.db.backends.sqlite3", "NAME": str(path)})
    assert stat.S_IMODE(path.stat().st_mode) == 0o660


def test_a_folder_that_cannot_be_written_asks_for_another(
    run_manage: RunManage, env: dict[str, str]
) -> None:
    done = refused(run_manage, env | {"CUTOVER_VAR": "/proc/cutover"}, "check", status=2)
    assert "CUTOVER_VAR" in done.stderr
