"""The app, whose start-up the dashboard must not run."""

from __future__ import annotations

from django.apps import AppConfig


class NastyConfig(AppConfig):
    name = "tests.conformance.nasty"
    label = "nasty"
