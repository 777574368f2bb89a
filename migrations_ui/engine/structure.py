"""Whether the destination is whole besides its rows: keys, indexes, constraints, references."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import NamedTuple

from migrations_ui.engine.catalog import Table
from migrations_ui.engine.checks import constraints, migrations, triggers
from migrations_ui.engine.checks.sides import Side
from migrations_ui.engine.databases.base import Database, ForeignKey
from migrations_ui.engine.errors import EngineError
from migrations_ui.engine.findings import Finding, Severity
from migrations_ui.engine.layout import Layout
from migrations_ui.engine.transfer import SequenceState, sequence_states

SEQUENCE = "next key"
REFERENCES = "references"
MIGRATIONS = "django_migrations"
TRIGGERS = "triggers"
# What the findings of preflight's checks of the destination are about.
CONSTRAINTS = {
    "index-missing": "indexes",
    "unique-missing": "unique constraints",
    "check-missing": "check constraints",
    "foreign-key-missing": "foreign keys",
    "constraint-not-valid": "valid constraints",
    "sequence-not-owned": SEQUENCE,
    "key-not-counted": SEQUENCE,
}


class Line(NamedTuple):
    """One thing that was looked at, and what is wrong with it; None: it could not be looked at."""

    what: str
    problems: tuple[str, ...] | None


class Structure(NamedTuple):
    """What was found: lines and sequences by table's label, and what belongs to no table."""

    tables: dict[str, list[Line]]
    sequences: dict[str, SequenceState]
    general: list[Line]


def look(
    layouts: Sequence[Layout],
    source: Database,
    dest: Database,
    app_labels: Collection[str],
) -> Structure:
    """Look at all of it; nothing that a server refuses keeps the rest from being looked at."""
    tables = [layout.table for layout in layouts]
    there, here = Side.of("source", source, tables), Side.of("destination", dest, tables)
    found: dict[str, list[Line]] = {layout.label: [] for layout in layouts}
    states = sequence_states(layouts, source, dest)
    findings = lost(list(constraints.constraints(tables, here)), tables, there)
    foreign_keys = dest.foreign_keys(here.tables)
    kept: set[tuple[str, str]] = set()
    if dest.enforces_foreign_keys:
        kept = {(key.table, key.name) for key in foreign_keys}
        kept -= set(here.inspector.invalid_foreign_keys(here.tables))
    off = triggers.switched_off(there, here)
    with_triggers = {table for table, _ in [*off, *here.inspector.triggers(here.tables)]}
    for layout in layouts:
        lines = found[layout.label]
        state = states.get(layout.label)
        about = [one for one in findings if one.table == layout.dest_name]
        lines += constraint_lines(about, state)
        if keys := [key for key in foreign_keys if key.table == layout.dest_name]:
            doubtful = [key for key in keys if (key.table, key.name) not in kept]
            lines.append(references(doubtful, dest))
        if layout.dest_name in with_triggers:
            its_own = [name for table, name in off if table == layout.dest_name]
            lines.append(Line(TRIGGERS, tuple(left_off(here, layout.dest_name, its_own))))
    return Structure(found, states, [applied_migrations(there, here, app_labels)])


def lost(findings: list[Finding], tables: Sequence[Table], source: Side) -> list[Finding]:
    """What is wrong with the destination, without the indexes that the source does not have either.

    Packages add indexes to models that no migration makes (django-mptt); preflight tells of them.
    """
    if not any(one.code == "index-missing" for one in findings):
        return findings
    never = constraints.missing_indexes(tables, source)
    return [
        one
        for one in findings
        if one.code != "index-missing" or (one.label, one.column.lower()) not in never
    ]


def constraint_lines(findings: Sequence[Finding], state: SequenceState | None) -> list[Line]:
    """A line for each kind of constraint; for the next key where the table hands out keys."""
    problems: dict[str, list[str]] = {what: [] for what in CONSTRAINTS.values()}
    for one in findings:
        problems[CONSTRAINTS[one.code]].append(one.message)
    if state is not None and state.problem:
        problems[SEQUENCE].append(state.problem)
    if state is None and not problems[SEQUENCE]:
        del problems[SEQUENCE]
    return [Line(what, tuple(found)) for what, found in problems.items()]


def left_off(dest: Side, table: str, names: Iterable[str]) -> Iterator[str]:
    """That these triggers are switched off, in words."""
    for name in names:
        on = triggers.switches_on(dest, table, name)
        yield f"the trigger {name} is switched off on the destination ({on})"


def references(keys: Sequence[ForeignKey], dest: Database) -> Line:
    """Whether every row's foreign keys lead to a row."""
    try:
        return Line(REFERENCES, tuple(filter(None, (orphans(key, dest) for key in keys))))
    except EngineError as error:
        if error.transient:
            raise
        return Line(REFERENCES, None)


def orphans(key: ForeignKey, dest: Database) -> str:
    """Which rows lead nowhere by this key, in words; or nothing."""
    rows, samples = dest.orphans(key)
    if not rows:
        return ""
    columns, parents = ", ".join(key.columns), ", ".join(key.parent_columns)
    noun = "row leads" if rows == 1 else "rows lead"
    return (
        f"{rows:,} {noun} nowhere: {columns} has no match in {key.parent}.{parents} (for example "
        f"{'; '.join(samples)})"
    )


def applied_migrations(source: Side, dest: Side, app_labels: Collection[str]) -> Line:
    """Whether both sides have applied the same migrations of the host's apps."""
    findings: Iterable[Finding] = migrations.migrations(source, dest, app_labels)
    return Line(
        MIGRATIONS,
        tuple(found.message for found in findings if found.severity is not Severity.INFO),
    )
