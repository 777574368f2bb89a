"""Numbers in JSON that MySQL's type of its own does not keep.

It holds integers of 64 bits, signed or not, and makes a double of any other number: one that is not
the same to its last digit after that is altered without a word, and one beyond a double refused.
SQL finds what may be such a number, even in a string; what is one is said here, where it takes
nothing but reading the JSON.
"""

from __future__ import annotations

import json
from decimal import Decimal, InvalidOperation

# Nearly no text has as many digits or as large an exponent: with 15 of the former and two of the
# latter, a double keeps any number.  Every vendor's regular expressions mean the same by this.
DIGITS = 17
SUSPECT = f"[0-9.]{{{DIGITS}}}|[0-9]{{16}}[eE]|[eE][-+]?[0-9]{{3}}"
SMALLEST, LARGEST = -(2**63), 2**64 - 1


def is_kept(number: str) -> bool:
    """Whether MySQL gives a number back that is the same."""
    try:
        exact = Decimal(number)
    except InvalidOperation:  # for its exponent alone
        return False
    if number.lstrip("-").isdecimal() and SMALLEST <= exact <= LARGEST:
        return True
    # Infinity where it is beyond a double.
    return exact == Decimal(repr(float(number)))


def alters(text: bytes | str) -> bool:
    """Whether it is JSON with a number in it that MySQL does not keep."""
    lost: list[str] = []

    def look(number: str) -> None:
        if not is_kept(number):
            lost.append(number)

    try:
        json.loads(text, parse_int=look, parse_float=look)
    except (ValueError, RecursionError):  # no JSON, or nested too deep: other findings
        return False
    return bool(lost)
