"""Looking for values in PostgreSQL, which enforces most of what its types promise."""

from __future__ import annotations

from typing import Any

from migrations_ui.engine.databases.base import Column
from migrations_ui.engine.kinds import Kind
from migrations_ui.engine.values import readers
from migrations_ui.engine.values.json_numbers import SUSPECT
from migrations_ui.engine.values.readers import LONG_EXPONENT, LONG_NUMBER, outside_charset

# Microseconds that fit into 64 bits, in seconds.
LONGEST = 9_223_372_036_854
LONE_SURROGATE = (
    r"\\u[dD][89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F])"
    r"|(?<!\\u[dD][89abAB][0-9a-fA-F]{2})\\u[dD][c-fC-F]"
)
STRING = r'"([^"\\]|\\.)*"'
INTEGERS = "BETWEEN -9223372036854775808 AND 9223372036854775807"


class Reader(readers.Reader):
    """Predicates for PostgreSQL."""

    def key(self, column: Column) -> str:
        return f"{self.name(column)}::text"

    def cursor(self) -> Any:
        return self.database.connection.cursor(name="cutover_values", withhold=True)

    def raw(self, column: Column) -> str:
        return f"{self.name(column)}::text"  # else the driver makes floats of JSON's numbers

    def text(self, column: Column) -> str:
        """The value as a text that regular expressions take, whatever its collation is."""
        cast = "" if column.storage is Kind.TEXT else "::text"
        return f'({self.name(column)}{cast} COLLATE "C")'

    def bytewise(self, column: Column) -> str:
        return self.text(column) if column.storage is Kind.TEXT else self.name(column)

    def longer(self, column: Column, characters: int) -> str:
        return f"char_length({self.name(column)}) > {characters}"

    def heavier(self, column: Column, octets: int) -> str:
        cast = "::text" if column.storage is Kind.JSON else ""
        return f"octet_length({self.name(column)}{cast}) > {octets}"

    def beyond(self, column: Column, charset: str) -> str:
        if not (ranges := outside_charset(charset)):
            return ""
        text = self.text(column)
        listed = "".join(rf"\U{first:08X}-\U{last:08X}" for first, last in ranges)
        return f"(octet_length({text}) <> char_length({text}) AND {text} ~ '[{listed}]')"

    def trailing_space(self, column: Column) -> str:
        return f"right({self.text(column)}, 1) = ' '"

    def folding(self, column: Column) -> str:
        return f"{self.text(column)} ~ '[^ -@\\[-~]| $'"

    def finer(self, column: Column, scale: int) -> str:
        return f"{self.name(column)} <> round({self.name(column)}, {scale})"

    def too_big(self, column: Column, digits: int) -> str:
        return f"({super().too_big(column, digits)} AND NOT {self.no_number(column)})"

    def digits(self, column: Column) -> str:
        name = self.name(column)
        significant = f"rtrim(ltrim(translate({name}::text, '-.', ''), '0'), '0')"
        return (
            f"(length({significant}) > 15 AND NOT ({name} = trunc({name}) AND {name} {INTEGERS}))"
        )

    def no_number(self, column: Column) -> str:
        name = self.name(column)
        if column.storage is Kind.DECIMAL and column.precision is not None:
            return f"{name} = 'NaN'"
        return f"{name}::text IN ('NaN', 'Infinity', '-Infinity')"

    def not_a_number(self, column: Column) -> str:
        return f"{self.name(column)} = 'NaN'"

    def far_date(self, column: Column) -> str:
        name = self.name(column)
        return f"NOT ({name} >= '0001-01-01' AND {name} < '10000-01-01')"

    def doubled(self, column: Column) -> str:
        # What is farther away is found by itself, and may have no local time at all.
        name = self.name(column)
        return (
            f"CASE WHEN {name} BETWEEN '0001-01-02' AND '9999-12-30' "
            f"THEN {name}::timestamp::timestamptz <> {name} ELSE false END"
        )

    def far_time(self, column: Column, dest_vendor: str) -> str:
        return f"{self.name(column)} = '24:00:00'"

    def fraction(self, column: Column, precision: int) -> str:
        step = 10 ** (6 - precision)
        return f"extract(microseconds FROM {self.name(column)})::bigint % {step} <> 0"

    def far_duration(self, column: Column) -> str:
        name = self.name(column)
        return (
            f"(NOT isfinite({name}) OR extract(year FROM {name}) <> 0 "
            f"OR extract(month FROM {name}) <> 0 "
            f"OR extract(epoch FROM {name}) NOT BETWEEN -{LONGEST}.775808 AND {LONGEST}.775807)"
        )

    def uuid_like(self, column: Column, octets: list[str]) -> str:
        text = f"{self.name(column)}::text"
        listed = ", ".join(f"'{octet}'" for octet in octets)
        return f"(substr({text}, 15, 1) >= '8' AND substr({text}, 20, 2) IN ({listed}))"

    def json_nul(self, column: Column) -> str:
        if column.type == "jsonb":
            return ""
        return rf"strpos({self.unescaped(column)}, '\u0000') > 0"

    def json_surrogate(self, column: Column) -> str:
        if column.type == "jsonb":
            return ""
        return f"{self.unescaped(column)} ~ '{LONE_SURROGATE}'"

    def json_long_number(self, column: Column) -> str:
        if column.type == "jsonb":
            return ""
        text = self.text(column)
        bare = f"regexp_replace({text}, '{STRING}', '', 'g')"
        return f"({text} ~ '{LONG_EXPONENT}' AND {bare} ~ '{LONG_NUMBER}')"

    def json_suspect(self, column: Column) -> str:
        return f"{self.text(column)} ~ '{SUSPECT}'"

    def unescaped(self, column: Column) -> str:
        """The text without its escaped backslashes: what is left of them begins an escape."""
        return rf"replace({self.text(column)}, '\\', '')"

    def deeper(self, column: Column, levels: int) -> str:
        if column.type != "jsonb":
            return ""
        nested = '@.type() == "object" || @.type() == "array"'
        path = f"strict $.**{{{levels} to last}} ? ({nested})"
        return f"jsonb_path_exists({self.name(column)}, '{path}')"
