from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from migrations_ui import services
from migrations_ui.models import Audit, AuditedTable, Difference
from tests.views.conftest import Files

Text = Callable[[Any], str]
MakeAudit = Callable[..., Audit]

HOST = [table.label for table in services.host_tables()]
USUAL = [table.label for table in services.host_tables() if not table.left_out]


@pytest.fixture
def operator(sign_in: Callable[[Any], Client], alice: Any) -> Client:
    return sign_in(alice)


def show(client: Client, audit: Audit, text: Text) -> str:
    return text(client.get(f"/audits/{audit.pk}/"))


def test_mismatches_come_first(operator: Client, make_audit: MakeAudit, text: Text) -> None:
    audit = make_audit("counts-only", "not-checked", "differs", counts_only=True)

    page = show(operator, audit, text)

    places = [page.index(f"shop.<wbr>Table{number}") for number in (2, 1, 0)]
    assert places == sorted(places)
    assert "1 of 3 tables differs. 1 could not be checked." in page
    assert '<td class="number differs">\N{MINUS SIGN}3</td>' in page


def test_counts_alone_are_never_green(operator: Client, make_audit: MakeAudit, text: Text) -> None:
    page = show(operator, make_audit("counts-only"), text)

    assert "Cells were not compared" in page
    assert "note-success" not in page
    assert "status-done" not in page


def test_what_was_not_checked_is_never_green(
    operator: Client, make_audit: MakeAudit, text: Text
) -> None:
    page = show(operator, make_audit("counts-only", "not-checked"), text)

    assert "1 of 2 tables could not be checked" in page
    assert "note-success" not in page


def test_a_failed_audit_says_why(operator: Client, make_audit: MakeAudit, text: Text) -> None:
    page = show(operator, make_audit("counts-only", status="failed", error="It hung up."), text)

    assert "It hung up." in page
    assert "The counts of all" not in page


@pytest.mark.parametrize("status", Audit.Status.values)
def test_polling_ends_with_the_audit(
    operator: Client, make_audit: MakeAudit, text: Text, status: str
) -> None:
    audit = make_audit("counts-only", status=status)

    fragment = text(operator.get(f"/audits/{audit.pk}/live/"))

    assert (f'hx-get="/audits/{audit.pk}/live/"' in fragment) == (
        status in ("queued", "running", "cancelling")
    )


def test_all_tables_are_audited_where_none_is_named(operator: Client, files: Files) -> None:
    response = operator.post("/audits/start/")

    audit = Audit.objects.get()
    assert response["Location"] == f"/audits/{audit.pk}/"
    assert audit.operator == "alice"
    assert audit.tables.count() == len(services.host_tables()) - 1  # without sessions


def test_the_selection_can_be_audited(operator: Client, files: Files) -> None:
    operator.post("/audits/start/", {"label": ["auth.Group"]})

    assert [table.label for table in Audit.objects.get().tables.all()] == ["auth.Group"]


def test_an_unknown_label_is_refused(operator: Client, files: Files, text: Text) -> None:
    response = operator.post("/audits/start/", {"label": ["auth.Gone"]}, follow=True)

    assert "There is no table or app" in text(response)
    assert not Audit.objects.exists()


def test_a_notification_that_was_not_delivered_is_said(
    operator: Client, make_audit: MakeAudit, text: Text
) -> None:
    audit, other = make_audit("identical"), make_audit("identical")
    assert "not delivered" not in show(operator, audit, text)

    audit.notifications.create(
        about="1", channel="email", status="failed", error="No <route>.", contents={"subject": "S"}
    )
    assert "not delivered" in (page := show(operator, audit, text))
    assert "S, by e-mail" in page
    assert "No &lt;route&gt;." in page
    assert "not delivered" not in show(operator, other, text)


@pytest.mark.parametrize("tables", [5, 500])
def test_the_number_of_tables_does_not_change_the_number_of_queries(
    operator: Client,
    make_audit: MakeAudit,
    django_assert_num_queries: DjangoAssertNumQueries,
    tables: int,
) -> None:
    audit = make_audit(*["counts-only"] * tables)
    operator.get(f"/audits/{audit.pk}/live/")

    with django_assert_num_queries(9):
        operator.get(f"/audits/{audit.pk}/live/")


# -- Every cell ------------------------------------------------------------------------------------


@pytest.fixture
def red(make_audit: MakeAudit) -> Audit:
    """An audit with a clean table and one with a difference of each kind."""
    audit = make_audit("identical", "differs")
    table = audit.tables.get(verdict="differs")
    table.missing, table.extra, table.different, table.rejected = 1, 1, 2, 0
    table.problem = "1 row is missing; 1 row is extra; 2 rows are different"
    table.structure = [{"what": "references", "verdict": "differs", "message": "2 rows lead"}]
    table.save()
    for what, key, column, source, dest in (
        ("missing", "7", "", "id=7", None),
        ("extra", "8", "", None, "id=8"),
        ("different", "9", "name", "Ann ", "Ann"),
        ("different", "10", "note", None, "<b>" + "x" * 200),
    ):
        Difference.objects.create(
            table=table, what=what, key=key, column=column, source=source, dest=dest, size=203
        )
    return audit


