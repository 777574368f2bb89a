"""The reusable app's place among Django's apps."""

from __future__ import annotations

from django.apps import AppConfig


class MigrationsUIConfig(AppConfig):
    name = "migrations_ui"
    verbose_name = "Cutover"
    # Ours, whatever the host project's models are numbered with.
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from migrations_ui import checks  # noqa: F401  # registers them
