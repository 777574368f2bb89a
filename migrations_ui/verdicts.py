"""What an audit says of a table: its verdict, and what differs in words."""

from __future__ import annotations

from migrations_ui.engine.layout import Layout
from migrations_ui.engine.structure import Line
from migrations_ui.models import Audit, AuditedTable, Difference

Verdict = Audit.Verdict
# What a line is called that tells of columns, or of rows, of which the verdict says nothing.
COLUMNS, ROWS = "columns", "rows"
# Findings about such a column.
NOT_COMPARED = {"column-extra-source", "generated-not-copied"}


def transforms_of(layout: Layout) -> list[str]:
    """What the audit changed about the source's rows of a table, in words."""
    changed = [f"{c.source.name}={c.transform}" for c in layout.columns if c.transform]
    return changed + [f"{one.column}=skip-orphans" for one in layout.filters]


def row_problems(row: AuditedTable) -> list[str]:
    """What differs about a table's rows, in words; those that were set aside don't count."""
    if row.missing is None:
        if row.difference is None or row.difference == -(row.rejected or 0):
            return []
        return [f"{row.source_rows:,} rows in the source and {row.dest_rows:,} in the destination"]
    words = {
        "missing": row.missing,
        "extra": row.extra,
        "different": row.different,
    }
    return [f"{rows_are(count)} {word}" for word, count in words.items() if count]


def rows_are(count: int) -> str:
    return f"{count:,} {'row is' if count == 1 else 'rows are'}"


def verdict_of(row: AuditedTable, *, unchecked: bool) -> str:
    """A table's verdict.  Rows that were set aside are not there, so they are never green."""
    compared = row.missing is not None
    if row.difference is None or (unchecked and not row.problem):
        return Verdict.NOT_CHECKED
    if row.problem:
        return Verdict.DIFFERS
    if not compared:
        return Verdict.COUNTS_ONLY
    if row.computed:
        return Verdict.COMPUTED
    return Verdict.DECLARED if row.transforms else Verdict.IDENTICAL


def computed_otherwise(row: AuditedTable) -> str:
    """That the two servers compute columns of the table differently, in words."""
    of_them = row.differences.filter(what=Difference.What.COMPUTED)
    columns = sorted(set(of_them.values_list("column", flat=True)))
    return (
        f"Each database computes {', '.join(columns)} itself, and {rows_are(row.computed)} "
        "computed differently. All that was copied is the same there."
    )


def left_behind(rows: int) -> str:
    """That declared transforms leave rows of the source out, in words."""
    them = "it" if rows == 1 else "them"
    return f"{rows_are(rows)} left out, as declared: only the source has {them}."


def note(what: str, message: str) -> dict[str, str]:
    """A line of the structure that takes no part in the verdict."""
    return {"what": what, "verdict": "", "message": message}


def as_json(line: Line) -> dict[str, str]:
    """A line of the structure as the control tables keep it."""
    if line.problems is None:
        verdict = Verdict.NOT_CHECKED
    else:
        verdict = Verdict.DIFFERS if line.problems else Verdict.IDENTICAL
    return {"what": line.what, "verdict": verdict, "message": "; ".join(line.problems or ())}
