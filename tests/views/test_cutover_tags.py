"""How the pages write numbers and times."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo
from typing import Self

import pytest
from django.contrib.humanize.templatetags import humanize
from django.utils import timezone
from pytest_django import Settings

from migrations_ui.templatetags import cutover


@pytest.mark.parametrize(
    ("value", "exact", "written"),
    [
        (None, False, "—"),
        (0, True, "0"),
        (1234567, True, "1,234,567"),
        (1234, False, "≈\N{NO-BREAK SPACE}1,234"),
    ],
)
def test_rows_are_written_with_separators_and_estimates_are_marked(
    value: int | None, exact: bool, written: str
) -> None:
    assert cutover.rows(value, exact) == written


@pytest.mark.parametrize(
    ("value", "written"), [(None, "—"), (0, "0"), (12, "+12"), (-1234, "\N{MINUS SIGN}1,234")]
)
def test_differences_have_a_sign(value: int | None, written: str) -> None:
    assert cutover.signed(value) == written


@pytest.mark.parametrize(
    ("seconds", "written"),
    [
        (None, "—"),
        (-1, "0 s"),
        (59.9, "59 s"),
        (65, "1 min 05 s"),
        (3600, "1 h 00 min"),
        (7500, "2 h 05 min"),
    ],
)
def test_durations_are_written_in_two_units_at_most(seconds: float | None, written: str) -> None:
    assert cutover.duration(seconds) == written


NOON = datetime(2026, 11, 30, 12, 0, 0, tzinfo=UTC)


@pytest.fixture
def noon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timezone, "now", lambda: NOON)
    monkeypatch.setattr(humanize, "datetime", Frozen)


class Frozen(datetime):
    @classmethod
    def now(cls, tz: tzinfo | None = None) -> Self:
        return cls.fromtimestamp(NOON.timestamp(), tz)


@pytest.mark.parametrize(
    ("before", "written"),
    [
        (timedelta(0), "12:00:00 UTC"),
        (timedelta(minutes=3), "11:57:00 UTC"),
        (timedelta(days=1), "2026-11-29 12:00:00 UTC"),
        (timedelta(days=-1), "2026-12-01 12:00:00 UTC"),
    ],
)
def test_a_time_is_of_the_clock_with_its_date_where_it_is_not_today(
    noon: None, before: timedelta, written: str
) -> None:
    exact = f"{NOON - before:%Y-%m-%d %H:%M:%S} UTC"

    assert f'title="{exact}">{written}</time>' in cutover.clock(NOON - before)


@pytest.mark.parametrize(
    ("before", "written"),
    [
        (timedelta(seconds=3), "11:59:57 UTC</time>, just now"),
        (timedelta(minutes=3), "11:57:00 UTC</time>, 3\N{NO-BREAK SPACE}minutes ago"),
    ],
)
def test_how_long_ago_it_was_never_stands_without_the_time(
    noon: None, before: timedelta, written: str
) -> None:
    """A page that is left open says "3 minutes ago" for as long as it is."""
    assert cutover.ago(NOON - before).endswith(written)


def test_a_time_that_is_not_known_is_a_dash() -> None:
    assert (cutover.clock(None), cutover.ago(None)) == ("—", "—")


def test_times_without_a_zone_are_written_in_utc_too(settings: Settings) -> None:
    """Those of a project with USE_TZ off."""
    settings.USE_TZ = False
    moment = timezone.now() - timedelta(minutes=3)

    assert f"{moment.astimezone(UTC):%H:%M:%S} UTC</time>, 3" in cutover.ago(moment)


def test_code_in_messages_is_set_as_code_and_the_rest_is_escaped() -> None:
    assert cutover.prose("Run `a<b` & wait") == "Run <code>a&lt;b</code> &amp; wait"


def plain(markup: str) -> str:
    """Marked characters in brackets."""
    return markup.replace("</mark>", "]").replace('<mark class="char" title="', "[")


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("plain text", "plain text"),
        ("a<b", "a&lt;b"),
        (r"a\tb", r"a\tb"),
        ("a\tb", 'a[U+0009">TAB]b'),
        ("a\N{NO-BREAK SPACE}b", 'a[U+00A0">U+00A0]b'),
        (" a b ", '[U+0020">\N{OPEN BOX}]a b[U+0020">\N{OPEN BOX}]'),
        (" ", '[U+0020">\N{OPEN BOX}]'),
        ("", ""),
    ],
)
def test_what_cannot_be_seen_is_marked_and_looks_like_nothing_else(text: str, written: str) -> None:
    assert plain(cutover.visible(text)) == written


def test_a_long_value_is_written_line_by_line_and_a_row_cell_by_cell() -> None:
    end = '[U+000A">LF]'

    assert plain(cutover.in_full("a\nb", False)) == f"a{end}\nb"
    assert cutover.in_full("id=1\tname=b", True) == "id=1\nname=b"
    assert cutover.cells("id=1\tname=b") == "id=1 · name=b"


def test_of_a_row_null_and_a_tab_are_told_from_texts_that_look_like_them() -> None:
    null = '<span class="null">NULL</span>'
    assert cutover.cells("a=\\N\tb=\\\\N") == rf"a={null} · b=\N"
    assert plain(cutover.cells("a=1\\tb=2\tb=<")) == 'a=1[U+0009">TAB]b=2 · b=&lt;'
    assert cutover.in_full("a=\\N\tb=C:\\\\new", True) == f"a={null}\nb=C:\\new"
