"""Comparing a table whose keys the two vendors sort in different ways, in constant memory.

Each row falls into one of `BUCKETS` by its key.  A first pass adds up a digest of every row in its
bucket, on either side, so the order does not matter.  Rows of the buckets whose sums differ are
read again and matched by key, as many buckets in a pass as may be held.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

from migrations_ui.engine.comparing import Pair, Suspects, lines

BUCKETS = 1 << 16
# Bytes of rows that are held to be matched, and what Python needs for each besides.
HELD = 16 * 1024 * 1024
ROW_COSTS = 300
MASK = (1 << 128) - 1

Read = Callable[[Callable[[bytes], object]], None]
Step = Callable[[int], None]


class Sums:
    """The digests of one side's rows, added up by bucket."""

    def __init__(self, pair: Pair, *, on_source: bool) -> None:
        self.pair = pair
        self.on_source = on_source
        self.rows = 0
        self.buckets = [0] * BUCKETS
        self.sizes = [0] * BUCKETS
        # Bytes that differ say little of these columns, so what is hashed is their normal form.
        self.forms = {
            position: equality
            for position, equality in enumerate(pair.equalities)
            if equality.is_spelt_freely
        }

    def add(self, block: bytes) -> int:
        """Take a block of canonical rows; how many there were."""
        found = lines([block])
        for line in found:
            bucket = self.bucket(line)
            self.buckets[bucket] = (self.buckets[bucket] + digest(self.normal(line))) & MASK
            self.sizes[bucket] += len(line) + ROW_COSTS
        self.rows += len(found)
        return len(found)

    def bucket(self, line: bytes) -> int:
        key = self.pair.same_key(self.pair.key_of(line), on_source=self.on_source)
        return hash(key) % BUCKETS

    def normal(self, line: bytes) -> bytes:
        """A row with the values that vendors spell differently in their normal form."""
        if not self.forms:
            return line
        values = line.split(b"\t")
        for position, form in self.forms.items():
            values[position] = form.normal(values[position], on_source=self.on_source)
        return b"\t".join(values)

    @property
    def digest(self) -> str:
        """Of all rows, whatever their order."""
        return f"{sum(self.buckets) & MASK:032x}"


def digest(row: bytes) -> int:
    return int.from_bytes(hashlib.blake2b(row, digest_size=16).digest(), "little")


def sums(pair: Pair, source: Read, dest: Read, step: Step) -> tuple[Sums, Sums]:
    """The first pass, over both sides at once."""
    there, here = Sums(pair, on_source=True), Sums(pair, on_source=False)
    together([lambda: source(lambda block: step(there.add(block))), lambda: dest(here.add)])
    return there, here


def together(jobs: list[Callable[[], None]]) -> None:
    """Do all of them at once; the first error is raised when all have ended."""
    with ThreadPoolExecutor(len(jobs), thread_name_prefix="reader") as pool:
        for future in [pool.submit(job) for job in jobs]:
            future.result()


def groups(there: Sums, here: Sums) -> Iterator[frozenset[int]]:
    """The buckets that differ, as many at a time as may be held."""
    group: set[int] = set()
    held = 0
    for bucket in range(BUCKETS):
        if there.buckets[bucket] == here.buckets[bucket]:
            continue
        if group and held + there.sizes[bucket] > HELD:
            yield frozenset(group)
            group, held = set(), 0
        group.add(bucket)
        held += there.sizes[bucket]
    if group:
        yield frozenset(group)


class Matching:
    """The rows of some buckets: the source's are held, the destination's find theirs by key."""

    def __init__(self, there: Sums, here: Sums, buckets: frozenset[int], found: Suspects) -> None:
        self.there, self.here = there, here
        self.pair = there.pair
        self.buckets = buckets
        self.suspects = found
        self.held: dict[bytes, list[bytes]] = {}

    def run(self, source: Read, dest: Read) -> None:
        source(self._hold)
        dest(self._match)
        for rows in self.held.values():
            for line in rows:
                self.suspects.add(self.pair.key_of(line), line, None)
        self.suspects.flush()

    def _hold(self, block: bytes) -> None:
        for line in lines([block]):
            if self.there.bucket(line) in self.buckets:
                key = self.pair.same_key(self.pair.key_of(line), on_source=True)
                self.held.setdefault(key, []).append(line)

    def _match(self, block: bytes) -> None:
        for line in lines([block]):
            if self.here.bucket(line) in self.buckets:
                self.suspects.add(self.pair.key_of(line), self._partner(line), line)

    def _partner(self, line: bytes) -> bytes | None:
        """The source's row of the same key, which is taken; of several an equal one."""
        key = self.pair.same_key(self.pair.key_of(line), on_source=False)
        if (rows := self.held.get(key)) is None:
            return None
        chosen = line if line in rows else rows[-1]
        rows.remove(chosen)
        if not rows:
            del self.held[key]
        return chosen
