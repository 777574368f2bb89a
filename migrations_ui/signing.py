"""Signing an audit off: who may, on what it rests, and the record that is kept of it."""

from __future__ import annotations

import logging
import platform
from collections.abc import Collection, Mapping
from datetime import timedelta
from functools import reduce
from importlib.metadata import PackageNotFoundError, version
from operator import or_
from typing import Any

import django
from django.conf import settings
from django.contrib.auth import authenticate
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone

from migrations_ui import copies, positions, steps
from migrations_ui.coverage import Coverage
from migrations_ui.engine.checks.sides import listed
from migrations_ui.engine.databases.positions import Position, State
from migrations_ui.models import Audit, AuditedTable, Event, RejectedRow, Run, SignOff
from migrations_ui.models import SignOffAttempt as Attempt
from migrations_ui.sides import Refused
from migrations_ui.signing_models import canonical, digest, in_utc

logger = logging.getLogger(__name__)

FORMAT = 1  # of the record; what it holds under which name
# So many wrong passwords of an operator in so much time, and the next one is not looked at.
MOST_WRONG, WITHIN = 5, timedelta(minutes=15)
# Rejected rows that a record names one by one; beyond them it has their number.
MOST_REJECTED = 1_000
PACKAGES = ("cutover", "psycopg2-binary", "mysqlclient", "dj-database-url", "huey")

STATEMENTS = {
    Audit.Verdict.IDENTICAL: "Every cell of every row of the tables below was compared and is the "
    "same on both sides.",
    Audit.Verdict.DECLARED: "Every cell of every row of the tables below was compared and is the "
    "same on both sides, but for the transforms that were declared.",
    Audit.Verdict.COMPUTED: "Every cell of every row of the tables below was compared. All that "
    "was copied is the same on both sides, but for transforms where any were declared; of columns "
    "that each database computes itself, some values differ.",
}


# -- Whether it can be signed ---------------------------------------------------------------------


def obstacles(audit: Audit, moves: list[positions.Since]) -> list[str]:
    """Why this audit can't be signed off, in sentences; empty where it can."""
    if not audit.is_green:
        return ["Only an audit that is finished and green can be signed off."]
    found = [
        f"The {side.word}, {side.name}, was written after this audit had begun"
        f"{f' ({listed(side.movement.tables)})' if side.movement.tables else ''}. Audit again, and "
        "sign that."
        for side in moves
        if side.movement.changed
    ]
    known = {side.role for side in moves}
    return found + [
        f"Where the {role} stood was not kept. Audit again, and sign that."
        for role in positions.ROLES
        if role not in known
    ]


def doubts(audit: Audit, moves: list[positions.Since]) -> list[str]:
    """What the audit does not tell, in sentences: the operator has to answer for it."""
    return [
        *noted(audit),
        *undone(audit),
        *(
            f"Whether the {side.word}, {side.name}, was written after this audit had begun can't "
            f"be told. {side.movement.why}"
            for side in moves
            if side.movement.state is State.UNKNOWN
        ),
    ]


def undone(audit: Audit) -> list[str]:
    """Steps that did not succeed, of the runs that copied the tables last."""
    runs = copies.last_runs(audit, list(audit.tables.values_list("label", flat=True)))
    found = ((run, steps.unfinished(run)) for run in dict.fromkeys(runs.values()))
    return [f"{run}: {left}" for run, left in found if left]


def noted(audit: Audit) -> list[str]:
    """What was noted of tables beside their verdict: columns that stayed behind, for one."""
    return [
        f"{table.label}: {line['message']}"
        for table in audit.tables.all()
        for line in table.structure
        if not line["verdict"]
    ]


# -- Signing --------------------------------------------------------------------------------------


def sign(request: HttpRequest, audit: Audit, password: str, *, answers: bool = False) -> SignOff:
    """Sign an audit off as the operator of the request, who types the password once more.

    `answers`: the operator answers for what can't be told.  `Refused` where it can't be signed;
    nothing is kept then but that a password was tried.
    """
    operator = request.user.get_username()
    moves = positions.since(audit, fresh=True)
    if found := obstacles(audit, moves):
        raise Refused(" ".join(found))
    if audit.sign_offs.filter(operator=operator).exists():
        raise Refused(f"{operator} has signed {audit} off already.")
    open_questions = doubts(audit, moves)
    if open_questions and not answers:
        raise Refused(" ".join([*open_questions, "Say that you answer for it, or audit again."]))
    verify(request, audit, password)
    now = timezone.now()
    taken = positions.take(audit)
    text = canonical(
        {"signed": {"audit": audit.pk, "operator": operator, "at": in_utc(now)}}
        | record(audit, taken, open_questions)
    )
    try:
        with transaction.atomic():
            signed = SignOff.objects.create(
                audit=audit,
                run=audit.run,
                operator=operator,
                signed_at=now,
                record=text,
                digest=digest(text),
            )
            _tell(audit, operator, f"Signed {audit} off: {signed}, SHA-256 {signed.digest}.")
    except IntegrityError:  # by a second click, in this moment
        if not audit.sign_offs.filter(operator=operator).exists():
            raise
        raise Refused(f"{operator} has signed {audit} off already.") from None
    logger.info("%s: %s signed %s off, SHA-256 %s", signed, operator, audit, signed.digest)
    return signed


