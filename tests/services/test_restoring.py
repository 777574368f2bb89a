"""Putting back what is missing: by one at a time, with advice that helps."""

from __future__ import annotations

import pytest

from migrations_ui import restoring
from migrations_ui.models import DroppedIndex, Run
from migrations_ui.services import Refused
from tests.services.conftest import Shop, start
from tests.services.test_steps import GROUPS

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def interrupted(shop: Shop) -> Run:
    """A run whose load was interrupted, with an index off."""
    run = start(GROUPS)
    DroppedIndex.objects.create(run=run, table="auth_group", name="i", facts="{}")
    run.tables.update(wiped=True)
    Run.objects.update(status=Run.Status.INTERRUPTED, active_dest=None)
    return run


def test_two_at_once_do_not_meet(interrupted: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []

    def restore(identity: str, dest: object) -> list[str]:
        with pytest.raises(Refused) as refused:
            restoring.restore(reverse=False)
        said.append(str(refused.value))
        return []

    monkeypatch.setattr("migrations_ui.journal.restore", restore)
    done = restoring.restore(reverse=False)

    held = f"{interrupted} keeps shop.sqlite3 to itself: it is putting back what is missing."
    assert said == [f"{held} Wait until it has ended."]
    assert str(done) == "1 of 1 missing index, constraint or trigger put back in shop.sqlite3."
    assert Run.objects.get().active_dest is None


@pytest.mark.parametrize(
    ("fields", "advised"),
    [
        ({}, True),
        ({"changed_since": True}, False),
        ({"status": Run.Status.SUCCEEDED}, False),
    ],
)
def test_of_a_load_that_has_not_got_to_its_end_it_is_said_that_rows_may_be_missing_yet(
    interrupted: Run, monkeypatch: pytest.MonkeyPatch, fields: dict[str, object], advised: bool
) -> None:
    Run.objects.update(**fields)
    monkeypatch.setattr("migrations_ui.journal.restore", lambda *_: ["3 rows lead nowhere."])

    done = str(restoring.restore(reverse=False))

    assert done.startswith(
        "0 of 1 missing index, constraint or trigger put back in shop.sqlite3. 3 rows"
    )
    told = f"{interrupted} has not got to its end: before anything is mended, resume it." in done
    assert told is advised


def test_before_anything_was_wiped_there_is_nothing_to_resume(
    interrupted: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    interrupted.tables.update(wiped=False)
    monkeypatch.setattr("migrations_ui.journal.restore", lambda *_: ["3 rows lead nowhere."])
    assert "resume it" not in str(restoring.restore(reverse=False))
