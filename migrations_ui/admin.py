"""The admin of operators: who may look, run and wipe.

Runs and audits are not here: their pages show them, and nobody edits them.
"""

from __future__ import annotations

from collections.abc import Iterable

from django.contrib.auth import get_user_model
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group
from django.core.exceptions import FieldDoesNotExist
from django.db.models import Model
from django.http import HttpRequest

from dashboard import operators
from migrations_ui.site import site

__all__ = ["site"]

User = get_user_model()


def existing(names: Iterable[str]) -> tuple[str, ...]:
    """Those of the names that are fields of the host's user model."""
    return tuple(name for name in names if _is_field(User, name))


def _is_field(model: type[Model], name: str) -> bool:
    try:
        model._meta.get_field(name)
    except FieldDoesNotExist:
        return False
    return True


class Kept:
    """Nobody is deleted, but switched off: host tables that may refer to them are not here."""

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


class OperatorAdmin(Kept, UserAdmin):  # type: ignore[type-arg]  # generic in the stubs only
    """Django's own, for a user model of any make: only the fields that decide who may do what."""

    list_display = (User.USERNAME_FIELD, *existing(("is_active", "is_staff", "is_superuser")))
    list_filter = existing(("is_active", "is_staff", "is_superuser", "groups"))
    search_fields = (User.USERNAME_FIELD,)
    ordering = (User.USERNAME_FIELD,)
    filter_horizontal = existing(("groups", "user_permissions"))
    fieldsets = (
        (None, {"fields": (User.USERNAME_FIELD, "password", *existing(User.REQUIRED_FIELDS))}),
        (
            "What this operator may do",
            {
                "fields": existing(
                    ("is_active", "is_staff", "is_superuser", "groups", "user_permissions")
                )
            },
        ),
    )
    add_fieldsets = (
        (
            None,
            {
                "classes": ("wide",),
                "fields": (
                    User.USERNAME_FIELD,
                    *existing(User.REQUIRED_FIELDS),
                    "usable_password",
                    "password1",
                    "password2",
                ),
            },
        ),
    )


class OperatorGroupAdmin(Kept, GroupAdmin):
    """Groups, for which the same is true."""


if operators.live_in_control():
    site.register(User, OperatorAdmin)
    site.register(Group, OperatorGroupAdmin)
