"""What the values of a column can be on the source that they can't be on the destination.

A hazard that the two columns' types rule out is not looked for; what is left is looked for in the
values.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from migrations_ui.engine.databases.base import Column
from migrations_ui.engine.findings import Severity
from migrations_ui.engine.kinds import Kind
from migrations_ui.engine.layout import CopiedColumn
from migrations_ui.engine.values.hazards import Hazard
from migrations_ui.engine.values.json_numbers import alters
from migrations_ui.engine.values.readers import Reader
from migrations_ui.engine.values.targets import Checks, Target, integers, timestamps
from migrations_ui.engine.values.zones import gaps

SIX = 6
SINGLE = 24
SQLITE_DIGITS = 15
# Above this no value gets.
ENDLESS = 2**30


@dataclass(frozen=True)
class Crossing:
    """A column on its way from the source's table to the destination's."""

    column: CopiedColumn
    source_table: str
    dest_table: str
    reader: Reader
    target: Target
    source_checks: Checks

    @property
    def source(self) -> Column:
        return self.column.source

    @property
    def dest(self) -> Column:
        return self.column.dest

    def hazard(self, code: str, predicate: str, **facts: object) -> Iterator[Hazard]:
        """The hazard, if the source's vendor can hold such values."""
        if predicate:
            yield Hazard(code, self.dest.name, predicate, self.source, tuple(facts.items()))

    def warning(self, code: str, predicate: str) -> Iterator[Hazard]:
        """The same of values that arrive as they are."""
        for found in self.hazard(code, predicate):
            yield replace(found, severity=Severity.WARNING)


def hazards(crossing: Crossing) -> Iterator[Hazard]:
    """Everything that has to be looked for in the values of one column."""
    kind = crossing.column.kind
    if crossing.source.nullable and not crossing.dest.nullable:
        yield from crossing.hazard("null-refused", crossing.reader.missing(crossing.source))
    if kind not in (Kind.BINARY, Kind.DJANGO, Kind.NATIVE):
        yield from crossing.hazard("blob-in-text", crossing.reader.blob(crossing.source))
    for look in LOOKS.get(kind, ()):
        yield from look(crossing)


# -- Texts and bytes ------------------------------------------------------------------------------


def nuls(crossing: Crossing) -> Iterator[Hazard]:
    if crossing.target.vendor == "postgresql":
        yield from crossing.hazard("nul-in-text", crossing.reader.nul(crossing.source))


def encodings(crossing: Crossing) -> Iterator[Hazard]:
    there, product = crossing.source.charset, crossing.target.database.product
    yield from crossing.hazard("invalid-utf8", crossing.reader.not_utf8(crossing.source, product))
    unmapped = crossing.reader.unmapped(crossing.source)
    yield from crossing.hazard("charset-unmapped", unmapped, charset=there)
    charset = crossing.dest.charset
    if charset and charset != there:
        beyond = crossing.reader.beyond(crossing.source, charset)
        yield from crossing.hazard("charset-too-narrow", beyond, charset=charset)


def own_texts(crossing: Crossing) -> Iterator[Hazard]:
    """Among a vendor's own types only those of SQLite hold texts that may be none."""
    if crossing.source.dynamic:
        yield from encodings(crossing)


def lengths(crossing: Crossing) -> Iterator[Hazard]:
    reader, source, dest = crossing.reader, crossing.source, crossing.dest
    limit, has = crossing.target.characters(dest), reader.characters(source)
    if limit is not None and (has is None or has > limit):
        yield from crossing.hazard(
            "text-too-long", reader.longer(source, limit), limit=limit, type=dest.type
        )


def sizes(crossing: Crossing) -> Iterator[Hazard]:
    reader, source, dest = crossing.reader, crossing.source, crossing.dest
    limit, has = crossing.target.octets(dest), reader.octets(source)
    if limit is not None and limit < ENDLESS and (has is None or has > limit):
        yield from crossing.hazard(
            "value-too-large", reader.heavier(source, limit), limit=limit, type=dest.type
        )
    packet = crossing.target.packet
    if packet is not None and (has is None or 2 * has > packet):
        # Bytes go as hex, and a text may consist of what is escaped; few do, but few are so long.
        most = packet // 2 if crossing.column.kind is Kind.BINARY else packet
        yield from crossing.hazard("packet-too-large", reader.heavier(source, most))


