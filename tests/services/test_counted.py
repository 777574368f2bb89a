"""Rows that an audit has read, held against the server's own count."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import RequestFactory

from migrations_ui import execution, services, signing
from migrations_ui.engine.databases.base import Rows, TypedColumn
from migrations_ui.engine.databases.sqlite.database import Database
from migrations_ui.models import AuditedTable, Run
from migrations_ui.services import Refused
from migrations_ui.verdicts import ROWS
from tests.services.conftest import GROUPS, Shop, count, ended, start
from tests.services.test_full_audits import table

pytestmark = pytest.mark.django_db(transaction=True)

GROUP = "auth.Group"
Write = Callable[[bytes], object]


def noted(found: AuditedTable) -> list[str]:
    return [line["message"] for line in found.structure if line["what"] == ROWS]


@pytest.fixture
def blind(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> Shop:
    """A shop of which no read gives the first row, whoever reads: a copy or an audit."""
    read = Database.read

    def without_the_first(
        self: Database, name: str, columns: Sequence[TypedColumn], write: Write, rows: Rows
    ) -> None:
        def but_one(block: bytes) -> None:
            lines = block.splitlines(keepends=True)
            write(b"".join(line for line in lines if not line.startswith(b"1\t")))

        blind = name in ("auth_group", "auth_group_permissions")
        read(self, name, columns, but_one if blind else write, rows)

    monkeypatch.setattr(Database, "read", without_the_first)
    return shop


def test_a_row_that_neither_the_copy_nor_the_audit_is_given_is_missed(
    blind: Shop, alice: User
) -> None:
    audit = ended(start(GROUP)).audits.get()
    found = table(audit)
    assert (found.missing, found.source_rows, found.dest_rows) == (0, GROUPS - 1, GROUPS - 1)
    (said,) = noted(found)
    assert said.startswith(f"The run counted {GROUPS} in the source and this audit has read 6")
    request = RequestFactory().post("/")
    request.user = alice
    with pytest.raises(Refused, match=r"auth\.Group: The run counted 7"):
        signing.sign(request, audit, "alice")


def test_nothing_is_noted_of_what_was_read_in_full(shop: Shop) -> None:
    assert noted(table(ended(start(GROUP)).audits.get())) == []


def test_a_source_that_was_written_meanwhile_may_have_other_numbers(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    end = execution._whole_and_verified

    def with_one_more(*given: Any) -> None:
        shop.execute("source", "INSERT INTO auth_group (name) VALUES ('late')")
        end(*given)

    monkeypatch.setattr(execution, "_whole_and_verified", with_one_more)
    run = ended(start(GROUP))
    found = table(run.audits.get())
    assert (run.status, found.missing, found.source_rows) == ("failed", 1, GROUPS + 1)
    assert noted(found) == []


def skipping() -> Run:
    """A run that leaves out which permissions lead nowhere."""
    labels = ["auth.Group", "auth.Group_permissions"]
    count(labels)
    options = services.Options(transforms=("auth.Group_permissions.group_id=skip-orphans",))
    plan = services.plan(labels, transforms=options.transforms)
    return ended(services.start(labels, plan.dest.name, plan.fingerprint, "alice", options=options))


def test_rows_that_are_left_out_as_declared_are_told_and_answered_for(
    shop: Shop, alice: User
) -> None:
    shop.execute(
        "source",
        "INSERT INTO auth_group_permissions (group_id, permission_id) VALUES (999, 1)",
    )
    run = skipping()
    assert run.status == "succeeded", run.error
    audit = run.audits.get()
    assert audit.verdict == "identical-but-for-transforms"
    said = "1 row is left out, as declared: only the source has it."
    assert noted(table(audit, "auth.Group_permissions")) == [said]
    request = RequestFactory().post("/")
    request.user = alice
    record = signing.sign(request, audit, "alice", answers=True).contents
    assert record["answered_for"] == [f"auth.Group_permissions: {said}"]


def test_what_was_not_read_is_not_called_left_out(blind: Shop) -> None:
    blind.execute(
        "source",
        "INSERT INTO auth_group_permissions (id, group_id, permission_id) VALUES (1, 2, 1)",
        "INSERT INTO auth_group_permissions (id, group_id, permission_id) VALUES (2, 999, 1)",
    )
    run = skipping()
    (said,) = noted(table(run.audits.get(), "auth.Group_permissions"))
    assert said.startswith("1 row is left out")
