"""Signing an audit off, and the record of it: to read, to print, to keep."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.urls import reverse

from migrations_ui import positions, services
from migrations_ui.models import Audit, Run, SignOff
from migrations_ui.recall import memory
from tests.views.conftest import Files

Text = Callable[[Any], str]
MakeSignOff = Callable[..., SignOff]
NEW_GROUP = "INSERT INTO auth_group (name) VALUES ('new')"


@pytest.fixture(autouse=True)
def _nothing_remembered() -> None:
    memory.clear()


@pytest.fixture
def operator(sign_in: Callable[[Any], Client], alice: Any) -> Client:
    return sign_in(alice)


@pytest.fixture
def green(files: Files, db: None) -> Audit:
    """An audit of the source, which is green since both sides are the same file's copies."""
    files.execute("dest", "DELETE FROM auth_group")
    for number in range(7):
        files.execute("dest", f"INSERT INTO auth_group (name) VALUES ('group {number}')")
    audit = services.prepare_audit(["auth.Group"], "alice")
    services.execute_audit(audit.pk)
    audit.refresh_from_db()
    assert audit.is_green, audit.tables.get().problem
    return audit


def show(client: Client, thing: Any, text: Text) -> str:
    return text(client.get(thing.get_absolute_url()))


def tamper(signed: SignOff) -> None:
    with connection.cursor() as cursor:
        cursor.execute("UPDATE migrations_ui_signoff SET record = replace(record, '1000', '1001')")
    signed.refresh_from_db()


def test_alice_signs_with_her_password_and_sees_the_record(
    operator: Client, green: Audit, text: Text
) -> None:
    assert reverse("audit_sign", args=(green.pk,)) in show(operator, green, text)
    form = text(operator.get(reverse("audit_sign", args=(green.pk,))))
    assert 'type="password"' in form
    assert "no-store" in operator.get(reverse("audit_sign", args=(green.pk,)))["Cache-Control"]

    response = operator.post(
        reverse("audit_sign_off", args=(green.pk,)), {"password": "alice"}, follow=True
    )

    signed = SignOff.objects.get()
    assert response.redirect_chain[-1][0] == signed.get_absolute_url()
    page = text(response)
    assert f"SHA-256 is <code>{signed.digest}</code>" in page
    assert "was not written since" in page
    assert f"{signed}</a> by alice" in show(operator, green, text)
    assert signed.digest in text(operator.get(reverse("sign_offs")))


def test_tables_that_the_audit_has_left_out_are_named_before_it_is_signed(
    operator: Client, green: Audit, text: Text
) -> None:
    page = text(operator.get(reverse("audit_sign", args=(green.pk,))))

    left_out = page[page.index("Not in this audit:") :].split("</p>")[0]
    assert "auth.User" in left_out
    assert left_out.count(", ") == 11
    assert "and 3 more." in left_out
    assert "auth.Group," not in left_out
    assert "Your signature says nothing of them." in left_out


def test_the_overview_leads_to_the_record_once_it_is_signed(
    operator: Client, green: Audit, make_run: Callable[..., Run], text: Text
) -> None:
    Audit.objects.update(run=make_run(Run.Status.SUCCEEDED))
    operator.post(reverse("audit_sign_off", args=(green.pk,)), {"password": "alice"})

    page = text(operator.get("/"))

    signed = SignOff.objects.get()
    assert f"Audit {green.pk}, of 1 of the project’s 16 tables, is signed off by alice." in page
    assert f'href="{signed.get_absolute_url()}">Read the record</a>' in page


def test_nothing_is_said_of_a_destination_whose_state_a_run_has_not_kept(
    operator: Client, green: Audit, make_run: Callable[..., Run], text: Text
) -> None:
    kept = {
        "source": green.positions["source"],
        "dest": {"start": green.positions["dest"]["start"]},
    }
    run = make_run(Run.Status.CANCELLED, positions=kept)

    page = show(operator, run, text)

    assert re.search(r"The source, [^,]+, was not written since", page)
    assert "neither side" not in page


TIME = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC"


