"""Who runs against whom, in which direction, and the command line of each."""

from __future__ import annotations

import json
import shlex
import shutil
import sqlite3
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path

from tests.bench.ground import opened
from tests.bench.process import Failed, Measured, manage, measure
from tests.bench.stock import Place
from tests.servers import postgres_folders, program

Copy = Callable[[Place, Place, Path], Measured]
ORM = {"DJANGO_SETTINGS_MODULE": "tests.bench.rival_settings"}


@dataclass(frozen=True)
class Contestant:
    """A way to copy everything from a source to a fresh destination.

    `copy` gets the source, the destination and a folder to work in, and raises `Failed`.
    """

    name: str
    copy: Copy
    share: float = 1.0  # of the rows; its time is projected to all of them
    makes_schema: bool = False  # it wants an empty database, and makes the tables as it sees fit
    note: str = ""


def sides(source: Place, dest: Place) -> dict[str, str]:
    return {"SOURCE_DATABASE_URL": source.url, "DEST_DATABASE_URL": dest.url}


# Ours


def cutover(
    source: Place,
    dest: Place,
    folder: Path,
    host: Mapping[str, str] | None = None,
    before: Sequence[str] = (),
) -> Measured:
    """`copydata --all` with a control database of its own; `host` is a project's environment.

    The commands `before` it are not timed.
    """
    var = folder / "control"
    shutil.rmtree(var, ignore_errors=True)
    var.mkdir()
    env = {**sides(source, dest), "CUTOVER_VAR": str(var), **(host or {})}
    prepare_control(env, folder)
    for command in before:
        measure(manage(command), folder, env)
    return copy_all(env, dest, folder)


def prepare_control(env: Mapping[str, str], folder: Path) -> None:
    """Make the control database, and have it note when each phase of a run begins."""
    measure(manage("migrate", "--verbosity", "0"), folder, env)
    with closing(control(env)) as connection:
        connection.executescript(NOTE_PHASES)


def control(env: Mapping[str, str]) -> sqlite3.Connection:
    """The control database; readers don't hold up who writes."""
    return sqlite3.connect(Path(env["CUTOVER_VAR"]) / "control.sqlite3", timeout=30)


NOTE_PHASES = """
    CREATE TABLE bench_phase (phase TEXT, at REAL);
    CREATE TRIGGER bench_phase AFTER UPDATE OF phase ON migrations_ui_run
    WHEN new.phase <> old.phase
    BEGIN INSERT INTO bench_phase VALUES (new.phase, julianday('now')); END;
    CREATE TRIGGER bench_end AFTER UPDATE OF finished_at ON migrations_ui_run
    WHEN new.finished_at IS NOT NULL AND old.finished_at IS NULL
    BEGIN INSERT INTO bench_phase VALUES ('end', julianday('now')); END;
"""
LOADING = ("wipe", "load", "indexes", "constraints", "sequences")


def copy_all(env: Mapping[str, str], dest: Place, folder: Path) -> Measured:
    """`copydata --all`, the final count left out.

    `seconds` are the whole command's: Python's start, counts, preflight and the look at the values
    included.  `load_seconds` go from the wipe to the end of the sequences.
    """
    with closing(control(env)) as connection, connection:
        connection.execute("DELETE FROM bench_phase")
    command = manage("copydata", "--all", "--wipe", dest.name, "--no-verify", "--json")
    measured = measure(command, folder, env)
    if json.loads(measured.output)["status"] != "succeeded":
        raise Failed(measured.output)
    with closing(control(env)) as connection:
        noted = connection.execute("SELECT phase, at * 86400 FROM bench_phase ORDER BY rowid")
        measured.phases = {phase: following - at for (phase, at), (_, following) in pairwise(noted)}
    measured.seconds -= measured.phases.pop("verify")
    measured.load_seconds = sum(measured.phases.get(name, 0.0) for name in LOADING)
    before = measured.seconds - sum(measured.phases.values())
    measured.phases = {"start, counts and values": before, **measured.phases}
    return measured


# Rivals


def seed_method(source: Place, dest: Place, folder: Path) -> Measured:
    command = [sys.executable, "-m", "tests.bench.seed_method"]
    return measure(command, folder, {**ORM, **sides(source, dest)})


def dumpdata(source: Place, dest: Place, folder: Path) -> Measured:
    django = shlex.join([sys.executable, "-m", "django"])
    return shell(
        f"{django} dumpdata --all --database source"
        f" | {django} loaddata --database dest --format json -",
        folder,
        {**ORM, **sides(source, dest)},
    )


def pgloader(source: Place, dest: Place, folder: Path) -> Measured:
    """Onto the migrated schema, by a superuser: foreign keys can't be held off by anybody else."""
    if source.vendor == "mysql":
        there = f"mysql://{source.user}@{source.host}:{source.port}/{source.name}"
        more = f"ALTER SCHEMA '{source.name}' RENAME TO 'public'"
    else:
        there, more = f"sqlite://{source.path}", ""
    boss = dest.as_super()
    script = folder / "pgloader.load"
    script.write_text(
        f"LOAD DATABASE FROM {there}\n"
        f"INTO postgresql://{boss.user}@{boss.host}:{boss.port}/{boss.name}\n"
        "WITH data only, truncate, disable triggers, reset sequences\n"
        "SET timezone TO 'UTC'\n"
        "EXCLUDING TABLE NAMES "
        + (
            "MATCHING 'django_migrations'"
            if source.vendor == "mysql"
            else "LIKE 'django_migrations'"
        )
        + f"\n{more};\n"
    )
    command = [program("pgloader", "pgloader"), "--root-dir", str(folder), str(script)]
    return measure(command, folder, {"PGPASSWORD": boss.password, "MYSQL_PWD": source.password})


