"""migrate, for each of the three databases what belongs there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import wraps
from importlib import import_module
from types import ModuleType
from typing import Any

from django.apps import AppConfig, apps
from django.conf import settings
from django.contrib.auth.management import create_permissions
from django.contrib.contenttypes.management import create_contenttypes
from django.core.management.base import CommandError
from django.core.management.commands import migrate
from django.db import OperationalError, connections, router
from django.db.migrations import loader
from django.db.models import Model, signals
from django.utils.module_loading import module_has_submodule

from dashboard import operator_tables
from dashboard.apps import mute_host
from dashboard.operators import CONTROL_APPS
from dashboard.routers import is_host_app

PERMISSIONS = "django.contrib.auth.management.create_permissions"


class Command(migrate.Command):
    help = "Prepare the control database, or with --database dest the destination."

    def handle(self, *args: Any, **options: Any) -> None:
        if options["database"] == "source":
            raise CommandError("The source is never written. Migrate it with its own project.")
        try:
            connections[options["database"]].ensure_connection()
        except OperationalError as error:
            raise CommandError(f"The database can't be reached: {error}") from error
        mute_modules()
        with nothing_about_other_databases():
            if options["database"] == "default":
                self.migrate_control(options)
            else:
                with default_is(options["database"]), only_apps_of_the_host():
                    super().handle(*args, **options)

    def migrate_control(self, options: dict[str, Any]) -> None:
        """Only our apps, one by one: the host's migrations are not even planned."""
        chosen = options["app_label"]
        if chosen and chosen not in CONTROL_APPS:
            raise CommandError(
                f"{chosen!r} has no tables in the control database. For the destination, use "
                "--database dest."
            )
        for label in [chosen] if chosen else CONTROL_APPS:
            without_migrations = loader.MigrationLoader.migrations_module(label)[0] is None
            super().handle(**(options | {"app_label": label, "run_syncdb": without_migrations}))
        if chosen or options["plan"] or options["check_unapplied"]:
            return
        done = operator_tables.prepare(connections["default"])
        if done and self.verbosity:
            self.stdout.write("\n".join(done))


@contextmanager
def default_is(database: str) -> Iterator[None]:
    """Let a database be behind `default` as well, as it is in the host's own process.

    Migrations that write rows use `default` without asking, names of tables are shortened to what
    it takes, and some migrations ask for its vendor.  Here it is the control database otherwise: a
    superuser that a host's migration makes would be an operator.
    """
    ours, setting = connections["default"], settings.DATABASES["default"]
    connections["default"] = connections[database]
    settings.DATABASES["default"] = settings.DATABASES[database]
    try:
        yield
    finally:
        connections["default"], settings.DATABASES["default"] = ours, setting


class HostApps:
    """The installed apps, without those that the dashboard alone has."""

    def get_app_configs(self) -> list[AppConfig]:
        return [config for config in apps.get_app_configs() if is_host_app(config.label)]

    def get_models(self, **options: Any) -> list[type[Model]]:
        return [m for m in apps.get_models(**options) if is_host_app(m._meta.app_label)]

    def __getattr__(self, name: str) -> Any:
        return getattr(apps, name)


@contextmanager
def only_apps_of_the_host() -> Iterator[None]:
    """Plan the migrations as the host's own process does.

    Where a host does without the admin, a migration that alters the type of its users' key would
    alter the admin's log as well, a table that only the control database has.
    """
    with patched(loader, "apps", HostApps()), patched(migrate, "apps", HostApps()):
        yield


@contextmanager
def patched(module: ModuleType, name: str, value: object) -> Iterator[None]:
    """Let a module's attribute have another value for a while."""
    before = getattr(module, name)
    setattr(module, name, value)
    try:
        yield
    finally:
        setattr(module, name, before)


def mute_modules() -> None:
    """Import what Django is about to import, then mute what that has connected."""
    for config in apps.get_app_configs():
        if module_has_submodule(config.module, "management"):
            import_module(".management", config.name)
    mute_host([signals.pre_migrate, signals.post_migrate])


@contextmanager
def nothing_about_other_databases() -> Iterator[None]:
    """Content types and permissions only for models that live in the database.

    Django makes them for every app, so that ours would stand in the destination, where the source
    has none.
    """
    receivers = ((create_contenttypes, None), (create_permissions, PERMISSIONS))
    kept = [(function, uid, at_home(function)) for function, uid in receivers]
    for function, uid, guarded in kept:
        signals.post_migrate.disconnect(function, dispatch_uid=uid)
        signals.post_migrate.connect(guarded, weak=False, dispatch_uid=uid)
    try:
        yield
    finally:
        for function, uid, guarded in kept:
            signals.post_migrate.disconnect(guarded, dispatch_uid=uid)
            signals.post_migrate.connect(function, dispatch_uid=uid)


def at_home(receiver: Any) -> Any:
    """The receiver, called only for apps that have a model in the database."""

    @wraps(receiver)
    def guarded(app_config: AppConfig, using: str, **kwargs: Any) -> None:
        if any(router.allow_migrate_model(using, model) for model in app_config.get_models()):
            receiver(app_config=app_config, using=using, **kwargs)

    return guarded
