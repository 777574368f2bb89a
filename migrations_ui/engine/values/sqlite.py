"""Looking for values in SQLite, where a column holds anything, whatever it was declared as.

What SQL can't tell is left to functions of ours, which SQL calls for the rare values that look odd.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from migrations_ui.engine.databases.base import Column, Database
from migrations_ui.engine.databases.ranges import KeyRange
from migrations_ui.engine.databases.sqlite.columns import DIGITS
from migrations_ui.engine.databases.sqlite.reading import zero_date
from migrations_ui.engine.kinds import Kind
from migrations_ui.engine.values import readers
from migrations_ui.engine.values.hazards import Hazard
from migrations_ui.engine.values.json_numbers import DIGITS as MANY
from migrations_ui.engine.values.readers import outside_charset
from migrations_ui.engine.values.sqlite_blocks import odd_texts, test_of
from migrations_ui.engine.values.sqlite_functions import FUNCTIONS, SECONDS
from migrations_ui.engine.values.zones import Gap

# Where floats are too coarse to say whether an integer has 64 bits.
BEYOND = 9_200_000_000_000_000_000
# By more than which no number grows when it is rounded to 15 digits.
JUST_ABOVE_ONE = "1.00000000000001"
# The types of values that a column should have; the others are texts.
TYPES: dict[Kind, tuple[str, ...]] = {
    Kind.INTEGER: ("integer",),
    Kind.BOOLEAN: ("integer",),
    Kind.DECIMAL: ("real", "integer"),
    Kind.FLOAT: ("real", "integer"),
    Kind.BINARY: ("blob",),
}
# Hazards that only a value of one of these types can be.
OF_TYPES = {
    "blob-in-text": {"blob"},
    "text-in-blob": {"text", "integer", "real"},
    "not-a-number": {"text"},
    "not-an-integer": {"real"},
    "text-among-numbers": {"text"},
}
# What every integer of SQLite is within.
SIXTY_FOUR_BITS = {"least": -(2**63), "most": 2**63 - 1}


class Reader(readers.Reader):
    """Predicates for SQLite."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        for name, arguments, function in FUNCTIONS:
            database.connection.create_function(name, arguments, function, deterministic=True)

    def key(self, column: Column) -> str:
        name = self.name(column)
        text = f"readable({bytes_of(name)})"
        return f"CASE typeof({name}) WHEN 'blob' THEN hex({name}) ELSE {text} END"

    def bytewise(self, column: Column) -> str:
        return self.exact(column)

    def exact(self, column: Column) -> str:
        return f"{self.name(column)} COLLATE BINARY"

    def raw(self, column: Column) -> str:
        return bytes_of(self.name(column))

    def guards(self, hazards: Sequence[Hazard]) -> dict[Hazard, str]:
        """One for each column: the types of nearly all values rule most of its hazards out."""
        columns: dict[Column, list[Hazard]] = {}
        for hazard in hazards:
            if hazard.source and hazard.code != "null-refused":
                columns.setdefault(hazard.source, []).append(hazard)
        return {
            hazard: guard
            for column, its_own in columns.items()
            if (guard := self.guard(column, its_own))
            for hazard in its_own
        }

    def outside_sql(self, hazards: Sequence[Hazard]) -> dict[Hazard, str]:
        return {hazard: test[0] for hazard in hazards if (test := test_of(hazard))}

    def look_outside_sql(
        self, table: str, hazards: Mapping[Hazard, str], keys: KeyRange | None
    ) -> Counter[str]:
        tests = {
            name: (hazard.source.name, found[1])
            for hazard, name in hazards.items()
            if hazard.source and (found := test_of(hazard))
        }
        return Counter(odd_texts(self.database, table, tests, keys))

    def guard(self, column: Column, hazards: Sequence[Hazard]) -> str:
        """True for a value that one of these hazards is about, or of an odd type; "": no guard."""
        if column.storage is None:
            return ""
        odd = {name for hazard in hazards for name in OF_TYPES.get(hazard.code, ())}
        usual = [name for name in TYPES.get(column.storage, ("text",)) if name not in odd]
        found = " OR ".join(
            hazard.predicate
            for hazard in hazards
            if hazard.code not in OF_TYPES
            if not (usual == ["integer"] and dict(hazard.facts) == SIXTY_FOUR_BITS)
        )
        # Only after a WHEN does SQLite stop at what decides an AND or an OR.
        cases = " ".join(
            f"WHEN {self.is_of(column, name)} THEN CASE WHEN {found or 0} THEN 1 END"
            for name in usual
        )
        return f"CASE {cases} WHEN {self.name(column)} IS NULL THEN 0 ELSE 1 END"

    def is_of(self, column: Column, type_: str) -> str:
        """SQL for whether the value is of this type; texts sort between numbers and blobs."""
        name = self.name(column)
        return (
            f"{name} >= '' AND {name} < x''" if type_ == "text" else f"typeof({name}) = '{type_}'"
        )

    def of_type(self, column: Column, *types: str) -> str:
        """The value is of one of these types."""
        listed = ", ".join(f"'{name}'" for name in types)
        return f"typeof({self.name(column)}) IN ({listed})"

    # -- Any column -------------------------------------------------------------------------------

    def blob(self, column: Column) -> str:
        return self.of_type(column, "blob")

    def not_blob(self, column: Column) -> str:
        return self.of_type(column, "text", "integer", "real")

    def not_numeric(self, column: Column) -> str:
        return self.of_type(column, "text")

    def not_whole(self, column: Column) -> str:
        return f"({self.of_type(column, 'real')} AND ABS({self.name(column)}) < {BEYOND})"

    # -- Texts ------------------------------------------------------------------------------------

    def characters(self, column: Column) -> int | None:
        return None

    def octets(self, column: Column) -> int | None:
        return None

    def nul(self, column: Column) -> str:
        return f"instr({self.name(column)}, char(0)) > 0"

    def not_utf8(self, column: Column, dest_product: str) -> str:
        value, text = bytes_of(self.name(column)), self.of_type(column, "text")
        return f"({text} AND not_utf8({value}))"

    def longer(self, column: Column, characters: int) -> str:
        name = self.name(column)  # length() stops at a NUL
        exact = f"characters({bytes_of(name)}) > {characters}"
        more = f"(length({name}) > {characters} OR ({self.nul(column)} AND {exact}))"
        return f"({self.heavier(column, characters)} AND {more})"

    def heavier(self, column: Column, octets: int) -> str:
        return f"length({bytes_of(self.name(column))}) > {octets}"

    def beyond(self, column: Column, charset: str) -> str:
        if not (ranges := outside_charset(charset)):
            return ""
        listed = " || ".join(f"char({first}) || '-' || char({last})" for first, last in ranges)
        return f"{self.name(column)} GLOB '*[' || {listed} || ']*'"

    def trailing_space(self, column: Column) -> str:
        return f"{self.name(column)} GLOB '* '"

    def folding(self, column: Column) -> str:
        name = self.name(column)
        return f"({name} GLOB '*[^ -@[-~]*' OR {name} GLOB '* ' OR {self.nul(column)})"

    # -- Numbers ----------------------------------------------------------------------------------

    def outside(self, column: Column, least: int, most: int) -> str:
        # SQLite keeps an integer of more than 64 bits as a float.
        name, outside = self.name(column), super().outside(column, least, most)
        usual = f"{name} BETWEEN {max(least, -BEYOND)} AND {min(most, BEYOND)}"
        beyond = f"ABS({name}) >= {BEYOND}"
        which = f"CASE typeof({name}) WHEN 'integer' THEN {outside} WHEN 'real' THEN {beyond} END"
        return f"(NOT {usual} AND {which})"

    def no_boolean(self, column: Column) -> str:
        return f"({self.of_type(column, 'integer')} AND {self.name(column)} NOT IN (0, 1))"

    def too_big(self, column: Column, digits: int) -> str:
        """As the copy writes it: what is just below may have more digits, once it is rounded."""
        name, limit, most = self.name(column), f"1{'0' * digits}", "9" * digits or "0"
        # An integer as a float: of the least one SQLite has no absolute value.
        near = f"ABS({name} * {JUST_ABOVE_ONE}) >= {limit}"
        real = f"ABS({name}) < 9e999 AND ABS({written(name)}) >= {limit}"
        return (
            f"({near} AND CASE typeof({name}) WHEN 'real' THEN {real} "
            f"WHEN 'integer' THEN {name} NOT BETWEEN -{most} AND {most} END)"
        )

    def finer(self, column: Column, scale: int) -> str:
        """More digits than that even when read as Django does, through 15 significant ones."""
        name = self.name(column)
        short = f"CAST(printf('%!.{scale}f', {name}) AS REAL)"
        return (
            f"({self.of_type(column, 'real')} AND {short} <> {name} AND {written(name)} <> {short})"
        )

    def no_number(self, column: Column) -> str:
        return f"({self.of_type(column, 'real')} AND ABS({self.name(column)}) = 9e999)"

    # -- Dates and times --------------------------------------------------------------------------

    def zero_date(self, column: Column) -> str:
        return zero_date(self.name(column))

    def no_date(self, column: Column, dest_vendor: str) -> str:
        return self.unreadable(column, "no_date", dest_vendor)

    def no_datetime(self, column: Column, dest_vendor: str) -> str:
        return self.unreadable(column, "no_datetime", dest_vendor)

    def no_time(self, column: Column, dest_vendor: str) -> str:
        return self.unreadable(column, "no_time", dest_vendor)

    def unreadable(self, column: Column, function: str, dest_vendor: str) -> str:
        """What the copy would do with it decides."""
        name = self.name(column)
        return (
            f"CASE WHEN typeof({name}) IN ('null', 'blob') THEN 0 "
            f"ELSE {function}({bytes_of(name)}, '{dest_vendor}') END"
        )

    def outside_times(self, column: Column, least: str, most: str) -> str:
        return f"({self.of_type(column, 'text')} AND {super().outside_times(column, least, most)})"

    def left_out(self, column: Column, gaps: Sequence[Gap]) -> str:
        # A time that is written with its zone is one that there is.
        name = f"replace({self.name(column)}, 'T', ' ')"
        if not (found := self.in_gaps(column, f"CAST(substr({name}, 6, 2) AS INTEGER)", gaps)):
            return ""
        plain = f"{name} NOT GLOB '*[zZ+]*' AND {name} NOT GLOB '*:*-*'"
        return f"({self.of_type(column, 'text')} AND {plain} AND {found})"

    def fraction(self, column: Column, precision: int) -> str:
        name, seconds = self.name(column), SECONDS[column.storage or Kind.DATETIME]
        lost = f"CAST(substr({name}, {seconds + 2 + precision}) AS INTEGER) <> 0"
        return (
            f"CASE length({name}) WHEN {seconds} THEN 0 WHEN {seconds + 7} THEN {lost} "
            f"ELSE fraction({bytes_of(name)}, {precision}) END"
        )

    # -- Others -----------------------------------------------------------------------------------

    def no_uuid(self, column: Column) -> str:
        value = bytes_of(self.name(column))
        return f"({self.not_blob(column)} AND no_uuid({value}))"

    def uuid_like(self, column: Column, octets: list[str]) -> str:
        name = self.name(column)
        usual = f"length({name}) = 32 AND substr({name}, 13, 1) BETWEEN '0' AND '7'"
        digits = f"lower(replace({name}, '-', ''))"
        listed = ", ".join(f"'{octet}'" for octet in octets)
        odd = f"substr({digits}, 13, 1) >= '8' AND substr({digits}, 17, 2) IN ({listed})"
        return f"CASE WHEN {usual} THEN 0 ELSE {odd} END"

    def no_ip(self, column: Column) -> str:
        return f"({self.not_blob(column)} AND no_ip({bytes_of(self.name(column))}))"

    def no_json(self, column: Column) -> str:
        name = self.name(column)
        return f"({self.not_blob(column)} AND (NOT json_valid({name}) OR {self.nul(column)}))"

    def json_nul(self, column: Column) -> str:
        name = self.name(column)
        return (
            f"(instr({name}, '\\u0000') > 0 AND instr(replace({name}, '\\\\', ''), '\\u0000') > 0)"
        )

    def json_surrogate(self, column: Column) -> str:
        name = self.name(column)
        return f"({name} LIKE '%\\ud%' AND lone_surrogate({bytes_of(name)}))"

    def json_long_number(self, column: Column) -> str:
        name = self.name(column)
        digits = "[0-9]" * 4
        return f"({name} GLOB '*[0-9][eE][-+0-9]{digits}*' AND long_number({bytes_of(name)}))"

    def json_suspect(self, column: Column) -> str:
        name = self.name(column)
        long, exact = "[0-9.]" * MANY, "[0-9]" * 16
        patterns = (f"*{long}*", f"*{exact}[eE]*", "*[eE][-+0-9][0-9][0-9]*")
        return "({})".format(" OR ".join(f"{name} GLOB '{pattern}'" for pattern in patterns))

    def deeper(self, column: Column, levels: int) -> str:
        name = self.name(column)
        brackets = f"length({name}) - length(replace(replace({name}, '[', ''), '{{', ''))"
        return (
            f"(length({name}) > {2 * levels} AND {brackets} > {levels} "
            f"AND depth({bytes_of(name)}) > {levels})"
        )


def written(name: str) -> str:
    """SQL for a float as the copy writes it and Django reads it, in a column of decimals."""
    return f"CAST(printf('%.{DIGITS}g', {name}) AS REAL)"


def bytes_of(name: str) -> str:
    """SQL for the bytes of a value: as a text, one that is no UTF-8 would fail on its way here."""
    return f"CAST({name} AS BLOB)"
