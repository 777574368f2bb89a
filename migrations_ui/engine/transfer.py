"""A transfer of a selection of tables: wipe, load, indexes, constraints, sequences."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar

from migrations_ui.engine.chunks import CHUNK_BYTES, Chunk, cut
from migrations_ui.engine.crew import Connect, Crew, one_of
from migrations_ui.engine.databases.base import Database, ForeignKey
from migrations_ui.engine.databases.indexing import Index
from migrations_ui.engine.databases.triggers import Trigger
from migrations_ui.engine.errors import EngineError, IndexRefused, ServerError
from migrations_ui.engine.firing import in_the_way
from migrations_ui.engine.jobs import Build, Job, Jobs, Validation
from migrations_ui.engine.layout import Layout
from migrations_ui.engine.ledger import Begun, Ledger
from migrations_ui.engine.loading import Loading
from migrations_ui.engine.persisting import connected, persist
from migrations_ui.engine.rejecting import Allowance
from migrations_ui.engine.triggers import switch_off, switch_on

Part = TypeVar("Part", Index, ForeignKey)


class Orphans(EngineError):
    """Rows whose foreign key leads nowhere."""


@dataclass(frozen=True)
class SequenceState:
    """What hands out a table's keys, on both sides; None where a side has no such thing."""

    max_key: int | None
    next_source: int | None
    next_dest: int

    @property
    def problem(self) -> str:
        """Why the destination's next key is wrong, or nothing."""
        if self.max_key is not None and self.next_dest <= self.max_key:
            return f"the next key {self.next_dest:,} is not above the largest key {self.max_key:,}"
        if self.next_source is not None and self.next_dest < self.next_source:
            return f"the next key {self.next_dest:,} is below the source's {self.next_source:,}"
        return ""


