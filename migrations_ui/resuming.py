"""Going on with a run that was begun: only where everything is still as it left it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from django.db.models import Q, Sum

from migrations_ui import claims, counting, plans
from migrations_ui.engine.databases.base import Database
from migrations_ui.engine.findings import insist
from migrations_ui.engine.layout import Layout
from migrations_ui.models import Chunk, Run, TableCopy
from migrations_ui.sides import Refused, chosen_tables
from migrations_ui.tables import TableRow


class Changed(Refused):
    """The destination is not as the run has left it: it can't be gone on with, but begun anew."""


NEW_RUN = "Nothing more was copied. Select the tables again and confirm a new run."


def layouts_of(run: Run, labels: Sequence[str]) -> list[Layout]:
    """The tables as both databases have them now."""
    report = plans.check(chosen_tables(labels), reverse=run.reverse)
    insist(report.findings)
    if report.source is None or report.dest is None:
        raise Refused(" ".join(str(found) for found in report.blockers))
    for role, server in (("source", report.source), ("dest", report.dest)):
        if server.identity != getattr(run, role)["identity"]:
            raise Refused(
                f"{server.name} is not the {'source' if role == 'source' else 'destination'} that "
                f"was confirmed: it is another database under the same address. {NEW_RUN}"
            )
    return report.layouts


def may_be_wiped(run: Run) -> bool:
    """Whether a worker that is gone came as far as the wipe, without noting down that it was done.

    It may have lost the control database in that very moment.  Its chunks were noted down before.
    """
    return claims.of_run(run.pk).exists()


def so_far(run: Run) -> str:
    """What a run that is refused in its preflight has done to the destination."""
    if may_be_wiped(run):
        return "A worker that is gone may have wiped the destination's tables already."
    return "Nothing was wiped."


def as_confirmed(run: Run, tables: Sequence[TableRow]) -> list[TableRow]:
    """The tables; what such a worker has emptied counts as it was before."""
    if not may_be_wiped(run):
        return list(tables)
    before = dict(run.tables.values_list("label", "dest_rows_before"))
    return [
        replace(row, dest_rows=before[row.label]) if row.dest_rows == 0 else row for row in tables
    ]


def check(run: Run, layouts: Sequence[Layout], source: Database, dest: Database) -> None:
    """`Refused` unless the tables have the same columns, and the rows that the run has written."""
    later = Run.objects.filter(
        pk__gt=run.pk, dest__identity=run.dest["identity"], tables__wiped=True
    )
    if found := later.first():
        raise Changed(f"{found} has wiped tables of this destination since. {NEW_RUN}")
    strange, counted = [], {}
    for table, layout in check_columns(run, layouts):
        strange += [_strange(table, dest.count(layout.dest_name))]
        rows = source.count(layout.source_name, layout.rows)
        counted[layout.source_name] = rows
        run.tables.filter(pk=table.pk).update(source_rows=rows)
    counting.keep(run.source["identity"], counted)
    if problems := list(filter(None, strange)):
        raise Changed(
            f"{'; '.join(problems)}: somebody else writes to it. (`migrate` does so as well: "
            f"content types and permissions of Django's own.) {NEW_RUN}"
        )


def check_columns(run: Run, layouts: Sequence[Layout]) -> list[tuple[TableCopy, Layout]]:
    """The run's tables with their layouts; `Refused` unless their columns are what they were."""
    now = {layout.label: layout for layout in layouts}
    found = []
    for table in run.tables.all():
        layout = now.get(table.label)
        if layout is None or layout.signature != table.signature:
            raise Refused(f"The columns of {table.label} are not what they were. {NEW_RUN}")
        found.append((table, layout))
    return found


def _strange(table: TableCopy, rows: int) -> str:
    """What is wrong with the rows of a table; "" where they are those of the chunks that are done.

    Those of one that was begun may be there too.
    """
    found = table.chunks.aggregate(
        rows=Sum("copied_rows", filter=Q(status=Chunk.Status.DONE), default=0),
        begun=Sum("attempts", filter=~Q(status=Chunk.Status.DONE), default=0),
    )
    if rows == found["rows"] or (rows > found["rows"] and found["begun"]):
        return ""
    TableCopy.objects.filter(pk=table.pk).update(dest_rows_after=rows)
    noun = "row" if rows == 1 else "rows"
    return (
        f"{table.label} has {rows:,} {noun} in the destination, where the run has written "
        f"{found['rows']:,}"
    )
