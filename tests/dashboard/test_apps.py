"""A host's behaviour is left out, and Django's own is kept."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path

import pytest
from django.apps import AppConfig, apps
from django.contrib.admin.apps import SimpleAdminConfig
from django.contrib.auth.apps import AuthConfig
from django.dispatch import Signal

from dashboard.apps import is_ours, mute_host, quietly, start_up_without_host
from dashboard.completing import fill_in_settings
from dashboard.templating import own_libraries

heard: list[str] = []


class HostConfig(AppConfig):
    def ready(self) -> None:
        heard.append("a host's app has started")


class HostsAuthConfig(AuthConfig):
    def ready(self) -> None:
        heard.append("a host's variant of Django's app has started")


def module(config: type[AppConfig]) -> AppConfig:
    return config("django.contrib.auth", apps.get_app_config("auth").module)


def test_a_hosts_app_does_not_start() -> None:
    start_up_without_host(module(HostConfig))()
    assert heard == []


def test_a_hosts_variant_of_one_of_djangos_apps_starts_as_djangos(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    started = []
    monkeypatch.setattr(AuthConfig, "ready", lambda config: started.append(config.label))
    start_up_without_host(module(HostsAuthConfig))()
    assert (started, heard) == (["auth"], [])


@pytest.mark.parametrize("lines", [None, "CUTOVER_NAMES = 1", "1 / 0", "import nothing_like_it"])
def test_an_app_may_have_a_conf_that_fails_and_need_not_have_one(
    lines: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / (name := f"attic_{tmp_path.name}")
    package.mkdir()
    (package / "__init__.py").touch()
    if lines:
        (package / "conf.py").write_text(lines)
    monkeypatch.syspath_prepend(tmp_path)
    fill_in_settings(AppConfig(name, import_module(name)))
    assert (f"{name}.conf" in sys.modules) == (lines == "CUTOVER_NAMES = 1")


def test_the_admin_is_there_without_autodiscovery() -> None:
    assert type(apps.get_app_config("admin")) is SimpleAdminConfig


def test_a_hosts_signal_handler_is_muted_and_ours_is_kept() -> None:
    signal = Signal()

    def hosts(**kwargs: object) -> None:
        heard.append("a host's handler")

    def djangos(**kwargs: object) -> None:
        """Kept."""

    hosts.__module__, djangos.__module__ = "shop.models", "django.contrib.sites.management"
    signal.connect(hosts)
    signal.connect(djangos)
    mute_host([signal])
    assert [function for function, _ in signal.send(None)] == [djangos]
    assert heard == []


def test_start_up_code_that_is_wanted_leaves_no_handler(monkeypatch: pytest.MonkeyPatch) -> None:
    signal = Signal()
    monkeypatch.setattr("dashboard.apps.MUTED", (signal,))

    def hosts(**kwargs: object) -> None:
        heard.append("a host's handler")

    hosts.__module__ = "shop.apps"
    quietly(lambda: signal.connect(hosts))()
    assert (signal.send(None), heard) == ([], [])


@pytest.mark.parametrize(
    ("name", "ours"),
    [
        ("django.contrib.auth", True),
        ("dashboard.demo.models", True),
        ("migrations_ui", True),
        ("django_oscar", False),
        ("djangocms", False),
        ("shop.models", False),
        ("", False),
    ],
)
def test_what_is_ours_is_told_by_the_package(name: str, ours: bool) -> None:
    assert is_ours(name) is ours


def test_the_pages_know_djangos_template_tags_and_their_own() -> None:
    libraries = own_libraries()
    assert libraries["i18n"] == "django.templatetags.i18n"
    assert libraries["static"] == "django.templatetags.static"
    assert libraries["admin_urls"] == "django.contrib.admin.templatetags.admin_urls"
    assert libraries["cutover"] == "migrations_ui.templatetags.cutover"
