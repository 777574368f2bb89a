"""Telling people outside of the pages: by e-mail and by webhook, once for each change.

1. What is to be told is written with the change that it tells of, in one transaction.
2. Whoever claims it by a conditional UPDATE sends it: a worker's courier, or the command that has
   made the change.  A claim that was not answered for runs out, and somebody else tries.
3. A try that failed is a line in the run's timeline, and is made again after a while, not forever.
   It never changes what it tells of.

Values of rows never leave: a message says which tables have failed, the run's page says why.
"""

from __future__ import annotations

import hmac
import json
import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from http.client import HTTPException
from smtplib import SMTPException
from typing import Any
from urllib.error import HTTPError
from urllib.request import HTTPRedirectHandler, Request, build_opener

from django.conf import settings
from django.core.mail import EmailMessage
from django.db.models import QuerySet, Sum
from django.utils import timezone

from migrations_ui.health_models import ControlClock
from migrations_ui.models import Audit, Event, Notification, Run, TableCopy
from migrations_ui.ticker import Ticker

logger = logging.getLogger(__name__)

Channel, Status, S = Notification.Channel, Notification.Status, Run.Status

EVERY = 2.0  # seconds between two looks of the courier
TIMEOUT = 10.0  # seconds that a receiver may take to answer
CLAIM = timedelta(seconds=60)
# Seconds from a failed try to the next one; after the last it is given up.
WAITS = (2, 10, 60, 300)
# Seconds that a command stays to try again what it has to tell.
COMMAND_STAYS = 15.0
# The part of a lease after which a run's worker is silent: told before another one takes over.
STALLED_AFTER = 2 / 3
# What ended before, nobody was told of: the settings may be newer than the audit.
RECENT = timedelta(days=1)

# The states of a run that are told.
TOLD = {
    S.SUCCEEDED: "has succeeded",
    S.INCOMPLETE: "is incomplete",
    S.FAILED: "has failed",
    S.INTERRUPTED: "was interrupted",
    S.CANCELLED: "was cancelled",
}


# -- What there is to tell ------------------------------------------------------------------------


def channels() -> list[str]:
    """Those that are configured."""
    found = [
        (settings.NOTIFY_EMAILS, Channel.EMAIL),
        (settings.NOTIFY_WEBHOOK_URL, Channel.WEBHOOK),
    ]
    return [str(channel) for configured, channel in found if configured]


def note(run_id: int, status: str, event_id: int) -> None:
    """A run's state has changed by this event; to be called in the transaction that changes it."""
    if status in TOLD and channels():
        run = Run.objects.get(pk=run_id)
        _note_run(run, f"run.{status}", TOLD[S(status)], f"event-{event_id}")


def note_stalls() -> None:
    """Runs whose worker has given no sign of life for a while: once for each silence."""
    late = ControlClock() - timedelta(seconds=settings.CUTOVER_LEASE * STALLED_AFTER)
    for run in Run.objects.filter(status__in=Run.AT_WORK, heartbeat_at__lt=late):
        silence = f"silence-{run.pk}-{run.heartbeat_at:%Y%m%d%H%M%S%f}"
        _note_run(run, "run.stalled", "gives no sign of life", silence)


def undelivered() -> QuerySet[Notification]:
    """What could not be told, the newest first; some of it is tried again."""
    told = Notification.Status.SENT
    return Notification.objects.exclude(error="").exclude(status=told).order_by("-id")


def note_audits() -> None:
    """Audits that have ended, but for a run's own, which its end tells of."""
    ended = Audit.objects.exclude(status__in=Audit.ACTIVE).filter(
        run=None, notifications=None, finished_at__gt=timezone.now() - RECENT
    )
    for audit in ended:
        verdict = audit.get_verdict_display()
        word = f"finished: {verdict}" if audit.status == Audit.Status.FINISHED else audit.status
        facts = _facts(audit) | {"verdict": audit.verdict, "counts_only": audit.counts_only}
        contents = _contents(f"audit.{audit.status}", f"{audit} {word}", audit, {"audit": facts})
        _write(f"audit-{audit.pk}", contents, audit=audit)


def _note_run(run: Run, event: str, words: str, about: str) -> None:
    rows = run.tables.aggregate(
        rows=Sum("copied_rows", default=0),
        expected_rows=Sum("source_rows", default=0),
        rejected_rows=Sum("rejected_rows", default=0),
    )
    failed = run.tables.filter(status=TableCopy.Status.FAILED).values_list("label", flat=True)
    state = {"mode": run.mode, "phase": run.phase, "failed_tables": list(failed)}
    facts = _facts(run) | rows | state
    _write(about, _contents(event, f"{run} {words}", run, {"run": facts}), run=run)


def _facts(job: Run | Audit) -> dict[str, Any]:
    """What may be told of a run or an audit: names of databases, no hosts and no credentials."""
    sides = {
        role: {key: side.get(key, "") for key in ("name", "vendor")}
        for role, side in (("source", job.source), ("dest", job.dest))
    }
    moments = {"started_at": job.started_at, "finished_at": job.finished_at}
    return {
        "id": job.pk,
        "status": job.status,
        "operator": job.operator,
        **sides,
        **{name: moment and moment.isoformat() for name, moment in moments.items()},
    }


def _contents(event: str, what: str, job: Run | Audit, facts: dict[str, Any]) -> dict[str, Any]:
    subject = f"{what} ({job.source['name']} → {job.dest['name']})"
    url = settings.PUBLIC_URL.rstrip("/") + job.get_absolute_url()
    return {"event": event, "subject": subject, "url": url, **facts}


