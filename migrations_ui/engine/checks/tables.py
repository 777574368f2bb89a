"""Tables whose rows are not copied: no model knows them, or none that `migrate` looks after."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence

from django.apps import apps

from migrations_ui.engine.catalog import possible_names, shortened
from migrations_ui.engine.checks.migrations import RECORDER, tables_made
from migrations_ui.engine.checks.sides import Side, listed
from migrations_ui.engine.errors import ServerError
from migrations_ui.engine.findings import Finding, Severity
from migrations_ui.engine.naming import physical_name

OURS = "migrations_ui_"
# How PostgreSQL's tables outside of the search path are spelt.
IN_SCHEMA = re.compile(r'"(?P<schema>.+)"\."(?P<table>.+)"', re.DOTALL)


def without_model(source: Side, dest: Side, app_labels: Collection[str]) -> Iterator[Finding]:
    """Tables of a side that no model of any app has."""
    known = known_tables()
    for side in (source, dest):
        names = sorted(
            name
            for name in side.existing
            if name.lower() not in known and not name.lower().startswith(OURS)
        )
        if side is source:
            lost = {
                name: label
                for name, label in made_for(names, app_labels)
                if has_rows(side, side.database.quote(name))
            }
            yield from (not_loaded(name, label) for name, label in lost.items())
            names = [name for name in names if name not in lost]
            apart = [
                name for name in elsewhere(names, known) if seen(side, side.database.quote(name))
            ]
            names = [name for name in names if name not in apart]
            if apart:
                yield in_other_schemas(apart)
        if names:
            yield Finding(
                code=f"tables-without-model-{side.role}",
                severity=Severity.INFO,
                table=names[0] if len(names) == 1 else "",
                message=f"No model has these tables of the {side.role}, and so nothing is done "
                f"with them: {listed(names)}.",
                remedy="If their rows are needed, move them by other means"
                + (
                    ", or add their app to the site's INSTALLED_APPS."
                    if side.role == "source"
                    else "."
                ),
            )


def elsewhere(names: Sequence[str], known: Collection[str]) -> Iterator[str]:
    """Tables outside the search path that are called as those of models are."""
    for name in names:
        if (parts := IN_SCHEMA.match(name)) and parts["table"].lower() in known:
            yield name


def in_other_schemas(names: Sequence[str]) -> Finding:
    schemas = sorted({parts["schema"] for name in names if (parts := IN_SCHEMA.match(name))})
    noun, verb = ("schema", "holds") if len(schemas) == 1 else ("schemas", "hold")
    tables = "a table" if len(names) == 1 else f"{len(names):,} tables"
    return Finding(
        code="tables-in-other-schemas",
        severity=Severity.WARNING,
        message=f"The {noun} {listed(schemas)} of the source {verb} rows in {tables} that are "
        f"called as those of models are: {listed(names)}. Only what is in the search path is "
        "copied.",
        remedy="Copy each schema for itself: make it on the destination (CREATE SCHEMA), and put "
        f"?options=-csearch_path%3D{schemas[0]} at the end of both URLs.",
    )


def made_for(names: Sequence[str], app_labels: Collection[str]) -> Iterator[tuple[str, str]]:
    """Those of the tables that the site's migrations make, with the label of the model."""
    if not names:
        return
    try:
        made = tables_made(frozenset(app_labels))
    except Exception:  # noqa: BLE001  # that they can't be imported is a finding of its own
        return
    labels = {
        short.lower(): label for name, label in made.items() for short in (name, *shortened(name))
    }
    yield from ((name, labels[name.lower()]) for name in names if name.lower() in labels)


def referred_from_elsewhere(dest: Side) -> Iterator[Finding]:
    """Rows of other databases of the same server, which a wipe would leave without their parents.

    MySQL keeps foreign keys between databases, and does not look at them while rows are wiped.
    """
    quote = dest.database.quote
    for found in dest.inspector.outsiders(dest.tables):
        name = f"{quote(found.schema)}.{quote(found.table)}"
        refers = " AND ".join(f"{quote(column)} IS NOT NULL" for column in found.columns)
        in_use = has_rows(dest, f"{name} WHERE {refers}")
        yield Finding(
            code="referred-from-elsewhere",
            severity=Severity.BLOCKER if in_use else Severity.WARNING,
            label=dest.labels.get(found.parent, ""),
            table=found.parent,
            message=f"{found.schema}.{found.table}, in another database of the destination's "
            f"server, refers to {found.parent} by the foreign key {found.name}. "
            + (
                "The wipe would leave its rows without what they refer to, and nothing would tell."
                if in_use
                else "No row does at the moment; one that is added during the run may lead nowhere."
            ),
            remedy="See that its rows may go or will still fit, and take the key off: ALTER TABLE "
            f"{name} DROP FOREIGN KEY {quote(found.name)}. Adding it after the run checks them.",
        )


def has_rows(side: Side, rows: str) -> bool:
    """Whether there may be such rows, which come after FROM: what can't be read may have some."""
    return seen(side, rows) is not False


def seen(side: Side, rows: str) -> bool | None:
    """Whether there are such rows; None where that can't be read, of which others tell."""
    try:
        return bool(side.database.query(f"SELECT 1 FROM {rows} LIMIT 1"))
    except ServerError as error:
        if error.transient:
            raise
        return None


def not_loaded(name: str, label: str) -> Finding:
    return Finding(
        code="table-not-loaded",
        severity=Severity.WARNING,
        label=label,
        table=name,
        message=f"The site's migrations make the table {name} for {label}, but no such model is "
        "loaded, and so the rows that the source may have in it are not copied.",
        remedy="The model's module is imported by code that does not run here. Where that is an "
        "AppConfig.ready(), name its app in CUTOVER_READY; else import the module where the app's "
        "other models are.",
    )


def unmanaged(source: Side, app_labels: Collection[str]) -> Iterator[Finding]:
    """Tables of the source that their models leave to somebody else: nothing copies them."""
    folds = source.database.folds_names
    for model in apps.get_models(include_auto_created=True):
        options = model._meta
        if options.managed or options.proxy or options.app_label not in app_labels:
            continue
        if name := physical_name(possible_names(model), source.existing, folds):
            yield Finding(
                code="table-unmanaged",
                severity=Severity.WARNING,
                label=options.label,
                table=name,
                message=f"{options.label} is an unmanaged model (managed = False): `migrate` does "
                f"not make its table {name}, which the source has, and so its rows are not copied.",
                remedy="If they are needed, let Django manage the model, or move them by other "
                "means.",
            )


def of_another_vendor(dest: Side, app_labels: Collection[str]) -> Iterator[Finding]:
    """Tables that `migrate` does not make on the destination's vendor."""
    here = dest.database.vendor
    for model in apps.get_models():
        vendor = model._meta.required_db_vendor
        if vendor and vendor != here and model._meta.app_label in app_labels:
            yield Finding(
                code="table-of-another-vendor",
                severity=Severity.INFO,
                label=model._meta.label,
                table=model._meta.db_table,
                message=f"{model._meta.label} is made for {vendor} alone, so the destination "
                f"({here}) has no such table, and it is left out.",
                remedy="Nothing, if the site does without it there.",
            )


def known_tables() -> set[str]:
    """The names that the models' tables may have, in lower case: some vendors fold them."""
    names = {RECORDER}
    for model in apps.get_models(include_auto_created=True, include_swapped=True):
        for name in possible_names(model):
            names |= {candidate.lower() for candidate in (name, *shortened(name))}
    return names
