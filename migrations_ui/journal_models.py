"""The control tables of what was taken off a destination.  See `models`.

Each is written before that is done, so that it can always be put back.
"""

from __future__ import annotations

from django.db import models


class DroppedConstraint(models.Model):
    """The journal: written before a constraint is dropped, so that it can always be put back."""

    run = models.ForeignKey(
        "migrations_ui.Run", on_delete=models.CASCADE, related_name="dropped_constraints"
    )
    table = models.CharField(max_length=255)
    name = models.CharField(max_length=255)
    definition = models.TextField(help_text="The statement that puts it back.")
    facts = models.JSONField(default=dict, help_text="All that the database says of it.")
    restored_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("id",)

    def __str__(self) -> str:
        return f"{self.table}.{self.name}"


class DroppedIndex(models.Model):
    """The journal of indexes, as of constraints."""

    run = models.ForeignKey(
        "migrations_ui.Run", on_delete=models.CASCADE, related_name="dropped_indexes"
    )
    table = models.CharField(max_length=255)
    name = models.CharField(max_length=255)
    facts = models.TextField(help_text="All that puts it back exactly as it was, as JSON.")
    restored_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("id",)

    def __str__(self) -> str:
        return f"{self.table}.{self.name}"


class DisabledTrigger(models.Model):
    """The journal of triggers that are switched off, as of constraints."""

    run = models.ForeignKey(
        "migrations_ui.Run", on_delete=models.CASCADE, related_name="disabled_triggers"
    )
    table = models.CharField(max_length=255)
    name = models.CharField(max_length=255)
    facts = models.JSONField(help_text="All that switches it on as it was.")
    restored_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("id",)

    def __str__(self) -> str:
        return f"{self.table}.{self.name}"
