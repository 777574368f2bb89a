"""Relations that make an order impossible, hide rows, or lead nowhere; tables that don't exist."""

from __future__ import annotations

from typing import Any

from django.contrib.contenttypes.fields import GenericForeignKey, GenericRelation
from django.contrib.contenttypes.models import ContentType
from django.db import models

from .keys import StringKey, UUIDKey


class Node(models.Model):
    """Refers to its own table, in circles and to itself."""

    next = models.ForeignKey("self", models.CASCADE, null=True)
    neighbours = models.ManyToManyField("self")
    followers = models.ManyToManyField("self", symmetrical=False, related_name="follows")


class OldNode(Node):
    """A proxy: another class on the same table."""

    class Meta:
        proxy = True


class Hen(models.Model):
    """Hens come from eggs, which come from hens: no order of the two tables is right."""

    hatched_from = models.ForeignKey("Egg", models.CASCADE, null=True, related_name="hatched")


class Egg(models.Model):
    laid_by = models.ForeignKey(Hen, models.CASCADE, related_name="eggs")


class Person(models.Model):
    name = models.CharField(max_length=50)
    clubs = models.ManyToManyField(StringKey, through="Membership")
    friends = models.ManyToManyField("self", through="Friendship")
    tags = GenericRelation("Tagged")  # a column of its own it has none
    uuids = models.ManyToManyField(UUIDKey)
    # Its through table's name is longer than any vendor allows, so Django shortens it.
    names_that_this_person_has_been_known_by_in_the_course_of_a_long_life = models.ManyToManyField(
        StringKey, related_name="+"
    )


class Membership(models.Model):
    """A through table of the application's own, with a column more and a rule."""

    person = models.ForeignKey(Person, models.CASCADE)
    club = models.ForeignKey(StringKey, models.CASCADE)
    since = models.DateField()
    fee = models.DecimalField(max_digits=8, decimal_places=2, default=0)

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=("person", "club"), name="one_membership_a_club"),
            models.CheckConstraint(condition=models.Q(fee__gte=0), name="fee_is_not_negative"),
        )
        indexes = (models.Index(fields=("-since", "club"), name="membership_since"),)


class Friendship(models.Model):
    """A through table whose both ends are the same table."""

    one = models.ForeignKey(Person, models.CASCADE, related_name="+")
    other = models.ForeignKey(Person, models.CASCADE, related_name="+")


class Passport(models.Model):
    """One to one, and perhaps to none."""

    person = models.OneToOneField(Person, models.SET_NULL, null=True)


class Residence(models.Model):
    """A key of two columns, one of which refers to another table."""

    pk = models.CompositePrimaryKey("person_id", "since")
    person = models.ForeignKey(Person, models.CASCADE)
    since = models.DateTimeField()
    place = models.TextField(blank=True)


class Letter(models.Model):
    """Refers to two columns at once, which Django has no constraint for, and is kept in order."""

    person = models.ForeignKey(Person, models.CASCADE, related_name="letters")
    since = models.DateTimeField()
    residence = models.ForeignObject(
        Residence,
        models.DO_NOTHING,
        from_fields=("person", "since"),
        to_fields=("person", "since"),
    )

    class Meta:
        order_with_respect_to = "person"


class Nothing(models.Model):
    """Has no rows, and refers to a table that has."""

    person = models.ForeignKey(Person, models.CASCADE)
    number = models.IntegerField(unique=True)


class Tagged(models.Model):
    """Points at a row of any table: its content type's number must survive."""

    content_type = models.ForeignKey(ContentType, models.CASCADE)
    object_id = models.CharField(max_length=100)
    target = GenericForeignKey()
    tag = models.SlugField()


class Elsewhere(models.Model):
    """References without a constraint, which may rightly lead nowhere."""

    person = models.ForeignKey(Person, models.DO_NOTHING, db_constraint=False)
    uuid = models.ForeignKey(UUIDKey, models.DO_NOTHING, db_constraint=False, null=True)


class Visible(models.Manager["HiddenRows"]):
    def get_queryset(self) -> models.QuerySet[HiddenRows]:
        return super().get_queryset().filter(deleted=False)


class HiddenRows(models.Model):
    """The default manager, and the base manager with it, show only some of the rows."""

    name = models.CharField(max_length=20)
    deleted = models.BooleanField(default=False)
    objects = Visible()
    all_rows: models.Manager[HiddenRows] = models.Manager()

    class Meta:
        base_manager_name = "objects"


class Backwards(models.TextField):
    """Converts what it reads and changes what it saves: the column must be copied as it is."""

    def from_db_value(self, value: str | None, *context: Any) -> str | None:
        return None if value is None else value[::-1]

    def get_prep_value(self, value: Any) -> Any:
        return None if value is None else value[::-1]

    def pre_save(self, model_instance: models.Model, add: bool) -> Any:
        return f"saved {super().pre_save(model_instance, add)}"


class Anything(models.Model):
    backwards = Backwards(null=True)


class Many(models.Model):
    """Enough rows for more than one batch of anything."""

    number = models.IntegerField(unique=True)
    text = models.CharField(max_length=60)


class SwitchedOff(models.Model):
    """Unmanaged: somebody else's table, which need not exist."""

    name = models.CharField(max_length=20)

    class Meta:
        managed = False


class Card(models.Model):
    """Swapped out by the project's settings: it has no table."""

    number = models.IntegerField()

    class Meta:
        swappable = "NASTY_CARD_MODEL"


class LoyaltyCard(models.Model):
    number = models.IntegerField()
    points = models.IntegerField(default=0)
