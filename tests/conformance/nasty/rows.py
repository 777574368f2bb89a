"""Fills every table of the nasty project, through the ORM, as its own application would."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Any

from django.contrib.auth.models import Group, Permission, User
from django.contrib.contenttypes.models import ContentType
from django.db import connection, models

from . import models as nasty
from . import variant_rows
from .values import TEXTS, UUIDS, Pair, values

# As many rows as make more than one batch of anything.
MANY = 5_000

STRING_KEYS = [
    "",
    " leading",
    "trailing ",
    "a/b?c#d&e=f",
    "back\\slash\\",
    "\\N",
    "\\.",
    "comma,semicolon;",
    "emoji 😀",
    "new\nline",
    "percent %s %%",
    "quote ' \" `",
    "tab\there",
    "ключ",
    "x" * 100,
]


def fill(pair: Pair) -> None:
    """Every table gets rows; the order is one in which foreign keys hold."""
    fill_fields(pair)
    fill_keys(pair)
    fill_relations()
    fill_names()
    variant_rows.fill(pair)


def fill_fields(pair: Pair) -> None:
    nasty.Everything.objects.create(note="every column NULL")
    for field, listed in values(pair).items():
        for number, value in enumerate(listed):
            nasty.Everything.objects.create(note=f"{field} {number}", **{field: value})
    for number, text in enumerate(TEXTS):
        raw = text.encode()
        nasty.Required.objects.create(
            binary=raw, boolean=bool(number % 2), char=text[:20], json=[text], text=text
        )
    # The past, which a copy that saved rows through the ORM would overwrite.
    nasty.Required.objects.update(
        created="2001-02-03T04:05:06.789Z", updated="2002-03-04T05:06:07.8Z", day="2003-04-05"
    )
    nasty.Computed.objects.bulk_create(
        nasty.Computed(price=price, quantity=3, name=f"thing {price}\\") for price in (-5, 0, 7)
    )


def fill_keys(pair: Pair) -> None:
    zero = [] if pair.source == "mysql" else [0]  # Django itself refuses to save a 0 there
    for model, largest in (
        (nasty.AutoKey, 2**31 - 2),
        (nasty.BigAutoKey, 2**63 - 2),
        (nasty.SmallAutoKey, 2**15 - 2),
    ):
        gaps = (key for key in (10**6, 10**12) if key < largest)
        for key in (-(largest + 2), -7, *zero, 1, 2, 5, 1000, *gaps, largest):
            model._default_manager.create(pk=key, name=f"key {key}"[:20])
    fill_uuid_keys()
    for number, text in enumerate(STRING_KEYS):
        nasty.StringKey.objects.create(key=text, code=f"\\{number}'")
    strings = list(nasty.StringKey.objects.all())
    for one, other in zip(strings, reversed(strings), strict=True):
        nasty.ToField.objects.create(by_code=one, by_key=other)
        nasty.OneToOneKey.objects.create(string=one, name="one\tto one")
        for number in (-1, 0, 1):
            nasty.CompositeKey.objects.create(tenant=one.key[:19], number=number, name="part")
    fill_parents()
    variant_rows.fill_keys()


def fill_uuid_keys() -> None:
    """The first refers to the last, so that no order of the rows is right."""
    last = nasty.UUIDKey(pk=UUIDS[-1])
    for key in UUIDS[:-1]:
        nasty.UUIDKey.objects.create(pk=key)
    last.save(force_insert=True)
    nasty.UUIDKey.objects.filter(pk=UUIDS[0]).update(parent=last)


def fill_parents() -> None:
    """Parents with and without children: the three tables' keys don't match one to one."""
    for number in range(6):
        common = {"name": f"number {number}"}
        if number % 3 == 0:
            nasty.Vehicle.objects.create(**common)
        elif number % 3 == 1:
            nasty.WheeledVehicle.objects.create(**common, wheels=number)
        else:
            nasty.Wheelbarrow.objects.create(**common, wheels=1, colour="grün")


def fill_relations() -> None:
    nodes = [nasty.Node.objects.create() for _ in range(5)]
    for node, following in zip(nodes, nodes[1:] + nodes[:1], strict=True):
        node.next = following
        node.save()
        node.neighbours.add(following)
        node.followers.add(node, following)
    narcissus = nasty.Node.objects.create()
    nasty.Node.objects.filter(pk=narcissus.pk).update(next=narcissus)
    hen = nasty.Hen.objects.create()
    egg = nasty.Egg.objects.create(laid_by=hen)
    nasty.Hen.objects.filter(pk=hen.pk).update(hatched_from=egg)
    fill_people()
    nasty.HiddenRows.objects.create(name="seen")
    nasty.HiddenRows.objects.create(name="hidden", deleted=True)
    for text in (None, "", "forwards", "\\N"):
        nasty.Anything.objects.create(backwards=text)
    nasty.LoyaltyCard.objects.create(number=1)
    nasty.Many.objects.bulk_create(
        (nasty.Many(number=-number, text=f"row\t{number}\\") for number in range(MANY)),
        batch_size=1000,
    )


def fill_people() -> None:
    strings = list(nasty.StringKey.objects.order_by("code"))
    for number, name in enumerate(("alice", "bob", "charlie")):
        person = nasty.Person.objects.create(name=name)
        for string in strings[number::2]:
            nasty.Membership.objects.create(
                person=person, club=string, since=date(1999, 12, 31), fee=Decimal(number) / 4
            )
        person.uuids.set(UUIDS[number:])
        person.names_that_this_person_has_been_known_by_in_the_course_of_a_long_life.set(strings)
        fill_tags(person, strings[number])
        nasty.Elsewhere.objects.create(person=person)
    nasty.Elsewhere.objects.create(person_id=987_654_321, uuid_id="f" * 32)
    variant_rows.fill_relations(*nasty.Person.objects.order_by("pk")[:2])
    user = User.objects.create_user("dora", password=None)
    group = Group.objects.create(name="everyone")
    group.permissions.set(Permission.objects.filter(content_type__app_label="nasty"))
    user.groups.add(group)


def fill_tags(*targets: models.Model) -> None:
    for target in targets:
        kind = ContentType.objects.get_for_model(target)
        nasty.Tagged.objects.create(content_type=kind, object_id=str(target.pk), tag="tag")


def fill_names() -> None:
    first = nasty.Select.objects.create(table="from", where="where", primary=1)
    nasty.Select.objects.create(table="", where="\\", primary=-1, order=first)
    spaced = nasty.Spaces.objects.create(name="a name")
    spaced.self = spaced
    spaced.save()
    spaced.many.add(first)
    nasty.Quoted.objects.create(name="o'clock", backslash="\\")
    # The ORM itself can't write to a column with a percent sign in its name.
    quote = connection.ops.quote_name
    table, column = quote(nasty.Percent._meta.db_table), quote("100%s")
    with connection.cursor() as cursor:
        cursor.execute(f"INSERT INTO {table} ({column}) VALUES ('5%')", None)
    nasty.Capitals.objects.create(name="Name", NUMBER=1)
    nasty.Unicode.objects.create(name="größer", ключ=1)
    nasty.AModelWhoseNameIsFarLongerThanTheNameThatAnyDatabaseAllowsForATable.objects.create(
        name="long"
    )


def fill_stale() -> None:
    """What a rehearsal left in the destination: the copy must remove it first."""
    nasty.Many.objects.bulk_create(
        nasty.Many(pk=10_000 + number, number=-number, text="stale") for number in range(50)
    )
    nasty.HiddenRows.objects.create(name="stale and hidden", deleted=True)
    stale = nasty.StringKey.objects.create(key="stale", code="\\0'")
    person = nasty.Person.objects.create(pk=77, name="stale")
    nasty.Membership.objects.create(person=person, club=stale, since=date(2000, 1, 1))
    person.uuids.add(nasty.UUIDKey.objects.create())
    node = nasty.Node.objects.create(pk=99)
    node.next = node
    node.save()
    hen = nasty.Hen.objects.create(pk=1)
    nasty.Hen.objects.filter(pk=1).update(hatched_from=nasty.Egg.objects.create(laid_by=hen))


def insert_after() -> Iterator[dict[str, Any]]:
    """Insert one row a sequence, as the application will after the cutover, and tell its key."""
    yield insert(nasty.AutoKey, name="new")
    yield insert(nasty.BigAutoKey, name="new")
    yield insert(nasty.SmallAutoKey, name="new")
    yield insert(nasty.Many, number=1, text="new")
    yield insert(nasty.Vehicle, name="new")
    yield insert(nasty.Node)
    yield insert(ContentType, app_label="new", model="new")
    yield insert(nasty.Person, name="new")
    person = nasty.Person.objects.get(name="new")
    yield insert(nasty.Person.uuids.through, person=person, uuidkey_id=UUIDS[0])


def insert(model: type[models.Model], /, **columns: Any) -> dict[str, Any]:
    rows = model._default_manager
    largest = rows.aggregate(largest=models.Max("pk"))["largest"]
    return {
        "label": model._meta.label,
        "largest": largest,
        "next": rows.create(**columns).pk,
    }
