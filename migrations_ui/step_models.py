"""The control table of the steps after a copy.  See `models`."""

from __future__ import annotations

from django.db import models


class Step(models.Model):
    """A command or a function of the host project's, run against the destination after a copy."""

    class Status(models.TextChoices):
        WAITING = "waiting"
        QUEUED = "queued"  # asked for again; no worker has taken it yet
        RUNNING = "running"
        SUCCEEDED = "succeeded"
        FAILED = "failed"

    run = models.ForeignKey("migrations_ui.Run", on_delete=models.CASCADE, related_name="steps")
    position = models.PositiveIntegerField(help_text="Its place in the order, from 0.")
    words = models.JSONField(help_text="The command and its arguments.")
    status = models.CharField(max_length=12, choices=Status, default=Status.WAITING)
    attempts = models.PositiveIntegerField(default=0)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    exit_status = models.IntegerField(null=True, blank=True)
    output = models.TextField(blank=True, help_text="What it printed: the beginning and the end.")
    error = models.TextField(blank=True, help_text="Why it failed, in words.")
    changed = models.JSONField(
        default=list, blank=True, help_text="Labels of tables of the run that it has written."
    )

    class Meta:
        ordering = ("run", "position")
        default_permissions = ()
        constraints = (
            models.UniqueConstraint(fields=("run", "position"), name="one_step_per_position"),
        )

    def __str__(self) -> str:
        return " ".join(self.words)
