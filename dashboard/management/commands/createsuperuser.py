"""createsuperuser, where operators live in the control database."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.management.commands import createsuperuser
from django.core.management.base import CommandError

from dashboard import operators


class Command(createsuperuser.Command):
    # The host's migrations never run in the control database: Django would count them as missing.
    requires_migrations_checks = False

    def handle(self, *args: Any, **options: Any) -> str | None:
        if options["database"] != "default":
            raise CommandError("Operators are made in the control database only.")
        if obstacles := operators.obstacles():
            raise CommandError(
                "Operators sign in with the source's staff accounts, since the user model can't "
                f"live in the control database: {'; '.join(obstacles)}. Superusers may do "
                "everything, other staff may look."
            )
        return super().handle(*args, **options)