def test_green_is_said_only_where_every_cell_was_compared(
    operator: Client, make_audit: MakeAudit, text: Text
) -> None:
    page = show(operator, make_audit("identical", "identical"), text)
    assert "note-success" in page
    of = f"2 of the project’s {len(HOST) + 2} tables"
    assert f"Every cell of {of} was compared, and none differs." in page

    declared = make_audit(
        "identical", "identical-but-for-transforms", transforms=["a.B.c=strip-nul"]
    )
    page = show(operator, declared, text)
    assert "but for the declared transforms below, none differs" in page
    assert "leave the NUL characters out" in page


@pytest.mark.parametrize(
    ("labels", "covers", "leaves", "warns"),
    [
        (["auth.Group"], f"1 of the project’s {len(HOST)} tables", "and 10 more. It says", True),
        (USUAL, f"{len(USUAL)} of the project’s {len(HOST)} tables", "sessions.Session. It", False),
        (HOST, f"all {len(HOST)} tables", "", False),
    ],
)
@pytest.mark.parametrize(
    ("verdict", "said"),
    [
        ("identical", "Every cell of {} was compared, and none differs."),
        ("counts-only", "The counts of {} agree."),
    ],
)
def test_an_audit_says_how_much_of_the_project_it_covers_and_what_it_leaves_aside(
    operator: Client,
    make_audit: MakeAudit,
    text: Text,
    labels: list[str],
    covers: str,
    leaves: str,
    warns: bool,
    verdict: str,
    said: str,
) -> None:
    page = show(operator, make_audit(*[verdict] * len(labels), labels=labels), text)

    assert said.format(covers) in page
    assert f"<dt>Tables</dt><dd>{len(labels)} of {len(HOST)}</dd>" in page
    aside = page.partition("<strong>Not in this audit:</strong>")[2].partition("</p>")[0]
    assert leaves in aside
    assert bool(aside) == bool(leaves)
    assert ('note-warning"><strong>Not in this audit' in page) == warns


@pytest.mark.parametrize("worst", ["counts-only", "not-checked", "differs"])
def test_one_table_that_is_not_green_makes_the_audit_so(
    operator: Client, make_audit: MakeAudit, text: Text, worst: str
) -> None:
    assert "note-success" not in show(operator, make_audit("identical", worst), text)


def test_rows_that_were_set_aside_are_told_apart_and_offer_no_repair(
    operator: Client, make_audit: MakeAudit, text: Text
) -> None:
    audit = make_audit("differs", "differs")
    first, second = audit.tables.all()
    counts = {"missing": 0, "extra": 0, "different": 0, "rejected": 4}
    AuditedTable.objects.filter(pk=first.pk).update(**counts)
    page = text(operator.get(f"/audits/{audit.pk}/tables/{first.pk}/"))
    assert "4 rows are set aside; no cell of the others differs." in page

    page = show(operator, audit, text)
    assert "Repair the 1 table that differs…" in page
    assert f'<input type="hidden" name="label" value="{first.label}">' not in page

    AuditedTable.objects.filter(pk=second.pk).update(rejected=1)
    assert "Repair the" not in show(operator, audit, text)
    AuditedTable.objects.filter(pk=second.pk).update(other_problem="1 row is missing")
    assert "Repair the 1 table" in show(operator, audit, text)


def test_long_values_are_shown_from_shortly_before_where_they_part(
    operator: Client, red: Audit, text: Text
) -> None:
    table = red.tables.get(verdict="differs")
    source, dest = ("a" * 300 + "b" * 30 + last + "c" * 90 for last in "xy")
    table.differences.filter(what="different").update(source=source, dest=dest, size=421)

    page = text(operator.get(f"/audits/{red.pk}/tables/{table.pk}/"))

    for last in "xy":
        assert f"<summary><code>…{'b' * 20}{last}{'c' * 39}…</code></summary>" in page


def test_while_an_audit_runs_its_number_of_differing_tables_is_so_far(
    operator: Client, make_audit: MakeAudit, text: Text
) -> None:
    audit = make_audit("identical", status="running")
    assert ">Differing 0 so far</a>" in show(operator, audit, text)
    Audit.objects.update(status="finished")
    assert ">Differing 0</a>" in show(operator, audit, text)


def test_only_the_tables_that_differ_are_shown_on_request(
    operator: Client, red: Audit, text: Text
) -> None:
    page = text(operator.get(f"/audits/{red.pk}/?show=differing"))
    assert "shop.<wbr>Table1" in page
    assert "shop.<wbr>Table0" not in page
    assert "1 row is missing" in page


def test_the_filter_stays_while_the_page_is_polled(
    operator: Client, make_audit: MakeAudit, text: Text
) -> None:
    audit = make_audit("differs", status="running")
    page = text(operator.get(f"/audits/{audit.pk}/?show=differing"))
    assert f'hx-get="/audits/{audit.pk}/live/?show=differing"' in page


