"""Datetimes that MySQL and SQLite keep as local times, because the site's DATABASES say so."""

from __future__ import annotations

import pytest
from django.test import override_settings

from migrations_ui.engine.findings import Severity
from migrations_ui.plans import local_times


@pytest.mark.parametrize(
    ("zone", "vendors", "severities"),
    [
        ("Europe/Berlin", {"mysql", "postgresql"}, [Severity.BLOCKER]),
        ("Europe/Berlin", {"sqlite", "postgresql"}, [Severity.BLOCKER]),
        ("Europe/Berlin", {"sqlite", "mysql"}, [Severity.WARNING]),
        ("Europe/Berlin", {"mysql"}, [Severity.WARNING]),
        ("Europe/Berlin", {"postgresql"}, []),
        ("UTC", {"mysql", "postgresql"}, []),
        (None, {"mysql", "postgresql"}, []),
    ],
)
def test_local_times_do_not_cross_to_a_server_that_keeps_moments(
    zone: str | None, vendors: set[str], severities: list[Severity]
) -> None:
    with override_settings(HOST_TIME_ZONE=zone):
        assert [found.severity for found in local_times(vendors)] == severities
