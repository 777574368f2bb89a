"""Tables and columns whose names want quoting, or are too long for the vendor."""

from __future__ import annotations

from django.db import models


class Select(models.Model):
    """Reserved words all over."""

    table = models.CharField(max_length=20, db_column="table")
    where = models.CharField(max_length=20, db_column="from")
    primary = models.IntegerField(db_column="primary", db_index=True)
    order = models.ForeignKey("self", models.CASCADE, null=True, db_column="order")

    class Meta:
        db_table = "select"


class Spaces(models.Model):
    name = models.CharField(max_length=20, db_column="the name", unique=True)
    self = models.ForeignKey("self", models.CASCADE, null=True, db_column="its own row")
    many = models.ManyToManyField(Select, db_table="spaces and select")

    class Meta:
        db_table = "spaced; -- table"


class Quoted(models.Model):
    name = models.CharField(max_length=20, db_column="it's")
    backslash = models.CharField(max_length=20, db_column="back\\slash")

    class Meta:
        db_table = "o'clock\\"


class Percent(models.Model):
    name = models.CharField(max_length=20, db_column="100%s")

    class Meta:
        db_table = "50% of (x)s"


class Capitals(models.Model):
    name = models.CharField(max_length=20, db_column="Name")
    NUMBER = models.IntegerField()

    class Meta:
        db_table = "MixedCase"


class Unicode(models.Model):
    name = models.CharField(max_length=20, db_column="größe")
    ключ = models.IntegerField(db_index=True)

    class Meta:
        db_table = "таблица_表"


class AModelWhoseNameIsFarLongerThanTheNameThatAnyDatabaseAllowsForATable(models.Model):
    """Django shortens its table's name by the limit of the vendor, so it differs by vendor."""

    name = models.CharField(max_length=20)

    class Meta:
        verbose_name = "long name"
