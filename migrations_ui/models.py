"""The control tables: what was asked, what is being done, what was found.

They live in the control database only.  They are the truth about a run; the task queue merely
delivers wake-ups.  Nothing here refers to the host's user model by foreign key, because operators
may sign in with accounts that live in the source: an operator is recorded by name.
"""

from __future__ import annotations

from django.db import models
from django.urls import reverse
from django.utils import timezone

from migrations_ui.progress import Progress


class Run(models.Model):
    """One copy of a selection of tables from the source to the destination."""

    class Status(models.TextChoices):
        QUEUED = "queued"  # asked for; no worker has taken it yet
        RUNNING = "running"  # a worker is on it; `phase` says with what
        CANCELLING = "cancelling"  # asked to stop; the worker has not acknowledged yet
        CANCELLED = "cancelled"  # the worker has stopped and put the constraints back
        SUCCEEDED = "succeeded"  # every row arrived and the counts agree
        INCOMPLETE = "incomplete"  # all has arrived but the rows that were set aside
        FAILED = "failed"  # an error, in the data or in a server
        INTERRUPTED = "interrupted"  # the worker vanished: infrastructure, not the data

    class Phase(models.TextChoices):
        PREFLIGHT = "preflight"
        WIPE = "wipe"
        LOAD = "load"
        CONSTRAINTS = "constraints"
        SEQUENCES = "sequences"
        VERIFY = "verify"

    ACTIVE = (Status.QUEUED, Status.RUNNING, Status.CANCELLING)

    status = models.CharField(max_length=12, choices=Status, default=Status.QUEUED)
    phase = models.CharField(max_length=12, choices=Phase, blank=True)
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
    created_at = models.DateTimeField(default=timezone.now)
    started_at = models.DateTimeField(null=True, blank=True)
    heartbeat_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    rows_per_second = models.FloatField(null=True, blank=True, help_text="Over the last seconds.")
    error = models.TextField(blank=True, help_text="What went wrong and what to do next.")
    traceback = models.TextField(blank=True)

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
    copied_rows = models.BigIntegerField(default=0)
    rejected_rows = models.BigIntegerField(default=0)
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
    def progress(self) -> Progress:
        return Progress(
            self.copied_rows,
            self.source_rows,
            finished=self.status == self.Status.DONE and not self.rejected_rows,
        )


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


class DroppedConstraint(models.Model):
    """The journal: written before a constraint is dropped, so that it can always be put back."""

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="dropped_constraints")
    table = models.CharField(max_length=255)
    name = models.CharField(max_length=255)
    definition = models.TextField(help_text="The statement that puts it back.")
    restored_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("id",)

    def __str__(self) -> str:
        return f"{self.table}.{self.name}"


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
    findings = models.JSONField(default=list)
    created_at = models.DateTimeField(default=timezone.now)
    finished_at = models.DateTimeField(null=True, blank=True)
    error = models.TextField(blank=True)

    class Meta:
        ordering = ("-id",)

    def __str__(self) -> str:
        return f"Data check {self.pk}"


class Audit(models.Model):
    """A comparison of the two sides, kept for good."""

    class Status(models.TextChoices):
        QUEUED = "queued"
        RUNNING = "running"
        FINISHED = "finished"
        FAILED = "failed"

    class Verdict(models.TextChoices):
        """Ordered from best to worst; an audit's verdict is its worst table's."""

        COUNTS_ONLY = "counts-only", "counts only"  # counts agree; cells were not compared
        NOT_CHECKED = "not-checked", "not checked"
        DIFFERS = "differs", "differs"

    run = models.ForeignKey(
        Run, on_delete=models.SET_NULL, null=True, blank=True, related_name="audits"
    )
    status = models.CharField(max_length=12, choices=Status, default=Status.QUEUED)
    verdict = models.CharField(max_length=12, choices=Verdict, default=Verdict.NOT_CHECKED)
    reverse = models.BooleanField(default=False)
    operator = models.CharField(max_length=254)
    source = models.JSONField()
    dest = models.JSONField()
    created_at = models.DateTimeField(default=timezone.now)
    finished_at = models.DateTimeField(null=True, blank=True)
    error = models.TextField(blank=True)

    class Meta:
        ordering = ("-id",)

    def __str__(self) -> str:
        return f"Audit {self.pk}"

    def get_absolute_url(self) -> str:
        return reverse("audit", args=(self.pk,))


class AuditedTable(models.Model):
    """One table of an audit."""

    audit = models.ForeignKey(Audit, on_delete=models.CASCADE, related_name="tables")
    position = models.PositiveIntegerField()
    label = models.CharField(max_length=255)
    table = models.CharField(max_length=255)
    source_rows_before = models.BigIntegerField(null=True, blank=True)
    dest_rows_before = models.BigIntegerField(null=True, blank=True)
    source_rows = models.BigIntegerField(null=True, blank=True)
    dest_rows = models.BigIntegerField(null=True, blank=True)
    max_key = models.BigIntegerField(null=True, blank=True, help_text="Largest key, destination.")
    next_source = models.BigIntegerField(null=True, blank=True, help_text="Next key, source.")
    next_dest = models.BigIntegerField(null=True, blank=True, help_text="Next key, destination.")
    verdict = models.CharField(
        max_length=12, choices=Audit.Verdict, default=Audit.Verdict.NOT_CHECKED
    )
    problem = models.TextField(blank=True, help_text="What differs, in words.")
    sequence_problem = models.BooleanField(default=False, help_text="The next key is wrong.")

    class Meta:
        ordering = ("audit", "position")

    def __str__(self) -> str:
        return self.label

    @property
    def difference(self) -> int | None:
        """Destination minus source, in rows; None until both are counted."""
        if self.source_rows is None or self.dest_rows is None:
            return None
        return self.dest_rows - self.source_rows


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
    finished_at = models.DateTimeField(null=True, blank=True)
    error = models.TextField(blank=True)

    class Meta:
        ordering = ("-id",)

    def __str__(self) -> str:
        return f"Count request {self.pk}"