class Transfer(Loading):
    """Replaces the destination's rows of these tables by the source's, but for those rejected.

    `rows` is how many each table has, by label.  Whatever happens, the foreign keys and indexes
    that were dropped are put back before `run` returns or raises, triggers are on again as they
    were, and a table of which a row was refused is empty again.
    """

    ledger: Ledger

    def __init__(
        self,
        layouts: Sequence[Layout],
        connect: Connect,
        ledger: Ledger,
        rows: Mapping[str, int],
        *,
        workers: int = 1,
        allowance: Allowance | None = None,
    ) -> None:
        super().__init__(connect, ledger, workers=workers, allowance=allowance)
        self.layouts = layouts
        self.rows = rows

    @property
    def names(self) -> list[str]:
        """The tables in the destination."""
        return [layout.dest_name for layout in self.layouts]

    def run(self) -> None:
        """Do it all; raise what went wrong."""
        with self.pair() as (source, dest):
            if not dest.writes_at_once:
                self.crew = Crew(1, self.pair)
            begun = self.ledger.begun
            found = persist(self, lambda: self.foreign_keys(dest, begun), dest)
            indexes = persist(self, lambda: self.deferred(dest, begun), dest)
            keys = persist(self, lambda: dest.defined(found, indexes), dest)
            triggers = persist(self, lambda: self.firing(dest, begun), dest)
            if not begun:
                self.ledger.planned(self.plan(source, indexes))
            try:
                persist(self, lambda: switch_off(triggers, dest, self.ledger), source, dest)
                persist(self, lambda: self.clear(dest, keys, indexes, begun), source, dest)
                problems = self.load(dest, keys, indexes)
                persist(self, lambda: switch_on(triggers, dest, self.ledger), source, dest)
            except BaseException as error:
                if self.ledger.gives_up(error):
                    self.undo(keys, indexes, triggers)
                raise
            self.ledger.phase("sequences")
            persist(self, lambda: set_sequences(self.layouts, source, dest), source, dest)
        if problems:
            raise Orphans(" ".join(problems))

    def foreign_keys(self, dest: Database, begun: Begun | None) -> list[ForeignKey]:
        """The foreign keys that go before the load, or have gone."""
        if begun is None:
            return dest.foreign_keys(self.names)
        there = dest.foreign_keys(self.names) if begun.unfinished else []
        names = {(key.table, key.name) for key in there}
        return [*there, *(key for key in begun.keys if (key.table, key.name) not in names)]

    def firing(self, dest: Database, begun: Begun | None) -> list[Trigger]:
        """The triggers that are switched off before the wipe, or have been."""
        off = list(begun.triggers) if begun else []
        return off + [one for one in in_the_way(self.layouts, dest) if one not in off]

    def deferred(self, dest: Database, begun: Begun | None) -> list[Index]:
        """The indexes whose building after the load takes less time than their upkeep meanwhile.

        Where refused rows are set aside, constraints stay: they have to refuse them row by row.
        """
        there = [
            index
            for layout in self.layouts
            if dest.loads_without_indexes(self.rows[layout.label])
            if begun is None or layout.label in begun.unfinished
            for index in dest.secondary_indexes([layout.dest_name])
            if not ((index.unique or index.constraint) and self.allowance.limit)
        ]
        names = {(index.table, index.name) for index in there}
        gone = begun.indexes if begun else ()
        return [*there, *(index for index in gone if (index.table, index.name) not in names)]

    def plan(self, source: Database, indexes: Sequence[Index]) -> list[Chunk]:
        """The chunks; what comes after a table's load counts as part of its size."""
        names = [layout.source_name for layout in self.layouts]
        sizes = persist(self, lambda: source.sizes(names), source)
        found: dict[str, list[Chunk]] = {}

        def work(layout: Layout, source: Database, _: Database) -> None:
            size, rows = sizes.get(layout.source_name, 0), self.rows[layout.label]
            found[layout.label] = persist(self, lambda: cut(layout, source, size, rows), source)

        # Each is a scan of the table's key: several at once.
        large = [each for each in self.layouts if sizes.get(each.source_name, 0) > CHUNK_BYTES]
        if large:
            self.crew.share(one_of(large), work)
        after = Counter(index.table for index in indexes)
        return [
            replace(chunk, size=chunk.size * (1 + after[layout.dest_name]))
            for layout in self.layouts
            for chunk in found.get(layout.label)
            or [Chunk(layout, size=sizes.get(layout.source_name, 0))]
        ]

    def clear(
        self,
        dest: Database,
        keys: Sequence[ForeignKey],
        indexes: Sequence[Index],
        begun: Begun | None,
    ) -> None:
        """Empty the tables and take off what is in the way, noted down before that."""
        self.ledger.phase("wipe")
        off = taken_off(keys)
        self.ledger.dropping(off, indexes)
        for key in off:
            dest.drop_foreign_key(key)
        if not begun:
            dest.wipe(self.names)
            self.ledger.wiped()
        for table, its_own in by_table(indexes):
            dest.drop_indexes(table, its_own)

    def load(
        self, dest: Database, keys: Sequence[ForeignKey], indexes: Sequence[Index]
    ) -> list[str]:
        """Load all chunks, and put back indexes and foreign keys as soon as that can be.

        Returns what violates the keys.  By whom: other processes may take part in the load, but
        indexes and keys are put back here.
        """
        problems: list[str] = []
        jobs = self.jobs(dest, keys, indexes)

        def work(job: Job, source: Database, dest: Database) -> None:
            if isinstance(job, Chunk):
                self.copy(job, source, dest)
            elif isinstance(job, Build):
                self.build(job, source, dest)
            else:
                put = partial(put_back, job.keys, dest, self.ledger.restored)
                problems.extend(persist(self, put, source, dest))
            # Not where it failed: a table whose index can't be built is to be emptied, which a
            # foreign key that another worker puts back in this moment would prevent.
            jobs.done(job)

        self.ledger.phase("load")
        self.crew.share(jobs.claim, work)  # type: ignore[misc]  # mypy infers no union from both
        return problems

    def jobs(self, dest: Database, keys: Sequence[ForeignKey], indexes: Sequence[Index]) -> Jobs:
        """What there is to do, and in which order that can be done."""
        rows = {layout.dest_name: self.rows[layout.label] for layout in self.layouts}
        names = {layout.label: layout.dest_name for layout in self.layouts}

        def unfinished() -> set[str]:
            self.check()
            return {names[label] for label in self.ledger.unfinished()}

        return Jobs(
            self.claim,
            unfinished,
            sorted(
                map(Build, dest.index_builds(indexes)),
                key=lambda build: -rows[build.table] * len(build.indexes),
            ),
            sorted(validations(keys, indexes), key=lambda job: -rows.get(job.table, 0)),
            loaded=partial(self.ledger.phase, "indexes"),
            built=partial(self.ledger.phase, "constraints"),
        )

    def build(self, build: Build, source: Database, dest: Database) -> None:
        """Build indexes of one table."""
        self.ledger.building(build.indexes)
        restore = partial(dest.restore_indexes, build.table, build.indexes)
        try:
            persist(self, restore, source, dest)
        except IndexRefused:
            self.refused += [layout for layout in self.layouts if layout.dest_name == build.table]
            raise
        self.ledger.built(build.indexes)

    def undo(
        self, keys: Sequence[ForeignKey], indexes: Sequence[Index], triggers: Sequence[Trigger]
    ) -> None:
        """Bring the destination into a state that can be looked at; the journal keeps the rest."""
        pair = connected(self.ledger, self.connect, loading=True)
        with suppress(EngineError), pair as (_, dest):
            for chunk in self.ledger.abandoned():  # what is not committed of them is in the way
                dest.evict(chunk.name)
            self.make_whole(dest, keys, indexes)
            switch_on(triggers, dest, self.ledger)  # last: a table may have been emptied

    def make_whole(
        self, dest: Database, keys: Sequence[ForeignKey], indexes: Sequence[Index]
    ) -> None:
        """Empty the tables of which a row was refused, and put back what was taken off."""
        for layout in self.refused:
            with suppress(EngineError):
                self.empty(layout, dest)
        for table, its_own in by_table(indexes):
            with suppress(EngineError):
                self.restore(table, its_own, dest)
        for _, of_table in by_table(keys):
            with suppress(EngineError):
                put_back(of_table, dest, self.ledger.restored)

    def empty(self, layout: Layout, dest: Database) -> None:
        """Empty one table again."""
        dest.wipe([layout.dest_name])
        self.ledger.emptied(layout)

    def restore(self, table: str, indexes: list[Index], dest: Database) -> None:
        """Put a table's indexes back; where they can't hold its rows, it has none then."""
        try:
            dest.restore_indexes(table, indexes)
        except IndexRefused:
            for layout in self.layouts:
                if layout.dest_name == table:
                    self.empty(layout, dest)
            dest.restore_indexes(table, indexes)
        self.ledger.built(indexes)


