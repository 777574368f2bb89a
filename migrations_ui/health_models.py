"""The control tables of the workers and of what is told to people outside.  See `models`."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from django.db import models
from django.db.models.functions import Now
from django.utils import timezone


class ControlClock(Now):
    """The control database's own clock: the clocks of several machines need not agree."""

    def as_mysql(self, compiler: Any, connection: Any, **extra: Any) -> Any:
        # Not the session's time zone, which Django leaves as the server has it.
        return self.as_sql(compiler, connection, template="UTC_TIMESTAMP(6)", **extra)


class Worker(models.Model):
    """A process that takes tasks from the queue; the row goes when the process ends in order."""

    host = models.CharField(max_length=255)
    pid = models.PositiveIntegerField()
    version = models.CharField(max_length=64, help_text="Of the code that it runs.")
    queue = models.CharField(
        max_length=32, blank=True, help_text="Which queue it takes from; blank: it can't reach it."
    )
    doing = models.CharField(max_length=255, blank=True, help_text="The tasks that it is at.")
    started_at = models.DateTimeField(default=timezone.now)
    heartbeat_at = models.DateTimeField()

    class Meta:
        ordering = ("started_at", "id")
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.host}, process {self.pid}"


class Notification(models.Model):
    """Something to tell by one channel: written with the change that it tells of, sent after it."""

    class Channel(models.TextChoices):
        EMAIL = "email", "e-mail"
        WEBHOOK = "webhook", "webhook"

    class Status(models.TextChoices):
        WAITING = "waiting"  # for its first try, or for the next one
        SENDING = "sending"  # a process is at it; after a while another one may try
        SENT = "sent"
        FAILED = "failed"  # given up after the last try

    run = models.ForeignKey(
        "migrations_ui.Run", on_delete=models.CASCADE, null=True, related_name="notifications"
    )
    audit = models.ForeignKey(
        "migrations_ui.Audit", on_delete=models.CASCADE, null=True, related_name="notifications"
    )
    uuid = models.UUIDField(default=uuid4, unique=True, help_text="So that a receiver knows it.")
    about = models.CharField(max_length=64, help_text="The change; each is told once by a channel.")
    channel = models.CharField(max_length=8, choices=Channel)
    status = models.CharField(max_length=8, choices=Status, default=Status.WAITING)
    event = models.CharField(max_length=32, help_text="run.failed, audit.finished …")
    contents = models.JSONField(help_text="What is told; no credentials and no values of rows.")
    tries = models.PositiveSmallIntegerField(default=0)
    due_at = models.DateTimeField(default=timezone.now, help_text="Not to be tried before.")
    created_at = models.DateTimeField(default=timezone.now)
    sent_at = models.DateTimeField(null=True, blank=True)
    error = models.TextField(blank=True, help_text="Why the last try failed.")

    class Meta:
        ordering = ("id",)
        default_permissions = ()
        constraints = (
            models.UniqueConstraint(fields=("about", "channel"), name="one_telling_per_channel"),
        )
        indexes = (models.Index(fields=("status", "due_at"), name="notifications_due"),)

    def __str__(self) -> str:
        return f"{self.event} by {self.get_channel_display()}"
