"""The full audit against reladiff, and in all nine directions."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from itertools import product
from pathlib import Path

from tests.bench.contestants import ORM, Contestant, cutover, sides
from tests.bench.figures import MEMORY, OURS, Bar, Outcome, megabytes, ratio
from tests.bench.process import Failed, Measured, manage, measure
from tests.bench.racing import Race
from tests.bench.stock import Place

SHORT = {"postgresql": "pg", "mysql": "mariadb", "sqlite": "sqlite"}
RIVAL = "reladiff"
# Where it runs: elsewhere it can't, or calls equal rows different.
ITS_DIRECTION = "pg-mariadb"


def audit(source: Place, dest: Place, folder: Path) -> Measured:
    """`auditdata` of all tables; every one must be found identical."""
    env = {**sides(source, dest), "CUTOVER_VAR": str(folder / "control")}
    measured = measure(manage("auditdata", "--json"), folder, env)
    if wrong := [
        table["label"]
        for table in json.loads(measured.output)["tables"]
        if table["verdict"] != "identical"
    ]:
        raise Failed(f"not found identical: {', '.join(wrong)}")
    return measured


def reladiff(source: Place, dest: Place, folder: Path) -> Measured:
    command = [sys.executable, "-m", "tests.bench.reladiff_tables"]
    measured = measure(command, folder, {**ORM, **sides(source, dest)})
    if int(measured.output) != 0:
        raise Failed(f"it calls {int(measured.output):,} equal rows different")
    return measured


AUDIT = Contestant(OURS, audit, note="every column of every table")
RELADIFF = Contestant(RIVAL, reladiff, note="every column but one, the UUID, which it refuses")


def races(race: Race) -> Iterator[tuple[str, dict[str, Outcome]]]:
    """Each direction with its outcomes, over a copy that Cutover made just before."""
    for here, there in product(SHORT, repeat=2):
        name = f"{SHORT[here]}-{SHORT[there]}"
        entrants = [AUDIT, RELADIFF] if name == ITS_DIRECTION else [AUDIT]
        source, files = race.ground.source(here, race.scale), race.files(here)
        rows, size = sum(file.rows for file in files), sum(file.size for file in files)
        outcomes = {who.name: Outcome(who.name, rows, size, who.note) for who in entrants}
        with race.ground.fresh(there) as dest:
            cutover(source, dest, race.ground.folder)
            for turn in range(race.runs):
                for who in entrants[:: -1 if turn % 2 else 1]:
                    compare(who, source, dest, race.ground.folder, outcomes[who.name])
        for outcome in outcomes.values():
            race.tell(f"  {name}, {outcome.name}: {outcome.median or outcome.failure}")
        yield name, outcomes


def compare(who: Contestant, source: Place, dest: Place, folder: Path, outcome: Outcome) -> None:
    """One run of one contestant, added to its outcome."""
    if outcome.failure:
        return
    try:
        outcome.add(who.copy(source, dest, folder))
    except Failed as error:
        outcome.failure = str(error)


def bars(directions: Mapping[str, Mapping[str, Outcome]]) -> list[Bar]:
    """No slower than reladiff where that runs, half as fast elsewhere; memory."""
    rival = directions[ITS_DIRECTION][RIVAL].median
    found = []
    for name, outcomes in directions.items():
        times = 1.0 if name == ITS_DIRECTION else 2.0
        value = ratio(outcomes[OURS].median, rival)
        found.append(Bar(f"audit {name}: of reladiff's time", value, times))
    largest = max(outcomes[OURS].largest_rss for outcomes in directions.values())
    found.append(Bar("audit: largest process", megabytes(largest), MEMORY, unit=" MB"))
    return found
