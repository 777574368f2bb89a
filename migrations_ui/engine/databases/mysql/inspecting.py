"""Looking into MySQL and MariaDB: information_schema, and what SHOW GRANTS says."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from migrations_ui.engine.databases import inspecting
from migrations_ui.engine.databases.base import Database
from migrations_ui.engine.databases.inspecting import (
    NOONS,
    Check,
    Clock,
    Index,
    Lack,
    Outsider,
    Session,
    Settings,
    grouped_indexes,
)
from migrations_ui.engine.databases.mysql.sessions import OWN
from migrations_ui.engine.errors import ServerError

FOR_READING = ("SELECT",)
# TRUNCATE needs DROP, the next key of a table ALTER.
FOR_REPLACING = ("SELECT", "INSERT", "DROP", "ALTER")
READ_ONLY_SERVER, READ_ONLY_TRANSACTION = 1290, 1792
# A write that changes nothing, whether it is refused or not.
HARMLESS = "DROP TABLE IF EXISTS cutover_probe_that_is_not_there"
WRITES = re.compile(
    r"\s*(insert|update|delete|replace|load|alter|create|drop|truncate|rename)\b", re.IGNORECASE
)

SETS_ZONE = re.compile(r"\btime_zone\s*=\s*['\"]([^'\"]+)", re.IGNORECASE)

NAME = r"(?:`(?:[^`]|``)*`|\*)"
GRANT = re.compile(
    rf"(?P<verb>GRANT|REVOKE) (?P<what>.+?) ON (?:TABLE )?(?P<schema>{NAME})\.(?P<table>{NAME})"
    r" (?:TO|FROM) "
)
ON_COLUMNS = re.compile(r" ?\([^)]*\)")


class Grant(NamedTuple):
    """A line of SHOW GRANTS: which privileges, on the tables of which schema."""

    revokes: bool
    privileges: frozenset[str]
    schema: str  # may hold the wildcards _ and %, and \\ before a plain one; * is every schema
    table: str  # * is every table

    def covers(self, schema: str, table: str) -> bool:
        """Whether it is about this table."""
        if self.table not in ("*", table):
            return False
        return self.schema in ("*", schema) or bool(like(self.schema).fullmatch(schema))

    def gives(self, privilege: str) -> bool:
        return privilege in self.privileges or "ALL PRIVILEGES" in self.privileges


class Inspector(inspecting.Inspector):
    """Looks into a MySQL or MariaDB database."""

    has_partial_indexes = False
    checks_positive = False  # by unsigned types
    indexes_foreign_keys = True
    indexes_texts = False

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        server = database.server()
        self.is_mariadb = server.product.startswith("MariaDB")
        self.has_expression_indexes = not self.is_mariadb and server.version >= (8, 0, 13)
        self.has_checks = self.is_mariadb or server.version >= (8, 0, 16)
        self.checks_json = self.is_mariadb
        self.oldest_for_django = (10, 5) if self.is_mariadb else (8, 0, 11)

    # -- The server -------------------------------------------------------------------------------

    def settings(self) -> Settings:
        transactions = "tx_read_only" if self.is_mariadb else "transaction_read_only"
        ((encoding, collation, folds, read_only, careful, mode, local_infile, packet, zone),) = (
            self.database.query(
                "SELECT @@character_set_database, @@collation_database,"
                " @@collation_database LIKE '%\\_ci', @@global.read_only,"
                f" @@global.{transactions}, @@global.sql_mode,"
                " @@local_infile, @@max_allowed_packet,"
                " CONVERT_TZ('2000-01-01', 'UTC', 'Europe/Paris') IS NOT NULL"
            )
        )
        return Settings(
            encoding=encoding,
            collation=collation,
            folds_case=bool(folds),
            is_read_only=bool(read_only) and self._is_refused(),
            writes_unasked=not careful,
            is_strict="STRICT_" in mode,
            loads_from_file=bool(local_infile),
            knows_time_zones=bool(zone),
            packet=int(packet),
        )

    def _is_refused(self) -> bool:
        """Whether the server's own read-only mode holds for this account."""
        refusal = self._refusal(HARMLESS)
        return refusal is not None and code_of(refusal) == READ_ONLY_SERVER

    def could_write(self) -> str:
        refusal = self._refusal(HARMLESS)
        if refusal is None:
            return HARMLESS
        return "" if code_of(refusal) == READ_ONLY_TRANSACTION else f"{HARMLESS} ({refusal})"

    def _refusal(self, statement: str) -> ServerError | None:
        try:
            self.database.execute(statement)
        except ServerError as error:
            if error.transient:
                raise
            return error
        return None

    def lacks_for_reading(self, tables: Sequence[str]) -> list[Lack]:
        return list(self._lacks(FOR_READING, tables))

    def lacks_for_replacing(self, tables: Sequence[str]) -> list[Lack]:
        return list(self._lacks(FOR_REPLACING, tables))

    def _lacks(self, privileges: Sequence[str], tables: Sequence[str]) -> Iterator[Lack]:
        schema, grants = str(self.database.config["NAME"]), self._grants()
        for table in sorted(tables) if grants else ():
            about = [grant for grant in grants if grant.covers(schema, table)]
            if missing := tuple(p for p in privileges if not granted(about, p)):
                yield Lack(table, missing)

    def _grants(self) -> list[Grant]:
        """What SHOW GRANTS says of this account and the roles that it has switched on."""
        roles = "NONE"
        if not self.is_mariadb:
            roles = str(self.database.query("SELECT CURRENT_ROLE()")[0][0])
        using = "" if roles == "NONE" else f" FOR CURRENT_USER() USING {roles}"
        lines = [line for (line,) in self.database.query(f"SHOW GRANTS{using}")]
        return [parsed(found) for line in lines if (found := GRANT.match(line))]

    def sessions(self, tables: Sequence[str]) -> list[Session]:
        in_transaction = self._in_transaction()
        here = {
            int(number): (user, host, statement)
            for number, user, host, schema, _command, _time, _state, statement, *_ in (
                self.database.query("SHOW FULL PROCESSLIST")
            )
            if schema == self.database.config["NAME"]
        }
        found = []
        for number in here.keys() - self._own(list(here)):
            user, host, statement = here[number]
            busy = number in in_transaction or bool(WRITES.match(statement or ""))
            found.append(Session(f"{user} from {host.rpartition(':')[0] or host}", busy))
        return sorted(found, key=lambda session: (not session.is_busy, session.who))

    def _own(self, numbers: Sequence[int]) -> set[int]:
        """Those of the connections that are this one, or another one of Cutover's."""
        mine = (
            f"{n} IN (CONNECTION_ID(), COALESCE(IS_USED_LOCK({OWN.format(n)}), 0))" for n in numbers
        )
        (answers,) = self.database.query(f"SELECT {', '.join(mine)}") if numbers else ((),)
        return {number for number, answer in zip(numbers, answers, strict=True) if answer}

    def _in_transaction(self) -> set[int]:
        """The connections with an open transaction, if this account may see them."""
        try:
            rows = self.database.query(
                "SELECT trx_mysql_thread_id FROM information_schema.innodb_trx "
                "WHERE NOT trx_autocommit_non_locking"  # a mere SELECT
            )
        except ServerError:  # it needs the privilege PROCESS
            return set()
        return {int(number) for (number,) in rows}

    def size(self) -> int | None:
        sql = (
            "SELECT SUM(data_length + index_length) FROM information_schema.tables "
            "WHERE table_schema = DATABASE()"
        )
        return int(self.database.query(sql)[0][0] or 0)

    def clock(self) -> Clock:
        before = str(self.database.config["OPTIONS"].get("init_command", ""))
        if found := SETS_ZONE.search(before):
            zone = system = found[1]
        else:
            ((zone, system),) = self.database.query("SELECT @@global.time_zone, @@system_time_zone")
        noons = ", ".join(f"CONVERT_TZ('{noon}', %s, '+00:00')" for noon in NOONS)
        (times,) = self.database.query(f"SELECT {noons}", [zone] * len(NOONS))
        return Clock(system if zone == "SYSTEM" else zone, tuple(map(str, times)))

    # -- The schema -------------------------------------------------------------------------------

    def indexes(self, tables: Sequence[str]) -> list[Index]:
        return grouped_indexes(
            (
                table,
                name,
                column,
                not non_unique,
                False,
                f"the first {part} characters" if part else "",
                "",
            )
            for table, name, column, non_unique, part in self._about(
                "SELECT table_name, index_name, column_name, non_unique, sub_part "
                "FROM information_schema.statistics WHERE table_schema = DATABASE() "
                "AND table_name IN ({}) ORDER BY table_name, index_name, seq_in_index",
                tables,
            )
        )

    def checks(self, tables: Sequence[str]) -> list[Check]:
        if not self.has_checks:
            return []
        if self.is_mariadb:  # names are unique in a table only
            sql = (
                "SELECT table_name, constraint_name, check_clause, 'YES' "
                "FROM information_schema.check_constraints "
                "WHERE constraint_schema = DATABASE() AND table_name IN ({})"
            )
        else:
            sql = (
                "SELECT t.table_name, constraint_name, check_clause, t.enforced "
                "FROM information_schema.check_constraints "
                "JOIN information_schema.table_constraints t "
                "USING (constraint_schema, constraint_name) "
                "WHERE constraint_schema = DATABASE() AND t.table_name IN ({})"
            )
        return [
            Check(table, name, clause, enforced == "YES")
            for table, name, clause, enforced in self._about(sql, tables)
        ]

    def counted_keys(self, tables: Sequence[str]) -> set[tuple[str, str]]:
        return {
            (table, column)
            for table, column in self._about(
                "SELECT table_name, column_name FROM information_schema.columns "
                "WHERE table_schema = DATABASE() AND extra LIKE '%%auto_increment%%' "
                "AND table_name IN ({})",
                tables,
            )
        }

    def triggers(self, tables: Sequence[str]) -> list[tuple[str, str]]:
        return [
            (table, name)
            for table, name in self._about(
                "SELECT event_object_table, trigger_name FROM information_schema.triggers "
                "WHERE event_object_schema = DATABASE() "
                "AND event_manipulation IN ('INSERT', 'DELETE') "
                "AND event_object_table IN ({}) ORDER BY 1, 2",
                tables,
            )
        ]

    def not_transactional(self, tables: Sequence[str]) -> list[str]:
        return [
            table
            for (table,) in self._about(
                "SELECT table_name FROM information_schema.tables "
                "WHERE table_schema = DATABASE() AND engine IN "
                "('MyISAM', 'Aria', 'MEMORY', 'CSV', 'ARCHIVE', 'BLACKHOLE') "
                "AND table_name IN ({}) ORDER BY 1",
                tables,
            )
        ]

    def outsiders(self, tables: Sequence[str]) -> list[Outsider]:
        found: dict[tuple[str, str, str, str], list[str]] = {}
        for *key, column in self._about(
            "SELECT table_schema, table_name, constraint_name, referenced_table_name, column_name "
            "FROM information_schema.key_column_usage WHERE table_schema <> DATABASE() "
            "AND referenced_table_schema = DATABASE() AND referenced_table_name IN ({}) "
            "ORDER BY 1, 2, 3, ordinal_position",
            tables,
        ):
            schema, table, name, parent = key
            found.setdefault((schema, table, name, parent), []).append(column)
        return [
            Outsider(schema, table, name, tuple(columns), parent)
            for (schema, table, name, parent), columns in found.items()
        ]

    def versioned(self, tables: Sequence[str]) -> list[str]:
        return [
            table
            for (table,) in self._about(
                "SELECT table_name FROM information_schema.tables "
                "WHERE table_schema = DATABASE() AND table_type = 'SYSTEM VERSIONED' "
                "AND table_name IN ({}) ORDER BY 1",
                tables,
            )
        ]

    def _about(self, sql: str, tables: Sequence[str]) -> list[tuple[Any, ...]]:
        """Rows of a query whose `{}` stands for the list of tables."""
        if not tables:
            return []
        return self.database.query(sql.format(", ".join(["%s"] * len(tables))), list(tables))