def entries(crossing: Crossing) -> Iterator[Hazard]:
    """An index of PostgreSQL has room for so many bytes, after a compression that nobody knows."""
    most = crossing.target.entry(crossing.dest_table, crossing.dest)
    holds = [column.length * 4 for column in (crossing.dest, crossing.source) if column.length]
    same_vendor = crossing.reader.database.vendor == crossing.target.vendor
    if most is not None and not same_vendor and min(holds, default=ENDLESS) > most:
        for found in crossing.warning(
            "index-entry", crossing.reader.heavier(crossing.source, most)
        ):
            yield replace(found, facts=(("most", most),))


def members(crossing: Crossing) -> Iterator[Hazard]:
    """MySQL takes `1` for the first of an enum's values, and "A" for "a"."""
    if crossing.dest.members:
        others = crossing.reader.not_among(crossing.source, crossing.dest.members)
        yield from crossing.hazard("not-a-member", others)


def paddings(crossing: Crossing) -> Iterator[Hazard]:
    """Types of a fixed length: MySQL drops spaces from `char` and adds zeros to `binary`."""
    reader, source, dest = crossing.reader, crossing.source, crossing.dest
    if crossing.target.vendor != "mysql" or source.type == dest.type:
        return
    if dest.type == "char":
        yield from crossing.hazard("trailing-spaces", reader.trailing_space(source), type=dest.type)
    if dest.type == "binary" and dest.length:
        shorter = f"NOT ({reader.heavier(source, dest.length - 1)})"
        yield from crossing.hazard("value-padded", shorter, limit=dest.length, type=dest.type)


def bytes_only(crossing: Crossing) -> Iterator[Hazard]:
    yield from crossing.hazard("text-in-blob", crossing.reader.not_blob(crossing.source))


# -- Numbers --------------------------------------------------------------------------------------


def numbers(crossing: Crossing) -> Iterator[Hazard]:
    """Where SQLite comes from, texts; to SQLite they go as they are, except into floats."""
    texts = crossing.reader.not_numeric(crossing.source)
    if crossing.target.vendor != "sqlite" or crossing.column.kind in (Kind.FLOAT, Kind.DURATION):
        yield from crossing.hazard("not-a-number", texts)
    else:
        yield from crossing.warning("text-among-numbers", texts)


def wholes(crossing: Crossing) -> Iterator[Hazard]:
    """Where SQLite comes from, floats, some of which were integers of more than 64 bits."""
    reader, source = crossing.reader, crossing.source
    yield from crossing.hazard("not-an-integer", reader.not_whole(source))
    if source.dynamic:
        least, most = -(2**63), 2**63 - 1
        outside = reader.outside(source, least, most)
        yield from crossing.hazard("integer-out-of-range", outside, least=least, most=most)


def ranges(crossing: Crossing) -> Iterator[Hazard]:
    reader, source = crossing.reader, crossing.source
    yield from crossing.hazard("not-an-integer", reader.not_whole(source))
    least, most = crossing.target.integers(crossing.dest_table, crossing.dest)
    low, high = integers(source, reader.database.vendor)
    if crossing.source_checks.positive(crossing.source_table, source):
        low = 0
    if low < least or high > most or source.dynamic:
        outside = reader.outside(source, least, most)
        yield from crossing.hazard("integer-out-of-range", outside, least=least, most=most)


def booleans(crossing: Crossing) -> Iterator[Hazard]:
    yield from wholes(crossing)
    if crossing.dest.storage is Kind.BOOLEAN and crossing.target.vendor == "postgresql":
        yield from crossing.hazard("boolean-not-0-1", crossing.reader.no_boolean(crossing.source))
        yield from crossing.hazard("not-an-integer", crossing.reader.not_whole(crossing.source))
        return
    if {crossing.reader.database.vendor, crossing.target.vendor} == {"mysql", "sqlite"}:
        other = crossing.reader.no_boolean(crossing.source)
        yield from crossing.warning("boolean-read-otherwise", other)
    if crossing.source.storage is not Kind.BOOLEAN or crossing.source.dynamic:
        yield from ranges(crossing)


