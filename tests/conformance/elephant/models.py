"""What PostgreSQL alone has: Django's fields for it, and types for which Django has no field."""

from __future__ import annotations

from typing import Any

from django.contrib.postgres import fields
from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchVector, SearchVectorField
from django.db import models


class Typed(models.Field):
    """A column of any type, read and written as the driver does."""

    def __init__(self, *args: Any, type: str = "", **options: Any) -> None:  # noqa: A002  # its name in the migrations
        self.type = type
        super().__init__(*args, **options)

    def deconstruct(self) -> tuple[Any, ...]:
        name, path, args, options = super().deconstruct()
        return name, path, args, {**options, "type": self.type}

    def db_type(self, connection: Any) -> str:
        return self.type


class Own(models.Model):
    """A nullable column of each field that `django.contrib.postgres` has."""

    words = fields.ArrayField(models.CharField(max_length=50, null=True), null=True)
    nested = fields.ArrayField(fields.ArrayField(models.IntegerField(null=True)), null=True)
    floats = fields.ArrayField(models.FloatField(), size=3, null=True)
    moments = fields.ArrayField(models.DateTimeField(), null=True)
    blobs = fields.ArrayField(models.BinaryField(), null=True)
    marks = fields.ArrayField(models.UUIDField(), null=True)
    pairs = fields.HStoreField(null=True)
    integers = fields.IntegerRangeField(null=True)
    big_integers = fields.BigIntegerRangeField(null=True)
    decimals = fields.DecimalRangeField(null=True)
    days = fields.DateRangeField(null=True)
    times = fields.DateTimeRangeField(null=True)
    case_insensitive = models.CharField(
        max_length=50, db_collation="case_insensitive", unique=True, null=True
    )
    vector = SearchVectorField(null=True)
    text = models.TextField(null=True)
    searched = models.GeneratedField(
        expression=SearchVector("text", config="english"),
        output_field=SearchVectorField(),
        db_persist=True,
    )

    class Meta:
        indexes = (GinIndex(fields=["vector"], name="own_vector"),)


class Booking(models.Model):
    """No two bookings of a room overlap."""

    room = models.IntegerField()
    during = fields.DateTimeRangeField()

    class Meta:
        constraints = (
            ExclusionConstraint(
                name="one_booking_at_a_time",
                expressions=[("room", "="), ("during", "&&")],
            ),
        )


class Foreign(models.Model):
    """Types for which Django has no field of its own."""

    citext = Typed(type="citext", unique=True, null=True)
    json = Typed(type="json", null=True)
    mood = Typed(type="mood", null=True)
    short = Typed(type="short", null=True)
    bits = Typed(type="bit(3)", null=True)
    money = Typed(type="money", null=True)
    network = Typed(type="cidr", null=True)
    card = Typed(type="macaddr", null=True)
    point = Typed(type="point", null=True)
    clock = Typed(type="timetz", null=True)
    moment = Typed(type="timestamp(0) without time zone", null=True)
    padded = Typed(type="char(10)", null=True)
    any_decimal = Typed(type="numeric", null=True)
    single = Typed(type="real", null=True)
    ranges = Typed(type="int4multirange", null=True)
    letters = Typed(type='"char"', null=True)
    name = Typed(type="name", null=True)
    xml = Typed(type="xml", null=True)
    number = Typed(type="oid", null=True)
