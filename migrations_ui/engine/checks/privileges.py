"""What this account may do with the tables, and what the server does behind its back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from migrations_ui.engine.checks.sides import Side, listed
from migrations_ui.engine.databases.inspecting import Lack
from migrations_ui.engine.findings import Finding, Severity


def privileges(source: Side, dest: Side) -> Iterator[Finding]:
    """Every step of a run, asked of the servers beforehand."""
    yield from lacking(source, source.inspector.lacks_for_reading(source.tables))
    yield from lacking(dest, dest.inspector.lacks_for_replacing(dest.tables))


def lacking(side: Side, lacks: Iterable[Lack]) -> Iterator[Finding]:
    """One finding a table, with all that is missing."""
    missing: dict[str, list[str]] = {}
    for lack in lacks:
        missing.setdefault(lack.table, []).extend(lack.privileges)
    user = side.database.config.get("USER") or "this account"
    for table, names in missing.items():
        yield Finding(
            code=f"privilege-missing-{side.role}",
            severity=Severity.BLOCKER,
            label=side.labels.get(table, ""),
            table=table,
            message=f"On the {side.role} {user} lacks, for {table}: {', '.join(names)}.",
            remedy=f"Grant it to {user}"
            + (
                "."
                if side.role == "source"
                else ", or give DEST_DATABASE_URL the account that ran `migrate`."
            ),
        )


def hidden_rows(source: Side, dest: Side) -> Iterator[Finding]:
    """Row security: the server leaves rows out, or refuses them, without a word."""
    for side in (source, dest):
        for table in side.inspector.hiding_rows(side.tables):
            yield Finding(
                code=f"row-security-{side.role}",
                severity=Severity.BLOCKER,
                label=side.labels.get(table, ""),
                table=table,
                message=f"Row security is on for {table} on the {side.role}: this account sees "
                "only the rows that its policies let through.",
                remedy="Use an account with BYPASSRLS, or the table's owner.",
            )


def inheritance(source: Side, dest: Side) -> Iterator[Finding]:
    """Rows of a table that belong to another one, which nobody has chosen."""
    for side in (source, dest):
        found: dict[str, list[str]] = {}
        for table, heir in side.inspector.heirs(side.tables):
            found.setdefault(table, []).append(heir)
        for table, heirs in found.items():
            yield Finding(
                code=f"inheritance-{side.role}",
                severity=Severity.BLOCKER,
                label=side.labels.get(table, ""),
                table=table,
                message=f"On the {side.role} other tables inherit from {table}: {listed(heirs)}. "
                f"Their rows are read, counted and deleted as rows of {table}.",
                remedy=f"Part each of them: ALTER TABLE … NO INHERIT {table}; and move its rows by "
                "other means. Partitions of a partitioned table do no harm.",
            )


def not_transactional(dest: Side) -> Iterator[Finding]:
    """Tables in which half of a batch stays when the other half is refused."""
    for table in dest.inspector.not_transactional(dest.tables):
        yield Finding(
            code="table-not-transactional",
            severity=Severity.WARNING,
            label=dest.labels.get(table, ""),
            table=table,
            message=f"{table} has a storage engine without transactions: when its copy fails, "
            "some rows stay, and foreign keys are not enforced.",
            remedy=f"ALTER TABLE {table} ENGINE = InnoDB;",
        )


def versioned(source: Side, dest: Side) -> Iterator[Finding]:
    """MariaDB's tables with a history: a run copies none, and can't wipe one."""
    for table in source.inspector.versioned(source.tables):
        yield Finding(
            code="history-source",
            severity=Severity.WARNING,
            label=source.labels.get(table, ""),
            table=table,
            message=f"{table} is system-versioned on the source. Its current rows are copied; the "
            "former versions of its rows are not.",
            remedy="Keep them elsewhere if they are needed: SELECT … FOR SYSTEM_TIME ALL.",
        )
    for table in dest.inspector.versioned(dest.tables):
        name = dest.database.quote(table)
        yield Finding(
            code="history-destination",
            severity=Severity.BLOCKER,
            label=dest.labels.get(table, ""),
            table=table,
            message=f"{table} is system-versioned on the destination. MariaDB does not truncate "
            "such a table, so it can't be wiped.",
            remedy=f"ALTER TABLE {name} DROP SYSTEM VERSIONING, which drops its history. After the "
            f"run: ALTER TABLE {name} ADD SYSTEM VERSIONING.",
        )
