"""`make chaos`: faults at random, for as long as asked, and what became of the runs."""

from __future__ import annotations

import argparse
import signal
import sys

from tests.faults.chaos import storm


def main() -> int:
    parser = argparse.ArgumentParser(prog="make chaos")
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--seed", type=int)
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that nothing is left running
    return storm(given.seconds, given.seed)


sys.exit(main())
