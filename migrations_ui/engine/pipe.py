"""A bounded pipe of blocks between the thread that reads and the one that loads."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator

Block = bytes


class Broken(Exception):
    """The other end has gone away."""


class Pipe:
    """Holds at most `capacity` bytes, or one block where that alone is larger."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._blocks: deque[Block] = deque()
        self._size = 0
        self._finished = False
        self._broken = False
        self._error: BaseException | None = None
        self._changed = threading.Condition()

    def write(self, block: Block) -> None:
        """Add a block, waiting for room; `Broken` when nobody reads any more."""
        with self._changed:
            self._changed.wait_for(
                lambda: self._broken or not self._blocks or self._size < self._capacity
            )
            if self._broken:
                raise Broken
            self._blocks.append(block)
            self._size += len(block)
            self._changed.notify_all()

    def finish(self, error: BaseException | None = None) -> None:
        """No more blocks will come; an error is raised at the reading end after the last one."""
        with self._changed:
            self._finished, self._error = True, error
            self._changed.notify_all()

    def abandon(self) -> None:
        """Nobody will read any more."""
        with self._changed:
            self._broken = True
            self._blocks.clear()
            self._changed.notify_all()

    def __iter__(self) -> Iterator[Block]:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._blocks or self._finished)
                if not self._blocks:
                    if self._error is not None:
                        raise self._error
                    return
                block = self._blocks.popleft()
                self._size -= len(block)
                self._changed.notify_all()
            yield block


def reading(fill: Callable[[Callable[[Block], None]], None], pipe: Pipe) -> threading.Thread:
    """Start a thread that lets `fill` write into the pipe, and ends it either way."""

    def work() -> None:
        try:
            fill(pipe.write)
        except Broken:
            pipe.finish()
        except BaseException as error:  # noqa: BLE001  # raised again at the reading end
            pipe.finish(error)
        else:
            pipe.finish()

    thread = threading.Thread(target=work, name="reader", daemon=True)
    thread.start()
    return thread
