"""The control tables: what was asked, what is being done, what was found.

They live in the control database only.  They are the truth about a run; the task queue merely
delivers wake-ups.  Nothing here refers to the host's user model by foreign key, because operators
may sign in with accounts that live in the source: an operator is recorded by name.
"""

from __future__ import annotations

from django.db import models
from django.urls import reverse
from django.utils import timezone

from migrations_ui.audit_models import Audit, AuditedTable, Difference
from migrations_ui.health_models import Notification, Worker
from migrations_ui.journal_models import DisabledTrigger, DroppedConstraint, DroppedIndex
from migrations_ui.progress import Progress
from migrations_ui.signing_models import SignOff, SignOffAttempt
from migrations_ui.step_models import Step

__all__ = [
    "Audit",
    "AuditedTable",
    "Chunk",
    "CountRequest",
    "DataCheck",
    "Difference",
    "DisabledTrigger",
    "DroppedConstraint",
    "DroppedIndex",
    "Event",
    "Notification",
    "RejectedRow",
    "Run",
    "SignOff",
    "SignOffAttempt",
    "Step",
    "TableCopy",
    "TableCount",
    "Worker",
]


class Run(models.Model):
    """One copy of a selection of tables from the source to the destination."""

    class Status(models.TextChoices):
        QUEUED = "queued"  # asked for, or to be gone on with; no worker has taken it yet
        RUNNING = "running"  # a worker is on it; `phase` says with what
        PAUSING = "pausing"  # asked to pause; the worker has not acknowledged yet
        PAUSED = "paused"  # nobody is on it; what was taken off stays off
        CANCELLING = "cancelling"  # asked to stop; the worker has not acknowledged yet
        CANCELLED = "cancelled"  # the worker has stopped and put the constraints back
        SUCCEEDED = "succeeded"  # every row arrived and the audit found no difference
        INCOMPLETE = "incomplete"  # rows were set aside, a step failed, only newer rows were read
        FAILED = "failed"  # an error, in the data or in a server
        INTERRUPTED = "interrupted"  # workers vanished: infrastructure, not the data

    class Mode(models.TextChoices):
        COPY = "copy"  # wipes the tables and copies all rows
        CATCH_UP = "catch-up"  # copies again what differs; wipes nothing

    class Phase(models.TextChoices):
        PREFLIGHT = "preflight"
        COMPARE = "compare"
        REPAIR = "repair"
        WIPE = "wipe"
        LOAD = "load"
        INDEXES = "indexes"
        CONSTRAINTS = "constraints"
        SEQUENCES = "sequences"
        STEPS = "steps"
        VERIFY = "verify"
        RESTORE = "restore", "Putting back what was taken off"

    # It holds its destination.
    ACTIVE = (Status.QUEUED, Status.RUNNING, Status.PAUSING, Status.PAUSED, Status.CANCELLING)
    # A worker is on it, and is expected to give signs of life.
    AT_WORK = (Status.RUNNING, Status.PAUSING, Status.CANCELLING)
    # What no page shows but that of a run that has ended: one grows with the number of tables.
    LONG = ("positions", "traceback")
    # It can be gone on with.
    RESUMABLE = (Status.PAUSED, Status.FAILED, Status.CANCELLED, Status.INTERRUPTED)

    status = models.CharField(max_length=12, choices=Status, default=Status.QUEUED)
    phase = models.CharField(max_length=12, choices=Phase, blank=True)
    mode = models.CharField(max_length=12, choices=Mode, default=Mode.COPY)
    reverse = models.BooleanField(
        default=False, help_text="Source and destination are exchanged in this run."
    )
    operator = models.CharField(max_length=254)
    source = models.JSONField(help_text="The source as the operator was shown it.")
    dest = models.JSONField(help_text="The destination as the operator was shown it.")
    active_dest = models.CharField(
        max_length=255,
        unique=True,
        null=True,
        blank=True,
        editable=False,
        help_text="Physical identity of the destination while the run is active, else NULL: "
        "the second active run on one destination fails at INSERT, whoever asks.",
    )
    fingerprint = models.CharField(max_length=64, help_text="SHA-256 of what was confirmed.")
    transforms = models.JSONField(
        default=list, blank=True, help_text="Declared transforms: label.column=name."
    )
    reject_limit = models.PositiveIntegerField(
        default=0, help_text="Refused rows to set aside before the run stops."
    )
    workers = models.PositiveSmallIntegerField(
        default=1, help_text="Chunks that each process loads at once."
    )
    compares_cells = models.BooleanField(
        default=True, help_text="The audit at its end compares every cell, not only the counts."
    )
    newer_only = models.BooleanField(
        default=False, help_text="A catch-up that reads only newer rows, and proves nothing."
    )
    rate_limit = models.PositiveIntegerField(
        null=True, blank=True, help_text="Rows a second that it may read; none: no limit."
    )
    slowed = models.CharField(
        max_length=255, blank=True, help_text="Why it reads more slowly at the moment."
    )
    doing = models.CharField(max_length=255, blank=True, help_text="What it is at, in words.")
    holder = models.CharField(
        max_length=64, blank=True, help_text="The worker that is on it, or was on it last."
    )
    held_by = models.CharField(max_length=64, blank=True, help_text="Who does some of it again.")
    changed_since = models.BooleanField(
        default=False,
        help_text="Its tables were written by somebody else, so it can't be gone on with.",
    )
    takeovers = models.PositiveSmallIntegerField(
        default=0, help_text="Workers that have vanished since a chunk was done."
    )
    retries = models.PositiveIntegerField(
        default=0, help_text="Tries that an error undid which passes by itself."
    )
    last_retry = models.TextField(blank=True, help_text="The last such error.")
    created_at = models.DateTimeField(default=timezone.now)
    started_at = models.DateTimeField(null=True, blank=True)
    heartbeat_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    rows_per_second = models.FloatField(null=True, blank=True, help_text="Over the last seconds.")
    error = models.TextField(blank=True, help_text="What went wrong and what to do next.")
    traceback = models.TextField(blank=True)
    positions = models.JSONField(
        default=dict, blank=True, help_text="Where both sides stood at its start and its end."
    )

    class Meta:
        ordering = ("-id",)
        permissions = (
            ("copy_run", "Can start and cancel runs"),
            ("wipe_destination", "Can confirm the wipe of the destination"),
        )

    def __str__(self) -> str:
        return f"Run {self.pk}"

    def get_absolute_url(self) -> str:
        return reverse("run", args=(self.pk,))

    @property
    def is_active(self) -> bool:
        return self.status in self.ACTIVE

    @property
    def is_at_work(self) -> bool:
        return self.status in self.AT_WORK