def decimals(crossing: Crossing) -> Iterator[Hazard]:
    reader, source, dest = crossing.reader, crossing.source, crossing.dest
    same = source.type == dest.type and not source.dynamic
    if not (same and crossing.target.vendor == "postgresql"):
        yield from crossing.hazard("not-finite", reader.no_number(source))
    if crossing.target.vendor == "sqlite":
        if (source.precision or ENDLESS) > SQLITE_DIGITS:
            yield from crossing.hazard("decimal-too-many-digits", reader.digits(source))
        if source.dynamic and dest.scale is not None:
            finer = reader.finer(source, dest.scale)
            yield from crossing.hazard("decimal-too-fine", finer, digits=dest.scale)
        return
    yield from digits_before(crossing)
    rounds = source.dynamic or source.scale is None or source.scale > (dest.scale or 0)
    if dest.scale is not None and rounds:
        finer = reader.finer(source, dest.scale)
        yield from crossing.hazard("decimal-too-fine", finer, digits=dest.scale)


def digits_before(crossing: Crossing) -> Iterator[Hazard]:
    source, dest = crossing.source, crossing.dest
    if dest.precision is None or dest.scale is None:
        return
    room = dest.precision - dest.scale
    bounded = source.precision is not None and not source.dynamic
    if bounded and (source.precision or 0) - (source.scale or 0) <= room:
        return
    too_big = crossing.reader.too_big(source, room)
    yield from crossing.hazard("decimal-too-big", too_big, digits=room)


def floats(crossing: Crossing) -> Iterator[Hazard]:
    reader, source, dest = crossing.reader, crossing.source, crossing.dest
    if crossing.target.vendor == "mysql":
        yield from crossing.hazard("not-finite", reader.no_number(source))
    if crossing.target.vendor == "sqlite":
        yield from crossing.hazard("not-finite", reader.not_a_number(source))
    if dest.precision == SINGLE and source.precision != SINGLE:
        yield from crossing.hazard("float-too-fine", reader.not_single(source), type=dest.type)


def durations(crossing: Crossing) -> Iterator[Hazard]:
    yield from wholes(crossing)
    if crossing.dest.storage is not Kind.DURATION:
        yield from crossing.hazard(
            "duration-without-length", crossing.reader.far_duration(crossing.source)
        )
    else:
        yield from fractions(crossing)


# -- Dates and times ------------------------------------------------------------------------------


def zero_dates(crossing: Crossing) -> Iterator[Hazard]:
    found = crossing.reader.zero_date(crossing.source)
    if crossing.target.vendor != "mysql":
        yield from crossing.hazard("zero-date", found)
    elif crossing.source.dynamic:
        yield from crossing.warning("zero-date-kept", found)


def dates(crossing: Crossing) -> Iterator[Hazard]:
    yield from zero_dates(crossing)
    found = crossing.reader.no_date(crossing.source, crossing.target.vendor)
    yield from crossing.hazard("invalid-date", found)
    yield from far_dates(crossing)


def datetimes(crossing: Crossing) -> Iterator[Hazard]:
    yield from zero_dates(crossing)
    found = crossing.reader.no_datetime(crossing.source, crossing.target.vendor)
    yield from crossing.hazard("invalid-datetime", found)
    yield from far_dates(crossing)
    yield from fractions(crossing)
    if crossing.source.is_instant and crossing.target.time_zone != "UTC":
        doubled = crossing.reader.doubled(crossing.source)
        yield from crossing.hazard("time-doubled", doubled, zone=crossing.target.time_zone)
    if crossing.dest.is_instant:
        left_out = crossing.reader.left_out(crossing.source, gaps(crossing.target.time_zone))
        yield from crossing.hazard("time-left-out", left_out, zone=crossing.target.time_zone)
    yield from moments(crossing)


def moments(crossing: Crossing) -> Iterator[Hazard]:
    """MySQL's type timestamp ends soon, but later in newer versions of MariaDB."""
    source, there = crossing.source, crossing.reader.database
    if crossing.target.vendor != "mysql" or crossing.dest.type != "timestamp":
        return
    least, most = timestamps(crossing.target.database)
    is_like = there.vendor == "mysql" and source.type == "timestamp"
    if not is_like or timestamps(there)[1] > most:
        outside = crossing.reader.outside_times(source, least, most)
        yield from crossing.hazard("timestamp-out-of-range", outside, least=least, most=most)


