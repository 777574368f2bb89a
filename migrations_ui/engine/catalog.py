"""Which tables there are, and in which order: concrete managed models and through tables."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from django.apps import apps
from django.contrib.sessions.base_session import AbstractBaseSession
from django.db.backends.utils import truncate_name
from django.db.models import Field, Model

# `migrate` makes rows in these; everything else refers to them.
FIRST = ("contenttypes.ContentType", "auth.Permission", "auth.Group")

# The limits by which a name may have been shortened: PostgreSQL's, MySQL's, Oracle's.
LIMITS = (63, 64, 30)

SESSIONS = "Sessions are left out: after the cutover everyone signs in again."


@dataclass(frozen=True, eq=False)
class Table:
    """A model's table, as the models describe it."""

    label: str
    app_label: str
    app_name: str
    name: str
    model: type[Model]
    names: tuple[str, ...]  # the table's full name, as Django may have spelt it
    fields: tuple[Field[Any, Any], ...]
    references: frozenset[str]  # labels of the tables that its foreign keys lead to
    left_out: str = ""  # why it isn't copied unless it is asked for by name

    @property
    def key(self) -> tuple[str, ...]:
        """The columns of the primary key."""
        return tuple(str(field.column) for field in self.model._meta.pk_fields)

    @property
    def auto_column(self) -> str | None:
        """The column whose values the database hands out."""
        field = self.model._meta.auto_field
        return str(field.column) if field is not None and field in self.fields else None


def tables(app_names: Collection[str], vendors: Collection[str] = ()) -> list[Table]:
    """All tables of the apps with these package names, what is referenced before what refers.

    `vendors` are those of the source and the destination: what only one of them may have is left
    out.
    """
    found = {
        model._meta.label: make_table(model, vendors)
        for model in apps.get_models(include_auto_created=True)
        if is_copied(model, app_names)
    }
    return list(in_order(found))


def is_copied(model: type[Model], app_names: Collection[str]) -> bool:
    """Whether the model has a table of its own that the host's migrations make."""
    options = model._meta
    kept = options.managed and not options.proxy and not options.swapped
    return kept and options.app_config.name in app_names


def make_table(model: type[Model], vendors: Collection[str] = ()) -> Table:
    """Describe a model's table."""
    options = model._meta
    fields = tuple(options.local_concrete_fields)
    return Table(
        label=options.label,
        app_label=options.app_label,
        app_name=str(options.app_config.verbose_name),
        name=readable_name(model),
        model=model,
        names=possible_names(model),
        fields=fields,
        references=frozenset(
            concrete._meta.label
            for field in fields
            if isinstance(related := field.related_model, type)
            and (concrete := related._meta.concrete_model)
        ),
        left_out=SESSIONS if issubclass(model, AbstractBaseSession) else elsewhere(model, vendors),
    )


def elsewhere(model: type[Model], vendors: Collection[str]) -> str:
    """Why not both vendors have the model's table, or nothing."""
    owner = owner_of(model)
    vendor = (owner[0] if owner else model)._meta.required_db_vendor
    return f"Only {vendor} has this table." if vendor and set(vendors) - {vendor} else ""


def owner_of(model: type[Model]) -> tuple[type[Model], str] | None:
    """The model and the field for which Django made this through table; None for other models."""
    owner: Any = model._meta.auto_created  # django-stubs know it as a flag only
    if not owner:
        return None
    return owner, model.__name__.removeprefix(f"{owner.__name__}_")


def readable_name(model: type[Model]) -> str:
    """ "Users", or "Users: groups" for a through table that Django made."""
    if made_for := owner_of(model):
        owner, field = made_for
        return f"{capitalised(str(owner._meta.verbose_name_plural))}: {field.replace('_', ' ')}"
    return capitalised(str(model._meta.verbose_name_plural))


def capitalised(text: str) -> str:
    return text[:1].upper() + text[1:]


def possible_names(model: type[Model]) -> tuple[str, ...]:
    """The table's name, and its full name where that was shortened to it.

    Django shortens a name that it makes up to what the *default* connection takes, which need not
    be the limit of the database that holds the table.
    """
    options = model._meta
    if made_for := owner_of(model):
        owner, field = made_for
        full = f"{owner._meta.db_table.strip(chr(34))}_{field}"
    else:
        full = f"{options.app_label}_{options.model_name}"
    if full != options.db_table and options.db_table in shortened(full):
        return options.db_table, full
    return (options.db_table,)


def shortened(name: str) -> tuple[str, ...]:
    """The name as Django and the servers shorten it: to a hash, or cut to 63 bytes."""
    hashed = (truncate_name(name, limit) for limit in LIMITS)
    return (*hashed, name.encode()[:63].decode(errors="ignore"))


def in_order(found: dict[str, Table]) -> Iterator[Table]:
    """Depth first over the references; a cycle is entered where it is met first."""
    seen: set[str] = set()
    starts = [label for label in FIRST if label in found] + list(found)
    for start in starts:
        stack = [(start, iter(sorted(found[start].references)))] if start not in seen else []
        seen.add(start)
        while stack:
            label, references = stack[-1]
            following = next((r for r in references if r in found and r not in seen), None)
            if following is None:
                stack.pop()
                yield found[label]
            else:
                seen.add(following)
                stack.append((following, iter(sorted(found[following].references))))


def referring(chosen: Collection[str], everything: Iterable[Table]) -> dict[str, list[str]]:
    """For each chosen label, the labels outside the choice that refer to it."""
    reach: dict[str, list[str]] = {}
    for table in everything:
        if table.label not in chosen:
            for label in table.references & set(chosen):
                reach.setdefault(label, []).append(table.label)
    return reach
