"""The attic, of which there are several variants."""

from __future__ import annotations

import pytest

from tests.conftest import MakeDatabase, RunManage
from tests.hosts.site import Site

ATTIC = {"HOST_SETTINGS": "tests.hosts.attic.settings"}


@pytest.fixture
def attic(run_manage: RunManage, make_database: MakeDatabase) -> Site:
    """Its own settings say where its data is."""
    file = make_database("sqlite").removeprefix("sqlite:///")
    return Site(
        run_manage, ATTIC | {"ATTIC_FILE": file, "DEST_DATABASE_URL": make_database("sqlite")}
    )
