"""The control tables of audits: what was compared, and what was found.  See `models`."""

from __future__ import annotations

from datetime import datetime

from django.db import models
from django.urls import reverse
from django.utils import timezone

from migrations_ui.progress import Progress


class Audit(models.Model):
    """A comparison of the two sides, kept for good."""

    class Status(models.TextChoices):
        QUEUED = "queued"
        RUNNING = "running"
        CANCELLING = "cancelling"  # asked to stop; the worker has not acknowledged yet
        CANCELLED = "cancelled"
        FINISHED = "finished"
        FAILED = "failed"

    class Verdict(models.TextChoices):
        """Ordered from best to worst; an audit's verdict is its worst table's."""

        IDENTICAL = "identical", "identical"
        DECLARED = "identical-but-for-transforms", "identical but for declared transforms"
        COMPUTED = "identical-but-for-computed", "identical but for computed columns"
        COUNTS_ONLY = "counts-only", "counts only"  # counts agree; cells were not compared
        NOT_CHECKED = "not-checked", "not checked"
        DIFFERS = "differs", "differs"

    ACTIVE = (Status.QUEUED, Status.RUNNING, Status.CANCELLING)
    GREEN = (Verdict.IDENTICAL, Verdict.DECLARED, Verdict.COMPUTED)

    run = models.ForeignKey(
        "migrations_ui.Run", on_delete=models.SET_NULL, null=True, blank=True, related_name="audits"
    )
    status = models.CharField(max_length=12, choices=Status, default=Status.QUEUED)
    verdict = models.CharField(max_length=32, choices=Verdict, default=Verdict.NOT_CHECKED)
    counts_only = models.BooleanField(default=False, help_text="Cells are not compared.")
    workers = models.PositiveSmallIntegerField(
        default=2, help_text="Parts of tables that are compared at once."
    )
    reverse = models.BooleanField(default=False)
    operator = models.CharField(max_length=254)
    source = models.JSONField()
    dest = models.JSONField()
    transforms = models.JSONField(
        default=list, blank=True, help_text="Declared transforms that were applied."
    )
    structure = models.JSONField(
        default=list, blank=True, help_text="What belongs to no table: what, verdict, message."
    )
    created_at = models.DateTimeField(default=timezone.now)
    started_at = models.DateTimeField(null=True, blank=True)
    heartbeat_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    rows_per_second = models.FloatField(null=True, blank=True, help_text="Over the last seconds.")
    doing = models.CharField(max_length=255, blank=True, help_text="What it is at, in words.")
    positions = models.JSONField(
        default=dict, blank=True, help_text="Where both sides stood at its start and its end."
    )
    error = models.TextField(blank=True)

    class Meta:
        ordering = ("-id",)

    def __str__(self) -> str:
        return f"Audit {self.pk}"

    def get_absolute_url(self) -> str:
        return reverse("audit", args=(self.pk,))

    @property
    def is_active(self) -> bool:
        return self.status in self.ACTIVE

    @property
    def as_of(self) -> datetime | None:
        """When it began to look at the sides: its verdict says nothing of what came later."""
        starts = [kept["start"] for kept in self.positions.values() if "start" in kept]
        taken = [datetime.fromisoformat(start["taken_at"]) for start in starts]
        return min(taken, default=self.started_at)

    @property
    def is_green(self) -> bool:
        """Finished, and nothing differs but what was declared to, or what was never copied."""
        return self.status == self.Status.FINISHED and self.verdict in self.GREEN


class AuditedTable(models.Model):
    """One table of an audit."""

    class Status(models.TextChoices):
        WAITING = "waiting"
        COMPARING = "comparing"
        DONE = "done"

    audit = models.ForeignKey(Audit, on_delete=models.CASCADE, related_name="tables")
    position = models.PositiveIntegerField()
    label = models.CharField(max_length=255)
    table = models.CharField(max_length=255)
    status = models.CharField(max_length=12, choices=Status, default=Status.WAITING)
    expected_rows = models.BigIntegerField(
        null=True, blank=True, help_text="About how many rows the source has."
    )
    compared_rows = models.BigIntegerField(default=0)
    source_rows_before = models.BigIntegerField(null=True, blank=True)
    dest_rows_before = models.BigIntegerField(null=True, blank=True)
    source_rows = models.BigIntegerField(null=True, blank=True)
    dest_rows = models.BigIntegerField(null=True, blank=True)
    missing = models.BigIntegerField(null=True, blank=True, help_text="Rows.")
    extra = models.BigIntegerField(null=True, blank=True, help_text="Rows.")
    different = models.BigIntegerField(null=True, blank=True, help_text="Rows.")
    computed = models.BigIntegerField(
        default=0, help_text="Rows in which only columns differ that both databases compute."
    )
    rejected = models.BigIntegerField(
        null=True, blank=True, help_text="Missing rows that a run has set aside."
    )
    source_digest = models.CharField(max_length=64, blank=True, help_text="Of its canonical rows.")
    dest_digest = models.CharField(max_length=64, blank=True)
    max_key = models.BigIntegerField(null=True, blank=True, help_text="Largest key, destination.")
    next_source = models.BigIntegerField(null=True, blank=True, help_text="Next key, source.")
    next_dest = models.BigIntegerField(null=True, blank=True, help_text="Next key, destination.")
    transforms = models.JSONField(default=list, blank=True, help_text="Applied to this table.")
    structure = models.JSONField(default=list, blank=True, help_text="what, verdict, message.")
    verdict = models.CharField(
        max_length=32, choices=Audit.Verdict, default=Audit.Verdict.NOT_CHECKED
    )
    problem = models.TextField(blank=True, help_text="What differs, in words.")
    other_problem = models.TextField(
        blank=True, help_text="What differs besides the rows that a run has set aside."
    )

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

    @property
    def is_green(self) -> bool:
        return self.verdict in Audit.GREEN

    @property
    def is_repairable(self) -> bool:
        """Whether it differs in more than rows that a run has set aside, which a repair leaves."""
        aside = self.rejected and not self.other_problem
        return self.verdict == Audit.Verdict.DIFFERS and not aside

    @property
    def progress(self) -> Progress:
        return Progress(
            self.compared_rows, self.expected_rows, finished=self.status == self.Status.DONE
        )


class Difference(models.Model):
    """A cell that differs, or a row that one side lacks, as the audit has seen it."""

    class What(models.TextChoices):
        MISSING = "missing"  # the source has the row, the destination doesn't
        EXTRA = "extra"  # the destination has the row, the source doesn't
        DIFFERENT = "different"
        COMPUTED = "computed"  # by each database itself, and differently

    table = models.ForeignKey(AuditedTable, on_delete=models.CASCADE, related_name="differences")
    what = models.CharField(max_length=12, choices=What)
    key = models.TextField()
    column = models.CharField(max_length=255, blank=True, help_text="Blank: the whole row.")
    source = models.TextField(null=True, blank=True)  # noqa: DJ001  # NULL: no row, or SQL's NULL
    dest = models.TextField(null=True, blank=True)  # noqa: DJ001  # as the source
    at = models.PositiveBigIntegerField(default=0, help_text="Byte at which the values begin.")
    size = models.PositiveBigIntegerField(help_text="Bytes of the longer value, in full.")

    class Meta:
        ordering = ("id",)

    def __str__(self) -> str:
        return f"{self.table} {self.key} {self.column}".strip()

    @property
    def is_whole_row(self) -> bool:
        return self.what in (self.What.MISSING, self.What.EXTRA)
