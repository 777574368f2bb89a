"""Columns whose types share no kind: converted by their field, checked, refused where it can't."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from django.db import models

from migrations_ui.engine.chunks import Chunk
from migrations_ui.engine.copying import copy_chunk
from migrations_ui.engine.databases.base import Database
from migrations_ui.engine.errors import RowRefused
from migrations_ui.engine.findings import Finding, Severity
from migrations_ui.engine.kinds import Kind
from migrations_ui.engine.layout import Layout
from migrations_ui.engine.rejecting import Allowance, Rejects
from tests.engine.conftest import OpenPair, insert, layout_of, named, run


class ByVendor(models.Field):
    """A type for each vendor."""

    types = {"postgresql": "text[]", "mysql": "longtext", "sqlite": "text"}

    def db_type(self, connection: Any) -> str:
        return self.types[connection.vendor]


class Words(ByVendor):
    """An array, or words separated by commas."""

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> list[str] | None:
        return value.split(",") if isinstance(value, str) else value

    def get_db_prep_value(self, value: Any, connection: Any, prepared: bool = False) -> Any:
        return value if connection.vendor == "postgresql" else ",".join(value)

    def to_python(self, value: Any) -> Any:
        return json.loads(value) if isinstance(value, str) else value

    def value_to_string(self, obj: models.Model) -> str:
        return json.dumps(self.value_from_object(obj))


class Unwritten(Words):
    """Its serialisation is Django's own: `str()`, which nothing reads back."""

    def to_python(self, value: Any) -> Any:
        return value

    def value_to_string(self, obj: models.Model) -> str:
        return str(self.value_from_object(obj))


class Picky(Words):
    """Fails on some values."""

    def to_python(self, value: Any) -> Any:
        found = super().to_python(value)
        if "bad" in found:
            raise ValueError("what a word")
        return found


def made(one: Database, other: Database, column: dict[str, str] = ByVendor.types) -> None:
    for database in (one, other):
        run(
            database,
            f"CREATE TABLE t (id integer NOT NULL PRIMARY KEY, v {column[database.vendor]})",
        )


def laid_out(
    one: Database, other: Database, kind: type[models.Field] = Words
) -> tuple[Layout, list[Finding]]:
    fields = [named(models.IntegerField, "id"), named(kind, "v")]
    return layout_of(one, other, "t", fields)


def copied(
    one: Database, other: Database, layout: Layout, rejects: Rejects | None = None
) -> list[tuple[Any, ...]]:
    other.prepare_load()
    copy_chunk(one, other, Chunk(layout), lambda rows: None, rejects)
    found = other.query("SELECT id, v FROM t ORDER BY id")
    # Django teaches PostgreSQL's driver to make objects of them.
    return [(key, str(v) if isinstance(v, uuid.UUID) else v) for key, v in found]


WORDS = [(1, ["a", "b"]), (2, None), (3, ["tab\t", "\\N", "new\nline"])]
PLAIN = [(1, "a,b"), (2, None), (3, "tab\t,\\N,new\nline")]


@pytest.mark.parametrize("dest", ["mysql", "sqlite"])
def test_values_go_through_their_field_and_preflight_says_so(
    dest: str, open_pair: OpenPair
) -> None:
    one, other = open_pair("postgresql", dest)
    made(one, other)
    insert(one, "t", WORDS)
    layout, (finding,) = laid_out(one, other)
    assert layout.columns[1].kind is Kind.DJANGO
    assert (finding.code, finding.severity) == ("through-django", Severity.INFO)
    assert finding.column == "v"
    assert "Words" in finding.message
    assert "slower" in finding.message
    assert copied(one, other, layout) == PLAIN


@pytest.mark.parametrize("source", ["mysql", "sqlite"])
def test_and_back(source: str, open_pair: OpenPair) -> None:
    one, other = open_pair(source, "postgresql")
    made(one, other)
    insert(one, "t", PLAIN)
    assert copied(one, other, laid_out(one, other)[0]) == WORDS


def test_many_rows_are_converted_in_a_few_queries(open_pair: OpenPair) -> None:
    one, other = open_pair("sqlite", "postgresql")
    made(one, other)
    insert(one, "t", [(number, f"{number},x") for number in range(1_201)])
    layout, _ = laid_out(one, other)
    found = copied(one, other, layout)
    assert found == [(number, [str(number), "x"]) for number in range(1_201)]
    through = layout.columns[1].through
    assert through is not None
    assert through.dest.connection.connection is None  # nothing is left open


def test_a_value_that_its_serialisation_would_alter_is_a_blocker(open_pair: OpenPair) -> None:
    one, other = open_pair("postgresql", "sqlite")
    made(one, other)
    insert(one, "t", WORDS)
    layout, (finding,) = laid_out(one, other, Unwritten)
    assert [column.source.name for column in layout.columns] == ["id"]
    assert (finding.code, finding.severity) == ("type-unknown", Severity.BLOCKER)
    assert "does not give ['a', 'b'] back" in finding.message