def by_table(parts: Sequence[Part]) -> list[tuple[str, list[Part]]]:
    """The indexes or foreign keys of each table, in the tables' order."""
    found: dict[str, list[Part]] = {}
    for part in parts:
        found.setdefault(part.table, []).append(part)
    return list(found.items())


def taken_off(keys: Iterable[ForeignKey]) -> list[ForeignKey]:
    """The foreign keys that are not there while rows are loaded."""
    return [key for key in keys if key.definition]


def validations(keys: Sequence[ForeignKey], indexes: Sequence[Index]) -> list[Validation]:
    """The foreign keys as jobs.

    To put one back locks both tables against a session that builds an index on one of them, so they
    must be whole, and those of one table are one job.  To look for orphans takes the child's index,
    and the parent's where that is not its primary key.
    """
    by_index = {(index.table, index.columns[0]) for index in indexes}
    return [
        Validation(its_own, whole=frozenset({table, *(key.parent for key in its_own)}))
        for table, its_own in by_table(taken_off(keys))
    ] + [
        Validation(
            [key],
            loaded=frozenset({key.parent}),
            whole=frozenset(
                {key.table}
                | {key.parent for name in key.parent_columns if (key.parent, name) in by_index}
            ),
        )
        for key in keys
        if not key.definition
    ]


def put_back(
    keys: Sequence[ForeignKey], dest: Database, restored: Callable[[ForeignKey], object]
) -> list[str]:
    """Look at foreign keys, and put back those that were taken off; say which rows violate them.

    `restored` is told each that is back and valid.
    """
    # First all that takes long: to put one back waits for whoever reads one of the two tables.
    found = [(key, violation(key, dest)) for key in keys]
    for key, problem in found:
        if not dest.validates_foreign_keys:
            dest.restore_foreign_key(key)
        if not problem:
            restored(key)
    return [problem for _, problem in found if problem]


def violation(key: ForeignKey, dest: Database) -> str:
    """Which rows violate a foreign key, or nothing; a server that validates it puts it back."""
    error = ""
    if dest.validates_foreign_keys:
        try:
            dest.restore_foreign_key(key)
        except ServerError as refused:
            if refused.transient:
                raise
            error = str(refused)
        else:
            return ""
    rows, samples = dest.orphans(key)
    if not rows:
        return error
    columns, parents = ", ".join(key.columns), ", ".join(key.parent_columns)
    return (
        f"{rows:,} rows of {key.table} lead nowhere: {columns} has no match in "
        f"{key.parent}.{parents} (for example {'; '.join(samples)}). Mend them in the source; if "
        f"{key.parent} was not copied or rows of it were left out, copy these as well."
    )


def set_sequences(layouts: Sequence[Layout], source: Database, dest: Database) -> None:
    """Let every table hand out keys above its largest, and not below the source's next one."""
    states = sequence_states(layouts, source, dest)
    columns = dest.sequences([layout.dest_name for layout in layouts])
    for layout in layouts:
        if state := states.get(layout.label):
            value = max((state.max_key or 0) + 1, state.next_source or 1)
            if value != state.next_dest:
                dest.set_next_key(layout.dest_name, columns[layout.dest_name].column, value)


def sequence_states(
    layouts: Sequence[Layout], source: Database, dest: Database
) -> dict[str, SequenceState]:
    """The state of each sequence that the destination has, by label."""
    there = source.sequences([layout.source_name for layout in layouts])
    here = dest.sequences([layout.dest_name for layout in layouts])
    return {
        layout.label: SequenceState(
            max_key=dest.max_key(layout.dest_name, sequence.column),
            next_source=there[layout.source_name].next_value
            if layout.source_name in there
            else None,
            next_dest=sequence.next_value,
        )
        for layout in layouts
        if (sequence := here.get(layout.dest_name))
    }
