"""Columns whose two types share no kind, copied through their field: slower, each value checked.

A custom field may declare a type of its own for each vendor, such as `jsonb` and `text`, or
`text[]` and `text`.  Only its code knows what the two have in common, so each value goes the way
that Django reads, serialises and saves it:

    canonical text → select_format → the driver's value → from_db_value → value_to_string
    → to_python → get_db_prep_save → canonical text

What `to_python` gives must equal what went into `value_to_string`, or the row is refused: a
serialisation that loses something must not lose it here.  Nor must a driver, which makes 425 days
of a year and two months: PostgreSQL is given the value back, and it must be the one that it had.
"""

from __future__ import annotations

import re
import threading
import uuid
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import date, time
from decimal import Decimal
from functools import cached_property
from types import SimpleNamespace
from typing import Any

from django.db import DatabaseError, OperationalError
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Field
from django.db.models.expressions import Col
from django.db.models.sql import Query
from django.db.utils import ConnectionHandler
from django.utils.dateparse import parse_datetime, parse_time
from django.utils.encoding import is_protected_type

from migrations_ui.engine.databases.access import Config, existing_only, read_only
from migrations_ui.engine.databases.base import Column, Database
from migrations_ui.engine.errors import RowRefused, ServerError
from migrations_ui.engine.kinds import NULL, Kind, escape, unescape

# Values that a server is asked about at once.
AT_ONCE = 500
# Rows of the source that are tried before a copy.
SAMPLE = 100
# What PostgreSQL keeps as it was written, and JSON, whose numbers have many forms.
KEPT_AS_WRITTEN = {Kind.TEXT, Kind.JSON}
# What parsing a text raises, and a driver that can't write a value.
UNWRITABLE = (ValueError, TypeError, ArithmeticError)
# Words with which Django's `db_type()` and MySQL's catalog name the same type.
SYNONYMS = {"integer": "int", "bool": "tinyint", "boolean": "tinyint", "numeric": "decimal"}


def final_field(field: Field[Any, Any]) -> Field[Any, Any]:
    """The field that says what the column holds: a foreign key's is the one that it ends at."""
    while target := target_of(field):
        field = target
    return field


def target_of(field: Field[Any, Any]) -> Field[Any, Any] | None:
    """The field that a foreign key leads to; other fields may call anything their target_field."""
    return getattr(field, "target_field", None) if field.remote_field else None


def names_own_type(field: Field[Any, Any] | None) -> bool:
    """Whether the field chooses its column's type itself, instead of leaving that to Django."""
    return field is not None and type(final_field(field)).db_type is not Field.db_type