def sequel(source: Place, dest: Place, folder: Path) -> Measured:
    there, here = (
        place.spelled(SEQUEL[place.vendor]) + ("?encoding=utf8mb4" * (place.vendor == "mysql"))
        for place in (source, dest)
    )
    with not_deferrable(source):
        return measure([program("sequel", "ruby-sequel"), "-C", there, here], folder)


@contextmanager
def not_deferrable(source: Place) -> Iterator[None]:
    """Sequel repeats PostgreSQL's DEFERRABLE to MariaDB, which doesn't know the word."""
    if source.vendor != "postgresql":
        yield
        return
    with opened(source) as connection, connection.cursor() as cursor:
        cursor.execute(
            "SELECT format('ALTER TABLE %s ALTER CONSTRAINT %I', conrelid::regclass, conname) "
            "FROM pg_constraint WHERE contype = 'f' AND condeferred"
        )
        statements = [statement for (statement,) in cursor.fetchall()]
        for statement in statements:
            cursor.execute(f"{statement} NOT DEFERRABLE")
        try:
            yield
        finally:
            for statement in statements:
                cursor.execute(f"{statement} DEFERRABLE INITIALLY DEFERRED")


SEQUEL = {"postgresql": "postgres", "mysql": "mysql2", "sqlite": "sqlite"}


def sqlite3_to_mysql(source: Place, dest: Place, folder: Path) -> Measured:
    command = [
        program("sqlite3mysql", "-", str(Path(sys.executable).parent)),
        *("--sqlite-file", str(source.path), "--mysql-database", dest.name),
        *("--mysql-host", dest.host, "--mysql-port", str(dest.port)),
        *("--mysql-user", dest.user, "--mysql-password", dest.password),
        *("--mysql-skip-create-tables", "--mysql-truncate-tables", "--mysql-insert-method"),
        *("default", "--quiet"),
    ]
    return measure(command, folder)


def pg_dump(source: Place, dest: Place, folder: Path, more: str = "") -> Measured:
    """By a superuser, who alone may disable the foreign keys' triggers."""
    dump, restore = (program(name, "postgresql", *postgres_folders()) for name in PG_TOOLS)
    file = shlex.quote(str(folder / "dump"))
    there, here = shlex.quote(source.url), shlex.quote(dest.as_super().url)
    return shell(
        f"{dump} -Fc {more} --data-only -T django_migrations -f {file} {there} && "
        f"{restore} --data-only --disable-triggers -j2 -d {here} {file}",
        folder,
    )


PG_TOOLS = ("pg_dump", "pg_restore")


def shell(line: str, folder: Path, env: Mapping[str, str] | None = None) -> Measured:
    """Several commands; one that fails fails the line."""
    return measure([program("bash", "bash"), "-o", "pipefail", "-ec", line], folder, env)


CUTOVER = Contestant(
    "Cutover",
    cutover,
    note="the whole command but for the final audit (--no-verify, and what is left of it taken "
    "off); to the limit is compared what goes from the wipe to the end of the sequences",
)
LOOKED = Contestant(
    "Cutover, after preflight",
    partial(cutover, before=("preflight",)),
    note="as operators do: `preflight` has looked at the values before, which isn't timed; no "
    "rival looks at them",
)
SEED = Contestant("seed's method", seed_method, note="bulk_create of 3,000, in our own words")
DUMPDATA = Contestant(
    "dumpdata | loaddata",
    dumpdata,
    share=0.1,
    note="a tenth of the rows, projected; what no rows at all take is not multiplied",
)
PGLOADER = Contestant("pgloader", pgloader, note="onto the migrated schema; by a superuser")
SEQUEL_C = Contestant(
    "sequel -C",
    sequel,
    makes_schema=True,
    note="makes the schema itself; PostgreSQL's foreign keys not deferrable meanwhile",
)
SQLITE3_TO_MYSQL = Contestant("sqlite3-to-mysql", sqlite3_to_mysql)
PG_DUMP = Contestant(
    "pg_dump, pg_restore -j2",
    pg_dump,
    note="by way of a file, since -j doesn't read a pipe; by a superuser",
)


PG_DUMP_PLAIN = Contestant(
    "pg_dump -Z0, pg_restore -j2", partial(pg_dump, more="-Z0"), note="the same, not compressed"
)


@dataclass(frozen=True)
class Direction:
    """The vendors at both ends, and who runs."""

    source: str
    dest: str
    contestants: tuple[Contestant, ...]
    limit: bool = False


DIRECTIONS = {
    "pg-mariadb": Direction(
        "postgresql", "mysql", (CUTOVER, LOOKED, SEED, SEQUEL_C, DUMPDATA), limit=True
    ),
    "mariadb-pg": Direction("mysql", "postgresql", (CUTOVER, LOOKED, PGLOADER, SEED), limit=True),
    "sqlite-pg": Direction("sqlite", "postgresql", (CUTOVER, LOOKED, PGLOADER), limit=True),
    "sqlite-mariadb": Direction("sqlite", "mysql", (CUTOVER, SQLITE3_TO_MYSQL), limit=True),
    "pg-pg": Direction("postgresql", "postgresql", (CUTOVER, PG_DUMP, PG_DUMP_PLAIN), limit=True),
    "pg-sqlite": Direction("postgresql", "sqlite", (CUTOVER, DUMPDATA, SEQUEL_C)),
    "mariadb-sqlite": Direction("mysql", "sqlite", (CUTOVER, DUMPDATA)),
    "sqlite-sqlite": Direction("sqlite", "sqlite", (CUTOVER, DUMPDATA)),
}
