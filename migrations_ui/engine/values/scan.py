"""One pass over a table of the source, and a few keys of what it found."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from migrations_ui.engine.databases.base import Column
from migrations_ui.engine.databases.indexing import ALIAS
from migrations_ui.engine.databases.ranges import KeyRange, conditions
from migrations_ui.engine.findings import Finding
from migrations_ui.engine.layout import Layout
from migrations_ui.engine.values.hazards import WORDS, Hazard
from migrations_ui.engine.values.readers import Reader

SAMPLES = 5
# Expressions in one SELECT; SQLite's limits are 1,000 ORs, and a million characters.
AT_ONCE = 200


class Scan:
    """Looks for hazards in the rows of one table, or of a query in parentheses in its place."""

    def __init__(self, layout: Layout, reader: Reader, query: str = "") -> None:
        self.layout = layout
        self.reader = reader
        self.database = reader.database
        self.table = query or self.database.quote(layout.source_name)

    def first(self, hazards: Sequence[Hazard], keys: KeyRange | None) -> Counter[str]:
        """How many rows of the range each predicate is true for that guards hazards, or finds one.

        Of predicates that are true for none nothing is said.
        """
        elsewhere = self.reader.outside_sql(hazards)
        looked_for = [hazard for hazard in hazards if hazard not in elsewhere]
        guards = self.reader.guards(looked_for)
        counted = self.counts([guards.get(h, h.predicate) for h in looked_for], keys)
        return counted + self.reader.look_outside_sql(self.layout.source_name, elsewhere, keys)

    def found(self, hazards: Sequence[Hazard], rows: Counter[str]) -> dict[Hazard, int]:
        """Those of the hazards that there are rows of, and how many.

        `rows` is what the first look has counted in all of the table.
        """
        elsewhere = self.reader.outside_sql(hazards)
        guards = self.reader.guards([h for h in hazards if h not in elsewhere]) | elsewhere
        behind = [hazard for hazard in hazards if rows[guards.get(hazard, "")]]
        counted = rows | self.counts([hazard.predicate for hazard in behind])
        return {hazard: count for hazard in hazards if (count := counted[hazard.predicate])}

    def finding(self, hazard: Hazard, rows: int) -> Finding | None:
        """The finding of a hazard, with a few keys; None if there is nothing to it after all."""
        if hazard.judge and hazard.source:
            rows, keys = self.judged(hazard.predicate, hazard.source, hazard.judge)
        else:
            keys = self.keys(f"FROM {self.table} WHERE {hazard.predicate}")
        return finding(self.layout, hazard, rows, keys) if rows else None

    def judged(
        self, predicate: str, column: Column, judge: Callable[[bytes | str], bool]
    ) -> tuple[int, tuple[str, ...]]:
        """Of how many rows that SQL has found the judge says so, too; a few keys."""
        columns = [self.layout.columns[index].source for index in self.layout.key_positions]
        names = ", ".join(self.database.quote(column.name) for column in columns)
        shown = ", ".join([self.reader.raw(column), *map(self.reader.key, columns)])
        order = f" ORDER BY {names}" if names else ""
        rows, keys = 0, list[str]()
        sql = f"SELECT {shown} FROM {self.table} WHERE {predicate}{order}"
        for value, *key in self.reader.stream(sql):
            if judge(value):
                rows += 1
                if key and len(keys) < SAMPLES:
                    keys.append(", ".join(map(str, key)))
        return rows, tuple(keys)

    def counts(self, predicates: Iterable[str], keys: KeyRange | None = None) -> Counter[str]:
        """How many rows of the range each of the predicates is true for."""
        different = list(dict.fromkeys(predicates))
        names = [self.database.quote(name) for name in keys.columns] if keys else []
        within = conditions(names, keys) if keys else []
        found: Counter[str] = Counter()
        for start in range(0, len(different), AT_ONCE):
            part = different[start : start + AT_ONCE]
            counts = ", ".join(f"COUNT(CASE WHEN {predicate} THEN 1 END)" for predicate in part)
            # Nearly no row gets as far as being counted.
            where = " AND ".join([*within, f"({' OR '.join(part)})"])
            ((*numbers,),) = self.database.query(f"SELECT {counts} FROM {self.table} WHERE {where}")
            found += Counter(dict(zip(part, numbers, strict=True)))
        return found

    def repeated(
        self, values: Sequence[str], where: Sequence[str] = ()
    ) -> tuple[int, tuple[str, ...]]:
        """How many rows share their values, none of which is NULL, with another; a few keys."""
        called = [(value, ALIAS.format(index)) for index, value in enumerate(values)]
        listed = ", ".join(f"{value} AS {name}" for value, name in called)
        within = " AND ".join([*where, *(f"{value} IS NOT NULL" for value in values)])
        groups = (
            f"SELECT {listed}, COUNT(*) AS cutover_rows FROM {self.table} WHERE {within} "
            f"GROUP BY {', '.join(values)} HAVING COUNT(*) > 1"
        )
        total = self.database.query(f"SELECT COALESCE(SUM(cutover_rows), 0) FROM ({groups}) g")
        if not (rows := int(total[0][0])):
            return 0, ()
        joined = " AND ".join(f"{value} = {name}" for value, name in called)
        rest = f"FROM {self.table} JOIN ({groups}) duplicates ON {joined} WHERE {within}"
        return rows, self.keys(rest)

    def keys(self, rest: str, prefix: str = "") -> tuple[str, ...]:
        """The first few primary keys of a query that begins with FROM; `prefix` names the table."""
        columns = [self.layout.columns[index].source for index in self.layout.key_positions]
        if not columns:
            return ()
        names = ", ".join(f"{prefix}{self.database.quote(column.name)}" for column in columns)
        shown = ", ".join(self.reader.key(column) for column in columns)
        rows = self.database.query(
            f"SELECT {shown} FROM (SELECT {names} {rest} ORDER BY {names} LIMIT {SAMPLES}) sample"
        )
        return tuple(", ".join(str(value) for value in row) for row in rows)


def finding(layout: Layout, hazard: Hazard, rows: int, keys: tuple[str, ...]) -> Finding:
    """The hazard and its rows, in words."""
    words, facts = WORDS[hazard.code], dict(hazard.facts)
    facts["or_null"] = ", or set them NULL" if takes_null(layout, hazard.column) else ""
    where = f"In {rows:,} row" + ("s" if rows != 1 else "")
    what = words.what.format(**facts)
    message = f"{where}, values of {hazard.column} {what}. {words.happens}."
    names = possible(words.transforms, layout, hazard.column)
    return Finding(
        code=hazard.code,
        severity=hazard.severity,
        label=layout.label,
        table=layout.dest_name,
        column=hazard.column,
        rows=rows,
        sample_keys=keys,
        message=message,
        remedy=words.remedy.format(**facts),
        refused=words.is_refused,
        transforms=names,
    )


def possible(names: Sequence[str], layout: Layout, column: str) -> tuple[str, ...]:
    """The transforms that this column can have."""
    nullable = takes_null(layout, column)
    return tuple(name for name in names if nullable or name != "zero-date-null")


def takes_null(layout: Layout, column: str) -> bool:
    """Whether the value may be NULL on both sides."""
    found = [c for c in layout.columns if c.dest.name == column]
    return any(c.dest.nullable and c.source.nullable for c in found)
