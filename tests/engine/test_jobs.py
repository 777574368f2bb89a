"""What the workers of a transfer do next."""

from __future__ import annotations

import threading

from migrations_ui.engine.chunks import Chunk
from migrations_ui.engine.databases.indexing import Index
from migrations_ui.engine.jobs import Jobs
from migrations_ui.engine.layout import Layout
from tests.engine.conftest import table_of


def index(table: str) -> Index:
    return Index(table=table, name=f"{table}_i", definition="", columns=())


def test_the_indexes_of_a_table_that_another_process_has_loaded_are_built_before_the_end() -> None:
    left, told = {"a", "b"}, []
    jobs = Jobs(
        lambda: None, lambda: set(left), [[index("a")], [index("b")]], lambda: told.append(1)
    )
    got: list[object] = []
    worker = threading.Thread(target=lambda: got.append(jobs.claim()))
    worker.start()
    left.discard("b")
    worker.join(30)
    assert got == [[index("b")]]
    assert told == []
    left.discard("a")
    assert jobs.claim() == [index("a")]
    assert jobs.claim() is None
    assert told == [1]


def test_a_worker_waits_for_a_chunk_that_another_process_may_lose() -> None:
    chunk = Chunk(Layout(table_of("a", label="a"), "a", "a", ()))
    waiting = iter([None, chunk])
    jobs = Jobs(lambda: next(waiting), lambda: {"a"}, [])
    assert jobs.claim() is chunk
