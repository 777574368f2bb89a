"""The tests' own servers: private, without privileges, and gone afterwards."""

from __future__ import annotations

from contextlib import closing
from urllib.parse import urlsplit

import psycopg2
import pytest
import redis

from tests.conftest import MakeDatabase
from tests.servers import MissingProgramError, Servers, mysql_connection, program


def test_postgres_gives_an_empty_database_to_an_account_without_privileges(
    postgres_url: str,
) -> None:
    with closing(psycopg2.connect(postgres_url)) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT usesuper FROM pg_user WHERE usename = current_user")
        superuser = cursor.fetchone()
        cursor.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")
        tables = cursor.fetchone()
    assert superuser == (False,)
    assert tables == (0,)


def test_mariadb_gives_an_empty_database_that_takes_any_character(mysql_url: str) -> None:
    with closing(mysql_connection(mysql_url)) as connection, closing(connection.cursor()) as cursor:
        cursor.execute("SELECT @@character_set_database, @@local_infile")
        settings = cursor.fetchone()
        cursor.execute("SHOW TABLES")
        tables = cursor.fetchall()
    assert settings == ("utf8mb4", 1)
    assert tables == ()


def test_redis_gives_an_empty_database(redis_url: str) -> None:
    with closing(redis.Redis.from_url(redis_url)) as client:
        assert client.dbsize() == 0
        client.set("left", "behind")


@pytest.mark.parametrize("vendor", ["postgresql", "mysql", "sqlite"])
def test_every_database_is_a_new_one(make_database: MakeDatabase, vendor: str) -> None:
    assert make_database(vendor) != make_database(vendor)


@pytest.mark.parametrize("vendor", ["postgresql", "mysql"])
def test_a_database_is_dropped_even_while_somebody_is_connected(
    servers: Servers, vendor: str
) -> None:
    url, drop = servers.create_database(vendor)
    connection = psycopg2.connect(url) if vendor == "postgresql" else mysql_connection(url)
    with closing(connection):
        drop()
    with pytest.raises(Exception, match=urlsplit(url).path.lstrip("/")):
        psycopg2.connect(url) if vendor == "postgresql" else mysql_connection(url)


def test_all_servers_are_gone_when_the_session_ends() -> None:
    with Servers() as servers:
        url = servers.url("redis")
        assert redis.Redis.from_url(url).ping()
    with pytest.raises(redis.ConnectionError):
        redis.Redis.from_url(url).ping()


def test_a_server_named_in_the_environment_is_used_instead(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TEST_REDIS_URL", "redis://127.0.0.1:1/0")
    with Servers() as servers:
        assert servers.url("redis") == "redis://127.0.0.1:1/0"


def test_a_missing_program_is_an_error_that_says_what_to_install() -> None:
    with pytest.raises(MissingProgramError, match="apt-get install abacus-server"):
        program("abacusd", "abacus-server")
