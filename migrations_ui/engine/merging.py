"""Comparing two streams of canonical rows in the order of their key.

Blocks that are equal, byte for byte, hold equal rows, and nothing more is asked.  Where they are
not, lines are compared; where these are not, keys say which rows belong together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from migrations_ui.engine.comparing import Pair, Suspects


class Disorder(Exception):
    """A side does not sort its key as the other does, so its rows can't be merged."""


Step = Callable[[int], None]


class Merge:
    """One pass over two streams.  `step` is called with the number of rows just compared."""

    def __init__(self, pair: Pair, suspects: Suspects, step: Step) -> None:
        self.pair = pair
        self.suspects = suspects
        self.step = step

    def run(self, source: Iterator[bytes], dest: Iterator[bytes]) -> None:
        """Compare until both streams end; `Disorder` when the keys don't ascend."""
        there, here = next(source, b""), next(dest, b"")
        while there and here:
            there, here = self._equal(there, here) or self._unequal(there, here)
            there, here = there or next(source, b""), here or next(dest, b"")
        while there:
            self._only(there, on_source=True)
            there = next(source, b"")
        while here:
            self._only(here, on_source=False)
            here = next(dest, b"")
        self.suspects.flush()

    def _equal(self, there: bytes, here: bytes) -> tuple[bytes, bytes] | None:
        """What is left of two blocks that begin alike; None where they don't."""
        if len(there) >= len(here):
            if not there.startswith(here):
                return None
            self.step(here.count(b"\n"))
            return there[len(here) :], b""
        if not here.startswith(there):
            return None
        self.step(there.count(b"\n"))
        return b"", here[len(there) :]

    def _unequal(self, there: bytes, here: bytes) -> tuple[bytes, bytes]:
        """Compare line by line until one block ends; what is left of the other."""
        left, right = there.split(b"\n"), here.split(b"\n")
        left.pop()
        right.pop()
        i = j = 0
        while i < len(left) and j < len(right):
            if left[i] == right[j]:
                i += 1
                j += 1
                continue
            key, other = self._key(left, i), self._key(right, j)
            if key <= other:
                i += 1
            if other <= key:
                j += 1
            self._suspect(
                left[i - 1] if key <= other else None, right[j - 1] if other <= key else None
            )
        self.step(i)
        return _joined(left, i), _joined(right, j)

    def _suspect(self, source: bytes | None, dest: bytes | None) -> None:
        line = source if source is not None else dest
        self.suspects.add(self.pair.key_of(line or b""), source, dest)

    def _key(self, lines: list[bytes], index: int) -> tuple[int, ...]:
        """The key of a line, which has to be above that of the line before it."""
        key = self._parsed(lines[index])
        if index and self._parsed(lines[index - 1]) >= key:
            raise Disorder
        return key

    def _parsed(self, line: bytes) -> tuple[int, ...]:
        try:
            return tuple(map(int, self.pair.key_of(line).split(b"\t")))
        except ValueError as error:
            raise Disorder from error

    def _only(self, block: bytes, *, on_source: bool) -> None:
        """Rows after the end of the other side."""
        lines = block.split(b"\n")[:-1]
        for line in lines:
            self._suspect(line if on_source else None, None if on_source else line)
        self.step(len(lines) if on_source else 0)


def _joined(lines: list[bytes], start: int) -> bytes:
    return b"\n".join((*lines[start:], b"")) if start < len(lines) else b""
