"""Preflight of the values: what the destination would refuse or alter, found before the wipe.

Which hazards a column can have follows from its two types; only these are looked for, in SQL, on
the source.  A table is read once for all of its columns, or not at all where nothing can go wrong.
Uniqueness and references take a query each, where the source does not already guarantee them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from migrations_ui.engine.databases.base import Database
from migrations_ui.engine.databases.inspecting import inspect
from migrations_ui.engine.errors import EngineError
from migrations_ui.engine.findings import Finding, Severity
from migrations_ui.engine.layout import Layout
from migrations_ui.engine.values.cascades import Cascades
from migrations_ui.engine.values.columns import Crossing, hazards
from migrations_ui.engine.values.hazards import WORDS, Hazard
from migrations_ui.engine.values.readers import Reader, reader
from migrations_ui.engine.values.references import References
from migrations_ui.engine.values.scan import Scan
from migrations_ui.engine.values.targets import Checks, Target
from migrations_ui.engine.values.uniques import Uniques

Progress = Callable[[str], None]


def check(
    layouts: Sequence[Layout],
    source: Database,
    dest: Database,
    progress: Progress = lambda label: None,
) -> Iterator[Finding]:
    """Findings about the values of these tables, as they turn up.

    `progress` is called with a table's label before the table is looked at; what it raises ends the
    check.  A table that can't be checked is a finding, too.
    """
    yield from Check(layouts, source, dest).run(progress)


class Check:
    """One check of a selection of tables."""

    def __init__(self, layouts: Sequence[Layout], source: Database, dest: Database) -> None:
        self.layouts = layouts
        self.reader: Reader = reader(source)
        self.target = Target(dest, [layout.dest_name for layout in layouts])
        there = inspect(source)
        self.source_checks = Checks(there, [layout.source_name for layout in layouts])
        self.uniques = Uniques(layouts, self.reader, there, self.target)
        self.references = References(layouts, self.reader, there, self.target)
        self.refused: dict[str, list[Hazard]] = {}

    def run(self, progress: Progress) -> Iterator[Finding]:
        """The findings of one table after the other."""
        for layout in self.layouts:
            progress(layout.label)
            try:
                yield from self.values(layout)
                yield from self.uniques.check(layout)
                yield from self.references.check(layout)
            except EngineError as error:
                if error.transient:
                    raise
                yield not_checked(layout, error)
        yield from Cascades(self.references, self.reader).check(self.refused)

    def values(self, layout: Layout) -> Iterator[Finding]:
        """One pass over the table, for all hazards of all its columns."""
        found = [
            hazard
            for column in layout.columns
            for hazard in hazards(
                Crossing(
                    column,
                    layout.source_name,
                    layout.dest_name,
                    self.reader,
                    self.target,
                    self.source_checks,
                )
            )
        ]
        scan = Scan(layout, self.reader)
        for hazard, rows in scan.found(found).items():
            if WORDS[hazard.code].is_refused:
                self.refused.setdefault(layout.label, []).append(hazard)
            yield scan.finding(hazard, rows)


def not_checked(layout: Layout, error: EngineError) -> Finding:
    return Finding(
        code="values-not-checked",
        severity=Severity.WARNING,
        label=layout.label,
        table=layout.dest_name,
        message=f"The values of {layout.label} could not be checked: {error}",
        remedy="Mend what the message says and check again, or copy without this check.",
    )