class TableCopy(models.Model):
    """One table of a run: what was there, what has arrived."""

    class Status(models.TextChoices):
        WAITING = "waiting"
        COPYING = "copying"
        DONE = "done"
        FAILED = "failed"
        CANCELLED = "cancelled"

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="tables")
    position = models.PositiveIntegerField(help_text="Its place in dependency order, from 0.")
    label = models.CharField(max_length=255)
    table = models.CharField(max_length=255, help_text="The table's name in the destination.")
    status = models.CharField(max_length=12, choices=Status, default=Status.WAITING)
    source_rows = models.BigIntegerField(help_text="Exact count when the run started.")
    dest_rows_before = models.BigIntegerField(help_text="Rows that the operator agreed to wipe.")
    wiped = models.BooleanField(default=False)
    signature = models.JSONField(default=list, help_text="Its columns and their kinds, in order.")
    copied_rows = models.BigIntegerField(default=0)
    rejected_rows = models.BigIntegerField(default=0)
    compared_rows = models.BigIntegerField(default=0, help_text="By a catch-up.")
    changed_rows = models.BigIntegerField(
        null=True, blank=True, help_text="Rows that differed; a catch-up has put them right."
    )
    dest_rows_after = models.BigIntegerField(null=True, blank=True)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    error = models.TextField(blank=True)

    class Meta:
        ordering = ("run", "position")
        constraints = (
            models.UniqueConstraint(fields=("run", "label"), name="one_copy_of_a_table_per_run"),
        )

    def __str__(self) -> str:
        return self.label

    @property
    def shown_status(self) -> str:
        """The status as it looks with the run's own, and with rows that were set aside."""
        if self.status == self.Status.DONE and self.rejected_rows:
            return "incomplete"
        if self.status == self.Status.COPYING and not self.run.is_at_work:
            return "paused" if self.run.status == Run.Status.PAUSED else "waiting"
        if self.status == self.Status.CANCELLED:
            return "stopped" if self.started_at else "not begun"
        return self.status

    @property
    def rows_done(self) -> int:
        """Rows that a copy has written; those that a catch-up has compared."""
        return self.compared_rows if self.run.mode == Run.Mode.CATCH_UP else self.copied_rows

    @property
    def progress(self) -> Progress:
        return Progress(
            self.rows_done,
            self.source_rows,
            finished=self.status == self.Status.DONE and not self.rejected_rows,
        )


