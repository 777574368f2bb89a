"""Settings of a project in such a zone whose datetimes are local times, as was usual once."""

from __future__ import annotations

from tests.conformance.berlin_settings import *  # noqa: F403  # as Django's settings are derived

USE_TZ = False