def test_a_running_audit_shows_how_far_it_is(
    operator: Client, make_audit: MakeAudit, text: Text
) -> None:
    now = timezone.now()
    audit = make_audit(
        "not-checked",
        status="running",
        started_at=now,
        heartbeat_at=now,
        rows_per_second=5000.0,
        doing="comparing every cell",
    )
    audit.tables.update(status="comparing", compared_rows=500, expected_rows=1000)
    page = show(operator, audit, text)
    assert "A worker is comparing every cell." in page
    assert "500 of about 1,000 rows · 50 %" in page
    assert "500 of 1,000 rows" in page
    assert "5,000 rows/s" in page
    assert "Cancel this audit" in page


def test_an_audit_whose_worker_has_died_is_shown_as_failed(
    operator: Client, make_audit: MakeAudit, text: Text
) -> None:
    dead = timezone.now() - timedelta(minutes=2)
    audit = make_audit("not-checked", status="running", heartbeat_at=dead)
    assert "The worker has vanished" in show(operator, audit, text)
    audit.refresh_from_db()
    assert audit.status == "failed"


def test_an_audit_can_be_cancelled(operator: Client, make_audit: MakeAudit) -> None:
    queued, running = make_audit(status="queued"), make_audit(status="running")
    for audit, after in ((queued, "cancelled"), (running, "cancelling")):
        assert operator.get(f"/audits/{audit.pk}/cancel/").status_code == 405
        operator.post(f"/audits/{audit.pk}/cancel/")
        audit.refresh_from_db()
        assert audit.status == after


def test_counts_alone_can_be_asked_for(operator: Client, files: Files) -> None:
    operator.post("/audits/start/", {"label": ["auth.Group"], "counts_only": "1"})
    assert Audit.objects.get().counts_only


def table_page(client: Client, audit: Audit, text: Text, query: str = "") -> str:
    table = audit.tables.get(verdict="differs")
    return text(client.get(f"/audits/{audit.pk}/tables/{table.pk}/{query}"))


def test_each_difference_has_key_column_and_both_values(
    operator: Client, red: Audit, text: Text
) -> None:
    page = table_page(operator, red, text)
    assert page.count("no row") == 2
    assert '<code>Ann<mark class="char" title="U+0020">\N{OPEN BOX}</mark></code>' in page
    assert "is a tab" in page
    assert "<code>Ann</code>" in page
    assert '<span class="null">NULL</span>' in page
    assert "&lt;b&gt;xxx" in page
    assert "<b>xxx" not in page
    assert "2 rows lead" in page


def test_pages_keep_what_was_narrowed_down(
    operator: Client, red: Audit, text: Text, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("migrations_ui.views.differences.PER_PAGE", 1)
    page = table_page(operator, red, text, "?what=different")
    assert 'href="?what=different&amp;page=2"' in page


def test_differences_can_be_narrowed_down(operator: Client, red: Audit, text: Text) -> None:
    page = table_page(operator, red, text, "?what=different&column=name")
    assert "<code>Ann</code>" in page
    assert "xxx" not in page
    assert "no row" not in page


def test_the_files_hold_every_difference_in_full(operator: Client, red: Audit) -> None:
    response: Any = operator.get(f"/audits/{red.pk}/differences.json")
    found = json.loads(b"".join(response.streaming_content))
    assert [one["key"] for one in found] == ["7", "8", "9", "10"]
    assert found[3] == {
        "table": "shop.Table1",
        "what": "different",
        "key": "10",
        "column": "note",
        "source": None,
        "dest": "<b>" + "x" * 200,
        "at": 0,
        "size": 203,
    }
    response = operator.get(f"/audits/{red.pk}/differences.csv?table=shop.Table1")
    lines = b"".join(response.streaming_content).decode().splitlines()
    assert lines[0] == '"table","what","key","column","source","dest","at","size"'
    assert lines[1].startswith('"shop.Table1","missing","7","","id=7","",')
    assert lines[4].startswith(r'"shop.Table1","different","10","note","\N","<b>xxx')
    response = operator.get(f"/audits/{red.pk}/differences.csv?table=shop.Table0")
    assert len(b"".join(response.streaming_content).splitlines()) == 1


def test_a_verdict_is_as_of_the_moment_in_which_the_audit_began_to_look(
    operator: Client, make_audit: MakeAudit, text: Text
) -> None:
    now = timezone.now()
    looked, started = now - timedelta(minutes=20), now - timedelta(minutes=10)
    audit = make_audit("identical", started_at=started, finished_at=now)
    exactly = timezone.localtime(started).isoformat()
    assert f'<dt>As of</dt><dd><time datetime="{exactly}"' in show(operator, audit, text)
    kept = {"start": {"taken_at": looked.isoformat()}, "end": {"taken_at": now.isoformat()}}
    audit.positions = {"source": kept, "dest": {"end": kept["end"]}}
    assert audit.as_of == looked
