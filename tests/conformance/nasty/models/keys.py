"""Every shape of a primary key."""

from __future__ import annotations

import uuid

from django.db import models


class AutoKey(models.Model):
    id = models.AutoField(primary_key=True)
    name = models.CharField(max_length=20, db_index=True)


class BigAutoKey(models.Model):
    id = models.BigAutoField(primary_key=True)
    name = models.CharField(max_length=20, unique=True)


class SmallAutoKey(models.Model):
    id = models.SmallAutoField(primary_key=True)
    name = models.CharField(max_length=20)


class UUIDKey(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    parent = models.ForeignKey("self", models.CASCADE, null=True)


class StringKey(models.Model):
    """A key of any characters, and a second one that others refer to."""

    key = models.CharField(max_length=100, primary_key=True)
    code = models.CharField(max_length=40, unique=True)


class ToField(models.Model):
    """Refers to a column that is not the primary key."""

    by_code = models.ForeignKey(StringKey, models.CASCADE, to_field="code", related_name="+")
    by_key = models.ForeignKey(StringKey, models.CASCADE, related_name="+")


class CompositeKey(models.Model):
    pk = models.CompositePrimaryKey("tenant", "number")
    tenant = models.CharField(max_length=20)
    number = models.IntegerField()
    name = models.CharField(max_length=20)


class OneToOneKey(models.Model):
    string = models.OneToOneField(StringKey, models.CASCADE, primary_key=True)
    name = models.CharField(max_length=20)


class ToOneToOneKey(models.Model):
    """The type of its key is found two references away."""

    row = models.OneToOneField(OneToOneKey, models.CASCADE, primary_key=True)
    others = models.ManyToManyField(OneToOneKey, related_name="+")


class DecimalKey(models.Model):
    key = models.DecimalField(max_digits=12, decimal_places=3, primary_key=True)


class MomentKey(models.Model):
    key = models.DateTimeField(primary_key=True)
    parent = models.ForeignKey("self", models.CASCADE, null=True)


class Vehicle(models.Model):
    name = models.CharField(max_length=20)


class WheeledVehicle(Vehicle):
    wheels = models.IntegerField()


class Wheelbarrow(WheeledVehicle):
    """The third table of a chain: its key is its parent's, which is its grandparent's."""

    colour = models.CharField(max_length=20)
