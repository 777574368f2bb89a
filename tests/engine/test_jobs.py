"""What the workers of a transfer do next."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from functools import cache

from migrations_ui.engine.chunks import Chunk
from migrations_ui.engine.databases.base import ForeignKey
from migrations_ui.engine.databases.indexing import Index
from migrations_ui.engine.jobs import Build, Jobs, Validation
from migrations_ui.engine.layout import Layout
from tests.engine.conftest import table_of


def build(table: str) -> Build:
    return Build([Index(table=table, name=f"{table}_i", definition="", columns=())])


@cache
def chunk(table: str, position: int = 0) -> Chunk:
    return Chunk(Layout(table_of(table, label=table), table, table, ()), position)


def key(child: str, parent: str) -> ForeignKey:
    return ForeignKey(child, f"{child}_{parent}", ("x",), parent, ("id",), "")


class Chunks:
    """Chunks that are handed out in their order; a table is left until all of its are done."""

    def __init__(self, *chunks: Chunk) -> None:
        self.waiting: Iterator[Chunk] = iter(chunks)
        self.left = [each.layout.dest_name for each in chunks]

    def claim(self) -> Chunk | None:
        return next(self.waiting, None)

    def unfinished(self) -> set[str]:
        return set(self.left)


def test_the_indexes_of_a_table_that_another_process_has_loaded_are_built_before_the_end() -> None:
    left, told = {"a", "b"}, []
    jobs = Jobs(
        lambda: None,
        lambda: set(left),
        [build("a"), build("b")],
        loaded=lambda: told.append(1),
    )
    got: list[object] = []
    worker = threading.Thread(target=lambda: got.append(jobs.claim()))
    worker.start()
    left.discard("b")
    worker.join(30)
    assert got == [build("b")]
    assert told == []
    left.discard("a")
    assert jobs.claim() == build("a")
    assert jobs.claim() is None
    assert told == [1]


def test_a_worker_waits_for_a_chunk_that_another_process_may_lose() -> None:
    waiting = iter([None, chunk("a")])
    jobs = Jobs(lambda: next(waiting), lambda: {"a"})
    assert jobs.claim() == chunk("a")


def test_the_longest_build_begins_while_others_load_and_the_shorter_ones_after_that() -> None:
    chunks = Chunks(chunk("a"), chunk("b"), chunk("c"), chunk("c", 1))
    jobs = Jobs(chunks.claim, chunks.unfinished, [build("b"), build("a")])

    def ends(job: Chunk) -> None:
        chunks.left.remove(job.layout.dest_name)
        jobs.done(job)

    assert [jobs.claim(), jobs.claim()] == [chunk("a"), chunk("b")]
    ends(chunk("a"))
    assert jobs.claim() == chunk("c")
    ends(chunk("b"))
    assert jobs.claim() == build("b")
    ends(chunk("c"))
    assert jobs.claim() == chunk("c", 1)
    jobs.done(build("b"))
    assert jobs.claim() == build("a")


def test_a_worker_alone_loads_everything_before_it_builds() -> None:
    chunks = Chunks(chunk("a"), chunk("b"))
    jobs = Jobs(chunks.claim, chunks.unfinished, [build("a")])
    for wanted in (chunk("a"), chunk("b")):
        assert jobs.claim() == wanted
        chunks.left.remove(wanted.layout.dest_name)
        jobs.done(wanted)
    assert jobs.claim() == build("a")


def test_foreign_keys_wait_for_what_they_need_and_the_milestones_come_in_order() -> None:
    chunks, told = Chunks(chunk("a"), chunk("b")), []
    to_b, to_a = (
        Validation([key("c", "b")], frozenset("b")),
        Validation([key("b", "a")], frozenset("ab")),
    )
    jobs = Jobs(
        chunks.claim,
        chunks.unfinished,
        [build("a")],
        [to_a, to_b],
        loaded=lambda: told.append("loaded"),
        built=lambda: told.append("built"),
    )
    assert [jobs.claim(), jobs.claim()] == [chunk("a"), chunk("b")]
    chunks.left.remove("b")
    jobs.done(chunk("b"))
    assert jobs.claim() == to_b
    assert told == []
    chunks.left.remove("a")
    jobs.done(chunk("a"))
    assert jobs.claim() == build("a")
    assert told == ["loaded"]
    got: list[object] = []
    worker = threading.Thread(target=lambda: got.append(jobs.claim()))
    worker.start()
    worker.join(0.2)
    assert got == []
    jobs.done(build("a"))
    worker.join(30)
    assert got == [to_a]
    assert told == ["loaded", "built"]
    assert jobs.claim() is None
