"""Boxes, and a system check that judges the attic's site."""

from typing import Any

from django.core.checks import CheckMessage, Error, register
from django.db import models


class Box(models.Model):
    label = models.CharField(max_length=50, unique=True)
    packed = models.DateTimeField()

    def __str__(self) -> str:
        return self.label


@register
def attic_needs_its_middleware(**kwargs: Any) -> list[CheckMessage]:
    return [Error("The attic's middleware is missing.", id="boxes.E001")]
