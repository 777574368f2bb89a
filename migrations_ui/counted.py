"""What an audit has read of its tables, and what was counted."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from migrations_ui import counting, positions
from migrations_ui.engine.databases.base import Database
from migrations_ui.engine.databases.positions import State
from migrations_ui.engine.layout import Layout
from migrations_ui.models import Audit
from migrations_ui.verdicts import ROWS, note


def keep(audit: Audit, found: Sequence[Layout]) -> None:
    """The counts are exact, so the tables page may show them."""
    there, here = {}, {}
    layouts = {layout.label: layout for layout in found}
    counts = audit.tables.filter(label__in=layouts)
    for label, source, dest in counts.values_list("label", "source_rows", "dest_rows"):
        if source is not None and not layouts[label].filters:
            there[layouts[label].source_name] = source
        if dest is not None:
            here[layouts[label].dest_name] = dest
    counting.keep(audit.source["identity"], there)
    counting.keep(audit.dest["identity"], here)


def left_out(found: Iterable[Layout], source: Database) -> dict[str, int]:
    """How many rows of the source declared transforms leave out, by label, where there are some.

    Counted, since what was merely not read would else be called declared.
    """
    rows = {
        one.label: source.count(one.source_name) - source.count(one.source_name, one.rows)
        for one in found
        if one.filters
    }
    return {label: number for label, number in rows.items() if number > 0}


def hold_against(audit: Audit, found: Iterable[Layout]) -> None:
    """Note the tables of which another number of rows was read than the audit's run had counted.

    Copy and comparison read rows in the same way, so a row that neither is given would be missed by
    nobody; the server's own count does not go that way.  Where the source was written since, its
    numbers may differ.
    """
    whole = [layout.label for layout in found if not layout.filters]
    for row in audit.tables.filter(label__in=untouched(audit, whole)):
        before, read = row.source_rows_before, row.source_rows
        if before is None or read is None or before == read:
            continue
        row.structure.append(
            note(
                ROWS,
                f"The run counted {before:,} in the source and this audit has read {read:,}, "
                "although by the server's own account nobody has written there since. Copy this "
                "table again.",
            )
        )
        row.save(update_fields=["structure"])


def untouched(audit: Audit, labels: Sequence[str]) -> set[str]:
    """Those of the tables that nobody has written in the source, since the audit's run began."""
    before = audit.run.positions.get("source", {}).get("start") if audit.run else None
    now = audit.positions.get("source", {}).get("end")
    if not (before and now):
        return set()
    movement = positions.between(audit, "source", before, now)
    if movement.state is State.UNKNOWN or (movement.changed and not movement.tables):
        return set()
    return set(labels) - set(movement.tables)
