"""Columns of a type that SQLite does not know, which their field converts."""

from __future__ import annotations

from ipaddress import ip_network
from typing import Any

import pytest
from django.db import models

from migrations_ui.engine.errors import RowRefused
from migrations_ui.engine.findings import Severity
from migrations_ui.engine.through_django import SAMPLE
from tests.engine.conftest import OpenPair, insert
from tests.engine.test_through_django import ByVendor, Words, copied, laid_out, made


class Network(models.Field):
    """As openwisp-ipam's: PostgreSQL's own type, on every vendor."""

    def db_type(self, connection: Any) -> str:
        return "cidr"

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> Any:
        return None if value is None else ip_network(value)

    def get_prep_value(self, value: Any) -> Any:
        return None if value is None else str(value)

    def to_python(self, value: Any) -> Any:
        return ip_network(value) if isinstance(value, str) else value


NETWORKS = [(1, "10.0.0.0/8"), (2, None), (3, "fe80::/64")]


@pytest.mark.parametrize("pair", [("sqlite", "postgresql"), ("postgresql", "sqlite")])
def test_a_type_that_sqlite_does_not_know_goes_through_the_field(
    pair: tuple[str, str], open_pair: OpenPair
) -> None:
    one, other = open_pair(*pair)
    made(one, other, dict.fromkeys(ByVendor.types, "cidr"))
    insert(one, "t", NETWORKS)
    layout, (finding,) = laid_out(one, other, Network)
    assert (finding.code, finding.severity) == ("through-django", Severity.INFO)
    assert copied(one, other, layout) == NETWORKS


class Unknown(Words):
    """Words, in a column of a type that SQLite does not know."""

    types = Words.types | {"sqlite": "words"}


def test_what_sqlite_would_make_a_number_of_is_refused(open_pair: OpenPair) -> None:
    one, other = open_pair("postgresql", "sqlite")
    made(one, other, Unknown.types)
    insert(one, "t", [(n, ["a", "b"]) for n in range(SAMPLE)] + [(SAMPLE, ["007"])])
    layout, (finding,) = laid_out(one, other, Unknown)
    assert finding.severity is Severity.INFO
    with pytest.raises(RowRefused, match=f"key {SAMPLE}, .*keep the text '007' as a number"):
        copied(one, other, layout)