def verify(request: HttpRequest, audit: Audit, password: str) -> None:
    """Refuse a wrong password, and after a few of them any.

    The attempt is written down before the password is looked at, so that many at once don't get
    more tries than one after the other.
    """
    user = request.user
    operator = user.get_username()
    attempt = Attempt.objects.create(audit=audit, operator=operator)
    wrong = Attempt.objects.filter(
        operator=operator, succeeded=False, at__gt=timezone.now() - WITHIN, pk__lt=attempt.pk
    )
    if wrong.count() >= MOST_WRONG:
        logger.warning("%s: %s has tried too many passwords to sign it off", audit, operator)
        raise Refused(
            f"There were {MOST_WRONG} wrong passwords. Wait for a quarter of an hour, then try "
            "again. Nothing was signed."
        )
    try:
        found = authenticate(request, username=operator, password=password)
    except ValidationError as error:
        raise Refused(" ".join(error.messages)) from error
    if found is None or found.pk != user.pk:
        logger.warning("%s: a wrong password was typed for %s to sign it off", audit, operator)
        _tell(audit, operator, f"Typed a wrong password to sign {audit} off.")
        raise Refused("That is not your password. Nothing was signed.", field="password")
    Attempt.objects.filter(pk=attempt.pk).update(succeeded=True)


def wrong_passwords(audit: Audit) -> int:
    """How many times a wrong password was typed to sign the audit off."""
    return audit.sign_off_attempts.filter(succeeded=False).count()


def _tell(audit: Audit, operator: str, what: str) -> None:
    """Write it into the timeline of the run that the audit belongs to, if any."""
    if audit.run:
        Event.objects.create(run=audit.run, who=operator, what=what)


# -- The record -----------------------------------------------------------------------------------


def record(audit: Audit, taken: dict[str, Position], open_questions: list[str]) -> dict[str, Any]:
    """Everything that a sign-off rests on, as JSON; it never holds a credential."""
    tables = list(audit.tables.all())
    labels = [table.label for table in tables]
    runs = copies.last_runs(audit, labels)
    return {
        "format": FORMAT,
        "statement": STATEMENTS[Audit.Verdict(audit.verdict)],
        "audit": about(audit),
        "source": audit.source,
        "dest": audit.dest,
        "positions": {
            "audit": audit.positions,
            "signing": {role: position.as_json() for role, position in taken.items()},
        },
        "answered_for": open_questions,
        "tables": [of_table(table) for table in tables],
        "not_audited": not_audited(labels),
        "transforms": audit.transforms,
        "structure": audit.structure,
        "runs": [of_run(run) for run in dict.fromkeys(runs.values())],
        "catch_ups": [of_run(run) for run in catch_ups(runs)],
        "rejected": rejected(list(dict.fromkeys(runs.values()))),
        "versions": versions(),
        "settings": kept_settings(),
    }


def catch_ups(copies: Mapping[str, Run]) -> QuerySet[Run]:
    """The runs that have changed rows of these tables since the last copy of each."""
    since = [
        Q(tables__label=label, pk__gt=run.pk, dest__identity=run.dest["identity"])
        for label, run in copies.items()
    ]
    found = Run.objects.filter(mode=Run.Mode.CATCH_UP, tables__changed_rows__gt=0)
    return found.filter(reduce(or_, since, Q(pk=None))).distinct().order_by("pk")


def not_audited(labels: Collection[str]) -> list[str]:
    """The project's other tables, of which an audit of these tells nothing."""
    return Coverage.of(labels).labels


def about(audit: Audit) -> dict[str, Any]:
    return {
        "number": audit.pk,
        "verdict": audit.verdict,
        "reverse": audit.reverse,
        "operator": audit.operator,
        "started_at": audit.started_at and in_utc(audit.started_at),
        "finished_at": audit.finished_at and in_utc(audit.finished_at),
    }


def of_table(table: AuditedTable) -> dict[str, Any]:
    names = (
        "label",
        "table",
        "verdict",
        "source_rows",
        "dest_rows",
        "missing",
        "extra",
        "different",
        "computed",
        "rejected",
        "source_digest",
        "dest_digest",
        "max_key",
        "next_source",
        "next_dest",
        "transforms",
        "structure",
    )
    return {name: getattr(table, name) for name in names}


def of_run(run: Run) -> dict[str, Any]:
    return {
        "number": run.pk,
        "status": run.status,
        "operator": run.operator,
        "finished_at": run.finished_at and in_utc(run.finished_at),
        "fingerprint": run.fingerprint,
        "transforms": run.transforms,
        "reject_limit": run.reject_limit,
        "workers": run.workers,
        "newer_only": run.newer_only,
        "steps": [
            {"words": step.words, "status": step.status, "exit_status": step.exit_status}
            for step in run.steps.all()
        ],
    }


def rejected(runs: list[Run]) -> dict[str, Any]:
    """The rows that the runs set aside: how many, and the first of them."""
    rows = RejectedRow.objects.filter(run__in=runs)
    return {
        "total": rows.count(),
        "not_arrived": rows.filter(arrived_at=None).count(),
        "rows": [
            {
                "run": row.run_id,
                "table": row.label,
                "key": row.key,
                "column": row.column,
                "message": row.message,
                "arrived_at": row.arrived_at and in_utc(row.arrived_at),
            }
            for row in rows.defer("row", "signature")[:MOST_REJECTED]
        ],
    }


def versions() -> dict[str, str]:
    """Of Cutover and what it stands on; the servers' are with the sides."""
    found = {"python": platform.python_version(), "django": django.get_version()}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:  # a driver that is not needed here
            continue
    return found


def kept_settings() -> dict[str, Any]:
    """The settings that decide what was compared with what, and how."""
    return {
        "host_settings": settings.HOST_SETTINGS or "dashboard.demo",
        "time_zone": settings.TIME_ZONE,
        "use_tz": settings.USE_TZ,
        "user_model": settings.AUTH_USER_MODEL,
        "apps": sorted(settings.HOST_APP_NAMES),
    }