class Chunk(models.Model):
    """A part of one table of a run, copied in one transaction by the worker that holds it."""

    class Status(models.TextChoices):
        WAITING = "waiting"
        COPYING = "copying"  # held by a worker whose heartbeat is not too old, or free to be taken
        DONE = "done"

    table = models.ForeignKey(TableCopy, on_delete=models.CASCADE, related_name="chunks")
    position = models.PositiveIntegerField(help_text="Its place in the key's order, from 0.")
    keys = models.JSONField(null=True, help_text="Bounds of its key range; NULL: the whole table.")
    size = models.BigIntegerField(help_text="Bytes, estimated.")
    status = models.CharField(max_length=12, choices=Status, default=Status.WAITING)
    holder = models.CharField(max_length=64, blank=True, help_text="The worker that is at it.")
    heartbeat_at = models.DateTimeField(null=True, blank=True)
    attempts = models.PositiveIntegerField(default=0)
    copied_rows = models.BigIntegerField(default=0)
    rejected_rows = models.BigIntegerField(default=0)

    class Meta:
        ordering = ("table", "position")
        constraints = (
            models.UniqueConstraint(fields=("table", "position"), name="one_chunk_per_position"),
        )
        indexes = (models.Index(fields=("status", "table"), name="chunks_to_claim"),)

    def __str__(self) -> str:
        return f"{self.table} #{self.position}"


class RejectedRow(models.Model):
    """A row that the destination refused, set aside with the reason."""

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="rejected")
    label = models.CharField(max_length=255)
    key = models.TextField(help_text="Its primary key.")
    column = models.CharField(max_length=255, blank=True)
    message = models.TextField(help_text="The server's own words.")
    row = models.BinaryField(help_text="The canonical row.")
    signature = models.JSONField(help_text="What the canonical row holds, in order.")
    arrived_at = models.DateTimeField(null=True, blank=True, help_text="Loaded by a later try.")

    class Meta:
        ordering = ("id",)

    def __str__(self) -> str:
        return f"{self.label} {self.key}"


class Event(models.Model):
    """The timeline of a run: append-only."""

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="events")
    at = models.DateTimeField(default=timezone.now)
    who = models.CharField(max_length=254)
    what = models.TextField()

    class Meta:
        ordering = ("id",)

    def __str__(self) -> str:
        return self.what


class DataCheck(models.Model):
    """A look at the source's values, kept: what of them would not arrive as it is."""

    class Status(models.TextChoices):
        QUEUED = "queued"
        RUNNING = "running"
        FINISHED = "finished"
        FAILED = "failed"

    status = models.CharField(max_length=12, choices=Status, default=Status.QUEUED)
    reverse = models.BooleanField(default=False)
    operator = models.CharField(max_length=254)
    labels = models.JSONField(help_text="The tables that are looked at.")
    doing = models.CharField(max_length=255, blank=True, help_text="The table it is at.")
    heartbeat_at = models.DateTimeField(default=timezone.now)
    schemas = models.JSONField(
        default=dict, help_text="Of each table, SHA-256 of its columns on both databases."
    )
    position = models.JSONField(
        null=True, blank=True, help_text="Where the source stood when the look began."
    )
    findings = models.JSONField(default=list)
    created_at = models.DateTimeField(default=timezone.now)
    finished_at = models.DateTimeField(null=True, blank=True)
    error = models.TextField(blank=True)

    class Meta:
        ordering = ("-id",)

    def __str__(self) -> str:
        return f"Data check {self.pk}"


class TableCount(models.Model):
    """An exact count that a worker made, so that no page ever has to."""

    database = models.CharField(max_length=255, help_text="Physical identity.")
    table = models.CharField(max_length=255)
    rows = models.BigIntegerField()
    counted_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=("database", "table"), name="one_count_per_table"),
        )

    def __str__(self) -> str:
        return f"{self.table}: {self.rows}"


class CountRequest(models.Model):
    """Somebody asked for exact counts; a worker makes them."""

    reverse = models.BooleanField(default=False)
    labels = models.JSONField(help_text="The tables to count.")
    requested_at = models.DateTimeField(default=timezone.now)
    heartbeat_at = models.DateTimeField(null=True, help_text="Of the worker that counts.")
    finished_at = models.DateTimeField(null=True, blank=True)
    error = models.TextField(blank=True)

    class Meta:
        ordering = ("-id",)

    def __str__(self) -> str:
        return f"Count request {self.pk}"
