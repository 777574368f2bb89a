"""The servers: what they are set to, who else is there, whether there is room."""

from __future__ import annotations

from collections.abc import Iterator

from migrations_ui.engine.checks.sides import Side, listed
from migrations_ui.engine.databases.inspecting import Session, Settings
from migrations_ui.engine.findings import Finding, Severity

# Bytes; MySQL's functions and statements are unreliable below.
LEAST_PACKET = 1 << 20
# Of the source's size: what the destination may need while it is filled.
ROOM = 1.2


def read_only(source: Side) -> Iterator[Finding]:
    """The source is written to, which must fail."""
    if statement := source.inspector.could_write():
        yield Finding(
            code="source-writable",
            severity=Severity.BLOCKER,
            message="The source is not proved to be read-only: this connection was not refused "
            f"as one that can't write. Tried, and undone: {statement}.",
            remedy="Connect to the source directly. A connection pool that drops the options of "
            "its clients keeps Cutover from making its connection read-only.",
        )


def settings(source: Side, dest: Side) -> Iterator[Finding]:
    """What both servers are set to, as far as it matters to a copy or to the site afterwards."""
    there, here = source.inspector.settings(), dest.inspector.settings()
    yield from packets(source, there)
    yield from packets(dest, here)
    yield from wide(source, there)
    yield from wide(dest, here)
    yield from writable(here)
    yield from version(dest)
    yield from encodings(source, dest, there, here)
    yield from collations(source, dest, there, here)
    yield from habits(dest, here)


def packets(side: Side, found: Settings) -> Iterator[Finding]:
    """Values that don't fit into a packet can be neither read nor written."""
    if found.packet is not None and found.packet < LEAST_PACKET:
        yield Finding(
            code="packet-too-small",
            severity=Severity.BLOCKER,
            message=f"max_allowed_packet of the {side.role} is {found.packet:,} bytes. The server "
            "drops or refuses larger values, and rows whose text is larger.",
            remedy=f"Set max_allowed_packet of the {side.role}'s server to at least "
            f"{LEAST_PACKET:,}, better to 67,108,864.",
        )


def wide(side: Side, found: Settings) -> Iterator[Finding]:
    """In a SQLite file of UTF-16, the bytes of a text are others than those that are compared."""
    if found.encoding.startswith("UTF-16"):
        yield Finding(
            code="encoding-utf-16",
            severity=Severity.BLOCKER,
            message=f"The texts of the {side.role}'s file are encoded in {found.encoding}. Only "
            "files in UTF-8 can be copied and compared, which Django makes.",
            remedy="Make it anew, which gives UTF-8: `sqlite3 old.sqlite3 .dump | sqlite3 "
            f"new.sqlite3`, and name the new file as the {side.role}.",
        )


def writable(here: Settings) -> Iterator[Finding]:
    if here.is_read_only:
        yield Finding(
            code="destination-read-only",
            severity=Severity.BLOCKER,
            message="The destination can't be written: the server, the database, the account or "
            "the file is read-only.",
            remedy="Name the primary server in DEST_DATABASE_URL, not a replica, and let this "
            "account write there.",
        )


def version(dest: Side) -> Iterator[Finding]:
    oldest, server = dest.inspector.oldest_for_django, dest.database.server()
    if oldest and server.version < oldest:
        least = ".".join(str(part) for part in oldest)
        yield Finding(
            code="version-old",
            severity=Severity.WARNING,
            message=f"The destination runs {server.product}. Django 5.2 needs {least} or newer: "
            "the site would not start on it.",
            remedy="Upgrade the destination, or make sure that the site's own Django supports it.",
        )


def encodings(source: Side, dest: Side, there: Settings, here: Settings) -> Iterator[Finding]:
    """Text that the source does not vouch for, or that the destination can't hold."""
    if not there.checks_encoding:
        yield Finding(
            code="encoding-unchecked",
            severity=Severity.WARNING,
            message=f"The source's encoding is {there.encoding}: it keeps whatever bytes it is "
            "given. A text that is not UTF-8 stops the copy.",
            remedy="Find and mend such texts first, or convert the database to UTF8.",
        )
    same = source.database.vendor == dest.database.vendor and there.encoding == here.encoding
    if not here.holds_unicode and not (same and here.checks_encoding):
        yield Finding(
            code="encoding-not-unicode",
            severity=Severity.WARNING,
            message=f"The destination's encoding is {here.encoding}, the source's "
            f"{there.encoding}. A character that it doesn't have stops the copy.",
            remedy="Make the destination anew with the encoding UTF8.",
        )


