"""The canonical row's escapes, and the kind in which two storages meet."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migrations_ui.engine.databases.sqlite.loading import unescape as unescape_text
from migrations_ui.engine.kinds import NULL, Kind, common_kind, escape, unescape

# Mostly what the escapes are about, so that short examples are already dense with it.
hostile = st.lists(
    st.sampled_from([b"\\", b"\t", b"\n", b"\r", b"\\N", b"t", b"n", b"r", b"N", b"\0", b"\xff"])
    | st.binary(max_size=5)
).map(b"".join)


@given(hostile)
def test_what_was_escaped_comes_back(value: bytes) -> None:
    assert unescape(escape(value)) == value


@given(hostile)
def test_an_escaped_value_breaks_neither_column_nor_row(value: bytes) -> None:
    assert not set(escape(value)) & set(b"\t\n\r")


@given(hostile)
def test_no_value_is_taken_for_null(value: bytes) -> None:
    assert escape(value) != NULL


@given(st.text(alphabet=st.sampled_from("\\\t\n\rtnrNü")))
def test_sqlites_own_unescape_says_the_same(text: str) -> None:
    assert unescape_text(escape(text.encode()).decode()) == text


def test_null_is_not_the_text_backslash_n() -> None:
    assert unescape(NULL) is None
    assert unescape(escape(b"\\N")) == b"\\N"


@pytest.mark.parametrize(
    ("source", "dest", "internal_type", "expected"),
    [
        (Kind.TEXT, Kind.TEXT, "CharField", Kind.TEXT),
        (Kind.TEXT, Kind.TEXT, "JSONField", Kind.JSON),
        (Kind.TEXT, Kind.TEXT, "UUIDField", Kind.TEXT),
        (Kind.UUID, Kind.UUID, "", Kind.UUID),
        (Kind.BOOLEAN, Kind.INTEGER, "BooleanField", Kind.BOOLEAN),
        (Kind.INTEGER, Kind.BOOLEAN, "BooleanField", Kind.BOOLEAN),
        (Kind.BOOLEAN, Kind.INTEGER, "IntegerField", None),
        (Kind.UUID, Kind.TEXT, "UUIDField", Kind.UUID),
        (Kind.UUID, Kind.TEXT, "CharField", None),
        (Kind.TEXT, Kind.JSON, "JSONField", Kind.JSON),
        (Kind.JSON, Kind.TEXT, "TextField", None),
        (Kind.DURATION, Kind.INTEGER, "DurationField", Kind.DURATION),
        (Kind.DURATION, Kind.INTEGER, "BigIntegerField", None),
        (Kind.TEXT, Kind.IP, "GenericIPAddressField", Kind.IP),
        (Kind.DECIMAL, Kind.FLOAT, "DecimalField", None),
        (Kind.DATE, Kind.DATETIME, "DateField", None),
        (None, Kind.TEXT, "CharField", None),
        (Kind.TEXT, None, "CharField", None),
    ],
)
def test_storages_meet_only_where_django_itself_stores_a_field_so(
    source: Kind | None, dest: Kind | None, internal_type: str, expected: Kind | None
) -> None:
    assert common_kind(source, dest, internal_type) is expected
