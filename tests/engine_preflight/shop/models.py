"""Models without migrations: tests make their tables with Django's own schema editor."""

# Nobody ever sees an instance, and NULL beside the empty text is on purpose.
# ruff: noqa: DJ001, DJ008

from __future__ import annotations

from django.db import models
from django.db.models.functions import Lower


class Customer(models.Model):
    email = models.EmailField(unique=True)
    name = models.CharField(max_length=80, db_index=True)
    slug = models.SlugField(max_length=60)
    note = models.TextField(db_index=True)
    is_active = models.BooleanField(default=True)
    credit = models.IntegerField(db_default=5)
    friends = models.ManyToManyField("self")
    data = models.JSONField(default=dict)

    class Meta:
        app_label = "shop"
        constraints = (
            models.UniqueConstraint(Lower("email"), name="email_in_any_case"),
            models.UniqueConstraint(
                fields=("name",), condition=models.Q(is_active=True), name="one_active_of_a_name"
            ),
        )


class Order(models.Model):
    customer = models.ForeignKey(Customer, models.CASCADE)
    referrer = models.ForeignKey(
        Customer, models.DO_NOTHING, null=True, db_constraint=False, related_name="+"
    )
    number = models.PositiveIntegerField()
    total = models.DecimalField(max_digits=10, decimal_places=2)
    placed_at = models.DateTimeField()
    status = models.CharField(max_length=20, default="new")
    voucher = models.CharField(max_length=20, null=True)
    large = models.GeneratedField(
        expression=models.F("number") + 1, output_field=models.BigIntegerField(), db_persist=True
    )

    class Meta:
        app_label = "shop"
        db_table = "the Orders"
        unique_together = (("customer", "number"),)
        indexes = (
            models.Index(fields=("-placed_at", "customer"), name="latest_of_a_customer"),
            models.Index(fields=("status",), condition=models.Q(number__gt=9), name="status_9"),
            models.Index(models.F("total") + 1, name="total_plus_one"),
            models.Index(fields=("number",), include=("total",), name="number_with_total"),
        )
        constraints = (
            models.CheckConstraint(condition=models.Q(total__gte=0), name="total_not_negative"),
            models.UniqueConstraint(
                fields=("placed_at", "status"),
                name="later",
                deferrable=models.Deferrable.DEFERRED,
            ),
            models.UniqueConstraint(
                fields=("status", "total"), include=("voucher",), name="covering"
            ),
            models.UniqueConstraint(
                fields=("voucher", "number"), nulls_distinct=False, name="no_two_nulls"
            ),
        )


class Invoice(models.Model):
    """Its key is another table's, and its foreign key begins a unique constraint."""

    order = models.OneToOneField(Order, models.CASCADE, primary_key=True)
    payer = models.ForeignKey(Customer, models.CASCADE, to_field="email", db_index=False)
    paid = models.BooleanField(default=False)
    token = models.UUIDField(null=True)

    class Meta:
        app_label = "shop"


class Parcel(models.Model):
    pk = models.CompositePrimaryKey("order_number", "box")
    order_number = models.IntegerField()
    box = models.SmallIntegerField()

    class Meta:
        app_label = "shop"


class Ledger(models.Model):
    """Somebody else's table."""

    entry = models.CharField(max_length=20)

    class Meta:
        app_label = "shop"
        managed = False