def _write(about: str, contents: dict[str, Any], **job: Run | Audit) -> None:
    """Once for each channel, whoever notes it first."""
    Notification.objects.bulk_create(
        (
            Notification(
                about=about, channel=channel, event=contents["event"], contents=contents, **job
            )
            for channel in channels()
        ),
        ignore_conflicts=True,
    )


# -- Sending it -----------------------------------------------------------------------------------


@contextmanager
def courier() -> Iterator[None]:
    """Let this process send what there is to tell, from a thread of its own."""
    ticker = Ticker(deliver_all, EVERY)
    ticker.start()
    try:
        yield
    finally:
        ticker.end(within=EVERY)


def deliver_all() -> None:
    """Look for what there is to tell, and send what is due."""
    if channels():
        note_stalls()
        note_audits()
        deliver(Notification.objects.all())


def settle(job: Run | Audit) -> None:
    """Send what is to be told of this run or audit, for a process that is about to end.

    What could not be delivered within `COMMAND_STAYS` seconds is left for a worker.
    """
    if not channels():
        return
    note_audits()
    deadline = time.monotonic() + COMMAND_STAYS
    mine = job.notifications.all()
    while True:
        deliver(mine)
        due = mine.filter(status=Status.WAITING).order_by("due_at").values_list("due_at", flat=True)
        wait = (due[0] - timezone.now()).total_seconds() if due else COMMAND_STAYS
        if time.monotonic() + wait >= deadline:
            return
        time.sleep(max(0.0, wait))


def deliver(notifications: QuerySet[Notification]) -> None:
    """Send those that are due, each unless somebody else is at it."""
    due = notifications.filter(
        status__in=(Status.WAITING, Status.SENDING), due_at__lte=timezone.now()
    )
    for notification in list(due):
        if _claim(notification):
            _try(notification)


def _claim(notification: Notification) -> bool:
    """Whether it is ours to send: nobody has touched it since it was read."""
    until = timezone.now() + CLAIM
    seen = Notification.objects.filter(
        pk=notification.pk, status=notification.status, due_at=notification.due_at
    )
    notification.tries += 1
    return bool(seen.update(status=Status.SENDING, due_at=until, tries=notification.tries))


def _try(notification: Notification) -> None:
    send = by_email if notification.channel == Channel.EMAIL else by_webhook
    mine = Notification.objects.filter(pk=notification.pk, tries=notification.tries)
    try:
        send(notification)
    except Exception as error:  # noqa: BLE001  # whatever happens, the run is not concerned
        mine.update(**_after_failure(notification, reason(error)))
    else:
        mine.update(status=Status.SENT, sent_at=timezone.now(), error="")


def _after_failure(notification: Notification, why: str) -> dict[str, Any]:
    """What to write after a failed try, which is told in the run's timeline."""
    tries, most = notification.tries, len(WAITS) + 1
    if tries < most:
        wait = WAITS[tries - 1]
        then = f"It is tried again in {wait} s."
        due_at = timezone.now() + timedelta(seconds=wait)
        fields: dict[str, Any] = {"status": Status.WAITING, "due_at": due_at}
    else:
        then, fields = "It was given up.", {"status": Status.FAILED}
    what = f"The notification by {notification.get_channel_display()} could not be delivered"
    told = f"{what} (try {tries} of {most}): {why}. {then}"
    logger.warning("%s: %s", notification.contents["subject"], told)
    if notification.run_id:
        Event.objects.create(run_id=notification.run_id, who="worker", what=told)
    return fields | {"error": f"{why}."}


def reason(error: Exception) -> str:
    """Why it failed.  Of other errors only the kind, since their text may repeat the address."""
    if isinstance(error, OSError | SMTPException) and not isinstance(error, HTTPException):
        return str(error) or type(error).__name__
    return type(error).__name__


def by_email(notification: Notification) -> None:
    """One message to all addresses."""
    contents = notification.contents
    lines = [contents["subject"], contents["url"], ""]
    for facts in (contents.get("run"), contents.get("audit")):
        lines += [f"{name}: {text(value)}" for name, value in (facts or {}).items()]
    EmailMessage(
        f"[Cutover] {contents['subject']}",
        "\n".join(lines) + "\n",
        to=settings.NOTIFY_EMAILS,
        headers={"X-Cutover-Delivery": str(notification.uuid)},
    ).send()


def text(value: Any) -> str:
    """A fact as a message shows it."""
    if isinstance(value, dict):
        return f"{value['name']} ({value['vendor']})"
    return ", ".join(value) if isinstance(value, list) else str("" if value is None else value)


class NoRedirects(HTTPRedirectHandler):
    """A redirect would become a GET without the message, and look like success."""

    def redirect_request(self, *args: Any) -> None:
        return None


def by_webhook(notification: Notification) -> None:
    """POST the message as JSON, signed.  Raises for an answer that is not 2xx."""
    message = notification.contents | {
        "id": str(notification.uuid),
        # Inside of what is signed, so that an old message can be told from a new one.
        "sent_at": timezone.now().isoformat(),
    }
    body = json.dumps(message, ensure_ascii=False).encode()
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "Cutover",
        "X-Cutover-Delivery": str(notification.uuid),
        "X-Cutover-Signature": f"sha256={signature(body)}",
    }
    request = Request(settings.NOTIFY_WEBHOOK_URL, body, headers)  # noqa: S310  # http(s): settings
    try:
        build_opener(NoRedirects).open(request, timeout=TIMEOUT).close()
    except HTTPError as error:
        error.close()
        raise


def signature(body: bytes) -> str:
    """HMAC-SHA256 over the body, in hex digits."""
    return hmac.new(settings.NOTIFY_WEBHOOK_SECRET.encode(), body, "sha256").hexdigest()
