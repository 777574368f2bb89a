"""Looking for values in MySQL and MariaDB."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from MySQLdb.cursors import SSCursor

from migrations_ui.engine.databases.base import Column
from migrations_ui.engine.databases.mysql.rows import UTF8, WHOLE, literal, unmapped
from migrations_ui.engine.kinds import Kind
from migrations_ui.engine.values import readers
from migrations_ui.engine.values.collations import EXACT
from migrations_ui.engine.values.hazards import Hazard
from migrations_ui.engine.values.json_numbers import SUSPECT
from migrations_ui.engine.values.readers import (
    IN_BYTES,
    LONG_EXPONENT,
    LONG_NUMBER,
    outside_charset,
)
from migrations_ui.engine.values.zones import Gap

WIDE = {"utf8mb4", "utf16", "utf16le", "utf32"}
# What MariaDB's JSON_VALID lets pass: escapes that there are not, control characters in the keys of
# objects, and numbers that lack the digits after a point, an exponent or a sign.
LAX_ESCAPE = r'(?-i)\\\\([^"\\\\/bfnrtu]|u(?![0-9a-fA-F]{4}))'
LAX_NUMBER = r"[0-9]\\.([^0-9]|\\z)|[0-9.][eE][-+]?([^-+0-9]|\\z)|-([^0-9]|\\z)"
STRING = r'"([^"\\\\\\x00-\\x1f]|\\\\.)*"'
# 01.2.3.4, which Python takes for no address and the servers for 1.2.3.4.
ZERO_BEFORE = "(^|[.:])0[0-9]+[.]|[.]0[0-9]"
# In texts that MariaDB takes for UTF-8.
SURROGATE = r"\\xED[\\xA0-\\xBF]"
ABOUT_BYTES = {"nul-in-text": r"\\x00", "invalid-utf8": SURROGATE}
ABOUT_DATES = {"zero-date", "invalid-date", "invalid-datetime", "date-out-of-range"}
INTEGERS = "BETWEEN -9223372036854775808 AND 9223372036854775807"


class Reader(readers.Reader):
    """Predicates for MySQL and MariaDB; the session's backslashes are escapes."""

    folds_texts = True

    def key(self, column: Column) -> str:
        if column.storage is Kind.BINARY:
            return f"HEX({self.name(column)})"
        return f"CONVERT({self.name(column)} USING utf8mb4)"

    def cursor(self) -> Any:
        return self.database.connection.cursor(SSCursor)

    def bytewise(self, column: Column) -> str:
        return f"CAST({self.name(column)} AS BINARY)" if column.collation else self.name(column)

    def exact(self, column: Column) -> str:
        if not column.collation:
            return self.name(column)
        collation = EXACT[self.database.product]
        return f"CONVERT({self.name(column)} USING utf8mb4) COLLATE {collation}"

    def quoted(self, text: str) -> str:
        return f"_utf8mb4 {literal(text.encode())}"  # a backslash may mean something

    # -- Texts ------------------------------------------------------------------------------------

    def characters(self, column: Column) -> int | None:
        return column.length

    def octets(self, column: Column) -> int | None:
        if column.type in IN_BYTES and column.charset in UTF8:
            return column.length
        return super().octets(column)

    def utf8(self, column: Column) -> str:
        """The text in the bytes that it will have when it crosses."""
        name = self.name(column)
        return name if column.charset in UTF8 else f"CONVERT({name} USING utf8mb4)"

    def nul(self, column: Column) -> str:
        # Among bytes: a search for a character, by the collation, takes up to twice as long.
        return f"LOCATE(x'00', CAST({self.utf8(column)} AS BINARY)) > 0"

    def not_utf8(self, column: Column, dest_product: str) -> str:
        # MariaDB takes half of a surrogate pair. MySQL does not, or gives nothing: see `unmapped`.
        if self.database.product != "MariaDB" or dest_product == "MariaDB":
            return ""
        return f"CAST({self.utf8(column)} AS BINARY) REGEXP '{SURROGATE}'"

    def unmapped(self, column: Column) -> str:
        return "" if column.charset in WHOLE else unmapped(self.name(column), column.charset)

    def longer(self, column: Column, characters: int) -> str:
        return f"CHAR_LENGTH({self.name(column)}) > {characters}"

    def heavier(self, column: Column, octets: int) -> str:
        return f"LENGTH({self.utf8(column)}) > {octets}"

    def beyond(self, column: Column, charset: str) -> str:
        if charset in WIDE or charset == column.charset or not outside_charset(charset):
            return ""
        text = self.utf8(column)
        there = f"CONVERT(CONVERT({text} USING {charset}) USING utf8mb4)"
        return (
            f"(LENGTH({text}) <> CHAR_LENGTH({text}) "
            f"AND CAST({there} AS BINARY) <> CAST(CONVERT({text} USING utf8mb4) AS BINARY))"
        )

    def trailing_space(self, column: Column) -> str:
        return f"{self.name(column)} LIKE '% '"

    def folding(self, column: Column) -> str:
        # Not among bytes, which MySQL's regular expressions don't take.
        text = f"CONVERT({self.name(column)} USING utf8mb4) COLLATE utf8mb4_bin"
        return f"{text} REGEXP '[^ -@\\\\[-~]| \\\\z'"

    # -- Numbers ----------------------------------------------------------------------------------

    def outside(self, column: Column, least: int, most: int) -> str:
        name = f"({self.name(column)} + 0)" if column.type.startswith("bit") else self.name(column)
        return f"({name} < {least} OR {name} > {most})"

    def no_boolean(self, column: Column) -> str:
        return f"{self.name(column)} NOT IN (0, 1)"

    def finer(self, column: Column, scale: int) -> str:
        return f"{self.name(column)} <> TRUNCATE({self.name(column)}, {scale})"

    def digits(self, column: Column) -> str:
        name = self.name(column)
        plain = f"REPLACE(REPLACE({name}, '.', ''), '-', '')"
        return (
            f"(LENGTH(TRIM(BOTH '0' FROM {plain})) > 15 "
            f"AND NOT ({name} = TRUNCATE({name}, 0) AND {name} {INTEGERS}))"
        )

    # -- Dates and times --------------------------------------------------------------------------

    def zero_date(self, column: Column) -> str:
        return f"(MONTH({self.name(column)}) = 0 OR DAYOFMONTH({self.name(column)}) = 0)"

    def no_date(self, column: Column, dest_vendor: str) -> str:
        # ALLOW_INVALID_DATES let the 31st of every month in.
        name = self.name(column)
        return f"(DAYOFMONTH({name}) > 28 AND DAYOFMONTH({name}) > DAYOFMONTH(LAST_DAY({name})))"

    def guards(self, hazards: Sequence[Hazard]) -> dict[Hazard, str]:
        """What can be wrong with a date, in one go, and whether some byte is in any text."""
        columns = [(hazard, hazard.source) for hazard in hazards if hazard.source]
        dates = {h: self.odd_date(column) for h, column in columns if h.code in ABOUT_DATES}
        texts = [(h, column) for h, column in columns if h.code in ABOUT_BYTES]
        odd = self.odd_text([column for _, column in texts], {hazard.code for hazard, _ in texts})
        return dates | {hazard: odd for hazard, _ in texts}

    def odd_text(self, columns: Sequence[Column], codes: Collection[str]) -> str:
        """Such bytes in one of the texts, or texts that are too long to be joined for a look."""
        texts = ", ".join(dict.fromkeys(self.utf8(column) for column in columns))
        joined = f"CONCAT_WS(CAST('' AS BINARY), {texts})"
        if codes == {"nul-in-text"}:
            return f"IFNULL(LOCATE(CAST(x'00' AS BINARY), {joined}), 1) > 0"
        bytes_ = "|".join(ABOUT_BYTES[code] for code in sorted(codes))
        return f"IFNULL({joined} REGEXP '{bytes_}', 1)"

    def odd_date(self, column: Column) -> str:
        name = self.name(column)
        # Nearly all dates are told by three cheap comparisons.
        odd_day = f"(DAYOFMONTH({name}) = 0 OR {self.no_date(column, '')})"
        return (
            f"(DAYOFMONTH({name}) NOT BETWEEN 1 AND 28 AND {odd_day} "
            f"OR MONTH({name}) = 0 OR {name} < '0001-01-01')"
        )

    def no_datetime(self, column: Column, dest_vendor: str) -> str:
        return "" if column.type == "timestamp" else self.no_date(column, dest_vendor)

    def far_date(self, column: Column) -> str:
        name = self.name(column)
        return f"(YEAR({name}) = 0 AND MONTH({name}) > 0 AND DAYOFMONTH({name}) > 0)"

    def left_out(self, column: Column, gaps: Sequence[Gap]) -> str:
        return self.in_gaps(column, f"MONTH({self.name(column)})", gaps)

    def far_time(self, column: Column, dest_vendor: str) -> str:
        # PostgreSQL has the end of the day, too.
        most = ">" if dest_vendor == "postgresql" else ">="
        return f"({self.name(column)} < '00:00:00' OR {self.name(column)} {most} '24:00:00')"

    def fraction(self, column: Column, precision: int) -> str:
        return f"MICROSECOND({self.name(column)}) % {10 ** (6 - precision)} <> 0"

    # -- Others -----------------------------------------------------------------------------------

    def no_uuid(self, column: Column) -> str:
        if column.storage is Kind.UUID:
            return ""
        return f"LOWER(REPLACE({self.name(column)}, '-', '')) NOT REGEXP '^[0-9a-f]{{32}}\\\\z'"

    def uuid_like(self, column: Column, octets: list[str]) -> str:
        digits = f"LOWER(REPLACE({self.name(column)}, '-', ''))"
        listed = ", ".join(f"'{octet}'" for octet in octets)
        return f"(SUBSTR({digits}, 13, 1) >= '8' AND SUBSTR({digits}, 17, 2) IN ({listed}))"

    def no_ip(self, column: Column) -> str:
        if column.storage is Kind.IP:
            return ""
        name = self.name(column)
        none = f"INET6_ATON({name}) IS NULL OR {name} REGEXP '{ZERO_BEFORE}'"
        return f"({name} IS NOT NULL AND ({none}))"

    def no_json(self, column: Column) -> str:
        if column.type == "json":
            return ""
        name = self.name(column)
        unescaped = f"REPLACE({name}, '\\\\\\\\', '')"
        bare = self.bare(column)
        odd = f"{name} REGEXP '[\\\\x00-\\\\x1f]|{LAX_NUMBER}'"
        return (
            f"(NOT JSON_VALID({name}) "
            f"OR (LOCATE('\\\\', {name}) > 0 AND {unescaped} REGEXP '{LAX_ESCAPE}') "
            f"OR ({odd} AND {bare} REGEXP '\"|{LAX_NUMBER}'))"
        )

    def bare(self, column: Column) -> str:
        """JSON without its strings, in which anything may look odd."""
        return f"REGEXP_REPLACE({self.name(column)}, '{STRING}', '')"

    def json_long_number(self, column: Column) -> str:
        if column.type == "json":  # MySQL's, which holds no number that is not a double
            return ""
        return (
            f"({self.name(column)} REGEXP '{LONG_EXPONENT}' "
            f"AND {self.bare(column)} REGEXP '{LONG_NUMBER}')"
        )

    def json_nul(self, column: Column) -> str:
        text = f"CONVERT({self.name(column)} USING utf8mb4)"
        return (
            # Nearly no text has a backslash at all, which is seen without converting it.
            f"(LOCATE('\\\\', {self.name(column)}) > 0 AND LOCATE('\\\\u0000', {text}) > 0 "
            f"AND LOCATE('\\\\u0000', REPLACE({text}, '\\\\\\\\', '')) > 0)"
        )

    def json_suspect(self, column: Column) -> str:
        return "" if column.type == "json" else f"{self.name(column)} REGEXP '{SUSPECT}'"

    def deeper(self, column: Column, levels: int) -> str:
        """MySQL counts a scalar as a level: an empty array at the bottom is given one."""
        if column.type != "json":
            return ""
        name = self.name(column)
        filled = f"REPLACE(REPLACE({name}, '[]', '[0]'), '{{}}', '[0]')"
        return (
            f"(JSON_DEPTH({name}) > {levels + 1} OR (JSON_DEPTH({name}) = {levels + 1} "
            f"AND JSON_DEPTH({filled}) > {levels + 1}))"
        )
