"""What preflight finds: one thing, where it is, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """A blocker keeps a run from starting; a warning is for the operator to weigh."""

    BLOCKER = "blocker"
    WARNING = "warning"
    INFO = "info"


@dataclass(frozen=True)
class Finding:
    """`rows` is None where rows are not what it is about."""

    code: str
    severity: Severity
    message: str
    remedy: str
    label: str = ""
    table: str = ""
    column: str = ""
    rows: int | None = None
    sample_keys: tuple[str, ...] = ()


def status(findings: Iterable[Finding]) -> str:
    """ "blockers", "warnings" or "ok", by the worst of the findings."""
    severities = {finding.severity for finding in findings}
    if Severity.BLOCKER in severities:
        return "blockers"
    return "warnings" if Severity.WARNING in severities else "ok"
