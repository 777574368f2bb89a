from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from django.utils import timezone

from migrations_ui.models import Run, TableCopy
from migrations_ui.services import TableRow
from migrations_ui.templatetags import table_rows as tags
from migrations_ui.templatetags.table_rows import copied_rows, table_rows

HOSTILE = '"><script>alert(1)</script>'
GROUP = TableRow(
    label="auth.Group",
    app_label="auth",
    app_name="Authentication",
    name="Groups",
    table="auth_group",
    source_rows=1,
    source_exact=False,
    dest_rows=1,
    dest_exact=True,
    references=(),
    referenced_by=(),
)


def times_rendered() -> int:
    return tags._row.cache_info().misses


def test_a_row_that_shows_the_same_is_rendered_once() -> None:
    first = table_rows([GROUP], frozenset(), may_copy=True)
    assert table_rows([replace(GROUP)], frozenset(), may_copy=True) == first
    assert times_rendered() == 1


@pytest.mark.parametrize(
    ("row", "selection", "may_copy", "shown"),
    [
        (replace(GROUP, dest_rows=2), (), True, '<td class="number">2</td>'),
        (replace(GROUP, source_exact=True), (), True, 'data-exact="1"'),
        (replace(GROUP, left_out="Sessions are left out."), (), True, "Sessions are left out."),
        (replace(GROUP, problem="missing"), (), True, "disabled"),
        (GROUP, ("auth.Group",), True, " checked>"),
    ],
)
def test_a_row_that_shows_something_else_is_rendered_anew(
    row: TableRow, selection: tuple[str, ...], may_copy: bool, shown: str
) -> None:
    before = table_rows([GROUP], (), may_copy=True)
    after = table_rows([row], selection, may_copy=may_copy)
    assert shown not in before
    assert shown in after


def test_who_may_only_look_gets_no_box_of_somebody_else() -> None:
    assert "checkbox" in table_rows([GROUP], (), may_copy=True)
    assert "checkbox" not in table_rows([GROUP], (), may_copy=False)


def test_hostile_names_are_escaped(make_run: Callable[..., Run]) -> None:
    named = replace(GROUP, label=HOSTILE, name=HOSTILE, table=HOSTILE, referenced_by=(HOSTILE,))
    run = make_run("running", tables=1)
    run.tables.update(label=HOSTILE)

    assert "<script" not in table_rows([named], (), may_copy=True)
    assert "<script" not in copied_rows(run.tables.all())


def test_a_copied_table_is_rendered_again_when_its_run_stands_still(
    make_run: Callable[..., Run],
) -> None:
    run = make_run("running", tables=1)
    run.tables.update(status=TableCopy.Status.COPYING, started_at=timezone.now())
    at_work = copied_rows(run.tables.all())

    run.status = Run.Status.PAUSED

    assert "status-copying" in at_work
    assert "status-paused" in copied_rows(run.tables.all())
    assert times_rendered() == 2


def test_a_table_that_has_not_changed_is_the_same_row_to_all(make_run: Callable[..., Run]) -> None:
    run = make_run("succeeded", tables=1)
    assert copied_rows(run.tables.all()) == copied_rows(Run.objects.get().tables.all())
    assert times_rendered() == 1
