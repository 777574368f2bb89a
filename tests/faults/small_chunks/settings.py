"""Cutover's own settings, with this app among them."""

from __future__ import annotations

from dashboard.settings import *  # noqa: F403  # as Django's settings are derived
from dashboard.settings import INSTALLED_APPS as APPS

INSTALLED_APPS = [*APPS, "tests.faults.small_chunks"]
