"""The kind of a column, and the canonical row in which every vendor reads and loads.

A canonical row is one line of bytes: the columns' values separated by tabs, UTF-8, NULL as `\\N`,
and exactly four escapes, `\\\\`, `\\t`, `\\n` and `\\r`.  A value's text depends on its kind only,
never on the vendor; the table below is the whole contract.
"""

from __future__ import annotations

from enum import StrEnum


class Kind(StrEnum):
    """What a value is, and (in the comment) its text in a canonical row."""

    INTEGER = "integer"  # -12
    BOOLEAN = "boolean"  # 0 or 1
    DECIMAL = "decimal"  # -12.50, at the column's scale
    FLOAT = "float"  # 0.1: digits that give the same double back
    TEXT = "text"  # as it is
    BINARY = "binary"  # 00ff: lower hex
    DATE = "date"  # 2026-11-22
    TIME = "time"  # 03:07:00.000000
    DATETIME = "datetime"  # 2026-11-22 03:07:00.000000, UTC (local time where USE_TZ is off)
    DURATION = "duration"  # 90000000: microseconds
    UUID = "uuid"  # 32 lower hex digits
    JSON = "json"  # as it is; compared as a parsed value
    IP = "ip"  # as it is: Django and PostgreSQL both keep the short form
    NATIVE = "native"  # a vendor's own type, as that vendor writes it: same vendor only
    DJANGO = "django"  # converted through its field: each side has a kind of its own


# A kind that one side stores natively and the other in a plainer storage, as Django's own field
# does: (native storage, plain storage) -> the field's internal types for which that is so.
MIXED: dict[tuple[Kind, Kind], set[str]] = {
    (Kind.BOOLEAN, Kind.INTEGER): {"BooleanField", "NullBooleanField"},
    (Kind.UUID, Kind.TEXT): {"UUIDField"},
    (Kind.JSON, Kind.TEXT): {"JSONField"},
    (Kind.DURATION, Kind.INTEGER): {"DurationField"},
    (Kind.IP, Kind.TEXT): {"GenericIPAddressField", "IPAddressField"},
}

# Ends a value that is not of its column's kind, and that a destination might alter: a fraction
# among integers, a decimal with more digits than its scale, a text among numbers or dates.
ODD = b"\\!"
ESCAPES = {b"\\": b"\\\\", b"\t": b"\\t", b"\n": b"\\n", b"\r": b"\\r"}
NULL = b"\\N"


def common_kind(source: Kind | None, dest: Kind | None, internal_type: str) -> Kind | None:
    """The kind in which a column crosses from one storage to the other; None if there is none.

    `source` and `dest` are how the two databases really store the column; `internal_type` is the
    field's `get_internal_type()`, which settles the cases in which they differ.
    """
    if source is None or dest is None:
        return None
    if source == dest:
        return Kind.JSON if internal_type == "JSONField" else source
    for (native, plain), internal_types in MIXED.items():
        if {source, dest} == {native, plain} and internal_type in internal_types:
            return native
    return None


def escape(value: bytes) -> bytes:
    """The value as it stands in a canonical row."""
    for plain, escaped in ESCAPES.items():
        value = value.replace(plain, escaped)
    return value


def unescape(value: bytes) -> bytes | None:
    """The value of one column of a canonical row, odd or not; None for NULL."""
    if b"\\" not in value:
        return value
    if value == NULL:
        return None
    # Undo the doubling last: split on it, so that `\\\\t` stays a backslash and a t.
    parts = value.split(b"\\\\")
    return b"\\".join(
        part.replace(b"\\t", b"\t").replace(b"\\n", b"\n").replace(b"\\r", b"\r").replace(ODD, b"")
        for part in parts
    )


def is_utf8(value: bytes) -> bool:
    """Whether the bytes are a text."""
    try:
        value.decode()
    except UnicodeDecodeError:
        return False
    return True


def is_odd(value: bytes) -> bool:
    """Whether a value is marked as odd; a text may end in a backslash and an exclamation mark."""
    if not value.endswith(ODD):
        return False
    before = value.removesuffix(ODD)
    return (len(before) - len(before.rstrip(b"\\"))) % 2 == 0
