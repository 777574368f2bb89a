"""Who signs in, and where their accounts live.

Operators are rows of the host's user model.  There is one rule about where:

*If the user model's own tables can be made in the control database, operators live there;
otherwise they sign in with the staff accounts of the source.*

The tables can be made when every column is of one of Django's own field types and no column demands
a row of another of the host's tables; `obstacles()` names what is in the way.  Only the model's own
tables are made, from the models as they are now: no migration of the host's runs in the control
database, since it may hold SQL, extensions and data, and nothing else of the host's schema goes
there.  Optional relations to the host's other tables become plain columns, which stay empty.

In the control database operators are made by `createsuperuser` and have Django's permissions, and
the source's accounts do not sign in.  With accounts of the source, superusers may do everything and
other staff may look; nothing is written to the source, neither the time of a sign-in nor a
stronger hash of a password.
"""

from __future__ import annotations

import time
from functools import cache, wraps
from typing import Any, cast

from django.apps import apps
from django.contrib.admin.models import LogEntry
from django.contrib.auth import get_permission_codename, get_user_model
from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.hashers import check_password, make_password
from django.core.exceptions import ValidationError
from django.db import DatabaseError, transaction
from django.db.backends.sqlite3.base import DatabaseWrapper
from django.db.models import Field, ForeignKey, Model
from django.http import HttpRequest
from django.utils import timezone

from migrations_ui.recall import memory

# Apps whose ordinary migrations run in the control database.
CONTROL_APPS = ("contenttypes", "auth", "sessions", "migrations_ui")

# Seconds for which an account of the source is not read again, and for which it is good while the
# source can't be reached: pages that are polled must not depend on the server being moved.
FRESH = 30
KEPT = 15 * 60

UNREACHABLE = (
    "Your account is in the source database, which can't be reached now. Check that its server "
    "runs and that SOURCE_DATABASE_URL is right."
)


# Where accounts live.


@cache
def live_in_control() -> bool:
    """Whether operators are rows of the control database, rather than of the source."""
    return not obstacles()


@cache
def obstacles() -> tuple[str, ...]:
    """Why the user model's tables can't be made in the control database; empty if they can."""
    found = [problem for model in user_models() for problem in model_problems(model)]
    model = get_user_model()
    relations = [name for name in model.REQUIRED_FIELDS if model._meta.get_field(name).is_relation]
    found += [f"{name} is required, and leads to another table" for name in relations]
    return tuple(dict.fromkeys(found))


def user_models() -> list[type[Model]]:
    """The user model and the models that it inherits tables from, those first."""
    # Only abstract models have no concrete model.
    model = cast("type[Model]", get_user_model()._meta.concrete_model)
    return [*reversed(model._meta.all_parents), model]


def model_problems(model: type[Model]) -> list[str]:
    problems = [text for field in model._meta.local_fields if (text := field_problem(field))]
    if not model._meta.managed:
        problems.append(f"{model._meta.label} is unmanaged")
    if '"' in model._meta.db_table:
        problems.append(f"{model._meta.label} names a schema in its db_table")
    return problems


def field_problem(field: Field[Any, Any]) -> str:
    """Why the field can't be a column of the control database; "" if it can."""
    if isinstance(field, ForeignKey):
        if field.null or lives_in_control(field.remote_field.model):
            return field_problem(field.target_field) and not_plain(field)
        return f"{field} needs a row of {field.remote_field.model._meta.label}"
    own_type = type(field).db_type.__module__.partition(".")[0] == "django"
    if own_type and field.get_internal_type() in DatabaseWrapper.data_types:
        return ""
    return not_plain(field)


def not_plain(field: Field[Any, Any]) -> str:
    return f"{field} is a {type(field).__name__}, not one of Django's own field types"


def lives_in_control(model: type[Model]) -> bool:
    """Whether the model's table is in the control database, if the user model's tables are."""
    return model._meta.app_label in CONTROL_APPS or model in user_models()


# What is made in the control database beside the migrations of CONTROL_APPS.


@cache
def models() -> tuple[type[Model], ...]:
    """The models whose tables are made from the models themselves, those first that others need.

    The admin's log is among them: it refers to the user model, so that its migrations may need the
    host's.
    """
    if not live_in_control():
        return ()
    made = [model for model in user_models() if model._meta.app_label not in CONTROL_APPS]
    return (*made, *(through for model in made for through in relation_tables(model)), LogEntry)