def test_a_field_that_fails_is_a_blocker_that_tells_its_error(open_pair: OpenPair) -> None:
    one, other = open_pair("sqlite", "postgresql")
    made(one, other)
    insert(one, "t", [(1, "a,bad")])
    _, (finding,) = laid_out(one, other, Picky)
    assert (finding.code, finding.severity) == ("type-unknown", Severity.BLOCKER)
    assert "Picky fails: ValueError('what a word')" in finding.message


@pytest.mark.parametrize(
    ("table", "v"),
    [("source", "varchar(9)"), ("dest", "varchar(9)")],
)
def test_a_column_that_is_not_as_the_field_declares_is_a_blocker(
    table: str, v: str, open_pair: OpenPair
) -> None:
    """Nothing says then what its values mean."""
    one, other = open_pair("mysql", "postgresql")
    types = ByVendor.types | {"mysql" if table == "source" else "postgresql": v}
    made(one, other, {**types, "postgresql": "integer[]" if table == "dest" else "text[]"})
    _, (finding,) = laid_out(one, other)
    assert (finding.code, finding.severity) == ("type-unknown", Severity.BLOCKER)


def test_a_row_beyond_the_first_ones_that_fails_is_named(open_pair: OpenPair) -> None:
    one, other = open_pair("sqlite", "postgresql")
    made(one, other)
    insert(one, "t", [(number, "bad" if number == 177 else "good") for number in range(300)])
    layout, (finding,) = laid_out(one, other, Picky)
    assert finding.severity is Severity.INFO
    with pytest.raises(RowRefused, match=r"column v, key 177, value bad: Picky fails"):
        copied(one, other, layout)
    assert other.count("t") == 0

    rejects = Rejects(Allowance(1))
    assert len(copied(one, other, layout, rejects)) == 299
    (rejected,) = rejects.found
    assert (rejected.key, rejected.column, rejected.row) == ("177", "v", b"177\tbad\n")


def test_a_row_that_postgresql_can_not_take_is_named(open_pair: OpenPair) -> None:
    one, other = open_pair("sqlite", "postgresql")
    made(one, other)
    insert(one, "t", [(number, "a\0b" if number == 250 else "good") for number in range(300)])
    with pytest.raises(RowRefused, match=r"column v, key 250"):
        copied(one, other, laid_out(one, other)[0])
    assert other.count("t") == 0


class Twofold(models.Field):
    """Each of the vendors' types, as the driver has it: only its text is the same."""

    types: dict[str, str]

    def db_type(self, connection: Any) -> str:
        return self.types[connection.vendor]

    def from_db_value(self, value: Any, *context: Any) -> str | None:
        return None if value is None else str(value)

    def get_db_prep_value(self, value: Any, connection: Any, prepared: bool = False) -> Any:
        return None if value is None else self.parse(value)

    parse: Callable[[str], Any]


MARK = "12345678-90ab-cdef-9234-567890abcdef"


def text_in(kind: str, parse: Callable[[str], Any]) -> type[Twofold]:
    """A field that is text in SQLite and of another type in MySQL."""
    types = {"mysql": kind, "sqlite": "text", "postgresql": "text"}
    return type("Text", (Twofold,), {"types": types, "parse": staticmethod(parse)})


@pytest.mark.parametrize(
    ("kind", "parse", "value", "expected"),
    [
        ("bigint", int, "-12", -12),
        ("double", float, "0.1", 0.1),
        ("decimal(20, 5)", Decimal, "1.50000", Decimal("1.50000")),
        ("date", date.fromisoformat, "2024-02-29", date(2024, 2, 29)),
        ("tinyint", lambda text: text == "1", "1", 1),
        ("longblob", str.encode, "\\x é", "\\x é".encode()),
        pytest.param(
            "uuid",
            str,
            "12345678-90ab-cdef-9234-567890abcdef",
            "12345678-90ab-cdef-9234-567890abcdef",
            marks=pytest.mark.mariadb,
        ),
    ],
)
def test_what_django_hands_to_the_driver_is_what_is_loaded(
    kind: str, parse: Callable[[str], Any], value: str, expected: Any, open_pair: OpenPair
) -> None:
    one, other = open_pair("sqlite", "mysql")
    field = text_in(kind, parse)
    made(one, other, field.types)
    insert(one, "t", [(1, value), (2, None)])
    assert copied(one, other, laid_out(one, other, field)[0]) == [(1, expected), (2, None)]


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        ("mood", "it's \\ so-so", "it's \\ so-so"),
        ("citext", "Ab", "Ab"),
        ("xml", "<a>\t&amp;</a>", "<a>\t&amp;</a>"),
        ("cidr", "192.0.2.0/24", "192.0.2.0/24"),
        ("char(5)", "ab   ", "ab   "),
    ],
)
@pytest.mark.parametrize("vendor", ["mysql", "sqlite"])
def test_types_of_postgresqls_that_its_driver_reads_as_text_go_to_text_and_back(
    vendor: str, kind: str, value: str, expected: str, open_pair: OpenPair
) -> None:
    types = {"postgresql": kind, "mysql": "varchar(99)", "sqlite": "varchar(99)"}
    field = type("Typed", (ByVendor,), {"types": types})
    one, other = open_pair("postgresql", vendor)
    run(one, "CREATE EXTENSION citext", "CREATE TYPE mood AS ENUM ('it''s \\ so-so')")
    made(one, other, types)
    insert(one, "t", [(1, value), (2, None)])
    assert copied(one, other, laid_out(one, other, field)[0]) == [(1, expected), (2, None)]
    run(one, "DELETE FROM t")
    assert copied(other, one, laid_out(other, one, field)[0]) == [(1, value), (2, None)]


