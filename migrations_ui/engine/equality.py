"""When two canonical values mean the same, although their bytes differ.

Each kind has a normal form: two values of a column are the same if and only if their normal forms
are.  Equal bytes are always the same value, so a normal form is asked for only where bytes differ.

| kind | same if |
|---|---|
| integer, boolean, duration | the same number |
| decimal | the same number, whatever zeros follow the point; one that SQLite computes is a float,
  which is rounded as Django does when it reads it |
| float | the same bits, at the destination's precision where both sides have that one |
| text | the same bytes, without the trailing spaces that a `char(n)` of the destination ignores |
| JSON | the same structure, whatever the order of the keys; numbers by exact value, so that 1,
  1.0 and 1e0 are one (jsonb keeps no exponents); of a key that is there twice the last counts |
| date, time, datetime | the same, whatever zeros follow the point |
| uuid | the same digits |
| IP | the same address |
| binary, a vendor's own | the same bytes |
"""

from __future__ import annotations

import ipaddress
import json
import struct
from collections.abc import Callable, Sequence
from decimal import MAX_EMAX, MAX_PREC, MIN_EMIN, Context, Decimal, InvalidOperation
from functools import partial
from typing import Any

from migrations_ui.engine.databases.base import Column
from migrations_ui.engine.kinds import NULL, Kind, is_odd, unescape

Normal = Callable[[bytes], bytes]

SINGLE = 24  # bits of the mantissa of a float of four bytes
EXACT = Context(prec=MAX_PREC, Emax=MAX_EMAX, Emin=MIN_EMIN)
AS_SQLITE = Context(prec=15)  # as many digits as Django takes of SQLite's floats
ZERO, NEGATIVE_ZERO = struct.pack(">d", 0.0), struct.pack(">d", -0.0)


class Equality:
    """How the values of one column are compared: a normal form for either side."""

    def __init__(
        self, kind: Kind, source: Column, dest: Column, *, has_negative_zero: bool = True
    ) -> None:
        self.kind = kind
        single = dest.precision == SINGLE
        self.of_source = self._form(single and source.precision == SINGLE, dest, has_negative_zero)
        self.of_dest = self._form(single, dest, has_negative_zero)
        # Vendors spell these kinds in their own ways, so bytes that differ say little.
        self.is_spelt_freely = dest.padded or (
            kind in (Kind.FLOAT, Kind.DECIMAL, Kind.JSON)
            and (source.type, source.storage) != (dest.type, dest.storage)
        )

    def _form(self, single: bool, dest: Column, has_negative_zero: bool) -> Normal:
        if self.kind is Kind.FLOAT:
            return lambda value: bits(value, single=single, has_negative_zero=has_negative_zero)
        if self.kind is Kind.TEXT and dest.padded:
            return unpadded
        if self.kind is Kind.DECIMAL and dest.generated and dest.scale is not None:
            return partial(as_django_reads, scale=dest.scale)
        return FORMS.get(self.kind, as_it_is)

    def same(self, source: bytes, dest: bytes) -> bool:
        """Whether the two canonical values, escaped, mean the same."""
        if source == dest:
            return True
        if NULL in (source, dest):
            return False
        return self.normal(source, on_source=True) == self.normal(dest, on_source=False)

    def normal(self, value: bytes, *, on_source: bool) -> bytes:
        """The normal form of a canonical value, escaped.

        What is odd on the source may have arrived as what it says: the bytes `5` among integers as
        a 5.  On the destination it is what it is.
        """
        if on_source:
            return normal(self.of_source, value)
        return value if is_odd(value) else normal(self.of_dest, value)


def normal(form: Normal, value: bytes) -> bytes:
    """The normal form of an escaped value; of what is not of its kind, the value itself."""
    if value == NULL:
        return value
    try:
        return form(unescape(value) or b"")
    except (ValueError, ArithmeticError, RecursionError):
        return value


def differing(
    equalities: Sequence[Equality], source: Sequence[bytes], dest: Sequence[bytes]
) -> list[int]:
    """The positions of the columns in which two rows, split, don't mean the same."""
    return [
        position
        for position, (equality, there, here) in enumerate(
            zip(equalities, source, dest, strict=True)
        )
        if there != here and not equality.same(there, here)
    ]


# -- The normal forms -----------------------------------------------------------------------------


def as_it_is(value: bytes) -> bytes:
    return value


def unpadded(value: bytes) -> bytes:
    return value.rstrip(b" ")


def numeral(value: bytes) -> str:
    """A number's text, without what only Python would take for one: blanks and underscores."""
    if b"_" in value or value != value.strip():
        raise ValueError
    return value.decode()


def whole(value: bytes) -> bytes:
    return b"%d" % int(numeral(value))


def plain(value: bytes) -> bytes:
    """A number in its shortest exact form; zero has no sign."""
    try:
        return shortest(numeral(value)).encode()
    except InvalidOperation as error:
        raise ValueError from error


def as_django_reads(value: bytes, *, scale: int) -> bytes:
    """A computed decimal of so many digits; more than these has only a float of SQLite's."""
    text = numeral(value)
    if len(text.partition(".")[2]) <= scale:
        return plain(value)
    number = AS_SQLITE.create_decimal(text).quantize(Decimal((0, (1,), -scale)), context=EXACT)
    return plain(str(number).encode())


def shortest(text: str) -> str:
    number = EXACT.normalize(Decimal(text))
    return str(number) if number else "0"


def bits(value: bytes, *, single: bool, has_negative_zero: bool) -> bytes:
    number = float(numeral(value))
    if single:
        (number,) = struct.unpack(">f", struct.pack(">f", number))
    found = struct.pack(">d", number)
    return ZERO if found == NEGATIVE_ZERO and not has_negative_zero else found


def unfilled(value: bytes) -> bytes:
    """A date and time without the zeros at the end of its fraction."""
    return value.rstrip(b"0").removesuffix(b".") if b"." in value else value


def digits(value: bytes) -> bytes:
    return value.replace(b"-", b"").lower()


def address(value: bytes) -> bytes:
    return str(ipaddress.ip_interface(value.decode())).encode()


def structure(value: bytes) -> bytes:
    """JSON, its objects sorted by key and its numbers in their shortest exact form."""
    # A number becomes a tuple, which JSON itself has not, so that neither 1 and true nor 1 and "1"
    # are the same.
    parsed = json.loads(
        value,
        parse_int=number,
        parse_float=number,
        parse_constant=number,
        object_pairs_hook=lambda pairs: dict(sorted(dict(pairs).items())),
    )
    return repr(parsed).encode()


def number(text: str) -> Any:
    return (shortest(text),)


FORMS: dict[Kind, Normal] = {
    Kind.INTEGER: whole,
    Kind.BOOLEAN: whole,
    Kind.DURATION: whole,
    Kind.DECIMAL: plain,
    Kind.TIME: unfilled,
    Kind.DATETIME: unfilled,
    Kind.UUID: digits,
    Kind.IP: address,
    Kind.JSON: structure,
}
