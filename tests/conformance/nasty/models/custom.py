"""Fields of the application's own: they convert, encrypt, pickle, and name types of their own."""

from __future__ import annotations

import base64
import json
import pickle
import uuid
from typing import Any

from django.db import models


class Encrypted(models.TextField):
    """Unreadable in the database: the column must be copied as it is."""

    key = b"not much of a secret"

    def from_db_value(self, value: str | None, *context: Any) -> str | None:
        return None if value is None else self.turned(base64.b64decode(value)).decode()

    def get_prep_value(self, value: Any) -> Any:
        return None if value is None else base64.b64encode(self.turned(value.encode())).decode()

    def turned(self, value: bytes) -> bytes:
        return bytes(byte ^ self.key[i % len(self.key)] for i, byte in enumerate(value))


class Pickled(models.TextField):
    """Any object, as text."""

    def from_db_value(self, value: str | None, *context: Any) -> Any:
        return None if value is None else pickle.loads(base64.b64decode(value))  # noqa: S301  # its own

    def get_prep_value(self, value: Any) -> Any:
        return None if value is None else base64.b64encode(pickle.dumps(value, 4)).decode()


class Colour(models.Field):
    """A type of its own that is the same everywhere, and no internal type that anybody knows."""

    def db_type(self, connection: Any) -> str:
        return "varchar(7)"

    def get_internal_type(self) -> str:
        return "ColourField"


class ByVendor(models.Field):
    """A field whose column has another type on each vendor."""

    types: dict[str, str]

    def db_type(self, connection: Any) -> str:
        return self.types[connection.vendor]


class Document(ByVendor):
    """JSON as it was stored before Django had a field for it."""

    types = {"postgresql": "jsonb", "mysql": "longtext", "sqlite": "text"}

    def from_db_value(self, value: str | None, *context: Any) -> Any:
        return None if value is None else json.loads(value)

    def get_prep_value(self, value: Any) -> str | None:
        return None if value is None else json.dumps(value)

    def to_python(self, value: Any) -> Any:
        return json.loads(value) if isinstance(value, str) else value

    def value_to_string(self, obj: models.Model) -> str:
        return json.dumps(self.value_from_object(obj))


class Words(ByVendor):
    """A list: an array where there are any, else one word a line."""

    types = {"postgresql": "text[]", "mysql": "longtext", "sqlite": "text"}

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> list[str] | None:
        return value if value is None or connection.vendor == "postgresql" else value.splitlines()

    def get_db_prep_value(self, value: Any, connection: Any, prepared: bool = False) -> Any:
        return value if value is None or connection.vendor == "postgresql" else "\n".join(value)

    def to_python(self, value: Any) -> Any:
        return json.loads(value) if isinstance(value, str) else value

    def value_to_string(self, obj: models.Model) -> str:
        return json.dumps(self.value_from_object(obj))


class Mark(ByVendor):
    """A UUID in 16 bytes where there is no type for it."""

    types = {"postgresql": "uuid", "mysql": "binary(16)", "sqlite": "blob"}

    def from_db_value(self, value: Any, *context: Any) -> uuid.UUID | None:
        return uuid.UUID(bytes=bytes(value)) if isinstance(value, bytes | memoryview) else value

    def get_db_prep_value(self, value: Any, connection: Any, prepared: bool = False) -> Any:
        return value if value is None or connection.vendor == "postgresql" else value.bytes

    def to_python(self, value: Any) -> Any:
        return uuid.UUID(value) if isinstance(value, str) else value


class Own(models.Model):
    """A column of each."""

    encrypted = Encrypted(null=True)
    pickled = Pickled(null=True)
    colour = Colour(null=True)
    document = Document(null=True)
    words = Words(null=True)
    mark = Mark(null=True)


class MarkedKey(models.Model):
    """A key whose type differs by vendor, and what refers to it."""

    mark = Mark(primary_key=True)
    parent = models.ForeignKey("self", models.CASCADE, null=True)