def far_dates(crossing: Crossing) -> Iterator[Hazard]:
    if crossing.target.vendor != crossing.reader.database.vendor:
        yield from crossing.hazard("date-out-of-range", crossing.reader.far_date(crossing.source))


def times(crossing: Crossing) -> Iterator[Hazard]:
    found = crossing.reader.no_time(crossing.source, crossing.target.vendor)
    yield from crossing.hazard("invalid-time", found)
    if crossing.target.vendor != crossing.reader.database.vendor:
        far = crossing.reader.far_time(crossing.source, crossing.target.vendor)
        yield from crossing.hazard("time-out-of-range", far)
    yield from fractions(crossing)


def fractions(crossing: Crossing) -> Iterator[Hazard]:
    keeps, has = crossing.dest.precision, crossing.source.precision
    if keeps is not None and keeps < (SIX if has is None else has):
        lost = crossing.reader.fraction(crossing.source, keeps)
        yield from crossing.hazard("fraction-lost", lost, digits=keeps)


# -- Others ---------------------------------------------------------------------------------------


def uuids(crossing: Crossing) -> Iterator[Hazard]:
    reader, source, dest = crossing.reader, crossing.source, crossing.dest
    if dest.storage is not Kind.UUID:
        return
    yield from crossing.hazard("invalid-uuid", reader.no_uuid(source))
    of_another_type = source.storage is not Kind.UUID or reader.database.vendor != "mysql"
    if crossing.target.vendor == "mysql" and of_another_type:
        variants = crossing.target.refused_variants
        predicate = reader.uuid_like(source, variants) if variants else ""
        yield from crossing.hazard("uuid-refused", predicate)


def addresses(crossing: Crossing) -> Iterator[Hazard]:
    if crossing.dest.storage is Kind.IP:
        yield from crossing.hazard("invalid-ip", crossing.reader.no_ip(crossing.source))


def json(crossing: Crossing) -> Iterator[Hazard]:
    reader, source, target = crossing.reader, crossing.source, crossing.target
    if not target.takes_json_only(crossing.dest_table, crossing.dest):
        return
    checked = crossing.source_checks.json(crossing.source_table, source)
    # MariaDB takes some texts for JSON that MySQL does not.
    same_product = reader.database.product == target.database.product
    if not (checked and same_product):
        yield from crossing.hazard("invalid-json", reader.no_json(source))
    if crossing.dest.type == "jsonb":
        yield from crossing.hazard("nul-in-json", reader.json_nul(source))
        yield from crossing.hazard("number-in-json", reader.json_long_number(source))
    if target.vendor == "mysql" and crossing.dest.type == "json":  # MariaDB's JSON is a text
        for found in crossing.hazard("json-number-altered", reader.json_suspect(source)):
            yield replace(found, judge=alters)
    if crossing.dest.type == "jsonb" or (target.vendor == "mysql" and not same_product):
        yield from crossing.hazard("surrogate-in-json", reader.json_surrogate(source))
    if target.json_depth and not same_product:
        deeper = reader.deeper(source, target.json_depth)
        yield from crossing.hazard("json-too-deep", deeper, levels=target.json_depth)


Look = Callable[[Crossing], Iterator[Hazard]]
LOOKS: dict[Kind, tuple[Look, ...]] = {
    Kind.TEXT: (nuls, encodings, lengths, sizes, entries, members, paddings),
    Kind.BINARY: (bytes_only, sizes, paddings),
    Kind.JSON: (encodings, json, sizes),
    Kind.INTEGER: (numbers, ranges),
    Kind.BOOLEAN: (numbers, booleans),
    Kind.DECIMAL: (numbers, decimals),
    Kind.FLOAT: (numbers, floats),
    Kind.DURATION: (numbers, durations),
    Kind.DATE: (dates,),
    Kind.DATETIME: (datetimes,),
    Kind.TIME: (times,),
    Kind.UUID: (uuids,),
    Kind.IP: (addresses,),
    Kind.NATIVE: (own_texts,),
}
