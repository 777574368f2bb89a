"""Refused rows are found and set aside; all others arrive."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from migrations_ui.engine.errors import RowRefused
from migrations_ui.engine.kinds import Kind
from migrations_ui.engine.rejecting import Allowance, Rejects, Search, load_batch


class Recording:
    """A destination that refuses some numbers, and may or may not tell the line."""

    def __init__(self, refused: set[int], *, tells: bool) -> None:
        self.refused = refused
        self.tells = tells
        self.kept: list[int] = []
        self.pending: list[int] = []
        self.attempts = 0

    def load(self, table: str, columns: object, rows: bytes) -> int:
        self.attempts += 1
        numbers = [int(line) for line in rows.split()]
        self.pending += numbers
        for line, number in enumerate(numbers, start=1):
            if number in self.refused:
                raise RowRefused(f"{number} is refused", line=line if self.tells else None)
        return len(numbers)

    def savepoint(self) -> None:
        pass

    def release_savepoint(self) -> None:
        self.kept += self.pending
        self.pending = []

    def rollback_to_savepoint(self) -> None:
        self.pending = []


class FakeLayout:
    label = "shop.Thing"
    dest_name = "thing"
    dest_columns: tuple[()] = ()
    columns = (
        SimpleNamespace(
            kind=Kind.INTEGER,
            source=SimpleNamespace(dynamic=False),
            dest=SimpleNamespace(name="id"),
        ),
    )
    key_positions = (0,)
    signature = ("id integer",)

    @staticmethod
    def for_dest(rows: bytes) -> bytes:
        return rows


def load(
    refused: set[int], size: int, *, tells: bool, limit: int = 100
) -> tuple[Recording, Rejects]:
    dest, rejects = Recording(refused, tells=tells), Rejects(Allowance(limit))
    batch = b"".join(b"%d\n" % number for number in range(size))
    written = load_batch(dest, FakeLayout, batch, rejects)  # type: ignore[arg-type]
    assert written == size - len(refused)
    return dest, rejects


@pytest.mark.parametrize("tells", [True, False])
@pytest.mark.parametrize(
    "refused",
    [set(), {0}, {99}, {50}, {0, 1, 2}, {97, 98, 99}, set(range(0, 100, 7)), set(range(100))],
)
def test_all_rows_but_the_refused_arrive_in_order(refused: set[int], tells: bool) -> None:
    dest, rejects = load(refused, 100, tells=tells)
    assert dest.kept == [number for number in range(100) if number not in refused]
    assert [int(found.row) for found in rejects.found] == sorted(refused)
    assert [found.message for found in rejects.found] == [
        f"{n} is refused" for n in sorted(refused)
    ]
    assert [found.key for found in rejects.found] == [str(n) for n in sorted(refused)]


@pytest.mark.parametrize("refused", [0, 1, 12_345, 24_998, 24_999])
@pytest.mark.parametrize(("tells", "most"), [(True, 3), (False, 17)])
def test_one_bad_row_among_25_000_costs_few_attempts(refused: int, tells: bool, most: int) -> None:
    dest, _ = load({refused}, 25_000, tells=tells)
    assert dest.attempts - 1 <= most


def test_a_server_that_names_a_wrong_line_misleads_only_for_a_moment() -> None:
    class Lying(Recording):
        def load(self, table: str, columns: object, rows: bytes) -> int:
            try:
                return super().load(table, columns, rows)
            except RowRefused as error:
                raise RowRefused(error.message, line=3) from error

    dest, rejects = Lying({7, 50}, tells=True), Rejects(Allowance(5))
    lines = [b"%d\n" % number for number in range(100)]
    assert Search(dest, FakeLayout, lines, rejects).run(RowRefused("no")) == 98  # type: ignore[arg-type]
    assert [int(found.row) for found in rejects.found] == [7, 50]


def test_one_row_more_than_the_limit_stops_with_its_key() -> None:
    with pytest.raises(
        RowRefused, match=r"shop.Thing \(table thing\), key 30: 30 is refused \(2 other"
    ):
        load({10, 20, 30}, 100, tells=True, limit=2)
