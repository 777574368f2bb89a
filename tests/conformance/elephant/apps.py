"""An app that uses what only PostgreSQL has."""

from __future__ import annotations

from django.apps import AppConfig


class ElephantConfig(AppConfig):
    name = "tests.conformance.elephant"
    label = "elephant"
