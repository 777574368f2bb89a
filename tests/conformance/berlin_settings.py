"""Settings of a project in a time zone with summer time."""

from __future__ import annotations

from tests.conformance.host_settings import *  # noqa: F403  # as Django's settings are derived

INSTALLED_APPS = [
    "django.contrib.contenttypes",
    "django.contrib.auth",
    "tests.conformance.clocks",
]
TIME_ZONE = "Europe/Berlin"
ROWS = "tests.conformance.clocks.rows"
