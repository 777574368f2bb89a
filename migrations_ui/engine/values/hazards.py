"""What can go wrong with a value, in words for the operator."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from migrations_ui.engine.databases.base import Column
from migrations_ui.engine.findings import Severity


@dataclass(frozen=True)
class Words:
    """What is wrong with the values, what the copy would do, and what to do about it."""

    what: str
    happens: str
    remedy: str
    transforms: tuple[str, ...] = ()

    @property
    def is_refused(self) -> bool:
        """Whether the destination refuses such rows one by one, so that they can be set aside."""
        return self.happens in (REFUSED, INEXACT)


REFUSED = "The destination would refuse the first of them and the run would stop"
INEXACT = (
    "The destination would cut or round them without a word, so the copy refuses the first of them "
    "and the run would stop"
)
ALTERED = "The destination would alter them without a word"

WORDS: dict[str, Words] = {
    # Any column
    "null-refused": Words(
        "are NULL", REFUSED, "Give them a value in the source, or let the destination take NULL."
    ),
    "blob-in-text": Words(
        "are bytes in a column of another type",
        ALTERED,
        "Convert them in the source (`UPDATE … SET … = CAST(… AS TEXT) WHERE typeof(…) = 'blob'`).",
    ),
    "text-in-blob": Words(
        "are texts or numbers in a column of bytes",
        ALTERED,
        "Convert them in the source (`UPDATE … SET … = CAST(… AS BLOB)`).",
    ),
    # Texts
    "nul-in-text": Words(
        "have a NUL character in them, which PostgreSQL's texts can't hold",
        REFUSED,
        "Remove the character in the source.",
        ("strip-nul", "replace-nul"),
    ),
    "invalid-utf8": Words(
        "are no valid UTF-8", REFUSED, "Find out their encoding and convert them in the source."
    ),
    "charset-unmapped": Words(
        "have bytes to which their column's character set, {charset}, gives no character",
        "MySQL would give question marks for them, so the copy reads none of the table and the run "
        "would stop",
        "Correct them in the source. If its texts are really in another encoding, give the column "
        "that character set by way of a binary type: `MODIFY … varbinary(…)`, then `MODIFY … "
        "varchar(…) CHARACTER SET …`.",
    ),
    "text-too-long": Words(
        "have more than {limit:,} characters, which is what the destination's {type} holds",
        REFUSED,
        "Shorten them in the source, or widen the column (and the field's max_length).",
    ),
    "value-too-large": Words(
        "have more than {limit:,} bytes, which is what the destination's {type} holds",
        REFUSED,
        "Shorten them in the source, or widen the column.",
    ),
    "index-entry": Words(
        "have more than {most:,} bytes, which is what an entry of the destination's index holds "
        "after compression",
        "Those that compression does not make fit would be refused, or keep the index from being "
        "built",
        "Shorten them in the source, or drop the index.",
    ),
    "value-padded": Words(
        "have fewer than {limit:,} bytes, to which the destination's {type} pads every value",
        ALTERED,
        "Change the destination's column to varbinary.",
    ),
    "trailing-spaces": Words(
        "end in a space, which the destination's {type} drops",
        ALTERED,
        "Change the destination's column to varchar, or trim them in the source.",
    ),
    "charset-too-narrow": Words(
        "have characters that the destination's character set, {charset}, can't hold",
        REFUSED,
        "Convert the destination's table: `ALTER TABLE … CONVERT TO CHARACTER SET utf8mb4`.",
    ),
    "not-a-member": Words(
        "are none of the values of the destination's enum",
        "The destination would refuse them, or take others for them",
        "Correct them in the source, or add them to the destination's enum.",
    ),
    "packet-too-large": Words(
        "are larger than the destination's max_allowed_packet",
        REFUSED,
        "Raise max_allowed_packet on the destination's server, or switch local_infile on there.",
    ),
    "unique-clash": Words(
        "clash: they differ, but not under the destination's collation {collation}, and "
        "{columns} must be unique",
        REFUSED,
        "Change all but one of each in the source, or give the destination's column another "
        "collation (db_collation), such as {exact}.",
    ),
    "duplicate": Words(
        "are duplicates: {columns} must be unique in the destination",
        REFUSED,
        "Remove all but one of each in the source.",
    ),
    "duplicate-in-part": Words(
        "are duplicates in the destination's unique constraint {name}{judged}",
        REFUSED,
        "Remove all but one of each in the source, or change them so that the constraint allows "
        "them.",
    ),
    "check-violated": Words(
        "are not what the destination's check {name} demands{judged}",
        REFUSED,
        "Correct them in the source.",
    ),
    # Numbers
    "not-a-number": Words(
        "are texts in a column of numbers", REFUSED, "Correct them in the source{or_null}."
    ),
    "text-among-numbers": Words(
        "are texts in a column of numbers",
        "SQLite holds anything, so they arrive as they are, and Django fails to read them there "
        "as it does now",
        "Correct them in the source{or_null}.",
    ),
    "not-an-integer": Words(
        "have a fraction, in a column of integers", REFUSED, "Round them in the source."
    ),
    "integer-out-of-range": Words(
        "are outside {least:,} to {most:,}, which is what the destination's column takes",
        REFUSED,
        "Correct them in the source, or widen the destination's column.",
    ),
    "boolean-not-0-1": Words(
        "are neither 0 nor 1, in a column of booleans",
        REFUSED,
        "Set them to 0 or 1 in the source.",
    ),
    "boolean-read-otherwise": Words(
        "are neither 0 nor 1, in a column of booleans",
        "They arrive as they are, which Django reads as False in SQLite, and as true in MySQL",
        "Set them to 0 or 1 in the source.",
    ),
    "decimal-too-big": Words(
        "have more than {digits} digits before the point, which is what the destination's "
        "column holds",
        REFUSED,
        "Correct them in the source, or widen the column (and the field's max_digits).",
    ),
    "decimal-too-fine": Words(
        "have more than {digits} digits after the point, to which the destination rounds",
        INEXACT,
        "Round them in the source, or widen the column (and the field's decimal_places).",
    ),
    "decimal-too-many-digits": Words(
        "have more than 15 significant digits, which is what SQLite keeps",
        REFUSED,
        "Round them in the source; SQLite has no exact decimals.",
    ),
    "not-finite": Words(
        "are NaN or infinite, which the destination can't hold",
        REFUSED,
        "Correct them in the source{or_null}.",
    ),
    "float-too-fine": Words(
        "need double precision, and the destination's {type} is single",
        INEXACT,
        "Change the destination's column to double precision.",
    ),
    # Dates and times
    "zero-date": Words(
        "are zero dates (0000-00-00, or a month or day of 0), which only MySQL takes",
        REFUSED,
        "Give them a date in the source{or_null}.",
        ("zero-date-null",),
    ),
    "zero-date-kept": Words(
        "are zero dates (0000-00-00, or a month or day of 0)",
        "MySQL takes them as they are, and Django reads them there as NULL",
        "Give them a date in the source{or_null}.",
        ("zero-date-null",),
    ),
    "invalid-date": Words(
        "are no dates that the destination can read", REFUSED, "Correct them in the source."
    ),
    "invalid-datetime": Words(
        "are no datetimes that the destination can read", REFUSED, "Correct them in the source."
    ),
    "invalid-time": Words(
        "are no times that the destination can read", REFUSED, "Correct them in the source."
    ),
    "date-out-of-range": Words(
        "are infinite, or outside the years 1 to 9999, which is what the destination and Django "
        "know",
        REFUSED,
        "Correct them in the source{or_null}.",
    ),
    "timestamp-out-of-range": Words(
        "are outside {least} to {most} (UTC), which is what the destination's timestamp holds",
        REFUSED,
        "Change the destination's column to datetime(6).",
    ),
    "time-left-out": Words(
        "are local times that there are not in {zone}, whose clocks were put forward then",
        ALTERED,
        "Correct them in the source: they would arrive an hour later.",
    ),
    "time-doubled": Words(
        "are from an hour that came twice in {zone}, whose clocks were put back then, and as local "
        "times they are the same as those of the hour after it",
        ALTERED,
        "Set them an hour later in the source (`UPDATE … SET … = … + interval '1 hour'`): with "
        "USE_TZ off the site does not tell the two hours from each other.",
    ),
    "time-out-of-range": Words(
        "are no times of a day: they are negative, or of 24 hours and more",
        REFUSED,
        "Correct them in the source; a length of time belongs into a DurationField.",
    ),
    "fraction-lost": Words(
        "have more than {digits} digits after the second, which is what the destination's column "
        "keeps",
        INEXACT,
        "Widen the destination's column to six digits (`datetime(6)`).",
        ("truncate-microseconds",),
    ),
    "duration-without-length": Words(
        "are intervals of months or years, which have no fixed length, or too long for 64 bits of "
        "microseconds",
        REFUSED,
        "Write them in days in the source.",
    ),
    # Others
    "invalid-uuid": Words("are no UUIDs", REFUSED, "Correct them in the source."),
    "uuid-refused": Words(
        "are UUIDs of version 8 or above whose variant MariaDB's type uuid refuses",
        REFUSED,
        "Give the rows other UUIDs in the source. A destination's column of char(32) would take "
        "them, but the site's Django would find no row by it.",
    ),
    "invalid-ip": Words("are no IP addresses", REFUSED, "Correct them in the source."),
    "invalid-json": Words(
        "are no valid JSON (NaN and Infinity are none either)",
        REFUSED,
        "Correct them in the source.",
    ),
    "nul-in-json": Words(
        "have the character \\u0000 in them, which PostgreSQL's jsonb can't hold",
        REFUSED,
        "Remove the character in the source.",
        ("strip-nul", "replace-nul"),
    ),
    "number-in-json": Words(
        "have a number in them with more than 131,072 digits before the point or 16,383 after it, "
        "which PostgreSQL's jsonb can't hold",
        REFUSED,
        "Correct them in the source: Python reads such a number as infinity, or as 0.",
    ),
    "json-number-altered": Words(
        "have a number in them that MySQL's JSON does not keep: an integer of more than 64 bits, "
        "or a number of more digits, or larger, than a double holds",
        "The destination would round them without a word, or refuse the first of them and the run "
        "would stop",
        "Round the number in the source, or write it as a string.",
    ),
    "surrogate-in-json": Words(
        "have half of a surrogate pair (\\ud800 to \\udfff) in them, which is no character",
        REFUSED,
        "Correct them in the source.",
    ),
    "json-too-deep": Words(
        "are nested deeper than {levels} levels, which is what the destination's JSON takes",
        REFUSED,
        "Flatten them in the source.",
    ),
    # References
    "orphans": Words(
        "lead nowhere: {columns} has no match in {parent}",
        "The destination's foreign key would not hold, and the run would fail at its end",
        "Mend them in the source.",
        ("skip-orphans",),
    ),
    "parent-left-out": Words(
        "lead to rows of {parent} that lead nowhere themselves, or to rows below such",
        "Once those are left out, the destination's foreign key would not hold, and the run would "
        "fail at its end",
        "Mend what leads nowhere in the source.",
        ("skip-orphans",),
    ),
    "parent-refused": Words(
        "lead to rows of {parent} that the destination would refuse for their {cause}",
        "Once those are set aside, the destination's foreign key would not hold, and the run would "
        "fail at its end",
        "Mend the rows of {parent}, in the source or by a transform of theirs.",
    ),
    "parent-not-copied": Words(
        "lead nowhere: {columns} has no match in the destination's {parent}, which is not copied",
        "The destination's foreign key would not hold, and the run would fail at its end",
        "Copy {parent} as well.",
    ),
    "child-left-behind": Words(
        "of the destination's {table}, which is not copied, lead to rows of {parent} that the "
        "source has not",
        "The destination's foreign key would not hold, and the run would fail at its end",
        "Copy {table} as well, or empty it in the destination.",
    ),
}


@dataclass(frozen=True)
class Hazard:
    """One thing that can be wrong with the values of a column, and the SQL that finds them."""

    code: str
    column: str
    predicate: str
    source: Column | None = None
    facts: tuple[tuple[str, object], ...] = ()
    severity: Severity = Severity.BLOCKER
    # Says of the column's value in a row that SQL has found whether it is one of them.
    judge: Callable[[bytes | str], bool] | None = None
