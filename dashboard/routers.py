"""Which models live in which of the three databases."""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.db.models import Model

from dashboard import operators
from migrations_ui import routing


class SourceIsReadOnly(PermissionDenied):
    """Something tried to write to the source.  As a PermissionDenied a page answers it with 403."""


class ThreeDatabases:
    """Nobody migrates the source; the destination gets what the host has there; control ours."""

    def allow_migrate(
        self, db: str, app_label: str, model_name: str | None = None, **hints: Any
    ) -> bool:
        if db == "default":
            return app_label in operators.CONTROL_APPS or is_made_for_operators(hints.get("model"))
        if db != "dest" or not is_host_app(app_label):
            return False
        return routing.keeps(app_label, model_name, **hints)

    def db_for_write(self, model: type[Model], **hints: Any) -> str | None:
        """An object that was read from the source is not saved; Django takes care of the rest."""
        instance = hints.get("instance")
        if instance is not None and instance._state.db == "source":
            raise SourceIsReadOnly(
                f"The source is never written: {model._meta.label} was read there."
            )
        return None

    def allow_relation(self, obj1: Model, obj2: Model, **hints: Any) -> bool | None:
        return None


def is_host_app(app_label: str) -> bool:
    """Whether the host project itself has this app, as opposed to only the dashboard."""
    config = apps.app_configs.get(app_label)
    return config is not None and config.name in settings.HOST_APP_NAMES


def is_made_for_operators(model: type[Model] | None) -> bool:
    """Whether the control database has this model's table without having its migrations.

    Migrations ask with a model of their own making, which is not the one that is installed.
    """
    return model is not None and model in operators.models()
