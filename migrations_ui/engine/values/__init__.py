"""Preflight of the values: what the destination would refuse or alter, found before the wipe.

Which hazards a column can have follows from its two types; only these are looked for, in SQL, on
the source.  A table is read once for all of its columns, or not at all where nothing can go wrong.
Uniqueness, the models' own constraints and references take a query each, where the source does not
already guarantee them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from threading import Lock

from migrations_ui.engine.chunks import CHUNK_BYTES, cut, ordered_key
from migrations_ui.engine.crew import Connect, Crew, one_of
from migrations_ui.engine.databases.base import Database
from migrations_ui.engine.databases.inspecting import inspect
from migrations_ui.engine.databases.ranges import KeyRange
from migrations_ui.engine.errors import EngineError
from migrations_ui.engine.findings import Finding, Severity
from migrations_ui.engine.kinds import Kind
from migrations_ui.engine.layout import Layout
from migrations_ui.engine.values.cascades import Cascades
from migrations_ui.engine.values.columns import Crossing, hazards
from migrations_ui.engine.values.declared import Declared
from migrations_ui.engine.values.hazards import Hazard
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

    Several workers look at several tables, or parts of a large one, at once.  `progress` is called,
    by one of them at a time, with a table's label before each look at it; what it raises ends the
    check.  A table that can't be checked is a finding, too.
    """
    with connect() as (source, dest):
        look = Check(layouts, source, dest)
        return look.run(Crew(workers, connect), progress)


