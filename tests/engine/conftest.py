"""Engine databases to open, tables made by plain SQL, and layouts of them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass, field
from typing import Any

import dj_database_url
import pytest
from django.contrib.auth.models import Group
from django.db.models import Field

from migrations_ui.engine import databases
from migrations_ui.engine.catalog import Table
from migrations_ui.engine.chunks import Chunk, Queue
from migrations_ui.engine.databases import access
from migrations_ui.engine.databases.base import Database, ForeignKey, TypedColumn
from migrations_ui.engine.databases.indexing import Index
from migrations_ui.engine.databases.triggers import Trigger
from migrations_ui.engine.errors import EngineError, Suspended
from migrations_ui.engine.findings import Finding
from migrations_ui.engine.kinds import Kind
from migrations_ui.engine.layout import Layout, layouts
from migrations_ui.engine.ledger import Begun, Ledger
from migrations_ui.engine.rejecting import Rejected
from migrations_ui.engine.transfer import Transfer
from tests.conftest import MakeDatabase

VENDORS = ("postgresql", "mysql", "sqlite")
DIRECTIONS = [(source, dest) for source in VENDORS for dest in VENDORS]

OpenDatabase = Callable[..., Database]
OpenPair = Callable[..., tuple[Database, Database]]


def config_of(url: str, **options: Any) -> access.Config:
    """The configuration of a source or destination, as the dashboard makes it from a URL."""
    parsed: dict[str, Any] = dict(dj_database_url.parse(url))
    parsed["OPTIONS"] = {**parsed.get("OPTIONS", {}), **options}
    return access.endpoint(parsed)


@pytest.fixture
def open_database() -> Iterator[OpenDatabase]:
    """`open_database(url, read_only=False, **options)`: closed again after the test."""
    with ExitStack() as closing:

        def open_it(url: str, *, read_only: bool = False, **options: Any) -> Database:
            database = databases.connect(config_of(url, **options), read_only=read_only)
            closing.callback(database.close)
            return database

        yield open_it


@pytest.fixture
def open_pair(make_database: MakeDatabase, open_database: OpenDatabase) -> OpenPair:
    """`open_pair(source, dest)`: two fresh databases, both writable so that they can be filled."""

    def pair(source: str, dest: str) -> tuple[Database, Database]:
        return open_database(make_database(source)), open_database(make_database(dest))

    return pair


def named(kind: type[Field], name: str, **options: Any) -> Field:
    """A field that stands alone, with the column `name`."""
    made = kind(**options)
    made.set_attributes_from_name(name)
    return made


def table_of(*names: str, fields: Sequence[Field] = (), label: str = "") -> Table:
    """A catalog's table with the key `id`; without fields its columns match by their names."""
    return Table(
        label=label or f"shop.{names[0]}",
        app_label="shop",
        app_name="Shop",
        name=names[0],
        model=Group,
        names=names,
        fields=tuple(fields),
        references=frozenset(),
    )


def layout_of(
    source: Database, dest: Database, name: str, fields: Sequence[Field] = ()
) -> tuple[Layout, list[Finding]]:
    """The layout of one table, and what is found about it."""
    found, findings = layouts([table_of(name, fields=fields)], source, dest)
    (layout,) = found
    return layout, findings


def plain_layout(source: Database, dest: Database, name: str) -> Layout:
    """The layout of a table about which nothing is found."""
    layout, findings = layout_of(source, dest, name)
    assert findings == []
    return layout


def typed(database: Database, name: str, **kinds: Kind) -> list[TypedColumn]:
    """A table's columns with the kinds in which the database stores them, or with others."""
    return [
        TypedColumn(kinds.get(column.name) or column.storage or Kind.NATIVE, column)
        for column in database.columns([name])[name].values()
    ]


def read_all(database: Database, name: str, columns: Sequence[TypedColumn]) -> bytes:
    """All canonical rows of a table."""
    blocks: list[bytes] = []
    database.read(name, columns, blocks.append)
    return b"".join(blocks)


def run(database: Database, *statements: str) -> None:
    for statement in statements:
        database.execute(statement)


def insert(database: Database, name: str, rows: Sequence[Sequence[Any]]) -> None:
    """Insert rows by the driver itself, so that the engine's own loader is not its own witness."""
    mark = "?" if database.vendor == "sqlite" else "%s"
    # The drivers that use %s also read a percent sign in the name.
    quoted = database.quote(name) if mark == "?" else database.quote(name).replace("%", "%%")
    marks = ", ".join([mark] * len(rows[0]))
    cursor = database.connection.cursor()
    with database.transaction():
        for row in rows:
            cursor.execute(f"INSERT INTO {quoted} VALUES ({marks})", list(row))


@dataclass
class Witness:
    """A ledger in memory that notes down what it is told."""

    told: list[tuple[str, Any]] = field(default_factory=list)
    queue: Queue = field(default_factory=lambda: Queue([]))
    begun: Begun | None = None
    patience: int = 0  # tries after errors that pass

    def phase(self, name: str) -> None:
        self.told.append(("phase", name))

    def planned(self, chunks: Sequence[Chunk]) -> None:
        self.queue = Queue(chunks)
        self.told.append(("planned", [chunk.name for chunk in chunks]))

    def dropping(self, keys: Sequence[ForeignKey], indexes: Sequence[Index]) -> None:
        self.told.append(("dropping", [*keys, *indexes]))

    def switching_off(self, triggers: Sequence[Trigger]) -> None:
        self.told.append(("switching off", [trigger.name for trigger in triggers]))

    def switched_on(self, trigger: Trigger) -> None:
        self.told.append(("switched on", trigger.name))

    def restored(self, key: ForeignKey) -> None:
        self.told.append(("restored", key.name))

    def building(self, indexes: Sequence[Index]) -> None:
        self.told.append(("building", [index.name for index in indexes]))

    def built(self, indexes: Sequence[Index]) -> None:
        self.told.append(("built", [index.name for index in indexes]))

    def wiped(self) -> None:
        self.told.append(("wiped", None))

    def emptied(self, layout: Layout) -> None:
        self.told.append(("emptied", layout.label))

    def check(self) -> None:
        """Nothing stops it."""

    def again(self, error: EngineError, attempt: int) -> bool:
        self.told.append(("again", attempt))
        return attempt <= self.patience

    def confirm(self, chunk: Chunk) -> None:
        self.told.append(("confirm", chunk.name))

    def gives_up(self, error: BaseException) -> bool:
        return not isinstance(error, Suspended)

    def claim(self) -> Chunk | None:
        return self.queue.claim()

    def progress(self, chunk: Chunk, rows: int) -> None:
        self.told.append(("progress", rows))

    def unfinished(self) -> Collection[str]:
        return self.queue.unfinished()

    def abandoned(self) -> Sequence[Chunk]:
        return []

    def finished(self, chunk: Chunk, rows: int, rejected: Sequence[Rejected]) -> None:
        self.told.append(("finished", (chunk.layout.label, rows)))
        self.queue.done(chunk)

    def failed(self, chunk: Chunk, error: BaseException) -> None:
        self.queue.done(chunk)
        self.told.append(("failed", chunk.layout.label))

    def of(self, what: str) -> list[Any]:
        return [value for name, value in self.told if name == what]


def transfer(layouts: Sequence[Layout], source: Database, dest: Database, ledger: Ledger) -> None:
    """A whole transfer by one worker, over connections that are open already."""
    rows = {layout.label: source.count(layout.source_name) for layout in layouts}
    Transfer(layouts, lambda: nullcontext((source, dest)), ledger, rows).run()
