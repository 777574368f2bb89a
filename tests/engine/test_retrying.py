"""Errors that pass by themselves: a chunk is copied again over new connections, not doubled."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from migrations_ui.engine.chunks import Chunk
from migrations_ui.engine.databases.base import Database
from migrations_ui.engine.errors import EngineError, ServerError, Suspended
from tests.engine.conftest import VENDORS, OpenPair, Witness, run, transfer
from tests.engine.test_transfer import chosen, constraints, create, fill, rows

vendors = pytest.mark.parametrize("vendor", VENDORS)


@dataclass
class Unlucky(Witness):
    """Something happens when the first chunk is read."""

    happens: Callable[[], None] = lambda: None
    happened: list[bool] = field(default_factory=list)

    def progress(self, chunk: Chunk, rows: int) -> None:
        super().progress(chunk, rows)
        if not self.happened:
            self.happened.append(True)
            self.happens()


def fails() -> None:
    raise ServerError("deadlock detected", transient=True)


@vendors
def test_a_chunk_that_an_error_undid_is_copied_again(vendor: str, open_pair: OpenPair) -> None:
    source, dest = open_pair("sqlite", vendor)
    create(source)
    fill(source)
    create(dest)
    before = constraints(dest)
    witness = Unlucky(happens=fails, patience=1)
    transfer(chosen(source, dest), source, dest, witness)
    assert witness.of("again") == [1]
    assert rows(dest) | {"loan": []} == rows(source) | {"loan": []}
    assert constraints(dest) == before


@vendors
def test_a_connection_that_is_lost_is_opened_again(vendor: str, open_pair: OpenPair) -> None:
    source, dest = open_pair("sqlite", vendor)
    create(source)
    fill(source)
    create(dest)
    witness = Unlucky(patience=1)

    def lose() -> None:
        dest.connection.close()
        fails()

    witness.happens = lose
    transfer(chosen(source, dest), source, dest, witness)
    assert rows(dest)["book"] == rows(source)["book"]


def failed_with(
    source: Database, dest: Database, witness: Unlucky, kind: type[EngineError]
) -> None:
    create(source)
    fill(source)
    create(dest)
    run(dest, "INSERT INTO book VALUES (9, NULL)")
    with pytest.raises(kind):
        transfer(chosen(source, dest), source, dest, witness)


def test_after_so_many_tries_it_fails_with_the_cause(open_pair: OpenPair) -> None:
    source, dest = open_pair("sqlite", "postgresql")
    witness = Unlucky(happens=fails)
    failed_with(source, dest, witness, ServerError)
    assert witness.of("again") == [1]
    assert len(constraints(dest)) == 4


def test_what_is_suspended_leaves_off_what_it_took_off(open_pair: OpenPair) -> None:
    def suspend() -> None:
        raise Suspended("paused")

    source, dest = open_pair("sqlite", "postgresql")
    failed_with(source, dest, Unlucky(happens=suspend), Suspended)
    assert constraints(dest) == set()