def test_what_is_said_of_a_side_has_the_time_at_which_it_was_looked_at(
    operator: Client, green: Audit, make_run: Callable[..., Run], text: Text
) -> None:
    """The page is printed and kept; a minute later somebody may write."""
    run = make_run(Run.Status.SUCCEEDED, tables=1, positions=green.positions)
    run.tables.update(label="auth.Group")
    operator.post(reverse("audit_sign_off", args=(green.pk,)), {"password": "alice"})
    signed = SignOff.objects.get()

    audit = show(operator, green, text)
    assert re.search(
        f"neither side’s tables were written since {TIME}, when this audit began to look at them "
        rf"\(looked at {TIME}\)",
        audit,
    )
    assert re.search(
        f"the source’s tables were not written since {TIME}, when this run began to read them, "
        rf"nor the destination’s since {TIME}, when it had ended \(looked at {TIME}\)",
        show(operator, run, text),
    )
    record = show(operator, signed, text)
    assert len(re.findall(rf"own account \(looked at {TIME}\)", record)) == 2
    assert re.search(rf'{signed.digest}</code> <span class="quiet">\(checked {TIME}\)', record)


def test_a_change_has_the_time_at_which_it_was_looked_at(
    operator: Client, green: Audit, files: Files, text: Text
) -> None:
    files.execute("dest", NEW_GROUP)
    memory.clear()

    assert re.search(f"is true as of then. Looked at {TIME}.", show(operator, green, text))


def test_a_wrong_password_is_said_and_not_repeated(
    operator: Client, green: Audit, text: Text
) -> None:
    response = operator.post(
        reverse("audit_sign_off", args=(green.pk,)), {"password": "hunter2"}, follow=True
    )

    assert "That is not your password" in text(response)
    assert "hunter2" not in text(response)
    assert "A wrong password was typed 1 time" in show(operator, green, text)
    assert not SignOff.objects.exists()


def test_what_has_changed_since_can_not_be_signed_and_there_is_no_form(
    operator: Client, green: Audit, files: Files, text: Text
) -> None:
    files.execute("source", NEW_GROUP)

    page = text(operator.get(reverse("audit_sign", args=(green.pk,))))

    assert "was written after this audit had begun" in page
    assert 'type="password"' not in page
    assert "The source has changed since" in show(operator, green, text)


def test_what_can_not_be_told_is_answered_for_by_a_box(
    operator: Client, green: Audit, text: Text
) -> None:
    kept = green.positions
    for moment in ("start", "end"):
        kept["source"][moment]["mark"] = "log 1 1"
    Audit.objects.update(positions=kept)
    url = reverse("audit_sign_off", args=(green.pk,))

    page = text(operator.get(reverse("audit_sign", args=(green.pk,))))
    assert "I answer for it" in page
    assert "Say that you answer for it" in text(
        operator.post(url, {"password": "alice"}, follow=True)
    )
    page = text(operator.post(url, {"password": "alice", "answers": "on"}, follow=True))

    assert "Answered for by alice" in page


def test_an_audit_that_is_not_green_offers_no_signature(
    operator: Client, make_audit: Callable[..., Audit], text: Text
) -> None:
    audit = make_audit("counts-only")

    assert "Sign this audit off" not in show(operator, audit, text)
    assert "finished and green" in text(operator.get(reverse("audit_sign", args=(audit.pk,))))


def test_bob_sees_who_signed_but_no_way_to_sign(
    sign_in: Callable[[Any], Client], bob: Any, make_sign_off: MakeSignOff, text: Text
) -> None:
    signed = make_sign_off()

    page = show(sign_in(bob), signed.audit, text)

    assert f"{signed}</a> by alice" in page
    assert "Sign this audit off" not in page


def test_a_record_that_was_changed_says_so_everywhere(
    operator: Client, make_sign_off: MakeSignOff, text: Text
) -> None:
    signed = make_sign_off()
    assert "Do not rely on it" not in show(operator, signed, text)

    tamper(signed)

    page = show(operator, signed, text)
    assert "This record was changed after it was signed. Do not rely on it." in page
    assert signed.digest in page
    assert signed.digest_now in page
    assert "The record is what was signed" not in page
    download = operator.get(reverse("sign_off_html", args=(signed.pk,)))
    assert b"Do not rely on it" in download.content
    assert operator.get(reverse("sign_off_csv", args=(signed.pk,))).status_code == 302
    since = operator.get(reverse("sign_off_since", args=(signed.pk,)))
    assert "nothing can be told from it" in text(since)


def test_the_json_file_is_the_record_whose_seal_is_on_the_page(
    operator: Client, make_sign_off: MakeSignOff
) -> None:
    signed = make_sign_off()

    response = operator.get(reverse("sign_off_json", args=(signed.pk,)))

    assert response["Content-Disposition"] == f'attachment; filename="sign-off-{signed.pk}.json"'
    assert hashlib.sha256(response.content).hexdigest() == signed.digest
    assert json.loads(response.content)["signed"]["operator"] == "alice"


