"""No password is kept with a run, shown on a page or written to the log."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import quote, unquote, urlsplit

import pytest
from django.test import Client
from pytest_django import Settings

from migrations_ui import counting, services
from migrations_ui.engine.errors import EngineError
from migrations_ui.models import Audit, CountRequest, Event, Run, TableCopy
from migrations_ui.services import Refused
from tests.servers import Servers, free_port
from tests.services.conftest import Postgres, Shop, confirm, ended, endpoint, start

pytestmark = pytest.mark.django_db(transaction=True)

PASSWORD = "gehe:im/p@ss"
PAGES = ("/", "/tables/", "/preflight/", "/runs/", "/audits/")


def kept() -> Iterator[str]:
    """Every text of the control tables."""
    for model in (Run, TableCopy, Event, Audit, CountRequest):
        for values in model.objects.values_list():
            yield str(values)


def assert_nowhere(password: str, client: Client, caplog: pytest.LogCaptureFixture) -> None:
    texts = [*kept(), caplog.text]
    paths = [*PAGES, *(run.get_absolute_url() for run in Run.objects.all())]
    paths += [audit.get_absolute_url() for audit in Audit.objects.all()]
    texts += [client.get(path).content.decode() for path in paths]
    for secret in (password, quote(password, safe="")):
        assert not [text for text in texts if secret in text]


def urls(servers: Servers) -> dict[str, str]:
    """Servers that do not answer, or not to this password."""
    secret = quote(PASSWORD, safe="")
    postgres, mysql = (urlsplit(servers.url(name)) for name in ("postgresql", "mysql"))
    return {
        "nobody listens, PostgreSQL": f"postgres://cutover:{secret}@127.0.0.1:{free_port()}/shop",
        "nobody listens, MySQL": f"mysql://cutover:{secret}@127.0.0.1:{free_port()}/shop",
        "wrong password, PostgreSQL": f"postgres://cutover:{secret}@127.0.0.1:{postgres.port}/x",
        "wrong password, MySQL": f"mysql://cutover:{secret}@127.0.0.1:{mysql.port}/x",
        "bad option, PostgreSQL": f"postgres://cutover:{secret}@127.0.0.1/shop?sslmode=never",
        "unknown option, PostgreSQL": f"postgres://cutover:{secret}@127.0.0.1/shop?nonsense=1",
        "unknown option, MySQL": f"mysql://cutover:{secret}@127.0.0.1/shop?nonsense=1",
    }


@pytest.mark.parametrize(
    "case",
    [
        "nobody listens, PostgreSQL",
        "nobody listens, MySQL",
        "wrong password, PostgreSQL",
        "wrong password, MySQL",
        "bad option, PostgreSQL",
        "unknown option, PostgreSQL",
        "unknown option, MySQL",
    ],
)
def test_a_server_that_turns_us_away_makes_no_password_known(
    shop: Shop,
    servers: Servers,
    settings: Settings,
    admin_client: Client,
    caplog: pytest.LogCaptureFixture,
    impatient: None,
    case: str,
) -> None:
    plan = confirm(["auth.Group"])
    run = services.start(plan.labels, plan.dest.name, plan.fingerprint, "alice")
    settings.ENDPOINTS = settings.ENDPOINTS | {"dest": endpoint(urls(servers)[case])}

    services.request_counts(["auth.Group"])
    with pytest.raises(EngineError):
        counting.answer(CountRequest.objects.get().pk)
    services.execute_audit(services.request_audit(["auth.Group"], "alice").pk)
    with pytest.raises(Refused) as refused:
        services.start(plan.labels, plan.dest.name, plan.fingerprint, "alice")
    ended(run)

    assert run.status == "failed"
    assert "can't be reached" in run.error
    assert (run.retries > 0) is case.startswith("nobody listens")  # the others don't pass
    assert PASSWORD not in str(refused.value)
    assert_nowhere(PASSWORD, admin_client, caplog)


def test_sql_that_fails_makes_no_password_known(
    shop: Shop, postgres: Postgres, admin_client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    password = password_of(postgres.url)
    refused = start("auth.Group")
    shop.execute("source", f"UPDATE auth_group SET name = '{'x' * 200}' WHERE id = 3")
    ended(refused)
    shop.execute("source", "UPDATE auth_group SET name = 'short' WHERE id = 3")
    run = start("auth.Group")
    postgres.execute(
        "CREATE FUNCTION refuse() RETURNS boolean LANGUAGE plpgsql AS"
        " 'BEGIN RAISE EXCEPTION ''no more wiping''; END'",
        "ALTER TABLE auth_group ADD CONSTRAINT refuse CHECK (refuse()) NOT VALID",
    )
    ended(run)

    assert refused.status == run.status == "failed"
    assert "no more wiping" in run.error
    assert_nowhere(password, admin_client, caplog)


def password_of(url: str) -> str:
    return unquote(urlsplit(url).password or "")


def test_what_nobody_expected_is_kept_with_its_traceback_and_without_a_password(
    shop: Shop,
    postgres: Postgres,
    settings: Settings,
    admin_client: Client,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A configuration that a driver chokes on, as only a mistake of ours could let through."""
    run = start("auth.Group")
    dest = settings.ENDPOINTS["dest"]
    settings.ENDPOINTS = settings.ENDPOINTS | {"dest": dest | {"OPTIONS": None}}
    ended(run)
    settings.ENDPOINTS = settings.ENDPOINTS | {"dest": dest}

    assert run.status == "failed"
    assert "Traceback" in run.traceback
    assert "Traceback" in caplog.text
    assert_nowhere(password_of(postgres.url), admin_client, caplog)
