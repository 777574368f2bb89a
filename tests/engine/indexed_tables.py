"""Tables whose indexes are hard to put back, and tables whose indexes can't be."""

from __future__ import annotations

from collections.abc import Sequence

from migrations_ui.engine.databases.base import Database
from tests.engine.conftest import run

NAME = "Or'd %s \"er` Lines"
PARENT = "Par ent"

# `{t}` and `{p}` are the table and its parent, quoted.
NASTY = {
    "postgresql": (
        (
            "CREATE COLLATION nocase (provider = icu, locale = 'und-u-ks-level2',"
            " deterministic = false)"
        ),
        "CREATE TABLE {p} (id int PRIMARY KEY, code varchar(20) UNIQUE, x int)",
        (
            'CREATE TABLE {t} (id bigint PRIMARY KEY, a text COLLATE "C", b int, "C ""d" text'
            " UNIQUE, r int4range, j jsonb, p_id int REFERENCES {p} DEFERRABLE INITIALLY DEFERRED,"
            " code varchar(20) REFERENCES {p} (code), ci text COLLATE nocase,"
            ' CONSTRAINT "two %s "" together" UNIQUE (a, b) INCLUDE (code) WITH (fillfactor = 70),'
            " CONSTRAINT nulls_once UNIQUE NULLS NOT DISTINCT (b, ci),"
            " CONSTRAINT later UNIQUE (code, b) DEFERRABLE INITIALLY DEFERRED,"
            " CONSTRAINT sooner UNIQUE (ci) DEFERRABLE,"
            " CONSTRAINT apart EXCLUDE USING gist (r WITH &&) WHERE (b > 0) DEFERRABLE)"
        ),
        "CREATE INDEX \"P art\" ON {t} (b DESC NULLS LAST) WHERE a <> 'it''s %s'",
        "CREATE INDEX expression ON {t} (lower(a), (b + 1), (j ->> 'k'))",
        'CREATE UNIQUE INDEX unique_expression ON {t} (upper(a) COLLATE "POSIX") WHERE b > 1',
        "CREATE INDEX covering ON {t} (b) INCLUDE (a, r)",
        'CREATE INDEX like_ ON {t} ("C ""d" text_pattern_ops, a COLLATE "en-x-icu" DESC)',
        "CREATE INDEX gin ON {t} USING gin (j jsonb_path_ops) WITH (fastupdate = off)",
        "CREATE INDEX brin ON {t} USING brin (b) WITH (pages_per_range = 8)",
        "CREATE INDEX hash ON {t} USING hash (a)",
        "CREATE INDEX ON {t} (p_id)",
        "CREATE INDEX ON {t} (p_id)",
    ),
    "mysql": (
        (
            "CREATE TABLE {p} (id int PRIMARY KEY, code varchar(20) NOT NULL, x int,"
            " UNIQUE KEY code (code), KEY x (x))"
        ),
        (
            "CREATE TABLE {t} (id bigint AUTO_INCREMENT PRIMARY KEY, a varchar(200),"
            " b int NOT NULL,"
            " `C ``d` varchar(20) COLLATE utf8mb4_bin, e int, long_text longtext,"
            " p_id int NOT NULL,"
            " code varchar(20), other int, v int AS (b + 1), q int COMMENT '\n  KEY `by_b` (x)',"
            ' UNIQUE KEY nullable (e), UNIQUE KEY `two % " ``together` (a, b DESC),'
            " UNIQUE KEY not_null (b, p_id), KEY virt (v), KEY pre (long_text(10), a(5)),"
            " KEY by_b (b) COMMENT 'it''s \\\\ \n a `b`',"
            " KEY hidden (e) /*M!100600 IGNORED */ /*!80000 INVISIBLE */,"
            " KEY `U sing` (e) USING HASH, KEY `C ``d` (`C ``d`),"
            " KEY composite (other, b),"
            " CONSTRAINT with_own FOREIGN KEY (other) REFERENCES {p} (id) ON DELETE SET NULL,"
            " CONSTRAINT `im plicit` FOREIGN KEY (p_id) REFERENCES {p} (id),"
            " CONSTRAINT to_field FOREIGN KEY (code) REFERENCES {p} (code)"
            " ON DELETE CASCADE ON UPDATE CASCADE) CHARACTER SET utf8mb4"
        ),
        (
            "CREATE TABLE outside (id int PRIMARY KEY, code varchar(20),"
            " CONSTRAINT from_outside FOREIGN KEY (code) REFERENCES {p} (code))"
        ),
    ),
    "sqlite": (
        "CREATE TABLE {p} (id integer PRIMARY KEY, code varchar(20), x int)",
        "CREATE UNIQUE INDEX code ON {p} (code)",
        (
            "CREATE TABLE {t} (id integer PRIMARY KEY AUTOINCREMENT, a text COLLATE NOCASE, b int,"
            ' "C ""d" text UNIQUE, p_id int REFERENCES {p}, code varchar(20) REFERENCES {p} (code))'
        ),
        'CREATE  UNIQUE INDEX IF NOT EXISTS "two %s "" (to,gether" ON {t} (a, b DESC)',
        "CREATE INDEX part ON {t}(b)\n  WHERE a <> 'it''s (x, %s'",
        'CREATE INDEX expression ON {t} (lower(a), b + 1 /* , ( */, "C ""d" COLLATE RTRIM)',
        "CREATE UNIQUE INDEX u ON {t} (substr(code, 1, 3) COLLATE NOCASE, p_id) WHERE b > 1",
        "CREATE INDEX p ON {t} (p_id)",
    ),
}
# How many of them can be taken off: all but SQLite's unique constraints and what MySQL indexes of a
# virtual column.
REMOVABLE = {"postgresql": 17, "mysql": 13, "sqlite": 6}

