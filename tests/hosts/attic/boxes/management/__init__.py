"""Rows that the attic makes after each migrate, in whatever database."""

from typing import Any

from django.db.models.signals import post_migrate
from django.dispatch import receiver


@receiver(post_migrate)
def pack_a_box(**kwargs: Any) -> None:
    raise RuntimeError("This is not the attic's migrate.")
