"""What preflight finds: one thing, where it is, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from migrations_ui.engine.errors import ServerError


class Severity(StrEnum):
    """A blocker keeps a run from starting; a warning is for the operator to weigh."""

    BLOCKER = "blocker"
    WARNING = "warning"
    INFO = "info"


@dataclass(frozen=True)
class Finding:
    """`rows` is None where rows are not what it is about.

    `refused` says that the destination refuses these rows one by one: they can be set aside.
    `transforms` are the declared transforms of its column that overcome it, `overcome_by` those of
    other columns, each as label.column=name.  `passing` says that it may be gone when it is looked
    for again: a server that was away, a connection that was lost.
    """

    code: str
    severity: Severity
    message: str
    remedy: str
    label: str = ""
    table: str = ""
    column: str = ""
    rows: int | None = None
    sample_keys: tuple[str, ...] = ()
    refused: bool = False
    transforms: tuple[str, ...] = ()
    overcome_by: tuple[str, ...] = ()
    passing: bool = False

    @property
    def choices(self) -> list[str]:
        """What a run may declare for its column to overcome it: label.column=name."""
        return [f"{self.label}.{self.column}={name}" for name in self.transforms]

    def __str__(self) -> str:
        where = ".".join(part for part in (self.label, self.column) if part)
        return (
            f"{where}: {self.message} {self.remedy}" if where else f"{self.message} {self.remedy}"
        )


def insist(findings: Iterable[Finding], before: str = "") -> None:
    """Raise what kept something from being looked at and passes by itself, if anything did.

    `before` is said before it.
    """
    for finding in findings:
        if finding.passing:
            raise ServerError(f"{before} {finding.message}".strip(), transient=True)


def status(findings: Iterable[Finding]) -> str:
    """ "blockers", "warnings" or "ok", by the worst of the findings."""
    severities = {finding.severity for finding in findings}
    if Severity.BLOCKER in severities:
        return "blockers"
    return "warnings" if Severity.WARNING in severities else "ok"