class Dashed(models.UUIDField):
    """A UUID as other programs write it, where there is no type for it."""

    def db_type(self, connection: Any) -> str | None:
        return super().db_type(connection) if connection.vendor == "postgresql" else "char(36)"

    def get_db_prep_value(self, value: Any, connection: Any, prepared: bool = False) -> Any:
        return value if connection.vendor == "postgresql" else str(value)


@pytest.mark.parametrize("vendor", ["mysql", "sqlite"])
def test_a_subclass_that_names_its_own_type_writes_its_own_values(
    vendor: str, open_pair: OpenPair
) -> None:
    one, other = open_pair("postgresql", vendor)
    made(one, other, {"postgresql": "uuid", "mysql": "char(36)", "sqlite": "char(36)"})
    insert(one, "t", [(1, MARK), (2, None)])
    layout, (finding,) = laid_out(one, other, Dashed)
    assert finding.code == "through-django"
    assert copied(one, other, layout) == [(1, MARK), (2, None)]
    run(one, "DELETE FROM t")
    assert copied(other, one, laid_out(other, one, Dashed)[0]) == [(1, MARK), (2, None)]


class Span(ByVendor):
    """Years and months, which PostgreSQL's driver would make days of."""

    types = {"postgresql": "interval", "mysql": "varchar(33)", "sqlite": "varchar(33)"}

    def select_format(self, compiler: Any, sql: str, params: Any) -> Any:
        if compiler.connection.vendor == "postgresql":
            sql = f"to_char({sql}, 'YYYY-MM')"
        return sql, params

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> Any:
        return self.to_python(value)

    def to_python(self, value: Any) -> Any:
        if isinstance(value, str):
            years, _, months = value.partition("-")
            return int(years), int(months)
        return value

    def value_to_string(self, obj: models.Model) -> str:
        return "{:04}-{:02}".format(*self.value_from_object(obj))

    def get_db_prep_value(self, value: Any, connection: Any, prepared: bool = False) -> Any:
        if connection.vendor == "postgresql":
            return "{} years {} months".format(*value)
        return "{:04}-{:02}".format(*value)


class Guessed(Span):
    """It takes what the driver makes of it."""

    def select_format(self, compiler: Any, sql: str, params: Any) -> Any:
        return sql, params

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> Any:
        return (value.days // 365, value.days % 365 // 30) if hasattr(value, "days") else value


class Chosen(Span):
    """It chooses a form on every vendor."""

    def select_format(self, compiler: Any, sql: str, params: Any) -> Any:
        return f"coalesce({sql}, '')", params


@pytest.mark.parametrize("other", ["mysql", "sqlite"])
def test_a_column_is_selected_as_its_field_says(other: str, open_pair: OpenPair) -> None:
    one, two = open_pair("postgresql", other)
    made(one, two, Span.types)
    insert(one, "t", [(1, "1 year 2 months"), (2, None), (3, "14 months")])
    layout, (finding,) = laid_out(one, two, Span)
    assert finding.code == "through-django"
    assert copied(one, two, layout) == [(1, "0001-02"), (2, None), (3, "0001-02")]
    run(one, "DELETE FROM t")
    layout, _ = laid_out(two, one, Span)
    one.prepare_load()
    copy_chunk(two, one, Chunk(layout), lambda rows: None)
    arrived = [text for (text,) in one.query("SELECT v::text FROM t ORDER BY id")]
    assert arrived == ["1 year 2 mons", None, "1 year 2 mons"]


def test_what_the_driver_alters_is_a_blocker_or_a_refused_row(open_pair: OpenPair) -> None:
    one, other = open_pair("postgresql", "sqlite")
    made(one, other, Span.types)
    insert(one, "t", [(1, "1 year 2 months")])
    layout, (finding,) = laid_out(one, other, Guessed)
    assert finding.severity is Severity.INFO  # by good luck it is the same
    insert(one, "t", [(2, "2 years 13 months"), (3, "30 days")])
    with pytest.raises(RowRefused, match="'30 days' as what would be '1 mon'"):
        copied(one, other, layout)
    _, (finding,) = laid_out(one, other, Guessed)
    assert finding.severity is Severity.BLOCKER
    assert "30 days" in finding.message


@pytest.mark.parametrize("source", ["mysql", "sqlite"])
def test_a_form_that_only_the_source_can_tell_is_a_blocker(
    source: str, open_pair: OpenPair
) -> None:
    one, other = open_pair(source, "postgresql")
    made(one, other, Span.types)
    _, (finding,) = laid_out(one, other, Chosen)
    assert (finding.code, finding.severity) == ("type-unknown", Severity.BLOCKER)
