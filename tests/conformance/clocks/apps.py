"""An app about times, for projects in time zones."""

from __future__ import annotations

from django.apps import AppConfig


class ClocksConfig(AppConfig):
    name = "tests.conformance.clocks"
    label = "clocks"
