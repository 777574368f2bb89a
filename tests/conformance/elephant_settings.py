"""Settings of a project that was written for PostgreSQL and uses all of it."""

from __future__ import annotations

from tests.conformance.host_settings import *  # noqa: F403  # as Django's settings are derived

INSTALLED_APPS = [
    "django.contrib.contenttypes",
    "django.contrib.auth",
    "django.contrib.postgres",
    "tests.conformance.elephant",
]
ROWS = "tests.conformance.elephant.rows"
