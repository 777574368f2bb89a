"""What is taken over from a host project's settings, and what is not."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import pytest
from django.contrib.auth.password_validation import get_password_validators

from dashboard import host

OUR_APPS = ["dashboard.apps.DashboardConfig", "migrations_ui", "django.contrib.auth"]


def settings(**values: Any) -> ModuleType:
    module = ModuleType("shop.settings")
    vars(module).update(values)
    return module


@pytest.mark.parametrize("name", ["SHOP_CURRENCY", "AUTH_USER_MODEL", "BASE_DIR", "USE_TZ"])
def test_what_models_may_read_is_taken_over(name: str) -> None:
    assert host.model_settings(settings(**{name: "theirs"}))[name] == "theirs"


@pytest.mark.parametrize(
    "name",
    [
        "ALLOWED_HOSTS",
        "CONTENT_SECURITY_POLICY",
        "CSP_DEFAULT_SRC",
        "DATABASES",
        "DATABASE_ROUTERS",
        "DEBUG",
        "HUEY",
        "INSTALLED_APPS",
        "LOGGING",
        "MIDDLEWARE",
        "SECRET_KEY",
        "SESSION_ENGINE",
        "TEMPLATES",
        "WHITENOISE_ROOT",
        "lower_case",
    ],
)
def test_what_makes_a_site_is_not(name: str) -> None:
    assert name not in host.model_settings(settings(**{name: "theirs"}))


@pytest.mark.parametrize(
    ("theirs", "kept"),
    [
        ([], []),
        (["django.contrib.auth.password_validation.MinimumLengthValidator", "shop.Never"], [0]),
        (["shop.Never"], None),
    ],
)
def test_passwords_are_judged_by_djangos_validators_alone_and_never_by_none(
    theirs: list[str], kept: list[int] | None
) -> None:
    given = [{"NAME": name, "OPTIONS": {"of": "theirs"}} for name in theirs]
    found = host.model_settings(settings(AUTH_PASSWORD_VALIDATORS=given))
    validators = found["AUTH_PASSWORD_VALIDATORS"]
    if kept is None:
        assert len(get_password_validators(validators)) == 4
    else:
        assert validators == [given[index] for index in kept]


def test_where_the_host_is_silent_djangos_defaults_stand_not_ours() -> None:
    found = host.model_settings(settings())
    assert found["DEFAULT_AUTO_FIELD"] == "django.db.models.AutoField"
    assert found["TIME_ZONE"] == "America/Chicago"


def test_each_app_is_installed_once_in_the_hosts_spelling_and_ours_come_first() -> None:
    theirs = ["shop", "django.contrib.auth.apps.AuthConfig", "django.contrib.sites"]
    assert host.installed_apps(theirs, OUR_APPS) == [*OUR_APPS[:2], *theirs]


def test_the_admin_is_the_one_without_autodiscovery_however_the_host_spells_it() -> None:
    ours = [*OUR_APPS, "django.contrib.admin.apps.SimpleAdminConfig"]
    for theirs in ("django.contrib.admin", "tests.hosts.clinic.apps.ClinicAdminConfig"):
        assert host.installed_apps([theirs, "shop"], ours) == [*ours, "shop"]
