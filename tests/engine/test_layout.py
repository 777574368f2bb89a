"""How tables and columns of two databases meet, and what is said where they don't."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from django.db import models
from django.db.backends.utils import truncate_name

from migrations_ui.engine.chunks import Chunk
from migrations_ui.engine.copying import copy_chunk
from migrations_ui.engine.databases.base import Column
from migrations_ui.engine.errors import RowRefused, ServerError
from migrations_ui.engine.findings import Severity
from migrations_ui.engine.kinds import Kind
from migrations_ui.engine.layout import layouts
from migrations_ui.engine.naming import columns_of, lookup, physical_name
from tests.engine.conftest import OpenPair, insert, layout_of, named, run, table_of

LONG = "catalogue_" + "shelf" * 12 + "_books"
WIDE = "catalogue_" + "ü" * 40


@pytest.mark.parametrize(
    ("names", "existing", "folds", "expected"),
    [
        (["shop_item"], {"shop_item"}, False, "shop_item"),
        (["shop_item"], {"other"}, False, None),
        (["Shop_Item"], {"shop_item"}, False, None),
        (["Shop_Item"], {"shop_item"}, True, "shop_item"),
        (["shop_item"], {"Shop_Item", "shop_item"}, True, "shop_item"),
        ([LONG], {truncate_name(LONG, 63)}, False, truncate_name(LONG, 63)),
        ([LONG], {truncate_name(LONG, 64)}, False, truncate_name(LONG, 64)),
        ([LONG], {truncate_name(LONG, 30)}, False, truncate_name(LONG, 30)),
        ([LONG], {LONG[:63]}, False, LONG[:63]),
        ([LONG], {LONG}, False, LONG),
        ([LONG], {LONG.upper()}, True, LONG.upper()),
        ([WIDE], {WIDE.encode()[:63].decode(errors="ignore")}, False, WIDE[:36]),
        ([truncate_name(LONG, 63), LONG], {LONG}, False, LONG),
        (["first", "second"], {"second"}, False, "second"),
        (["first", "second"], {"first", "second"}, False, "first"),
    ],
)
def test_a_name_is_found_however_it_was_shortened_or_folded(
    names: list[str], existing: set[str], folds: bool, expected: str | None
) -> None:
    assert physical_name(names, existing, folds) == expected


def test_an_entry_is_looked_up_by_its_physical_name() -> None:
    assert lookup({"name": 1}, "NAME", True) == 1
    assert lookup({"name": 1}, "NAME", False) is None


def test_columns_meet_in_the_order_of_the_model_then_by_name(open_pair: OpenPair) -> None:
    source, dest = open_pair("postgresql", "sqlite")
    run(source, "CREATE TABLE t (extra text, name text, id integer PRIMARY KEY)")
    run(dest, "CREATE TABLE t (id integer PRIMARY KEY, NAME text, extra text)")
    fields = [named(models.IntegerField, "id"), named(models.CharField, "name")]
    layout, findings = layout_of(source, dest, "t", fields)
    assert [column.source.name for column in layout.columns] == ["id", "name", "extra"]
    assert [column.dest.name for column in layout.columns] == ["id", "NAME", "extra"]
    assert layout.key_positions == [0]
    assert findings == []


SCHEMAS = [
    # the source's columns, the destination's, the model's, and the finding
    ("a text", "b text", ["a"], "column-missing-destination", "a", Severity.BLOCKER),
    ("b text", "a text", ["a"], "column-missing-source", "a", Severity.BLOCKER),
    ("a text, b text", "a text", ["a"], "column-extra-source", "b", Severity.WARNING),
    (
        "a text",
        "a text, b text NOT NULL",
        ["a"],
        "column-extra-destination",
        "b",
        Severity.BLOCKER,
    ),
    ("a integer", "a text", ["a"], "type-unknown", "a", Severity.BLOCKER),
    ("a integer", "a bool", ["a"], "type-unknown", "a", Severity.BLOCKER),
    ("a numeric(10, 3)", "a numeric(10, 2)", ["a"], "precision-lost", "a", Severity.WARNING),
]


@pytest.mark.parametrize("schema", SCHEMAS, ids=[f"{s[0]} to {s[1]}" for s in SCHEMAS])
def test_columns_that_do_not_meet_are_found(
    schema: tuple[str, str, list[str], str, str, Severity], open_pair: OpenPair
) -> None:
    there, here, model, code, column, severity = schema
    source, dest = open_pair("postgresql", "sqlite")
    run(source, f"CREATE TABLE t (id integer PRIMARY KEY, {there})")
    run(dest, f"CREATE TABLE t (id integer PRIMARY KEY, {here})")
    fields = [named(models.TextField, name) for name in model]
    _, findings = layout_of(source, dest, "t", fields)
    found = [f for f in findings if (f.code, f.column, f.severity) == (code, column, severity)]
    assert len(found) == 1
    assert (found[0].label, found[0].table) == ("shop.t", "t")
    assert found[0].message
    assert found[0].remedy


@pytest.mark.parametrize(
    "here",
    [
        "b text",
        "b varchar(9) NOT NULL DEFAULT ''",
        # MySQL takes none for a text.
        pytest.param("b text NOT NULL DEFAULT ''", marks=pytest.mark.mariadb),
    ],
)
def test_a_column_that_the_destination_fills_itself_is_nothing_to_find(
    here: str, open_pair: OpenPair
) -> None:
    source, dest = open_pair("sqlite", "mysql")
    run(source, "CREATE TABLE t (id integer PRIMARY KEY)")
    run(dest, f"CREATE TABLE t (id integer PRIMARY KEY, {here})")
    assert layout_of(source, dest, "t")[1] == []


def test_generated_columns_are_not_written(open_pair: OpenPair) -> None:
    source, dest = open_pair("sqlite", "postgresql")
    generated = "twice integer GENERATED ALWAYS AS (id * 2) STORED"
    for database in (source, dest):
        run(database, f"CREATE TABLE t (id integer PRIMARY KEY, {generated})")
    layout, findings = layout_of(source, dest, "t")
    assert ([column.dest.name for column in layout.columns], findings) == (["id"], [])


def test_a_type_of_one_vendors_own_crosses_to_the_same_vendor_only(open_pair: OpenPair) -> None:
    source, dest = open_pair("postgresql", "postgresql")
    for database in (source, dest):
        run(database, "CREATE TABLE t (id integer PRIMARY KEY, tags text[], period interval)")
    insert(
        source, "t", [(1, ["a\tb", "\\N", 'c"d', None], "1 year 2 days 25 hours"), (2, [], None)]
    )
    layout, findings = layout_of(source, dest, "t")
    assert findings == []
    assert [column.kind for column in layout.columns] == [Kind.INTEGER, Kind.NATIVE, Kind.NATIVE]
    copy_chunk(source, dest, Chunk(layout), lambda rows: None)
    cells = "SELECT id, tags::text, period::text FROM t ORDER BY id"
    assert dest.query(cells) == source.query(cells)


def test_tables_that_a_side_lacks_are_found_and_left_out(open_pair: OpenPair) -> None:
    source, dest = open_pair("sqlite", "sqlite")
    run(source, "CREATE TABLE a (id integer)", "CREATE TABLE both_have (id integer)")
    run(dest, "CREATE TABLE b (id integer)", "CREATE TABLE both_have (id integer)")
    tables = [table_of("a"), table_of("b"), table_of("both_have")]
    found, findings = layouts(tables, source, dest)
    assert [layout.label for layout in found] == ["shop.both_have"]
    assert [(f.code, f.label, f.severity) for f in findings] == [
        ("table-missing-destination", "shop.a", Severity.BLOCKER),
        ("table-missing-source", "shop.b", Severity.BLOCKER),
    ]


class NaturalOrdering(models.CharField):
    """Keeps another field's text in its order, and names that field as NetBox's does."""

    target_field = "name"


def test_a_field_that_calls_something_else_its_target_field_is_copied(open_pair: OpenPair) -> None:
    source, dest = open_pair("sqlite", "postgresql")
    run(source, "CREATE TABLE t (id integer PRIMARY KEY, ordering varchar(9))")
    run(dest, "CREATE TABLE t (id integer PRIMARY KEY, ordering varchar(9))")
    layout, findings = layout_of(source, dest, "t", [named(NaturalOrdering, "ordering")])
    assert findings == []
    kinds = {column.dest.name: column.kind for column in layout.columns}
    assert kinds == {"id": Kind.INTEGER, "ordering": Kind.TEXT}


# Digits that would get lost without a word from the server

NARROWER = [
    ("sqlite", "decimal(10, 3)", "postgresql", "numeric(10, 2)"),
    ("mysql", "decimal(10, 3)", "postgresql", "numeric(12, 2)"),
    ("postgresql", "numeric", "mysql", "decimal(10, 2)"),
    ("postgresql", "timestamptz", "mysql", "datetime"),
    ("postgresql", "timestamptz", "mysql", "datetime(3)"),
    ("sqlite", "datetime", "mysql", "timestamp"),
    ("sqlite", "time", "mysql", "time"),
    ("mysql", "datetime(6)", "postgresql", "timestamptz(0)"),
    ("mysql", "time(6)", "postgresql", "time(3)"),
    ("sqlite", "real", "mysql", "float"),
    ("postgresql", "double precision", "mysql", "float"),
    ("mysql", "double", "postgresql", "real"),
]
WIDE_ENOUGH = [
    ("sqlite", "decimal", "postgresql", "numeric(10, 2)"),
    ("sqlite", "decimal", "mysql", "decimal(10, 2)"),
    ("mysql", "datetime", "postgresql", "timestamptz"),
    ("mysql", "datetime", "mysql", "datetime"),
    ("mysql", "time(3)", "sqlite", "time"),
    ("postgresql", "numeric(10, 2)", "mysql", "decimal(12, 3)"),
    ("postgresql", "numeric(10, 2)", "postgresql", "numeric"),
    ("postgresql", "real", "mysql", "float"),
    ("mysql", "float", "sqlite", "real"),
    ("sqlite", "real", "postgresql", "double precision"),
]


def spelt(pair: tuple[str, str, str, str]) -> str:
    return f"{pair[0]} {pair[1]} to {pair[2]} {pair[3]}"


def precision_lost(pair: tuple[str, str, str, str], open_pair: OpenPair) -> list[str]:
    """The columns of which it is found that their digits would get lost."""
    vendor, there, other, here = pair
    source, dest = open_pair(vendor, other)
    run(source, f"CREATE TABLE t (id integer PRIMARY KEY, v {there})")
    run(dest, f"CREATE TABLE t (id integer PRIMARY KEY, v {here})")
    _, findings = layout_of(source, dest, "t")
    assert {finding.code for finding in findings} <= {"precision-lost"}
    return [finding.column for finding in findings if finding.severity is Severity.WARNING]


@pytest.mark.parametrize("pair", NARROWER, ids=spelt)
def test_a_column_that_holds_fewer_digits_is_a_warning(
    pair: tuple[str, str, str, str], open_pair: OpenPair
) -> None:
    assert precision_lost(pair, open_pair) == ["v"]


@pytest.mark.parametrize("pair", WIDE_ENOUGH, ids=spelt)
def test_a_column_that_holds_every_digit_is_fine(
    pair: tuple[str, str, str, str], open_pair: OpenPair
) -> None:
    assert precision_lost(pair, open_pair) == []


@pytest.mark.parametrize("other", ["mysql", "postgresql"])
def test_trailing_spaces_that_do_not_fit_are_refused(other: str, open_pair: OpenPair) -> None:
    source, dest = open_pair("sqlite", other)
    for database in (source, dest):
        run(database, "CREATE TABLE t (id integer PRIMARY KEY, v varchar(5), w varchar(3))")
    rows = [(1, "ok   ", "a  "), (2, "\\\\\\\t ", "ü  "), (3, None, None)]
    insert(source, "t", rows)
    layout, findings = layout_of(source, dest, "t")
    assert findings == []
    dest.prepare_load()
    copy_chunk(source, dest, Chunk(layout), lambda rows: None)
    assert dest.query("SELECT * FROM t ORDER BY id") == rows

    run(source, "INSERT INTO t VALUES (4, 'abcde ', 'x')")
    run(dest, "DELETE FROM t")
    with pytest.raises(RowRefused, match=r"column v, key 4") as refused:
        copy_chunk(source, dest, Chunk(layout), lambda rows: None)
    assert refused.value.line == 4
    assert dest.count("t") == 0


@pytest.mark.parametrize(
    ("vendor", "type_", "fits"),
    [
        ("sqlite", "varchar(5)", False),  # it holds longer ones all the same
        ("mysql", "varchar(5)", True),
        ("mysql", "varchar(6)", False),
        ("mysql", "text", False),
        ("postgresql", "varchar(5)", True),
        ("postgresql", "varchar(6)", False),
        ("postgresql", "text", False),
        ("postgresql", "varchar", False),
    ],
)
def test_no_spaces_are_cut_whatever_the_source_takes(
    open_pair: OpenPair, vendor: str, type_: str, fits: bool
) -> None:
    """Only where its own limit is no higher are the rows not searched for such spaces."""
    source, dest = open_pair(vendor, "postgresql")
    run(source, f"CREATE TABLE t (id integer PRIMARY KEY, v {type_})")
    run(dest, "CREATE TABLE t (id integer PRIMARY KEY, v varchar(5))")
    insert(source, "t", [(1, "a    "), (2, "abcd " if fits else "abcde ")])
    layout, _ = layout_of(source, dest, "t")
    assert [column.fits for column in layout.dest_columns] == [False, fits]
    if fits:
        assert copy_chunk(source, dest, Chunk(layout), lambda rows: None) == 2
        return
    with pytest.raises(RowRefused, match=r"column v, key 2"):
        copy_chunk(source, dest, Chunk(layout), lambda rows: None)
    assert dest.count("t") == 0


def test_a_column_knows_its_digits_on_every_vendor(open_pair: OpenPair) -> None:
    postgres, mysql = open_pair("postgresql", "mysql")
    run(
        postgres,
        "CREATE TABLE t (d numeric(12, 3), f real, g double precision, t time(2), s timestamp,"
        " c varchar(7))",
    )
    run(
        mysql,
        "CREATE TABLE t (d decimal(12, 3), f float, g double, t time(2), s datetime(6),"
        " c varchar(7))",
    )
    for database in (postgres, mysql):
        columns = database.columns(["t"])["t"]
        assert digits(columns["d"]) == (12, 3)
        assert digits(columns["f"])[0] == 24
        assert digits(columns["g"])[0] == 53
        assert columns["t"].precision == 2
        assert columns["s"].precision == 6
        assert columns["c"].length == 7


def digits(column: Column) -> tuple[int | None, int | None]:
    return column.precision, column.scale


@pytest.mark.parametrize("times", [1, 2])
def test_a_table_that_the_catalog_leaves_out_for_a_moment_is_looked_for_once_more(
    open_pair: OpenPair, monkeypatch: pytest.MonkeyPatch, times: int
) -> None:
    database, _ = open_pair("mysql", "sqlite")
    run(database, "CREATE TABLE thing (id integer)", "CREATE TABLE other (id integer)")
    read, asked = database.columns, []

    def columns(tables: Iterable[str]) -> dict[str, dict[str, Column]]:
        asked.append(sorted(tables))
        return read(set(tables) - {"thing"} if len(asked) <= times else tables)

    monkeypatch.setattr(database, "columns", columns)
    if times == 1:
        assert set(columns_of(database, ["thing", "other"])) == {"thing", "other"}
    else:
        with pytest.raises(ServerError, match="shows no columns of thing at this moment") as caught:
            columns_of(database, ["thing", "other"])
        assert caught.value.transient
    assert asked == [["other", "thing"], ["thing"]]
