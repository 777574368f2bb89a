"""Start-up of the dashboard, before any of the host's apps.

Cutover needs the host's models, not its behaviour.  A host's start-up code starts schedulers,
connects to services and demands middleware; its signal handlers write to tables that the control
database does not have; its system checks judge a site that is not running.  None of that belongs
in the process that moves the data, and much of it would stop that process from starting.  What
Django's own apps do stays.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from django.apps import AppConfig, apps
from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth import signals as accounts
from django.core.checks.registry import registry
from django.db.backends.signals import connection_created
from django.db.models import signals
from django.dispatch import Signal
from django.http import HttpRequest

from dashboard import control_sessions
from dashboard.completing import fill_in_settings, load_models

OURS = {"csp", "dashboard", "django", "django_htmx", "huey", "migrations_ui", "whitenoise"}

# Apps whose start-up code adds columns to models.  Without it these columns would not be copied.
COMPLETES_MODELS = {"actstream", "modeltrans", "modeltranslation"}

MUTED = (
    signals.pre_save,
    signals.post_save,
    signals.pre_delete,
    signals.post_delete,
    signals.m2m_changed,
    signals.pre_migrate,
    signals.post_migrate,
    accounts.user_logged_in,
    accounts.user_logged_out,
    accounts.user_login_failed,
)


class DashboardConfig(AppConfig):
    """First in INSTALLED_APPS: when its `ready()` runs, all models are there, and nothing more."""

    name = "dashboard"
    label = "cutover_dashboard"

    def ready(self) -> None:
        for config in apps.get_app_configs():
            if config.name in COMPLETES_MODELS.union(settings.CUTOVER_READY):
                config.ready = quietly(config.ready)  # type: ignore[method-assign]
            else:
                config.ready = start_up_without_host(config)  # type: ignore[method-assign]
            if not is_ours(config.name):
                fill_in_settings(config)
                load_models(config)
        leave_out_behaviour()
        name_site_by_request()
        self.look_after_operators()
        connection_created.connect(control_sessions.set_up)

    def look_after_operators(self) -> None:
        from dashboard import operators

        operators.save_without_host(get_user_model())
        # Under the name of Django's own handler, which is therefore not connected after it.
        accounts.user_logged_in.connect(operators.record_sign_in, dispatch_uid="update_last_login")


def is_ours(module: str) -> bool:
    """Whether a module is Cutover's or of a package that Cutover itself is made with."""
    return module.partition(".")[0] in OURS


def start_up_without_host(config: AppConfig) -> Callable[[], None]:
    """The app's `ready()`, or what it extends, if that is Django's: a host may extend Django's."""
    for class_ in type(config).__mro__:
        if "ready" in vars(class_) and is_ours(class_.__module__):
            return partial(vars(class_)["ready"], config)
    return lambda: None


def quietly(start_up: Callable[[], None]) -> Callable[[], None]:
    """A host's start-up code that is wanted for its models, and for nothing else."""

    def ready() -> None:
        start_up()
        leave_out_behaviour()

    return ready


def leave_out_behaviour() -> None:
    """Take out what checks and handlers of the host's are registered by now."""
    registry.registered_checks = {
        check for check in registry.registered_checks if is_ours(getattr(check, "__module__", ""))
    }
    mute_host(MUTED)


def name_site_by_request() -> None:
    """Let the current site be the one that was asked for, where a host has `django.contrib.sites`.

    Django's own pages, that of the sign-in among them, look it up in a table of the host's, which
    the control database does not have.
    """
    if not apps.is_installed("django.contrib.sites"):
        return
    from django.contrib.sites.models import SiteManager
    from django.contrib.sites.requests import RequestSite

    by_table = SiteManager.get_current

    def get_current(manager: SiteManager, request: HttpRequest | None = None) -> Any:
        return RequestSite(request) if request else by_table(manager, request)

    SiteManager.get_current = get_current  # type: ignore[method-assign, assignment]


def mute_host(muted: Iterable[Signal]) -> None:
    """Disconnect the host's handlers, which its models' modules have connected."""
    for signal in muted:
        for key, receiver, *_ in list(signal.receivers):
            function: Any = receiver() if isinstance(receiver, weakref.ReferenceType) else receiver
            if function is not None and not is_ours(getattr(function, "__module__", "")):
                signal.receivers = [entry for entry in signal.receivers if entry[0] != key]
        signal.sender_receivers_cache.clear()
