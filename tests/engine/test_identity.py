"""Two ways to the same database are the same database; two databases of a server are two."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from migrations_ui.engine.errors import Unreachable
from tests.conftest import MakeDatabase
from tests.engine.conftest import OpenDatabase


def test_a_sqlite_file_is_the_same_by_whatever_path(
    sqlite_url: str, tmp_path: Path, open_database: OpenDatabase
) -> None:
    path = Path(sqlite_url.removeprefix("sqlite:///"))
    (tmp_path / "folder").mkdir()
    (tmp_path / "link.sqlite3").symlink_to(path)
    os.link(path, tmp_path / "hard.sqlite3")
    ways = [
        path,
        tmp_path / "folder" / ".." / path.name,
        tmp_path / "link.sqlite3",
        tmp_path / "hard.sqlite3",
    ]
    assert len({open_database(f"sqlite:///{way}").server().identity for way in ways}) == 1


@pytest.mark.parametrize(
    ("vendor", "hosts"),
    [("postgresql", ["localhost", "127.1"]), ("mysql", ["127.1", "127.0.0.1"])],
)
def test_a_server_is_the_same_by_whatever_address(
    vendor: str, hosts: list[str], make_database: MakeDatabase, open_database: OpenDatabase
) -> None:
    url = make_database(vendor)
    identity = open_database(url).server().identity
    for host in hosts:
        assert open_database(url.replace("127.0.0.1", host)).server().identity == identity


@pytest.mark.parametrize("vendor", ["postgresql", "mysql", "sqlite"])
def test_two_databases_of_one_server_are_two(
    vendor: str, make_database: MakeDatabase, open_database: OpenDatabase
) -> None:
    one, other = (open_database(make_database(vendor)).server() for _ in range(2))
    assert one.identity != other.identity
    assert one.name != other.name
    assert (one.product, one.version, one.vendor) == (other.product, other.version, vendor)


def test_a_copy_of_a_sqlite_file_is_another_database(
    sqlite_url: str, tmp_path: Path, open_database: OpenDatabase
) -> None:
    copy = tmp_path / "copy.sqlite3"
    copy.write_bytes(Path(sqlite_url.removeprefix("sqlite:///")).read_bytes())
    identities = {open_database(url).server().identity for url in (sqlite_url, f"sqlite:///{copy}")}
    assert len(identities) == 2


@pytest.mark.parametrize("vendor", ["postgresql", "mysql"])
def test_the_identity_and_what_is_shown_hold_no_password(
    vendor: str, make_database: MakeDatabase, open_database: OpenDatabase
) -> None:
    database = open_database(make_database(vendor))
    password = database.config["PASSWORD"]
    assert password
    assert password not in str(database.server())
    assert password not in database.label


@pytest.mark.parametrize("vendor", ["postgresql", "mysql"])
@pytest.mark.parametrize("wrong", ["password", "port", "database", "host"])
def test_what_cannot_be_reached_is_said_without_the_password(
    vendor: str, wrong: str, make_database: MakeDatabase, open_database: OpenDatabase
) -> None:
    url = make_database(vendor)
    address, _, name = url.rpartition("/")
    before, _, port = address.rpartition(":")
    scheme, _, rest = before.partition("://")
    user, _, secret_and_host = rest.partition(":")
    secret, _, host = secret_and_host.rpartition("@")
    url = {
        "password": f"{scheme}://{user}:hunter2%2F@{host}:{port}/{name}",
        "port": f"{scheme}://{user}:{secret}@{host}:1/{name}",
        "database": f"{scheme}://{user}:{secret}@{host}:{port}/cutover_none",
        "host": f"{scheme}://{user}:{secret}@none.invalid:{port}/{name}",
    }[wrong]
    with pytest.raises(Unreachable) as said:
        open_database(url)
    assert "can't be reached" in str(said.value)
    for password in ("hunter2", secret, secret.replace("%40", "@").replace("%2F", "/")):
        assert password not in str(said.value)
