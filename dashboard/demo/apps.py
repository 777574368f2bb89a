"""The registry's place among Django's apps."""

from __future__ import annotations

from django.apps import AppConfig


class RegistryConfig(AppConfig):
    """Labelled after what it is, not after where it lives: its tables are `registry_…`."""

    name = "dashboard.demo"
    label = "registry"
    verbose_name = "Identifier registry"
    default_auto_field = "django.db.models.BigAutoField"
