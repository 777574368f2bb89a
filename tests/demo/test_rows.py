"""The generator: the same believable rows each time."""

from __future__ import annotations

from collections import Counter
from random import Random
from typing import Any

import pytest

from dashboard.demo import rows
from dashboard.demo.rows import Row, Size

SIZE = Size(users=20, domains=50, pids=300, targets=700, log_entries=400)
TYPES = {"pid": 1, "target": 2, "domain": 3}


def everything(size: Size = SIZE) -> dict[str, list[Row]]:
    return {
        "users": list(rows.users(Random("u"), size.users, ["hash 1", "hash 2"])),
        "domains": list(rows.domains(Random("d"), size.domains)),
        "curators": list(rows.curators(size)),
        "pids": list(rows.pids(Random("p"), size)),
        "targets": list(rows.targets(Random("t"), size)),
        "log entries": list(rows.log_entries(Random("l"), size, TYPES)),
    }


def test_the_rows_are_the_same_each_time() -> None:
    assert everything() == everything()


def test_the_first_rows_are_what_they_were_when_this_was_written() -> None:
    """A change here changes what benchmarks of different versions compare."""
    [first, *_] = rows.pids(Random("pids"), SIZE)
    assert first[:3] == (1, "8gvd8gr", "69d4fc3f1cc54cdfaa5a47a457de4d6d")
    assert first[3] == "Illustrated photographs on fevers, 1975"


@pytest.mark.parametrize("size", [SIZE, Size(1, 1, 1, 1, 1), Size(3, 7, 40, 10, 5)])
def test_every_reference_leads_to_a_row(size: Size) -> None:
    made = everything(size)
    keys = {name: {row[0] for row in table} for name, table in made.items()}
    assert {row[2] for row in made["domains"]} - {None} <= keys["domains"]
    assert {row[1] for row in made["curators"]} <= keys["domains"]
    assert {row[2] for row in made["curators"]} <= keys["users"]
    assert {row[4] for row in made["pids"]} <= keys["domains"]
    assert {row[5] for row in made["pids"]} | {row[6] for row in made["pids"]} <= keys["users"]
    assert {row[1] for row in made["targets"]} <= keys["pids"]
    assert {row[2] for row in made["log entries"]} <= keys["users"]


@pytest.mark.parametrize("size", [SIZE, Size(1, 1, 1, 1, 1), Size(3, 7, 40, 10, 5)])
def test_each_table_has_as_many_rows_as_asked_for_and_no_key_twice(size: Size) -> None:
    made = everything(size)
    for name, wanted in vars(size).items():
        table = made[name.replace("_", " ")]
        assert len(table) == len({row[0] for row in table}) == wanted


def test_what_must_be_unique_is_unique_without_regard_to_case() -> None:
    made = everything()
    columns: dict[str, list[object]] = {
        "pid": [row[1] for row in made["pids"]],
        "uuid": [row[2] for row in made["pids"]],
        "external key": [row[7:9] for row in made["pids"] if row[7]],
        "target": [(row[1], row[4]) for row in made["targets"]],
        "user name": [row[4] for row in made["users"]],
        "domain": [row[1] for row in made["domains"]],
        "curator": [row[1:] for row in made["curators"]],
    }
    for column, values in columns.items():
        repeated = Counter(str(value).casefold() for value in values).most_common(1)[0]
        assert repeated[1] == 1, (column, repeated)


def total(size: Size) -> int:
    return sum(vars(size).values()) + 2 * size.users + size.domains


def test_a_noid_shows_when_two_of_its_characters_were_exchanged() -> None:
    good = rows.noid(123_456)
    for index in range(len(good) - 2):
        a, b = good[index], good[index + 1]
        wrong = good[:index] + b + a + good[index + 2 :]
        assert is_valid(good)
        assert a == b or not is_valid(wrong)


def is_valid(noid: str) -> bool:
    weighted = sum(
        place * rows.NOID_DIGITS.index(digit) for place, digit in enumerate(noid[:-1], start=1)
    )
    return rows.NOID_DIGITS[weighted % len(rows.NOID_DIGITS)] == noid[-1]


def test_domains_form_a_tree_of_three_levels_in_which_some_are_older_than_their_parent() -> None:
    parent: dict[Any, Any] = {row[0]: row[2] for row in rows.domains(Random("d"), 50)}

    def depth(key: Any) -> int:
        return 1 + depth(parent[key]) if parent[key] else 1

    assert {depth(key) for key in parent} == {1, 2, 3}
    assert any(above and above > key for key, above in parent.items())


def test_there_are_gaps_between_keys_as_deleted_rows_leave_them() -> None:
    keys: list[Any] = [row[0] for row in rows.pids(Random("p"), SIZE)]
    assert keys == sorted(keys)
    assert keys[-1] > len(keys)


def test_the_rows_hold_what_is_hard_to_copy() -> None:
    names = {row[3] for row in rows.pids(Random("p"), Size(5, 5, 20_000, 1, 1))}
    for hard in ("", "\\N", "NULL", "紅樓夢", "📚 Box 7 👩🏽‍🔬", "ends in a blank "):
        assert hard in names
    assert {"\t", "\n", "\r", "\\", '"', "'", "\x0b"} <= set("".join(map(str, names)))


@pytest.mark.parametrize("wanted", [200, 3_000, 300_000, 1_973_788])
def test_about_so_many_rows_is_about_so_many_rows(wanted: int) -> None:
    size = Size.about(wanted)
    assert wanted * 0.95 <= total(size) <= wanted * 1.05 + 10
    assert size.pids < size.targets < size.log_entries
