"""Every built-in field, with each of the options that change its column or what it holds."""

from __future__ import annotations

from typing import Any

from django.db import models

from ..values import VALUES

# By the names under which `VALUES` has what they hold.
FIELDS: dict[str, tuple[type[models.Field], dict[str, Any]]] = {
    "binary": (models.BinaryField, {}),
    "boolean": (models.BooleanField, {}),
    "char": (models.CharField, {"max_length": 255}),
    "date": (models.DateField, {}),
    "datetime": (models.DateTimeField, {}),
    "decimal": (models.DecimalField, {"max_digits": 15, "decimal_places": 4}),
    "duration": (models.DurationField, {}),
    "email": (models.EmailField, {}),
    "file": (models.FileField, {"upload_to": "files"}),
    "file_path": (models.FilePathField, {"path": "/"}),
    "float": (models.FloatField, {}),
    "image": (models.ImageField, {"upload_to": "images"}),
    "integer": (models.IntegerField, {}),
    "integer_big": (models.BigIntegerField, {}),
    "integer_small": (models.SmallIntegerField, {}),
    "ip": (models.GenericIPAddressField, {}),
    "json": (models.JSONField, {}),
    "positive": (models.PositiveIntegerField, {}),
    "positive_big": (models.PositiveBigIntegerField, {}),
    "positive_small": (models.PositiveSmallIntegerField, {}),
    "slug": (models.SlugField, {}),
    "text": (models.TextField, {}),
    "time": (models.TimeField, {}),
    "url": (models.URLField, {}),
    "uuid": (models.UUIDField, {}),
}
COLLATIONS = {"postgresql": "C", "mysql": "utf8mb4_bin", "sqlite": "NOCASE"}
UNCHOSEN = ("binary", "json")  # Django takes no choices for them
COLLATED = ("char", "email", "file_path", "slug", "text", "url")


def example(name: str) -> Any:
    """One of the field's values, for a default or a choice; not the empty one."""
    if name == "json":
        return {"a": ["\\", "é", None]}
    return next(value for value in reversed(VALUES[name][:2]) if value not in ("", b"", " "))


def made(name: str, **options: Any) -> models.Field:
    kind, fixed = FIELDS[name]
    return kind(**fixed, **options)


def model(name: str, **fields: models.Field) -> type[models.Model]:
    return type(name, (models.Model,), {"__module__": __name__, **fields})


class OwnCollation:
    """`db_collation` has one name, and vendors have none in common: the field chooses."""

    def db_parameters(self, connection: Any) -> dict[str, Any]:
        parameters = super().db_parameters(connection)
        return {**parameters, "collation": COLLATIONS[connection.vendor]}


def subclass(prefix: str, kind: type[models.Field], *mixins: type) -> type[models.Field]:
    """A class of this module's own, as an application would derive it; migrations import it."""
    name = f"{prefix}{kind.__name__}"
    globals()[name] = type(name, (*mixins, kind), {"__module__": __name__})
    return globals()[name]


# Required columns, without any option.
Plain = model("Plain", **{name: made(name) for name in FIELDS})
Chosen = model(
    "Chosen",
    **{
        name: made(name, blank=name != "ip", choices=[(example(name), "the example")])
        for name in FIELDS
        if name not in UNCHOSEN
    },
)
Commented = model("Commented", **{name: made(name, db_comment='it\'s \\ "odd"') for name in FIELDS})
# The database fills in what is left out.
Defaulted = model("Defaulted", **{name: made(name, db_default=example(name)) for name in FIELDS})
Indexed = model(
    "Indexed",
    **{name: made(name, db_index=True) for name in FIELDS if name not in ("binary", "json")},
)
# The same column twice, once written by the application and once computed by the database.
Generated = model(
    "Generated",
    **{name: made(name, null=True) for name in FIELDS},
    **{
        f"{name}_again": models.GeneratedField(
            expression=models.F(name), output_field=made(name), db_persist=True
        )
        for name in FIELDS
        if name != "image"  # it wants a package even where nobody opens an image
    },
)
Collated = model(
    "Collated",
    **{
        name: subclass("Collated", FIELDS[name][0], OwnCollation)(**FIELDS[name][1])
        for name in COLLATED
    },
)
# An application's own subclass of every built-in field, with nothing of its own.
Derived = model(
    "Derived",
    **{name: subclass("Own", kind)(null=True, **fixed) for name, (kind, fixed) in FIELDS.items()},
)
# A required column that holds JSON's null, which is not SQL's.
JSONNull = model("JSONNull", json=models.JSONField())
# More columns than one expression of SQLite takes, and than most people have seen.
Wide = model(
    "Wide",
    **{
        f"c{number:03}": models.CharField(max_length=8, null=True)
        if number % 3
        else models.IntegerField(null=True)
        for number in range(120)
    },
)
# Those that have the columns of `FIELDS` under the same names.
VARIANTS = (Plain, Chosen, Commented, Defaulted, Indexed, Generated, Derived)