def collations(source: Side, dest: Side, there: Settings, here: Settings) -> Iterator[Finding]:
    """Texts will be compared or sorted in another way than before."""
    if here.folds_case and not there.folds_case:
        yield Finding(
            code="collation-folds-case",
            severity=Severity.INFO,
            message=f"The destination's collation is {here.collation}: after the cutover 'a' and "
            "'A' are equal in searches, and in unique columns.",
            remedy="Nothing if the site can live with it; else make the destination with a "
            "collation that ends in _bin.",
        )
    elif there.folds_case and not here.folds_case:
        yield Finding(
            code="collation-tells-case",
            severity=Severity.INFO,
            message=f"The source's collation is {there.collation}: after the cutover 'a' and 'A' "
            "are two texts, in searches and in unique columns.",
            remedy="Nothing if the site can live with it; else let it search with __iexact.",
        )
    elif source.database.vendor == dest.database.vendor and there.collation != here.collation:
        yield Finding(
            code="collation-differs",
            severity=Severity.INFO,
            message=f"The source's collation is {there.collation}, the destination's "
            f"{here.collation}: texts may be sorted in another order after the cutover.",
            remedy="Nothing if the site can live with it; else make the destination with the "
            "source's collation.",
        )


def habits(dest: Side, here: Settings) -> Iterator[Finding]:
    """What does no harm to a copy, and is good to know."""
    if not here.writes_unasked:
        yield Finding(
            code="transactions-read-only",
            severity=Severity.WARNING,
            message="Sessions of the destination's server start read-only (tx_read_only, "
            "transaction_read_only). Cutover's own do not; but the site, `migrate` and the steps "
            "after a copy could not write.",
            remedy="SET GLOBAL TRANSACTION READ WRITE, and take the setting out of the server's "
            "configuration.",
        )
    if not here.is_strict:
        yield Finding(
            code="sql-mode-not-strict",
            severity=Severity.INFO,
            message="The destination's sql_mode is not strict. Cutover's own sessions are; but "
            "after the cutover the server would shorten values of the site that don't fit.",
            remedy="Set sql_mode to STRICT_TRANS_TABLES on the server, or in the site's OPTIONS.",
        )
    if not here.loads_from_file:
        yield Finding(
            code="local-infile-off",
            severity=Severity.INFO,
            message="local_infile is off on the destination: rows go by INSERT, which takes "
            "several times as long.",
            remedy="SET GLOBAL local_infile = 1 for the time of the copy.",
        )
    if not here.knows_time_zones:
        loading = "mysql_tzinfo_to_sql /usr/share/zoneinfo | mysql"
        if dest.database.product == "MariaDB":
            loading = "mariadb-tzinfo-to-sql /usr/share/zoneinfo | mariadb"
        yield Finding(
            code="time-zones-missing",
            severity=Severity.INFO,
            message="The destination's server has no time zone tables. The copy needs none; but "
            "Django's queries by day or hour fail there in any time zone but UTC.",
            remedy=f"Load them: {loading} mysql",
        )


def others(dest: Side) -> Iterator[Finding]:
    """Who else is connected to the destination."""
    found = dest.inspector.sessions(dest.tables)
    if busy := [session for session in found if session.is_busy]:
        yield Finding(
            code="destination-in-use",
            severity=Severity.WARNING,
            message=f"The destination is in use: {people(busy)} in the middle of a transaction. "
            "The wipe waits for locks and gives up after a while; what is written meanwhile is "
            "lost or stays behind.",
            remedy="Find out who it is, and stop it before the run.",
        )
    if idle := [session for session in found if not session.is_busy]:
        yield Finding(
            code="destination-connected",
            severity=Severity.INFO,
            message="The destination has other connections, of which none is seen to write at the "
            f"moment: {people(idle)}.",
            remedy="Make sure that none of them writes during the run.",
        )


def people(sessions: list[Session]) -> str:
    """Who is connected, each once, with the number of connections."""
    names = [session.who for session in sessions]
    return listed(
        [
            f"{who}{f' ({times} times)' if times > 1 else ''}"
            for who in dict.fromkeys(names)
            if (times := names.count(who))
        ]
    )


def room(source: Side, dest: Side) -> Iterator[Finding]:
    """Whether the source's rows fit on the destination's disk, where it tells."""
    free, size = dest.inspector.free_space(), source.inspector.size()
    if free is not None and size is not None and free < size * ROOM:
        yield Finding(
            code="disk-space",
            severity=Severity.WARNING,
            message=f"The destination has room for {free:,} bytes, and the source takes {size:,}: "
            "the copy may fill the disk.",
            remedy="Make room on the destination's disk, or choose fewer tables.",
        )
