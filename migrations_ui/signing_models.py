"""The control tables of sign-offs: records that are written once.  See `models`."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from typing import Any, Never

from django.db import models
from django.urls import reverse
from django.utils import timezone


class WrittenOnceError(TypeError):
    """Something tried to change or delete a sign-off."""

    def __init__(self) -> None:
        super().__init__("A sign-off is never changed and never deleted.")


class SignOffs(models.QuerySet["SignOff"]):
    """Sign-offs, which can only be made and read."""

    def update(self, **kwargs: Any) -> Never:
        raise WrittenOnceError

    def delete(self) -> Never:
        raise WrittenOnceError

    def bulk_update(self, *args: Any, **kwargs: Any) -> Never:
        raise WrittenOnceError

    def bulk_create(self, *args: Any, **kwargs: Any) -> Never:
        """It could replace what is there."""
        raise WrittenOnceError

    def _raw_delete(self, using: str | None) -> Never:
        raise WrittenOnceError


def canonical(record: Any) -> str:
    """The one text for a record: sorted keys, no spaces, UTF-8."""
    return json.dumps(record, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def digest(text: str) -> str:
    """The SHA-256 that stands on the record."""
    return hashlib.sha256(text.encode()).hexdigest()


def in_utc(moment: datetime) -> str:
    """A moment as records spell it."""
    return moment.astimezone(UTC).isoformat()


class SignOff(models.Model):
    """An operator's word that an audit is right, with everything that it rests on."""

    audit = models.ForeignKey(
        "migrations_ui.Audit", on_delete=models.PROTECT, related_name="sign_offs"
    )
    run = models.ForeignKey(
        "migrations_ui.Run",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="sign_offs",
    )
    operator = models.CharField(max_length=254)
    signed_at = models.DateTimeField(default=timezone.now)
    # Text, not JSON: the database must not spell it in its own way.
    record = models.TextField(help_text="Canonical JSON.")
    digest = models.CharField(max_length=64, help_text="SHA-256 of the record.")

    objects = SignOffs.as_manager()

    class Meta:
        ordering = ("-id",)
        base_manager_name = "objects"
        default_permissions = ("view",)
        permissions = (("sign_off", "Can sign off audits"),)
        constraints = (
            models.UniqueConstraint(fields=("audit", "operator"), name="one_sign_off_each"),
        )

    def __str__(self) -> str:
        return f"Sign-off {self.pk}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self._state.adding:
            raise WrittenOnceError
        super().save(force_insert=True, using=kwargs.get("using"))

    def delete(self, *args: Any, **kwargs: Any) -> Never:
        raise WrittenOnceError

    def get_absolute_url(self) -> str:
        return reverse("sign_off", args=(self.pk,))

    @property
    def contents(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.record)
        return found

    @property
    def digest_now(self) -> str:
        """The SHA-256 of the record as it is now; another than `digest` where it was changed."""
        return digest(self.record)

    @property
    def is_intact(self) -> bool:
        """Whether the record is, byte for byte, what was signed, and says what the columns say."""
        if self.digest_now != self.digest:
            return False
        try:
            signed = self.contents.get("signed")
        except ValueError:
            return False
        columns = {
            "audit": self.audit_id,
            "operator": self.operator,
            "at": in_utc(self.signed_at),
        }
        return signed == columns


class SignOffAttempt(models.Model):
    """Somebody has typed a password to sign an audit off; never which."""

    audit = models.ForeignKey(
        "migrations_ui.Audit", on_delete=models.CASCADE, related_name="sign_off_attempts"
    )
    operator = models.CharField(max_length=254)
    at = models.DateTimeField(default=timezone.now)
    succeeded = models.BooleanField(default=False)

    class Meta:
        ordering = ("-id",)
        default_permissions = ()
        indexes = (models.Index(fields=("operator", "at"), name="attempts_to_sign_off"),)

    def __str__(self) -> str:
        return f"{self.operator} {self.at}"
