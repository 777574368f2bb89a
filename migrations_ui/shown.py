"""What a confirmation has shown: carried by its form, to say what has changed since.

It words a refusal and nothing else: whether something has changed is up to the fingerprint.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from django.core import signing

from migrations_ui.engine.checks.sides import listed
from migrations_ui.plans import Plan, changes
from migrations_ui.sides import Side

SALT = "cutover.shown"
UNKNOWN = "It may be the databases, the tables or their rows."


def carried(plan: Plan) -> str:
    """What is shown, as a value for a form."""
    facts = {
        "source": asdict(plan.source),
        "dest": asdict(plan.dest),
        "rows": {row.label: row.dest_rows for row in plan.tables},
        "transforms": plan.transforms,
    }
    return signing.dumps(facts, salt=SALT, compress=True)


def differences(value: str, now: Plan) -> str:
    """Sentences about what differs between what a form has carried and what there is now."""
    try:
        shown = signing.loads(value, salt=SALT)
    except signing.BadSignature:
        return UNKNOWN
    return " ".join(f"{sentence}." for sentence in _sentences(shown, now)) or UNKNOWN


def _sentences(shown: dict[str, Any], now: Plan) -> Iterator[str]:
    for role, side in (("source", now.source), ("destination", now.dest)):
        before = Side(**shown[side.role])
        if before != side:
            yield (
                f"The {role} is now {side.name} ({side.where}); "
                f"you confirmed {before.name} ({before.where})"
            )
    yield from _selection(set(shown["rows"]), set(now.labels))
    if changed := changes(shown["rows"], now.tables):
        yield listed(changed)
    if shown["transforms"] != list(now.transforms):
        yield f"The declared transforms are now {listed(now.transforms) or 'none'}"


def _selection(before: set[str], now: set[str]) -> Iterator[str]:
    if before == now:
        return
    tables = "1 table" if len(now) == 1 else f"{len(now):,} tables"
    parts = [
        f"{listed(sorted(labels))} {what}"
        for labels, what in ((now - before, "added"), (before - now, "left out"))
        if labels
    ]
    yield f"The selection is now {tables}; you confirmed {len(before):,} ({', '.join(parts)})"
