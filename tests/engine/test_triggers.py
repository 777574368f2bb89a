"""PostgreSQL's triggers are off while rows are written, and on again as they were."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import contextmanager
from typing import Any

import pytest

from migrations_ui.engine.chunks import Chunk, Queue
from migrations_ui.engine.databases.base import Database
from migrations_ui.engine.databases.triggers import Trigger
from migrations_ui.engine.errors import Cancelled, Suspended
from migrations_ui.engine.firing import in_the_way
from migrations_ui.engine.layout import Layout, layouts
from migrations_ui.engine.ledger import Begun
from migrations_ui.engine.rejecting import Rejected
from tests.engine import test_newer as newer
from tests.engine import test_repairing as repairing
from tests.engine.conftest import OpenPair, Witness, run, table_of, transfer

STATES = {"marks": "O", "notes": "A", "replays": "R", "rests": "D", "wipes": "O"}
ON = ["marks", "notes", "wipes"]


def create(source: Database, dest: Database) -> list[Layout]:
    """A table whose triggers note down each row in another, and change it each time."""
    for database in (source, dest):
        run(
            database,
            "CREATE TABLE tracked (id int PRIMARY KEY, name varchar(20))",
            "CREATE TABLE event (id int PRIMARY KEY, name varchar(20))",
        )
    run(source, "INSERT INTO tracked VALUES (1, 'a!')", "INSERT INTO event VALUES (1, 'a!')")
    run(
        dest,
        "CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        " INSERT INTO event VALUES (NEW.id, NEW.name); RETURN NEW; END $$",
        "CREATE FUNCTION mark() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        " NEW.name := NEW.name || '!'; RETURN NEW; END $$",
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        " RAISE 'not to be removed'; END $$",
        "CREATE TRIGGER marks BEFORE INSERT ON tracked FOR EACH ROW EXECUTE FUNCTION mark()",
        "CREATE CONSTRAINT TRIGGER notes AFTER INSERT ON tracked DEFERRABLE INITIALLY DEFERRED"
        " FOR EACH ROW EXECUTE FUNCTION note()",
        "CREATE TRIGGER replays BEFORE INSERT ON tracked FOR EACH ROW EXECUTE FUNCTION refuse()",
        "CREATE TRIGGER rests BEFORE INSERT ON tracked FOR EACH ROW EXECUTE FUNCTION refuse()",
        "CREATE TRIGGER wipes BEFORE TRUNCATE ON tracked EXECUTE FUNCTION refuse()",
        "ALTER TABLE tracked ENABLE ALWAYS TRIGGER notes",
        "ALTER TABLE tracked ENABLE REPLICA TRIGGER replays",
        "ALTER TABLE tracked DISABLE TRIGGER rests",
    )
    return found(source, dest)


def found(source: Database, dest: Database) -> list[Layout]:
    made, findings = layouts([table_of("event"), table_of("tracked")], source, dest)
    assert findings == []
    return made


def states(database: Database) -> dict[str, str]:
    return dict(
        database.query(
            "SELECT tgname::text, tgenabled::text FROM pg_trigger WHERE NOT tgisinternal"
        )
    )


def rows(database: Database) -> list[tuple[Any, ...]]:
    return database.query(
        "SELECT 'tracked', id, name FROM tracked UNION ALL SELECT 'event', id, name FROM event"
    )


def test_a_copy_fires_none_and_they_are_on_again_as_they_were(open_pair: OpenPair) -> None:
    source, dest = open_pair("mysql", "postgresql")
    witness = Witness()
    transfer(create(source, dest), source, dest, witness)
    assert sorted(rows(dest)) == [("event", 1, "a!"), ("tracked", 1, "a!")]
    assert states(dest) == STATES
    assert witness.of("switching off") == [ON]
    assert witness.of("switched on") == ON


def test_they_are_noted_down_before_the_first_is_off(open_pair: OpenPair) -> None:
    source, dest = open_pair("sqlite", "postgresql")
    made = create(source, dest)

    class Journal(Witness):
        def switching_off(self, triggers: Sequence[Trigger]) -> None:
            assert states(dest) == STATES
            raise RuntimeError("the journal can't be written")

    with pytest.raises(RuntimeError, match="journal"):
        transfer(made, source, dest, Journal())
    assert states(dest) == STATES


class Stopped(Witness):
    """Stops at the end of the first chunk."""

    def __init__(self, why: Exception) -> None:
        super().__init__()
        self.why = why

    def finished(self, chunk: Chunk, rows: int, rejected: Sequence[Rejected]) -> None:
        raise self.why


def test_they_are_on_again_after_a_cancel(open_pair: OpenPair) -> None:
    source, dest = open_pair("sqlite", "postgresql")
    witness = Stopped(Cancelled("stop"))
    with pytest.raises(Cancelled):
        transfer(create(source, dest), source, dest, witness)
    assert states(dest) == STATES
    assert witness.of("switched on") == ON


def test_who_goes_on_with_a_transfer_switches_on_what_was_left_off(open_pair: OpenPair) -> None:
    source, dest = open_pair("sqlite", "postgresql")
    made = create(source, dest)
    triggers = in_the_way(made, dest)
    before = Stopped(Suspended("pause"))
    with pytest.raises(Suspended):
        transfer(made, source, dest, before)
    assert set(states(dest).values()) == {"D", "R"}
    assert before.of("switched on") == []

    labels = frozenset(layout.label for layout in made)
    again = Witness(
        queue=Queue(Chunk(layout, again=True) for layout in made),
        begun=Begun(labels, triggers=triggers),
    )
    transfer(made, source, dest, again)
    assert states(dest) == STATES
    assert again.of("switching off") == [ON]


def test_a_trigger_that_is_gone_meanwhile_is_not_missed(open_pair: OpenPair) -> None:
    source, dest = open_pair("sqlite", "postgresql")
    triggers = in_the_way(create(source, dest), dest)
    run(dest, "DROP TRIGGER marks ON tracked")
    for trigger in triggers:
        dest.switch_on(trigger)
    run(dest, "DROP TABLE tracked")
    for trigger in triggers:
        dest.switch_on(trigger)


def test_what_may_compute_a_value_that_the_source_lacks_stays_on(open_pair: OpenPair) -> None:
    source, dest = open_pair("mysql", "postgresql")
    create(source, dest)
    run(
        dest,
        "ALTER TABLE tracked ADD search varchar(20)",
        "CREATE FUNCTION search() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        " NEW.search := upper(NEW.name); RETURN NEW; END $$",
        "DROP TRIGGER marks ON tracked",
        "CREATE TRIGGER searches BEFORE INSERT ON tracked FOR EACH ROW EXECUTE FUNCTION search()",
    )
    transfer(found(source, dest), source, dest, Witness())
    assert dest.query("SELECT name, search FROM tracked") == [("a!", "A!")]
    assert dest.count("event") == 1


def test_each_partition_has_states_of_its_own(open_pair: OpenPair) -> None:
    source, dest = open_pair("sqlite", "postgresql")
    run(source, "CREATE TABLE tracked (id int)", "INSERT INTO tracked VALUES (1), (2)")
    run(
        dest,
        "CREATE TABLE tracked (id int) PARTITION BY LIST (id)",
        'CREATE TABLE "One" PARTITION OF tracked FOR VALUES IN (1)',
        "CREATE TABLE two PARTITION OF tracked FOR VALUES IN (2)",
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        " RAISE 'not to be written'; END $$",
        "CREATE TRIGGER shared BEFORE INSERT ON tracked FOR EACH ROW EXECUTE FUNCTION refuse()",
        'CREATE TRIGGER own BEFORE INSERT ON "One" FOR EACH ROW EXECUTE FUNCTION refuse()',
        "ALTER TABLE two DISABLE TRIGGER shared",
    )
    of_each = (
        "SELECT tgrelid::regclass::text, tgname, tgenabled::text FROM pg_trigger ORDER BY 1, 2"
    )
    before = dest.query(of_each)
    assert [state for *_, state in before] == ["O", "O", "O", "D"]
    made, _ = layouts([table_of("tracked")], source, dest)
    transfer(made, source, dest, Witness())
    assert dest.count("tracked") == 2
    assert dest.query(of_each) == before


@contextmanager
def deleting(dest: Database, table: str) -> Any:
    """Triggers that note down each row that is written or deleted."""
    run(
        dest,
        "CREATE TABLE noted (what text)",
        "CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        " INSERT INTO noted VALUES (TG_OP); RETURN NULL; END $$",
        f"CREATE TRIGGER gone AFTER DELETE ON {table} FOR EACH ROW EXECUTE FUNCTION note()",
        f"CREATE TRIGGER new AFTER INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION note()",
    )
    yield
    assert dest.count("noted") == 0
    assert states(dest) == {"gone": "O", "new": "O"}


def test_a_catch_up_fires_none(open_pair: OpenPair) -> None:
    source, dest = open_pair("sqlite", "postgresql")
    made = repairing.copied(source, dest)
    run(
        source,
        "DELETE FROM words WHERE id = 'w0'",
        "UPDATE words SET v = 'changed' WHERE id = 'w7919'",
    )
    witness = repairing.Witness()
    with deleting(dest, "words"):
        repairing.repaired(source, dest, made, witness)
    assert witness.of("repaired") == [("shop.words", 2, 1)]
    assert witness.of("switched on") == ["gone", "new"]


def test_a_pass_over_newer_rows_fires_none(open_pair: OpenPair) -> None:
    source, dest = open_pair("sqlite", "postgresql")
    made = newer.copied(source, dest)
    run(source, f"UPDATE words SET updated_at = '{newer.NEW}' WHERE id = 'w2'")
    with deleting(dest, "words"):
        work, _ = newer.brought(source, dest, made)
    assert work.written["shop.words"] == 1
