"""Two databases of each vendor for the whole session, and a table on either side for each test."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from decimal import Context, Decimal
from pathlib import Path
from typing import Any

import pytest
from django.db import models
from django.utils.dateparse import parse_date

from migrations_ui.engine import databases, values
from migrations_ui.engine.chunks import Chunk
from migrations_ui.engine.copying import copy_chunk
from migrations_ui.engine.databases.base import Database, TypedColumn
from migrations_ui.engine.errors import EngineError
from migrations_ui.engine.findings import Finding
from migrations_ui.engine.kinds import NULL, Kind, unescape
from migrations_ui.engine.layout import Layout, layouts
from tests.engine.conftest import config_of, insert, named, read_all, table_of
from tests.servers import Servers

NUMBERS = itertools.count(1)

OpenSide = Callable[[str, str], Database]


@pytest.fixture(scope="session")
def open_side(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenSide]:
    """`open_side(vendor, "source" | "dest")`: the same database for the whole session."""
    opened: dict[tuple[str, str], Database] = {}
    with ExitStack() as closing:

        def url(vendor: str) -> str:
            if vendor == "sqlite":
                path: Path = tmp_path_factory.mktemp("values") / "values.sqlite3"
                path.touch()
                return f"sqlite:///{path}"
            made, drop = servers.create_database(vendor)
            closing.callback(drop)
            return made

        def open_it(vendor: str, role: str) -> Database:
            if (vendor, role) not in opened:
                database = databases.connect(config_of(url(vendor)), read_only=False)
                closing.callback(database.close)
                opened[vendor, role] = database
            return opened[vendor, role]

        yield open_it


@dataclass
class Sides:
    """A source and a destination, and the tables that a test makes there."""

    source: Database
    dest: Database
    patch: pytest.MonkeyPatch

    def __post_init__(self) -> None:
        self.made: list[str] = []

    def create(self, columns: str, dest_columns: str = "", name: str = "") -> str:
        """Make a table on both sides; its name, unless one is given, is new."""
        name = name or f"shop_{next(NUMBERS)}"
        for database, definition in ((self.source, columns), (self.dest, dest_columns or columns)):
            database.execute(f"CREATE TABLE {name} ({definition})")
        self.made.append(name)
        return name

    def drop(self) -> None:
        for name in reversed(self.made):
            for database in (self.source, self.dest):
                database.execute(f"DROP TABLE IF EXISTS {name}")

    def layouts(self, *names: str, **kinds: type[models.Field]) -> list[Layout]:
        """The layouts of tables; `kinds` says which fields the columns have."""
        fields = [named(kind, column) for column, kind in kinds.items()]
        tables = [table_of(name, fields=fields if kinds else ()) for name in names]
        found, _ = layouts(tables, self.source, self.dest)
        assert len(found) == len(names)
        return found

    def check(self, *names: str, **kinds: type[models.Field]) -> list[Finding]:
        """What is found about the values of the tables."""
        return self.look(self.layouts(*names, **kinds))

    @contextmanager
    def connect(self) -> Iterator[tuple[Database, Database]]:
        """New connections, as each of several workers has its own."""
        with (
            databases.connect(self.source.config, read_only=True) as there,
            databases.connect(self.dest.config, read_only=False) as here,
        ):
            yield there, here

    def look(
        self, layouts: Sequence[Layout], progress: Callable[[str], None] = lambda label: None
    ) -> list[Finding]:
        """What is found by one worker, over these connections."""
        return values.check(layouts, lambda: nullcontext((self.source, self.dest)), progress)

    def fill(self, name: str, rows: Sequence[Sequence[Any]]) -> None:
        insert(self.source, name, rows)

    def listen(self) -> list[str]:
        """What the source is asked from now on, as long as the test lasts."""
        asked: list[str] = []
        query = self.source.query

        def listen(sql: str, *parameters: Any) -> list[tuple[Any, ...]]:
            asked.append(sql)
            return query(sql, *parameters)

        self.patch.setattr(self.source, "query", listen)
        return asked

    def survives(self, name: str, **kinds: type[models.Field]) -> bool:
        """Whether the copy takes all rows and the destination has them unaltered."""
        (layout,) = self.layouts(name, **kinds)
        self.dest.prepare_load()
        try:
            copy_chunk(self.source, self.dest, Chunk(layout), lambda rows: None)
        except EngineError:
            return False
        return rows_of(self.source, name, layout.source_columns) == rows_of(
            self.dest, name, layout.dest_columns
        )


MakeSides = Callable[[str, str], Sides]


@pytest.fixture
def sides(open_side: OpenSide, monkeypatch: pytest.MonkeyPatch) -> Iterator[MakeSides]:
    """`sides(source_vendor, dest_vendor)`: tables that a test makes there are dropped after it."""
    with ExitStack() as dropping:

        def make(source: str, dest: str) -> Sides:
            made = Sides(open_side(source, "source"), open_side(dest, "dest"), monkeypatch)
            dropping.callback(made.drop)
            return made

        yield make


def rows_of(database: Database, name: str, columns: Sequence[TypedColumn]) -> list[list[Any]]:
    """All rows of a table, by value."""
    lines = read_all(database, name, columns).split(b"\n")[:-1]
    return sorted(
        (
            [
                value if value == NULL else MEANINGS.get(column.kind, bytes)(value)
                for column, value in zip(columns, line.split(b"\t"), strict=True)
            ]
            for line in lines
        ),
        key=repr,
    )


def date_of(value: bytes) -> Any:
    try:
        return parse_date(value.decode()) or value
    except ValueError:
        return value


def shortest(number: str) -> Decimal:
    return Decimal(number).normalize(WIDE)


WIDE = Context(prec=65)
# Where equal values may have different texts.
MEANINGS: dict[Kind, Callable[[bytes], Any]] = {
    Kind.DECIMAL: lambda value: shortest(value.decode()),
    Kind.FLOAT: float,
    Kind.JSON: lambda value: json.loads(
        unescape(value) or b"", parse_int=shortest, parse_float=shortest
    ),
    Kind.DATE: date_of,
    Kind.DATETIME: lambda value: value.replace(b"T", b" "),
}