STAYS = {
    "postgresql": (
        (
            "CREATE TABLE {t} (id int PRIMARY KEY, a int NOT NULL, b int,"
            " CONSTRAINT noted UNIQUE (a, id))"
        ),
        "CREATE UNIQUE INDEX identity ON {t} (a)",
        "ALTER TABLE {t} REPLICA IDENTITY USING INDEX identity",
        "CREATE INDEX clustered ON {t} (b)",
        "ALTER TABLE {t} CLUSTER ON clustered",
        "CREATE INDEX commented ON {t} (b)",
        "COMMENT ON INDEX commented IS 'by hand'",
        "COMMENT ON CONSTRAINT noted ON {t} IS 'by hand'",
        "CREATE INDEX counted ON {t} ((a + b))",
        "ALTER INDEX counted ALTER COLUMN 1 SET STATISTICS 500",
        "CREATE TABLE {p} (id int, part int, PRIMARY KEY (id, part)) PARTITION BY LIST (part)",
        "CREATE TABLE one PARTITION OF {p} FOR VALUES IN (1)",
        "CREATE INDEX parents ON {p} (part)",
        "CREATE UNIQUE INDEX parents_unique ON {p} (part, id)",
    ),
    "mysql": (
        (
            "CREATE TABLE {t} (id int PRIMARY KEY, number int NOT NULL AUTO_INCREMENT, t longtext,"
            " g point NOT NULL, /*M!100400 UNIQUE KEY hashed (t), KEY before_it (t(5)), */"
            " KEY counter (number), SPATIAL KEY places (g), FULLTEXT KEY words (t))"
        ),
        "CREATE TABLE {p} (id int PRIMARY KEY, x int, KEY x (x)) ENGINE=MyISAM",
        (
            "CREATE TABLE one (id int NOT NULL, id2 int,"
            " UNIQUE KEY in_place_of_primary (id), KEY x (id, id2))"
        ),
        "CREATE TABLE parts (id int PRIMARY KEY, x int, KEY x (x)) PARTITION BY HASH (id)",
    ),
    "sqlite": (
        "CREATE TABLE {t} (id text PRIMARY KEY, a text UNIQUE, b text, UNIQUE (a, b))",
        "CREATE TABLE {p} (id int, part int, PRIMARY KEY (id, part)) WITHOUT ROWID",
        "CREATE TABLE one (id integer PRIMARY KEY)",
    ),
}


def make(database: Database, statements: Sequence[str]) -> None:
    """Run statements that create the tables."""
    names = {"t": database.quote(NAME), "p": database.quote(PARENT)}
    run(
        database, *(sql.replace("{t}", names["t"]).replace("{p}", names["p"]) for sql in statements)
    )
