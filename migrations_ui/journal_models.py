"""The control tables of what was taken off a destination.  See `models`.

Each is written before that is done, so that it can always be put back.
"""

from __future__ import annotations

from django.db import models


class Entry(models.Model):
    """Something of a table that a run has taken off, and whether it is back."""

    table = models.CharField(max_length=255)
    name = models.CharField(max_length=255)
    restored_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        abstract = True
        ordering = ("id",)

    def __str__(self) -> str:
        return f"{self.table}.{self.name}"


class DroppedConstraint(Entry):
    """The journal: written before a constraint is dropped, so that it can always be put back."""

    run = models.ForeignKey(
        "migrations_ui.Run", on_delete=models.CASCADE, related_name="dropped_constraints"
    )
    definition = models.TextField(help_text="The statement that puts it back.")
    facts = models.JSONField(default=dict, help_text="All that the database says of it.")


class DroppedIndex(Entry):
    """The journal of indexes, as of constraints."""

    run = models.ForeignKey(
        "migrations_ui.Run", on_delete=models.CASCADE, related_name="dropped_indexes"
    )
    facts = models.TextField(help_text="All that puts it back exactly as it was, as JSON.")


class DisabledTrigger(Entry):
    """The journal of triggers that are switched off, as of constraints."""

    run = models.ForeignKey(
        "migrations_ui.Run", on_delete=models.CASCADE, related_name="disabled_triggers"
    )
    facts = models.JSONField(help_text="All that switches it on as it was.")
