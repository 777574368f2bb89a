"""Which rows go into which table of an empty, migrated destination."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import count, product
from random import Random

from django.contrib.admin.models import LogEntry
from django.contrib.auth.hashers import PBKDF2PasswordHasher
from django.contrib.auth.models import Group, Permission, User
from django.contrib.contenttypes.models import ContentType
from django.db.models import Model

from dashboard.demo import rows, words
from dashboard.demo.models import Domain, ExternalSystem, Pid, Policy, Proxy, Target

# Accounts that could sign in to the registry, all with the password "registry"; the rest could not.
KNOWN_PASSWORDS = 3


@dataclass(frozen=True)
class Table:
    """A table, its columns by field name, and its rows."""

    model: type[Model]
    fields: tuple[str, ...]
    rows: Iterable[rows.Row]

    @property
    def name(self) -> str:
        return self.model._meta.db_table

    @property
    def columns(self) -> list[str]:
        columns = {field.name: str(field.column) for field in self.model._meta.concrete_fields}
        return [columns[name] for name in self.fields]


def sample(size: rows.Size, alias: str) -> Iterator[Table]:
    """Every table of the sample, in an order that satisfies the foreign keys between them.

    Content types and permissions are those that `migrate` made in the database `alias`.
    """
    yield from people(size, alias)
    yield from registry(size)
    types = ContentType.objects.using(alias).filter(app_label="registry")
    keys = dict(types.values_list("model", "pk"))
    yield Table(
        LogEntry,
        ("id", "action_time", "user", "content_type", "object_id", "object_repr", "action_flag")
        + ("change_message",),
        rows.log_entries(Random("log entries"), size, keys),
    )


def people(size: rows.Size, alias: str) -> Iterator[Table]:
    """Groups, users and what they may do."""
    groups, accounts = range(1, len(words.GROUPS) + 1), range(1, size.users + 1)
    permissions = Permission.objects.using(alias).filter(content_type__app_label="registry")
    granted = list(permissions.order_by("codename").values_list("pk", flat=True))
    yield Table(Group, ("id", "name"), enumerate(words.GROUPS, start=1))
    yield Table(
        Group.permissions.through,
        ("id", "group", "permission"),
        numbered((g, p) for g, (i, p) in product(groups, enumerate(granted)) if i % g == 0),
    )
    yield Table(
        User,
        ("id", "password", "last_login", "is_superuser", "username", "first_name", "last_name")
        + ("email", "is_staff", "is_active", "date_joined"),
        rows.users(Random("users"), size.users, password_hashes()),
    )
    yield Table(
        User.groups.through,
        ("id", "user", "group"),
        numbered((user, g) for user, g in product(accounts, groups) if user % (g + 1) == 0),
    )
    yield Table(
        User.user_permissions.through,
        ("id", "user", "permission"),
        numbered((user, granted[user % len(granted)]) for user in accounts if user % 8 == 0),
    )


def registry(size: rows.Size) -> Iterator[Table]:
    """The registry's own tables."""
    yield Table(
        ExternalSystem,
        ("id", "name", "key_field", "base_url", "options"),
        rows.external_systems(),
    )
    yield Table(
        Policy,
        ("id", "title", "commitment", "yearly_fee", "effective_on", "review_on", "created_at"),
        rows.policies(Random("policies")),
    )
    yield Table(
        Domain,
        ("id", "name", "parent", "policy", "is_public", "quota", "updated_at"),
        rows.domains(Random("domains"), size.domains),
    )
    yield Table(Domain.curators.through, ("id", "domain", "user"), rows.curators(size))
    yield Table(Proxy, ("id", "name", "transform", "is_default"), rows.proxies())
    yield Table(
        Pid,
        ("id", "pid", "uuid", "name", "domain", "creator", "editor", "external_system")
        + ("external_key", "policy", "is_active", "storage_cost", "size", "embargo_until")
        + ("metadata", "created_at", "updated_at"),
        rows.pids(Random("pids"), size),
    )
    yield Table(
        Target,
        ("id", "pid", "noid", "uri", "qualify", "proxy", "is_active", "checked_at")
        + ("status_code", "latency"),
        rows.targets(Random("targets"), size),
    )


def password_hashes() -> list[str]:
    """Real hashes, the same ones each time: their salts are fixed."""
    hasher = PBKDF2PasswordHasher()
    return [hasher.encode("registry", f"sampleregistry{i:08}") for i in range(KNOWN_PASSWORDS)]


def numbered(pairs: Iterable[rows.Row]) -> Iterator[rows.Row]:
    return ((key, *pair) for key, pair in zip(count(1), pairs))
