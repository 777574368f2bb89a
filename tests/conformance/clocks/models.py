"""Times of all sorts."""

from __future__ import annotations

from django.db import models


class Tick(models.Model):
    moment = models.DateTimeField(db_index=True)
    day = models.DateField(null=True)
    clock = models.TimeField(null=True)
    saved = models.DateTimeField(auto_now=True)


class Appointment(models.Model):
    """Known by its time."""

    moment = models.DateTimeField(primary_key=True)
    after = models.ForeignKey("self", models.CASCADE, null=True)