class End:
    """One side: its column, and the connection that Django would have to it."""

    def __init__(self, database: Database, column: Column, config: Config) -> None:
        self.vendor = database.vendor
        self.column = column
        self._config = config

    @cached_property
    def connection(self) -> BaseDatabaseWrapper:
        """Django's own; it connects when it has to, which is rarely."""
        connection = ConnectionHandler({"default": self._config})["default"]
        connection.inc_thread_sharing()  # a copy may run in another thread than its preflight
        return connection

    @property
    def kind(self) -> Kind | None:
        """The kind in which this side reads or loads the column; None where it can't."""
        if self.vendor == "postgresql":
            return Kind.NATIVE
        # A type that SQLite does not know is one more name to it: Django reads and writes texts.
        return Kind.TEXT if self.is_unknown_to_sqlite else self.column.storage

    @property
    def is_unknown_to_sqlite(self) -> bool:
        """Whether the column has a type that says nothing to SQLite, such as `cidr`."""
        return self.vendor == "sqlite" and self.column.storage is None

    @property
    def bare_type(self) -> str:
        """The type without its length: a cast to `varchar(3)` cuts without a word."""
        return re.sub(r"\([^)]*\)", "", self.column.type)

    def declares(self, field: Field[Any, Any]) -> bool:
        """Whether the column has the type that the field declares for this vendor."""
        declared = (field.db_type(self.connection) or "").lower()
        if self.vendor == "postgresql":
            return bool(declared) and self._same_type(declared)
        word = re.split(r"\W", declared, maxsplit=1)[0]
        if self.vendor == "mysql":
            return SYNONYMS.get(word, word) == re.split(r"\W", self.column.type, maxsplit=1)[0]
        return declared == self.column.type

    def _same_type(self, declared: str) -> bool:
        ((same,),) = self.query(
            "SELECT to_regtype(%s) = to_regtype(%s)", [declared, self.column.type]
        )
        return bool(same)

    def selected(self, field: Field[Any, Any], sql: str) -> str:
        """The SQL with which Django asks for what this SQL says, which the field may choose."""
        compiler = Query(None).get_compiler(connection=self.connection)
        form, parameters = field.select_format(compiler, sql, ())
        if parameters:
            raise RowRefused(f"{type(field).__name__} selects its column with parameters.")
        return str(form)

    def reads(self, field: Field[Any, Any]) -> bool:
        """Whether it can be told what the driver gives Django for a canonical text."""
        if self.vendor == "postgresql":
            return True
        try:
            return self.selected(field, "x") == "x"
        except Exception:  # noqa: BLE001  # the application's own code
            return False

    def query(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """All rows of a query on Django's connection."""
        with self.connection.cursor() as cursor:
            cursor.execute(sql, parameters)
            return list(cursor.fetchall())

    def sample(self, field: Field[Any, Any], name: str, table: str) -> list[tuple[Any, str]]:
        """A few of a table's values, as the driver gives them, and PostgreSQL's texts of them."""
        name, table = name.replace("%", "%%"), table.replace("%", "%%")
        text = f"CAST({name} AS text)" if self.vendor == "postgresql" else "''"
        form = self.selected(field, name)
        return self.query(
            f"SELECT {form}, {text} FROM {table} WHERE {name} IS NOT NULL LIMIT {SAMPLE}"
        )

    def cast(self, values: Sequence[Any], form: str) -> list[Any]:
        """Values cast by PostgreSQL, in which alone types know how to write themselves."""
        found: list[Any] = []
        for start in range(0, len(values), AT_ONCE):
            some = values[start : start + AT_ONCE]
            found += self.query(f"SELECT {', '.join([form] * len(some))}", some)[0]
        return found

    def driver_values(self, field: Field[Any, Any], texts: Sequence[str]) -> list[Any]:
        """Canonical texts as the values that the driver gives Django."""
        if self.vendor == "postgresql":
            return self.cast(texts, self.selected(field, f"CAST(%s AS {self.column.type})"))
        parse = PARSERS.get(self.column.storage or Kind.TEXT, str)
        return [parse(text) for text in texts]

    def texts(self, values: Sequence[Any]) -> list[str]:
        """What Django hands to the driver, as canonical texts."""
        if self.vendor == "postgresql":
            form = f"CAST(CAST(%s AS {self.bare_type}) AS text)"
            return [str(text) for text in self.cast(values, form)]
        texts = [written(value, self.column.storage) for value in values]
        if self.is_unknown_to_sqlite:
            insist_on_no_number(texts)
        return texts


class ThroughDjango:
    """One column on its way through its field."""

    def __init__(
        self,
        field: Field[Any, Any],
        source: tuple[Database, Column],
        dest: tuple[Database, Column],
    ) -> None:
        self.declared = field
        self.field = final_field(field)
        self.name_on_source = source[0].quote(source[1].name)
        self.source = End(*source, read_only(source[0].config))
        self.dest = End(*dest, existing_only(dest[0].config))
        self._lock = threading.Lock()  # chunks of a table share the connections

    @property
    def possible(self) -> bool:
        """Whether both columns are as the field declares them, and can be read and loaded."""
        ends = (self.source, self.dest)
        return (
            all(end.kind is not None for end in ends)
            and all(end.declares(self.declared) for end in ends)
            and self.source.reads(self.field)
        )

    def problem(self, table: str) -> str:
        """What goes wrong with the first rows of the source's table; "" if nothing does."""
        try:
            rows = self.source.sample(self.field, self.name_on_source, table)
            values = [self.again(value) for value, _ in rows]
            self._insist_on([text for _, text in rows], values)
            self.dest.texts([self.parameter(value, self.dest) for value in values])
        except (RowRefused, DatabaseError, *UNWRITABLE) as error:
            return " ".join(str(error).split())
        finally:
            self.close()
        return ""

    def close(self) -> None:
        """Close what was opened; it opens again by itself."""
        self.source.connection.close()
        self.dest.connection.close()

    def convert(self, texts: Sequence[bytes]) -> list[bytes]:
        """The source's canonical texts as the destination's; NULL stays what it is.

        `RowRefused` for the first that can't be converted, with its line.
        """
        lines = [number for number, text in enumerate(texts) if text != NULL]
        with self._lock:
            try:
                found = self._convert([texts[number] for number in lines])
            except (RowRefused, DatabaseError):
                for number in lines:
                    self._convert_one(texts[number], number + 1)
                raise
            finally:
                self.close()  # nothing else knows of these connections
        converted = list(texts)
        for number, text in zip(lines, found, strict=True):
            converted[number] = text
        return converted

    def _convert(self, texts: Sequence[bytes]) -> list[bytes]:
        try:
            plain = [(unescape(text) or b"").decode() for text in texts]
            values = [self.again(each) for each in self.source.driver_values(self.field, plain)]
            self._insist_on(plain, values)
            written = self.dest.texts([self.parameter(value, self.dest) for value in values])
        except UNWRITABLE as error:
            raise RowRefused(str(error)) from error
        return [escape(text.encode()) for text in written]

    def _convert_one(self, text: bytes, line: int) -> None:
        try:
            self._convert([text])
        except OperationalError as error:
            raise ServerError(f"{self.dest.column.name}: {' '.join(str(error).split())}") from error
        except (RowRefused, DatabaseError) as error:
            message = " ".join(str(error).split())
            raise RowRefused(message, line=line, column=self.dest.column.name) from error

    def _insist_on(self, texts: Sequence[str], values: Sequence[Any]) -> None:
        """`RowRefused` unless the source's server has the same text for each value as before.

        Not of what keeps a text as it was written, in which Django may put other spaces.
        """
        if self.source.vendor != "postgresql" or self.source.column.storage in KEPT_AS_WRITTEN:
            return
        back = self.source.texts([self.parameter(value, self.source) for value in values])
        for before, after in zip(self.source.texts(texts), back, strict=True):
            if before != after:
                raise RowRefused(f"Django reads {before!r} as what would be {after!r}")

    def again(self, value: Any) -> Any:
        """What the driver gives Django, as Django's serialisers give it back."""
        return self._guarded(self._again, value)

    def parameter(self, value: Any, end: End) -> Any:
        """What Django would hand to a side's driver for a value."""
        return self._guarded(
            lambda value: self.field.get_db_prep_save(value, end.connection), value
        )

    def _guarded(self, convert: Callable[[Any], Any], value: Any) -> Any:
        try:
            return convert(value)
        except RowRefused:
            raise
        except Exception as error:  # the application's own code
            raise RowRefused(f"{type(self.field).__name__} fails: {error!r}") from error

    def _again(self, value: Any) -> Any:
        for convert in self.converters:
            value = convert(value, self.expression, self.source.connection)
        again = self.field.to_python(self.serialised(value))
        if not self.is_same(value, again):
            raise RowRefused(
                f"{type(self.field).__name__}'s own serialisation does not give {value!r} back, "
                f"but {again!r}"
            )
        return again

    @cached_property
    def expression(self) -> Any:
        return Col("source", self.field)

    @cached_property
    def converters(self) -> list[Callable[[Any, Any, Any], Any]]:
        """What Django's compiler applies to the column's values."""
        connection = self.source.connection
        return [
            *connection.ops.get_db_converters(self.expression),
            *self.expression.get_db_converters(connection),
        ]

    def serialised(self, value: Any) -> Any:
        """As Django's serialisers write it: some values as they are, others as text."""
        if is_protected_type(value):
            return value
        row: Any = SimpleNamespace(**{self.field.attname: value})  # all that it looks at
        return self.field.value_to_string(row)

    def is_same(self, value: Any, again: Any) -> bool:
        """Whether nothing was lost; objects that can't be compared tell by what is written."""
        return bool(value == again) or (
            type(value) is type(again) and bool(self.serialised(value) == self.serialised(again))
        )


def converted(rows: bytes, columns: Mapping[int, ThroughDjango]) -> bytes:
    """Canonical rows as they were read, with these columns as the destination loads them."""
    lines = [line.split(b"\t") for line in rows.split(b"\n")[:-1]]
    for index, through in columns.items():
        texts = through.convert([line[index] for line in lines])
        for line, text in zip(lines, texts, strict=True):
            line[index] = text
    return b"".join(b"\t".join(line) + b"\n" for line in lines)


# What the drivers of MySQL and SQLite give Django for a canonical text of each kind.
PARSERS: dict[Kind, Callable[[str], Any]] = {
    Kind.INTEGER: int,
    Kind.BOOLEAN: lambda text: bool(int(text)),
    Kind.DECIMAL: Decimal,
    Kind.FLOAT: float,
    Kind.BINARY: bytes.fromhex,
    Kind.DATE: date.fromisoformat,
    Kind.TIME: parse_time,
    Kind.DATETIME: parse_datetime,
    Kind.UUID: lambda text: str(uuid.UUID(text)),
}


def insist_on_no_number(texts: Sequence[str]) -> None:
    """Refuse what SQLite would make a number of, in a column of a type that it does not know."""
    for text in texts:
        with suppress(ValueError):
            float(text)
            raise RowRefused(f"SQLite would keep the text {text!r} as a number")


def written(value: Any, kind: Kind | None) -> str:
    """What Django hands to the drivers of MySQL and SQLite, as a canonical text."""
    if kind is Kind.BINARY:
        if isinstance(value, bytes | bytearray | memoryview):
            return bytes(value).hex()
    elif isinstance(value, bool):
        return str(int(value))
    elif isinstance(value, float):
        return repr(value)
    elif isinstance(value, Decimal):
        return f"{value:f}"
    elif isinstance(value, str | int | date | time):
        return str(value)
    raise RowRefused(f"Django would write a {type(value).__name__}, which has no form there")