def test_the_csv_file_has_a_line_a_table(operator: Client, make_sign_off: MakeSignOff) -> None:
    signed = make_sign_off()

    response = operator.get(reverse("sign_off_csv", args=(signed.pk,)))

    rows = list(csv.DictReader(io.StringIO(response.content.decode())))
    assert [row["label"] for row in rows] == ["shop.Table0", "shop.Table1"]
    assert {row["sha256"] for row in rows} == {signed.digest}
    assert rows[0]["source_rows"] == "1000"


def test_the_html_file_needs_nothing_beside_it_and_runs_nothing(
    operator: Client, make_sign_off: MakeSignOff
) -> None:
    signed = make_sign_off()

    response = operator.get(reverse("sign_off_html", args=(signed.pk,)))

    page = response.content.decode()
    assert response["Content-Disposition"].startswith("attachment")
    assert response["Content-Security-Policy"].startswith("default-src 'none'")
    assert not re.search(r"<script|<link|<img|\ssrc=|\son\w+=|url\(|@import|https?://", page)
    assert signed.digest in page
    assert "shop.<wbr>Table0" in page


def test_the_record_tells_its_verdicts_in_words(
    operator: Client, make_audit: Callable[..., Audit], make_sign_off: MakeSignOff, text: Text
) -> None:
    signed = make_sign_off(make_audit("identical-but-for-transforms"))
    page = text(operator.get(signed.get_absolute_url()))
    assert "<dt>Verdict</dt><dd>identical but for declared transforms</dd>" in page
    assert "<td>identical but for declared transforms</td>" in page


def test_a_record_can_not_smuggle_markup_into_its_page(
    operator: Client, make_audit: Callable[..., Audit], make_sign_off: MakeSignOff
) -> None:
    audit = make_audit("identical", operator="<script>alert(1)</script>")
    signed = make_sign_off(audit)

    for name in ("sign_off", "sign_off_html"):
        response = operator.get(reverse(name, args=(signed.pk,)))
        assert b"<script>alert" not in response.content
        assert b"&lt;script&gt;alert" in response.content


def test_what_the_destination_got_since_is_listed_with_keys(
    operator: Client, green: Audit, files: Files, text: Text
) -> None:
    operator.post(reverse("audit_sign_off", args=(green.pk,)), {"password": "alice"})
    signed = SignOff.objects.get()
    memory.clear()
    files.execute("dest", NEW_GROUP)
    largest = signed.contents["tables"][0]["max_key"]

    page = text(operator.get(reverse("sign_off_since", args=(signed.pk,))))

    assert "The destination has changed since" in page
    assert f'<td class="number">1</td><td class="number">{largest}</td><td>{largest + 1}' in page
    assert "The destination has changed since" in show(operator, signed, text)


def test_an_ended_run_says_as_of_when_it_is_true_and_a_live_one_asks_nobody(
    operator: Client, make_run: Callable[..., Run], green: Audit, text: Text
) -> None:
    """A poll each second must not ask the databases."""
    run = make_run(Run.Status.SUCCEEDED, positions=green.positions)
    live = make_run(Run.Status.RUNNING, positions=green.positions)

    assert "Does anyone still write?" in show(operator, run, text)
    assert "Does anyone still write?" not in show(operator, live, text)


def test_the_freeze_check_says_what_it_saw_and_what_it_can_not_see(
    operator: Client, files: Files, text: Text, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(positions, "PAUSE", 0)

    page = text(operator.get(reverse("freeze")))

    assert page.count("Nobody was seen writing.") == 2
    assert '<p class="quiet">Looked at <time' in page
    assert "SQLite does not tell who has the file open." in page


def test_the_freeze_check_says_who_can_not_be_asked(
    operator: Client, files: Files, text: Text, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(positions, "PAUSE", 0)
    files.source.unlink()

    page = text(operator.get(reverse("freeze")))

    source, dest = page[page.index("<h2>Source: ") :].split("<h2>Destination: ")
    assert "Whether anyone writes here can’t be told: " in source
    assert "source.sqlite3 can't be opened" in source.replace("&#x27;", "'")
    assert "Nobody" not in source
    assert "Nobody was seen writing." in dest