def code_of(error: ServerError) -> int:
    """The server's number of an error."""
    arguments = getattr(error.__cause__, "args", ())
    return int(arguments[0]) if arguments else 0


def parsed(line: re.Match[str]) -> Grant:
    """A line of SHOW GRANTS; what is granted on some columns only counts as granted.

    A column that may not be seen is missing in information_schema already, and found as missing.
    """
    what = ON_COLUMNS.sub("", line["what"])
    return Grant(
        revokes=line["verb"] == "REVOKE",
        privileges=frozenset(part.strip().upper() for part in what.split(",")),
        schema=plain(line["schema"]),
        table=plain(line["table"]),
    )


def plain(quoted: str) -> str:
    """A name without its quotes."""
    return quoted[1:-1].replace("``", "`") if quoted.startswith("`") else quoted


def like(pattern: str) -> re.Pattern[str]:
    """The pattern of a schema's name as a regular expression."""
    parts = re.split(r"(\\.|[_%])", pattern)
    wildcards = {"_": ".", "%": ".*"}
    return re.compile(
        "".join(
            wildcards.get(part) or re.escape(part[1:] if part.startswith("\\") else part)
            for part in parts
        ),
        re.DOTALL,
    )


def granted(about: Sequence[Grant], privilege: str) -> bool:
    """Whether one of the lines about a table gives the privilege, and none takes it back."""
    gives = [grant for grant in about if grant.gives(privilege)]
    if any(not grant.revokes and grant.schema != "*" for grant in gives):
        return True
    return bool(gives) and not any(grant.revokes for grant in gives)
