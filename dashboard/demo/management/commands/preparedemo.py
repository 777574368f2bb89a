"""Prepare the demo's control database, destination and operators; safe to repeat."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

from django.contrib.auth.models import Permission, User
from django.core.management import call_command
from django.core.management.base import BaseCommand
from django.db import connections, transaction
from django.db.migrations.executor import MigrationExecutor

from dashboard.management.commands.migrate import only_apps_of_the_host


class Command(BaseCommand):
    help = "Migrates the control database and the destination, and makes the demo's two operators."

    def handle(self, *args: Any, **options: Any) -> None:
        for alias in ("default", "dest"):
            if has_to_migrate(alias):
                call_command("migrate", database=alias, verbosity=0, interactive=False)
        with transaction.atomic():
            operators()


def has_to_migrate(alias: str) -> bool:
    """Whether a migration is missing.  `migrate` with nothing to do would still write.

    It puts missing content types and permissions back, into tables that a run which was stopped in
    the middle has wiped and not yet filled; that run could not go on.
    """
    with only_apps_of_the_host() if alias == "dest" else nullcontext():
        executor = MigrationExecutor(connections[alias])
    return bool(executor.migration_plan(executor.loader.graph.leaf_nodes()))


def operators() -> None:
    """One who may do everything, one who may only look; whoever is there already stays."""
    if not User.objects.filter(username="demo").exists():
        User.objects.create_superuser("demo", "demo@example.org", "demo")
    viewer, is_new = User.objects.get_or_create(username="viewer", defaults={"is_staff": True})
    if is_new:
        viewer.set_password("viewer")
        viewer.save()
        viewer.user_permissions.set(
            Permission.objects.filter(
                content_type__app_label="migrations_ui", codename__startswith="view_"
            )
        )
