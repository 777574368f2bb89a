"""What django_migrations says on both sides, and what the code has."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cache

from django.db.migrations.loader import MigrationLoader

from migrations_ui.engine.checks.sides import Side, listed
from migrations_ui.engine.findings import Finding, Severity

RECORDER = "django_migrations"
NUMBER = re.compile(r"\d+")

Migration = tuple[str, str]


@dataclass(frozen=True)
class Code:
    """The migrations of the host's apps, each with those that it replaces."""

    known: Mapping[Migration, frozenset[Migration]]

    @classmethod
    def of(cls, app_labels: Collection[str]) -> Code:
        # Without the graph, which takes half a second for a large project.
        loader = MigrationLoader(None, load=False, ignore_no_migrations=True)
        loader.load_disk()
        return cls(
            {
                key: frozenset(migration.replaces)
                for key, migration in loader.disk_migrations.items()
                if key[0] in app_labels
            }
        )

    @property
    def replaced(self) -> frozenset[Migration]:
        """Migrations that a squashed one stands for."""
        return frozenset().union(*self.known.values())

    def unapplied(self, applied: Collection[Migration]) -> list[Migration]:
        """What of the code is not applied, neither itself nor by what it replaces."""
        return [
            key
            for key, replaces in sorted(self.known.items())
            if key not in self.replaced
            and key not in applied
            and not (replaces and replaces <= set(applied))
        ]

    def is_newer(self, migration: Migration) -> bool:
        """Whether a migration that the code lacks comes after all that it has of the app.

        One that comes before was squashed or removed, and its record was left behind.
        """
        app, name = migration
        newest = max((number(n) for a, n in self.known if a == app), default=None)
        return newest is not None and number(name) > newest

    def knows(self, migration: Migration) -> bool:
        return migration in self.known or migration in self.replaced


def number(name: str) -> int:
    """The number that Django begins a migration's name with."""
    digits = NUMBER.match(name)
    return int(digits[0]) if digits else 0


def recorded(side: Side) -> frozenset[Migration] | None:
    """The migrations that the database says were applied; None where it records none."""
    if RECORDER not in side.existing:
        return None
    table = side.database.quote(RECORDER)
    rows = side.database.query(f"SELECT app, name FROM {table}")
    return frozenset((str(app), str(name)) for app, name in rows)


def migrations(source: Side, dest: Side, app_labels: Collection[str]) -> Iterator[Finding]:
    """Migrations that a side lacks, or that it has and the code doesn't."""
    try:
        code = Code.of(app_labels)
    except Exception as error:  # noqa: BLE001  # migrations are the host's code
        yield unreadable(error)
        return
    there, here = recorded(source) or frozenset(), recorded(dest) or frozenset()
    if missing := code.unapplied(here):
        yield unapplied_on_destination(spelt(missing))
    if missing := code.unapplied(there):
        yield unapplied_on_source(spelt(missing))
    for side, ours, others in ((source, there, here), (dest, here, there)):
        extra = sorted(key for key in ours - others if key[0] in app_labels and not code.knows(key))
        if newer := [key for key in extra if code.is_newer(key)]:
            yield unknown(side.role, spelt(newer))
        if older := [key for key in extra if not code.is_newer(key)]:
            yield left_behind(side.role, spelt(older))


@cache
def tables_made(app_labels: frozenset[str]) -> dict[str, str]:
    """The tables that the apps' migrations make, with the labels of the models they are for.

    Half a second for a large project, whose code does not change under this process.
    """
    found = {}
    models = MigrationLoader(None, ignore_no_migrations=True).project_state().models
    for (app, name), model in models.items():
        is_kept = model.options.get("managed", True) and not model.options.get("proxy")
        if app not in app_labels or not is_kept:
            continue
        table = str(model.options.get("db_table") or f"{app}_{name}")
        found[table] = label = f"{app}.{model.name}"
        for each, field in model.fields.items():
            if field.many_to_many and not field.remote_field.through:
                found[field.db_table or f"{table}_{each}"] = f"{label}_{each}"
    return found


def spelt(keys: Collection[Migration]) -> str:
    return listed([f"{app}.{name}" for app, name in keys])


def unreadable(error: Exception) -> Finding:
    return Finding(
        code="migrations-unreadable",
        severity=Severity.BLOCKER,
        table=RECORDER,
        message="The site's migrations could not be imported, so nothing tells whether both sides "
        f"have applied them: {type(error).__name__}: {error}.",
        remedy="The site's AppConfig.ready() hooks do not run here. If they set what is missing, "
        "set it in the module that HOST_SETTINGS names.",
    )


def unapplied_on_destination(names: str) -> Finding:
    return Finding(
        code="migrations-unapplied-destination",
        severity=Severity.BLOCKER,
        table=RECORDER,
        message=f"The destination has not applied {names}.",
        remedy="Run `manage.py migrate --database dest`.",
    )


def unapplied_on_source(names: str) -> Finding:
    return Finding(
        code="migrations-unapplied-source",
        severity=Severity.WARNING,
        table=RECORDER,
        message=f"The source has not applied {names}.",
        remedy="Run the code that the source runs, or migrate the source with its own site first.",
    )


def unknown(role: str, names: str) -> Finding:
    other = "destination" if role == "source" else "source"
    return Finding(
        code=f"migrations-unknown-{role}",
        severity=Severity.WARNING,
        table=RECORDER,
        message=f"The {role} has applied {names}, which neither this code nor the {other} has: "
        "it belongs to a newer version of the site.",
        remedy="Let Cutover run with the version of the site's code that made both databases.",
    )


def left_behind(role: str, names: str) -> Finding:
    return Finding(
        code=f"migrations-left-{role}",
        severity=Severity.INFO,
        table=RECORDER,
        message=f"The {role} records {names}, which this code no longer has: squashed or removed "
        "migrations leave such records.",
        remedy="Nothing; `manage.py migrate APP --prune` removes them from the site's database.",
    )
