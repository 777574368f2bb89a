"""Datetimes that MySQL and SQLite keep as local times, because the site's DATABASES say so."""

from __future__ import annotations

import pytest
from django.test import override_settings

from migrations_ui.engine.findings import Severity
from migrations_ui.plans import local_times


@pytest.mark.parametrize(
    ("zone", "source", "dest", "told"),
    [
        ("Europe/Berlin", "mysql", "postgresql", [(Severity.BLOCKER, True)]),
        ("Europe/Berlin", "postgresql", "sqlite", [(Severity.BLOCKER, False)]),
        ("Europe/Berlin", "sqlite", "mysql", [(Severity.WARNING, False)]),
        ("Europe/Berlin", "mysql", "mysql", [(Severity.WARNING, False)]),
        ("Europe/Berlin", "postgresql", "postgresql", []),
        ("UTC", "mysql", "postgresql", []),
        (None, "mysql", "postgresql", []),
    ],
)
def test_local_times_do_not_cross_to_a_server_that_keeps_moments(
    zone: str | None, source: str, dest: str, told: list[tuple[Severity, bool]]
) -> None:
    """And it is the source's datetimes alone that may have to be turned into UTC."""
    with override_settings(HOST_TIME_ZONE=zone):
        found = list(local_times(source, dest))
    assert [(one.severity, "into UTC" in one.remedy) for one in found] == told
