from __future__ import annotations

import csv
import json
from collections.abc import Callable
from io import StringIO
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from migrations_ui.models import Run
from migrations_ui.views import downloads
from tests.views.conftest import Reject

HOSTILE = "<script>alert('x')</script>"


@pytest.fixture
def operator(sign_in: Callable[[Any], Client], alice: Any) -> Client:
    return sign_in(alice)


@pytest.fixture
def run(make_run: Callable[..., Run]) -> Run:
    """A run that has ended with rows set aside."""
    return make_run("incomplete", finished_at=timezone.now())


def read(client: Client, run: Run, kind: str) -> str:
    response = client.get(f"/runs/{run.pk}/rejected.{kind}")
    assert response["Content-Disposition"] == f'attachment; filename="run-{run.pk}-rejected.{kind}"'
    content: bytes = response.getvalue()
    return content.decode()


def read_csv(client: Client, run: Run) -> list[dict[str, str]]:
    return list(csv.DictReader(StringIO(read(client, run, "csv"), newline="")))


def read_json(client: Client, run: Run) -> Any:
    return json.loads(read(client, run, "json"))


def test_the_files_hold_every_value_by_column(operator: Client, run: Run, reject: Reject) -> None:
    moment = timezone.now()
    signature = ["id integer", "full name text", "note text", "raw binary"]
    reject(
        run,
        "17",
        signature=signature,
        row=rb"17	a\tb\\n\nc	\N	00ff" + b"\n",
        arrived_at=moment,
    )
    reject(run, "x", label="shop.Other", signature=["code text"], row="ü\n".encode())

    first, second = read_json(operator, run)

    assert first == {
        "table": "shop.Table0",
        "key": "17",
        "column": "name",
        "message": "Data too long for column 'name'",
        "arrived_at": moment.isoformat(),
        "values": {"id": "17", "full name": "a\tb\\n\nc", "note": None, "raw": "00ff"},
    }
    assert second["arrived_at"] is None
    assert second["values"] == {"code": "ü"}
    lines = read_csv(operator, run)
    assert lines[0]["full name"] == "a\tb\\n\nc"
    assert lines[0]["note"] == "\\N"
    assert lines[0]["code"] == ""
    assert lines[1]["code"] == "ü"
    assert lines[1]["arrived_at"] == ""
    assert [line["key"] for line in lines] == ["17", "x"]


def test_bytes_that_are_no_text_are_written_so_that_they_can_be_read(
    operator: Client, run: Run, reject: Reject
) -> None:
    reject(run, "17", row=b"17\tcaf\xe9\x00\n")

    assert read_json(operator, run)[0]["values"]["name"] == "caf\\xe9\x00"


def test_without_rejected_rows_the_files_are_empty(operator: Client, run: Run) -> None:
    assert read_json(operator, run) == []
    assert read_csv(operator, run) == []


def test_a_file_is_made_of_short_queries(
    operator: Client,
    run: Run,
    reject: Reject,
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    for key in range(120):
        reject(run, str(key))

    with django_assert_num_queries(4):
        lines = list(downloads.as_json(run))

    assert [row["key"] for row in json.loads("".join(lines))] == [str(key) for key in range(120)]


@pytest.mark.parametrize(
    "value",
    ["=1+1", "+1", "-cmd|' /C calc'!A0", "@SUM(1)", " =1+1", "\uff1d1+1", "-1+1", "-", "\ufeff=1"],
)
def test_a_spreadsheet_runs_no_value_as_a_formula(
    operator: Client, run: Run, reject: Reject, value: str
) -> None:
    signature = ["id integer", f"{value} text"]
    reject(run, value, message=value, signature=signature, row=f"1\t{value}\n".encode())

    (line,) = read_csv(operator, run)

    assert line["key"] == line["message"] == line[f"'{value}"] == f"'{value}"
    assert read_json(operator, run)[0]["values"][value] == value


def test_a_line_break_before_a_formula_helps_nobody(
    operator: Client, run: Run, reject: Reject
) -> None:
    reject(run, "1", row=b"1\t\\r\\n=1+1\n")

    assert read_csv(operator, run)[0]["name"] == "'\r\n=1+1"


@pytest.mark.parametrize("value", ["-12", "-12.50", "-1e-05", "1", "a=b", ""])
def test_numbers_and_plain_text_stay_as_they_are(
    operator: Client, run: Run, reject: Reject, value: str
) -> None:
    reject(run, "1", row=f"1\t{value}\n".encode())

    assert read_csv(operator, run)[0]["name"] == value


def test_the_files_are_no_pages(operator: Client, run: Run, reject: Reject) -> None:
    """Whatever they hold, a browser does not read HTML into them."""
    reject(run, HOSTILE)

    for kind, content_type in (("csv", "text/csv; charset=utf-8"), ("json", "application/json")):
        response = operator.get(f"/runs/{run.pk}/rejected.{kind}")
        assert response.streaming
        assert response["Content-Type"] == content_type
        assert response["X-Content-Type-Options"] == "nosniff"
        assert response["Content-Disposition"].startswith("attachment")
