"""Fills the tables of the fields' variants, of the application's own fields and of the odd keys."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from . import models as nasty
from .models.variants import COLLATED, FIELDS, VARIANTS
from .values import DATETIMES, TEXTS, UUIDS, Pair, values

# Rows of each variant: enough for the values that are not the first ones.
ROWS = 5
FIVE_MEGABYTES = 5 * 1024 * 1024
PICKLES: list[Any] = [None, {"a": (1, 2.5, b"\0")}, ["é😀\\"], frozenset(), 10**30]
WORDS: list[list[str] | None] = [None, [], ["one"], ["tab\there", "\\N", "{a,b}", '"', "NULL"]]
DOCUMENTS: list[Any] = [None, {}, {"b": 1, "a": ["\\", "\t", "😀"]}, 1.5, "text", [None, True]]


def fill(pair: Pair) -> None:
    fill_variants(pair)
    fill_own()
    for number in range(3):
        cells = {f"c{n:03}": f"{n}\t{number}\\" if n % 3 else n * number for n in range(120)}
        nasty.Wide.objects.create(**(cells if number else {}))


def fill_variants(pair: Pair) -> None:
    listed = {name: values(pair)[name] for name in FIELDS}
    null, *listed["json"] = listed["json"]
    nasty.JSONNull.objects.create(json=null)
    for number in range(ROWS):
        row = {name: found[number % len(found)] for name, found in listed.items()}
        for model in VARIANTS:
            names = {field.name for field in model._meta.concrete_fields}
            model._default_manager.create(**{k: v for k, v in row.items() if k in names})
        nasty.Collated.objects.create(**{name: row[name] for name in COLLATED})
    for model in (nasty.Defaulted, nasty.Derived, nasty.Generated):
        model._default_manager.create()


def fill_own() -> None:
    for text in (None, *TEXTS[:20], "x" * 100_000):
        nasty.Own.objects.create(encrypted=text)
    for name, found in (("pickled", PICKLES), ("words", WORDS), ("document", DOCUMENTS)):
        for value in found:
            nasty.Own.objects.create(**{name: value})
    for colour in ("", "#00ff00", "\\\t\n"):
        nasty.Own.objects.create(colour=colour)
    last = None
    for mark in UUIDS:
        nasty.Own.objects.create(mark=mark)
        last = nasty.MarkedKey.objects.create(mark=mark, parent=last)


def fill_keys() -> None:
    row = nasty.OneToOneKey.objects.get(pk="\\N")
    nasty.ToOneToOneKey.objects.create(row=row).others.add(row)
    for number in ("0", "-0.001", "0.1", "999999999.999"):
        nasty.DecimalKey.objects.create(key=Decimal(number))
    last = None
    for moment in DATETIMES:
        last = nasty.MomentKey.objects.create(key=moment, parent=last)


def fill_relations(alice: nasty.Person, bob: nasty.Person) -> None:
    nasty.Friendship.objects.create(one=alice, other=bob)
    nasty.Friendship.objects.create(one=bob, other=bob)
    nasty.Passport.objects.create(person=alice)
    nasty.Passport.objects.create()
    for microsecond in (0, 1, 999_999):
        since = datetime(2020, 1, 1, microsecond=microsecond, tzinfo=UTC)
        nasty.Residence.objects.create(person=alice, since=since, place="\\")
        nasty.Letter.objects.create(person=alice, since=since)
    alice.set_letter_order([letter.pk for letter in alice.letters.order_by("-pk")])
