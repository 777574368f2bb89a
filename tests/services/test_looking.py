"""What a run does about values that were looked at before it was confirmed."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from migrations_ui import datachecks, services
from migrations_ui.models import DataCheck
from tests.services.conftest import Shop, confirm, ended, start

pytestmark = pytest.mark.django_db(transaction=True)

SPOIL = "UPDATE auth_group SET name = CAST(x'ff' AS TEXT) WHERE id = 1"


def age(minutes: int) -> None:
    DataCheck.objects.update(finished_at=timezone.now() - timedelta(minutes=minutes))


def test_a_source_that_was_written_since_is_looked_at_again_before_the_wipe(shop: Shop) -> None:
    before = shop.dump("dest")
    run = start("auth.Group")
    shop.execute("source", SPOIL)
    ended(run)
    assert run.status == "failed"
    assert "auth.Group.name: In 1 row, values of name are no valid UTF-8" in run.error
    assert "Nothing was wiped." in run.error
    assert shop.dump("dest") == before


def test_a_source_that_was_not_written_since_is_not_looked_at_again(shop: Shop) -> None:
    run = start("auth.Group")
    age(50)
    assert ended(run).status == "succeeded"
    assert DataCheck.objects.count() == 1


def test_an_old_look_is_made_again_where_the_source_can_not_tell(shop: Shop) -> None:
    confirm(["auth.Group"])
    DataCheck.objects.update(position=None)
    assert not datachecks.is_outdated(DataCheck.objects.get())
    age(11)
    assert datachecks.is_outdated(DataCheck.objects.get())


def test_a_command_spares_a_look_only_where_it_is_certain_of_the_source(shop: Shop) -> None:
    confirm(["auth.Group"])
    assert not services.look_is_due(services.plan(["auth.Group"]))
    shop.execute("source", "UPDATE auth_group SET name = 'other' WHERE id = 1")
    assert services.look_is_due(services.plan(["auth.Group"]))
    DataCheck.objects.update(position=None)  # good enough for a run that was confirmed
    assert services.look_is_due(services.plan(["auth.Group"]))


def test_a_look_that_was_asked_for_again_is_waited_for(shop: Shop) -> None:
    assert confirm(["auth.Group"]).fingerprint
    services.request_data_check(["auth.Group"], "alice")
    plan = services.plan(["auth.Group"])
    assert plan.checking
    assert not plan.fingerprint