class Check:
    """One check of a selection of tables; what the catalogs say is asked once, for all workers."""

    def __init__(self, layouts: Sequence[Layout], source: Database, dest: Database) -> None:
        self.layouts = layouts
        self.reader: Reader = reader(source)
        self.target = Target(dest, [layout.dest_name for layout in layouts])
        there = inspect(source)
        self.source_checks = Checks(there, [layout.source_name for layout in layouts])
        self.uniques = Uniques(layouts, self.reader, there, self.target)
        self.declared = Declared(layouts, self.reader, there, self.target)
        self.references = References(layouts, self.reader, there, self.target)
        # By label: the hazards of a table, what the first look has counted, and what is refused.
        self.hazards: dict[str, list[Hazard]] = {}
        self.counted: dict[str, list[Counter[str]]] = {layout.label: [] for layout in layouts}
        self.refused: dict[str, list[Hazard]] = {}
        self.found: dict[tuple[str, str], list[Finding]] = {
            (layout.label, step): [] for layout in layouts for step in STEPS
        }

    def over(self, source: Database, dest: Database) -> Check:
        """The same check, over connections of another thread."""
        other = copy(self)
        other.reader = reader(source)
        other.target = self.target.over(dest)
        other.uniques = self.uniques.over(other.reader, other.target)
        other.declared = self.declared.over(other.reader)
        other.references = self.references.over(other.reader, other.target)
        return other

    def run(self, crew: Crew, progress: Progress) -> list[Finding]:
        """Look at all tables, and then at what leads to them.

        The longest tables come first, but what is divided comes last: it fills the time of a worker
        while another one is at what can't be.
        """
        database = self.reader.database
        sizes = database.sizes([layout.source_name for layout in self.layouts])
        parts = self.parts(crew, sizes)
        longest = sorted(self.layouts, key=lambda layout: -sizes.get(layout.source_name, 0))
        looks = sorted(
            (look for layout in longest for look in looks_at(layout, parts)),
            key=lambda look: look.is_divided,
        )
        self.share(crew, looks, progress)
        odd = [layout for layout in longest if any(self.counted[layout.label])]
        self.share(crew, [Look(layout, "values") for layout in odd], progress)
        found = [each for layout in self.layouts for each in self.of_table(layout)]
        return [*found, *Cascades(self.references, self.reader).check(self.refused)]

    def parts(self, crew: Crew, sizes: Mapping[str, int]) -> dict[str, list[KeyRange | None]]:
        """The ranges of keys, by label, in which large tables are looked at by several workers."""
        database = self.reader.database
        rows = database.estimates()
        found: dict[str, list[KeyRange | None]] = {}

        def work(layout: Layout, source: Database, _: Database) -> None:
            name = layout.source_name
            found[layout.label] = [
                chunk.keys for chunk in cut(layout, source, sizes[name], rows[name] or 0)
            ]

        large = [
            layout
            for layout in self.layouts
            if sizes.get(layout.source_name, 0) > CHUNK_BYTES and rows.get(layout.source_name)
            if [column.storage for column in ordered_key(layout)] == [Kind.INTEGER]
        ]
        if large and database.keeps_key_order and crew.size > 1:
            crew.share(one_of(large), work)
        return found

    def share(self, crew: Crew, looks: Sequence[Look], progress: Progress) -> None:
        """Have the looks done by the crew."""
        if not looks:
            return
        checks: dict[Database, Check] = {}

        def work(look: Look, source: Database, dest: Database) -> None:
            if source not in checks:
                checks[source] = self.over(source, dest)
            checks[source].do(look)

        crew.share(told(one_of(looks), progress), work)

    def do(self, look: Look) -> None:
        """One look at a table."""
        found = self.found[look.layout.label, look.step]
        try:
            found.extend(STEPS[look.step](self, look))
        except EngineError as error:
            if error.transient:
                raise
            found.append(not_checked(look.layout, error))

    def of_table(self, layout: Layout) -> Iterator[Finding]:
        """What was found in one table; that it could not be checked is said once."""
        found = [each for step in STEPS for each in self.found[layout.label, step]]
        unchecked = [each for each in found if each.code == NOT_CHECKED]
        yield from (each for each in found if each not in unchecked[1:])

    def hazards_of(self, layout: Layout) -> list[Hazard]:
        """What can be wrong with the values of all its columns."""
        if layout.label not in self.hazards:
            self.hazards[layout.label] = [
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
        return self.hazards[layout.label]

    def first(self, look: Look) -> Iterator[Finding]:
        """One pass over the table, or a part of it, for all hazards; finds nothing by itself."""
        counted = Scan(look.layout, self.reader).first(self.hazards_of(look.layout), look.keys)
        self.counted[look.layout.label].append(counted)
        return iter(())

    def values(self, look: Look) -> Iterator[Finding]:
        """What the first look has seen something of, exactly."""
        layout = look.layout
        scan, rows = Scan(layout, self.reader), sum(self.counted[layout.label], Counter[str]())
        for hazard, count in scan.found(self.hazards_of(layout), rows).items():
            finding = scan.finding(hazard, count)
            if finding is None:
                continue
            if finding.refused:
                self.refused.setdefault(layout.label, []).append(hazard)
            yield finding


@dataclass(frozen=True)
class Look:
    """A step of looking at a table, or at a part of it."""

    layout: Layout
    step: str
    keys: KeyRange | None = None

    @property
    def is_divided(self) -> bool:
        """Whether others look at the rest of the table."""
        return self.keys is not None


# The looks at a table: at its rows, first quickly and then where that has seen something, among
# them, and at other tables' rows.
STEPS: dict[str, Callable[[Check, Look], Iterator[Finding]]] = {
    "first": Check.first,
    "values": Check.values,
    "uniques": lambda check, look: check.uniques.check(look.layout),
    "declared": lambda check, look: check.declared.check(look.layout),
    "references": lambda check, look: check.references.check(look.layout),
}


def looks_at(layout: Layout, parts: Mapping[str, list[KeyRange | None]]) -> list[Look]:
    """What every table is looked at for."""
    return [
        *(Look(layout, "first", keys) for keys in parts.get(layout.label, [None])),
        Look(layout, "uniques"),
        Look(layout, "declared"),
        Look(layout, "references"),
    ]


def told(claim: Callable[[], Look | None], progress: Progress) -> Callable[[], Look | None]:
    """The same looks; `progress` is told the table of each."""
    lock = Lock()

    def claim_and_tell() -> Look | None:
        with lock:
            if look := claim():
                progress(look.layout.label)
            return look

    return claim_and_tell


def not_checked(layout: Layout, error: EngineError) -> Finding:
    return Finding(
        code=NOT_CHECKED,
        severity=Severity.WARNING,
        label=layout.label,
        table=layout.dest_name,
        message=f"The values of {layout.label} could not be checked: {error}",
        remedy="Mend what the message says and check again, or copy without this check.",
    )
