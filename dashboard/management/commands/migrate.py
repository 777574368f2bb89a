"""migrate, for each of the three databases what belongs there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import wraps
from importlib import import_module
from typing import Any

from django.apps import AppConfig, apps
from django.contrib.auth.management import create_permissions
from django.contrib.contenttypes.management import create_contenttypes
from django.core.management.base import CommandError
from django.core.management.commands import migrate
from django.db import OperationalError, connections, router
from django.db.migrations.loader import MigrationLoader
from django.db.models import signals
from django.utils.module_loading import module_has_submodule

from dashboard import operator_tables
from dashboard.apps import mute_host
from dashboard.operators import CONTROL_APPS

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
                with names_as_long_as_in(options["database"]):
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
            without_migrations = MigrationLoader.migrations_module(label)[0] is None
            super().handle(**(options | {"app_label": label, "run_syncdb": without_migrations}))
        if chosen or options["plan"] or options["check_unapplied"]:
            return
        done = operator_tables.prepare(connections["default"])
        if done and self.verbosity:
            self.stdout.write("\n".join(done))


@contextmanager
def names_as_long_as_in(database: str) -> Iterator[None]:
    """Shorten the names of tables as the host's own process will, which has this database alone.

    Django shortens them to what the default connection takes, and here that is the control
    database's.
    """
    ours = connections["default"].ops
    theirs = connections[database].ops
    with patched(ours, "max_name_length", theirs.max_name_length):
        yield


@contextmanager
def patched(thing: object, name: str, value: object) -> Iterator[None]:
    """Let an attribute have another value for a while."""
    setattr(thing, name, value)
    try:
        yield
    finally:
        delattr(thing, name)


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
