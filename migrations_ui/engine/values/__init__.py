"""Preflight of the values: what the destination would refuse or alter, found before the wipe.

Which hazards a column can have follows from its two types; only these are looked for, in SQL, on
the source.  A table is read once for all of its columns, or not at all where nothing can go wrong.
Uniqueness and references take a query each, where the source does not already guarantee them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from copy import copy
from threading import Lock

from migrations_ui.engine.crew import Connect, Crew
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
NOT_CHECKED = "values-not-checked"


def check(
    layouts: Sequence[Layout],
    connect: Connect,
    progress: Progress = lambda label: None,
    *,
    workers: int = 1,
) -> list[Finding]:
    """Findings about the values of these tables, in the tables' order.

    Several workers look at several tables at once.  `progress` is called, by one of them at a time,
    with a table's label before the table is looked at; what it raises ends the check.  A table that
    can't be checked is a finding, too.
    """
    with connect() as (source, dest):
        look = Check(layouts, source, dest)
        crew = Crew(workers if look.reader.works_outside else 1, connect)
        return look.run(crew, progress)


class Check:
    """One check of a selection of tables; what the catalogs say is asked once, for all workers."""

    def __init__(self, layouts: Sequence[Layout], source: Database, dest: Database) -> None:
        self.layouts = layouts
        self.reader: Reader = reader(source)
        self.target = Target(dest, [layout.dest_name for layout in layouts])
        there = inspect(source)
        self.source_checks = Checks(there, [layout.source_name for layout in layouts])
        self.uniques = Uniques(layouts, self.reader, there, self.target)
        self.references = References(layouts, self.reader, there, self.target)
        self.refused: dict[str, list[Hazard]] = {}
        self.found: dict[tuple[str, str], list[Finding]] = {}

    def over(self, source: Database, dest: Database) -> Check:
        """The same check, over connections of another thread."""
        other = copy(self)
        other.reader = reader(source)
        other.target = self.target.over(dest)
        other.uniques = self.uniques.over(other.reader, other.target)
        other.references = self.references.over(other.reader, other.target)
        return other

    def run(self, crew: Crew, progress: Progress) -> list[Finding]:
        """Look at all tables, the longest ones first, and then at what leads to them."""
        sizes = self.reader.database.sizes([layout.source_name for layout in self.layouts])
        jobs = [(layout, step) for layout in self.layouts for step in STEPS]
        jobs.sort(key=lambda job: -sizes.get(job[0].source_name, 0))
        looks: dict[Database, Check] = {}

        def work(job: tuple[Layout, str], source: Database, dest: Database) -> None:
            if source not in looks:
                looks[source] = self.over(source, dest)
            looks[source].step(*job)

        crew.share(claimed(jobs, progress), work)
        found = [each for layout in self.layouts for each in self.of_table(layout)]
        return [*found, *Cascades(self.references, self.reader).check(self.refused)]

    def step(self, layout: Layout, name: str) -> None:
        """One of the `STEPS` of looking at a table."""
        found = self.found[layout.label, name] = []
        try:
            found.extend(STEPS[name](self, layout))
        except EngineError as error:
            if error.transient:
                raise
            found.append(not_checked(layout, error))

    def of_table(self, layout: Layout) -> Iterator[Finding]:
        """What was found in one table; that it could not be checked is said once."""
        found = [each for step in STEPS for each in self.found[layout.label, step]]
        unchecked = [each for each in found if each.code == NOT_CHECKED]
        yield from (each for each in found if each not in unchecked[1:])

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


# The three looks at a table: in its rows, among them, and in others.
STEPS: dict[str, Callable[[Check, Layout], Iterator[Finding]]] = {
    "values": Check.values,
    "uniques": lambda check, layout: check.uniques.check(layout),
    "references": lambda check, layout: check.references.check(layout),
}


def claimed(
    jobs: Iterable[tuple[Layout, str]], progress: Progress
) -> Callable[[], tuple[Layout, str] | None]:
    """Hands out the jobs, each to one worker, and None after the last; tells each new table."""
    waiting, told, lock = deque(jobs), set[str](), Lock()

    def claim() -> tuple[Layout, str] | None:
        with lock:
            if not waiting:
                return None
            layout, step = waiting.popleft()
            if layout.label not in told:
                told.add(layout.label)
                progress(layout.label)
            return layout, step

    return claim


def not_checked(layout: Layout, error: EngineError) -> Finding:
    return Finding(
        code=NOT_CHECKED,
        severity=Severity.WARNING,
        label=layout.label,
        table=layout.dest_name,
        message=f"The values of {layout.label} could not be checked: {error}",
        remedy="Mend what the message says and check again, or copy without this check.",
    )
