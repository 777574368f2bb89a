"""What a run's end is called by: what is wanting of it, and what its audit says."""

from __future__ import annotations

from django.db.models import Sum

from migrations_ui import catching_up, steps
from migrations_ui.engine.checks.sides import listed
from migrations_ui.models import Audit, AuditedTable, Run


def wanting(run: Run) -> str:
    """What is wanting of a run that has copied what it could, in sentences; "" where nothing is."""
    if run.newer_only:
        return catching_up.unproved(run)
    missing = refused(run) or still_aside(run)
    others = [sentence for sentence in (around(run), steps.unfinished(run)) if sentence]
    if others and not missing:
        leave = " that the transforms leave" if run.transforms else ""
        others.insert(0, f"All rows{leave} have arrived.")
    return " ".join(filter(None, (missing, *others)))


def refused(run: Run) -> str:
    """How many rows this run has set aside."""
    if not (rows := run.rejected.count()):
        return ""
    noun = "row was" if rows == 1 else "rows were"
    return (
        f"{rows:,} {noun} refused by the destination and set aside; everything else has arrived. "
        "Mend what refuses them and try them again, or mend the source and copy these tables again."
    )


def still_aside(run: Run) -> str:
    """Which rows the run's audit has missed because an earlier run has set them aside."""
    tables = AuditedTable.objects.filter(audit=run.audits.first(), rejected__gt=0)
    if not (rows := tables.aggregate(rows=Sum("rejected", default=0))["rows"]):
        return ""
    of_them = listed(list(tables.values_list("label", flat=True)))
    return (
        f"{rows:,} {'row' if rows == 1 else 'rows'} of {of_them} that an earlier run has set aside "
        f"{'is' if rows == 1 else 'are'} still missing; everything else is the same. Mend what "
        "refuses them and try them again on that run's page, or mend the source and copy again."
    )


def around(run: Run) -> str:
    """What the run's audit has found amiss that belongs to no table."""
    audit = run.audits.first()
    lines = audit.structure if audit else []
    amiss = [line for line in lines if line["verdict"] == Audit.Verdict.DIFFERS]
    return " ".join(f"{line['what']}: {line['message']}" for line in amiss)


def problem_of(run: Run, report: Audit) -> str:
    """What an audit says against the run; "" where that is nothing."""
    if report.status == Audit.Status.CANCELLED:
        return "All rows were copied, but the audit was cancelled: nothing is proved."
    if report.status == Audit.Status.FAILED:
        return f"All rows were copied, but the audit failed: {report.error}"
    problems = []
    for table in report.tables.all():
        run.tables.filter(label=table.label).update(dest_rows_after=table.dest_rows)
        if table.other_problem:
            problems.append(f"{table.label}: {table.other_problem.removesuffix('.')}")
        elif table.verdict == Audit.Verdict.NOT_CHECKED:
            problems.append(f"{table.label}: not all of it could be checked")
    return f"The audit found differences. {'; '.join(problems)}." if problems else ""
