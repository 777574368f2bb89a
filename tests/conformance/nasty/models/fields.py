"""Every built-in field type: nullable, required, computed by the database."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Upper


class Everything(models.Model):
    """One nullable column of every field type."""

    note = models.CharField(max_length=100, help_text="Which value this row is about.")
    binary = models.BinaryField(null=True)
    boolean = models.BooleanField(null=True)
    char = models.CharField(max_length=255, null=True)
    date = models.DateField(null=True)
    datetime = models.DateTimeField(null=True)
    decimal = models.DecimalField(max_digits=15, decimal_places=4, null=True)
    decimal_narrow = models.DecimalField(max_digits=3, decimal_places=2, null=True)
    decimal_whole = models.DecimalField(max_digits=15, decimal_places=0, null=True)
    decimal_wide = models.DecimalField(max_digits=38, decimal_places=18, null=True)
    duration = models.DurationField(null=True)
    email = models.EmailField(null=True)
    file = models.FileField(upload_to="files", null=True)
    file_path = models.FilePathField(path="/", null=True)
    float = models.FloatField(null=True)
    image = models.ImageField(upload_to="images", null=True)
    integer = models.IntegerField(null=True)
    integer_big = models.BigIntegerField(null=True)
    integer_small = models.SmallIntegerField(null=True)
    ip = models.GenericIPAddressField(null=True)
    ip4 = models.GenericIPAddressField(protocol="IPv4", null=True)
    ip6 = models.GenericIPAddressField(protocol="IPv6", null=True)
    json = models.JSONField(null=True)
    positive = models.PositiveIntegerField(null=True)
    positive_big = models.PositiveBigIntegerField(null=True)
    positive_small = models.PositiveSmallIntegerField(null=True)
    slug = models.SlugField(null=True)
    text = models.TextField(null=True)
    time = models.TimeField(null=True)
    url = models.URLField(null=True)
    uuid = models.UUIDField(null=True)

    class Meta:
        verbose_name_plural = "everything"


class Required(models.Model):
    """The field types whose empty value differs from NULL, required; clocks that must not fire."""

    binary = models.BinaryField()
    boolean = models.BooleanField()
    char = models.CharField(max_length=20, blank=True)
    json = models.JSONField(default=dict)
    text = models.TextField(blank=True)
    created = models.DateTimeField(auto_now_add=True)
    updated = models.DateTimeField(auto_now=True)
    day = models.DateField(auto_now=True)


class Computed(models.Model):
    """Columns that the database computes: nobody may write them."""

    total = models.GeneratedField(
        expression=models.F("price") * models.F("quantity"),
        output_field=models.IntegerField(),
        db_persist=True,
    )
    price = models.IntegerField()
    shout = models.GeneratedField(
        expression=Upper("name"), output_field=models.CharField(max_length=50), db_persist=True
    )
    quantity = models.IntegerField()
    name = models.CharField(max_length=50)