def relation_tables(model: type[Model]) -> list[type[Model]]:
    """The many-to-many tables of the model that lead to models of the control database."""
    fields: list[Any] = [
        field
        for field in model._meta.local_many_to_many
        if lives_in_control(field.remote_field.model)
    ]
    through = [field.remote_field.through for field in fields]
    return [model for model in through if model._meta.auto_created]


def save_without_host(model: type[Model]) -> None:
    """Let an operator be saved as Django does it where the host's own `save` fails.

    It may write to a table of the host's that the control database does not have.
    """
    by_host: Any = model.save
    by_django: Any = next(
        vars(class_)["save"]
        for class_ in model.__mro__
        if "save" in vars(class_) and class_.__module__.startswith("django.")
    )
    if by_host is by_django:
        return

    @wraps(by_host)
    def save(self: Model, *args: Any, **kwargs: Any) -> None:
        before = self.pk, self._state.adding
        try:
            with transaction.atomic(using=kwargs.get("using")):
                by_host(self, *args, **kwargs)
        except DatabaseError:
            self.pk, self._state.adding = before
            by_django(self, *args, **kwargs)

    model.save = save  # type: ignore[method-assign]


# Signing in.


class OperatorBackend(ModelBackend):
    """Django's own backend where operators live in the control database; else read-only."""

    def authenticate(
        self,
        request: HttpRequest | None,
        username: str | None = None,
        password: str | None = None,
        **kwargs: Any,
    ) -> Any:
        if live_in_control():
            return super().authenticate(request, username, password, **kwargs)
        username = username or kwargs.get(get_user_model().USERNAME_FIELD)
        if username is None or password is None:
            return None
        try:
            user = source_account(username=username)
        except DatabaseError as error:
            raise ValidationError(UNREACHABLE) from error
        return self.verified(user, password)

    def verified(self, user: Any, password: str) -> Any:
        """The user, if this is their password.

        Not `user.check_password()`, which saves the password again where its hash is old.
        """
        if user is None:
            make_password(password)  # takes as long as a check, so that it tells nothing
            return None
        right = check_password(password, user.password)
        return user if right and self.user_can_authenticate(user) else None

    def get_user(self, user_id: Any) -> Any:
        if live_in_control():
            return super().get_user(user_id)
        user = remembered_account(user_id)
        return user if user is not None and self.user_can_authenticate(user) else None

    def get_user_permissions(self, user_obj: Any, obj: Model | None = None) -> set[str]:
        if live_in_control():
            return super().get_user_permissions(user_obj, obj)
        if obj is not None or not user_obj.is_active or not getattr(user_obj, "is_staff", False):
            return set()
        superuser = getattr(user_obj, "is_superuser", False)
        return permissions("view") | (everything() if superuser else set())

    def get_group_permissions(self, user_obj: Any, obj: Model | None = None) -> set[str]:
        return super().get_group_permissions(user_obj, obj) if live_in_control() else set()


def permissions(action: str) -> set[str]:
    """The permissions to do one of Django's four actions to any of our models."""
    return {
        f"migrations_ui.{get_permission_codename(action, model._meta)}"
        for model in apps.get_app_config("migrations_ui").get_models()
    }


def everything() -> set[str]:
    return {
        f"migrations_ui.{codename}"
        for model in apps.get_app_config("migrations_ui").get_models()
        for codename, _ in model._meta.permissions
    }


def source_account(*, username: str) -> Any:
    """The account in the source, as the host's own manager finds it."""
    model = get_user_model()
    try:
        return model._default_manager.db_manager("source").get_by_natural_key(username)
    except model.DoesNotExist:
        return None


def remembered_account(user_id: Any) -> Any:
    """The account in the source, read at most every FRESH seconds.

    While the source can't be reached the account is good for KEPT seconds since it was last read,
    in the process that read it.
    """
    key, now = f"operator {user_id}", time.time()
    user, read_at, tried_at = memory.get(key, (None, 0, 0))
    if now - tried_at < FRESH:
        return user
    try:
        user = get_user_model()._default_manager.using("source").filter(pk=user_id).first()
        read_at = now
    except DatabaseError:
        if user is None:
            return None
    memory.set(key, (user, read_at, now), KEPT - (now - read_at))
    return user


def record_sign_in(sender: type[Any], user: Any, **kwargs: Any) -> None:
    """Note the time of a sign-in, unless the account is the source's.

    By UPDATE: the user model's own `save()` may do more than a dashboard should.
    """
    if user._state.db != "source" and hasattr(user, "last_login"):
        sender._base_manager.filter(pk=user.pk).update(last_login=timezone.now())
