"""Parameters that no page of ours sends, over a control database that can't hold all of them."""

from __future__ import annotations

from tests.conftest import MakeDatabase, RunManage
from tests.hosts.site import Site

ASK = r"""
import json
from django.contrib.auth import get_user_model
from django.test import Client
from migrations_ui.models import Audit, AuditedTable, Difference, Run
alice = get_user_model().objects.create_superuser("alice", "a@example.org", "a good password")
side = {"name": "shop", "vendor": "sqlite", "host": "localhost", "identity": "x"}
sides = {"source": side, "dest": side, "operator": "alice"}
audit = Audit.objects.create(status="finished", verdict="differs", **sides)
table = AuditedTable.objects.create(audit=audit, position=0, label="auth.Group", table="auth_group")
Difference.objects.create(table=table, what="different", key="1", column="name", size=1)
run = Run.objects.create(status="failed", **sides)
browser = Client(SERVER_NAME="localhost", raise_request_exception=False)
browser.force_login(alice)
ODD = ["%00", "a%00b", "%ed%a0%80", "%f0%9f%98%80", "9" * 30, "-1", "'", "x" * 5000]
PAGES = ["/", "/live/", "/tables/", "/preflight/", "/runs/", "/runs/catch-up/", "/audits/",
    "/sign-offs/", f"/runs/{run.pk}/", f"/runs/{run.pk}/live/", f"/runs/{run.pk}/rejected/",
    f"/audits/{audit.pk}/", f"/audits/{audit.pk}/tables/{table.pk}/",
    f"/audits/{audit.pk}/differences.csv", f"/audits/{audit.pk}/differences.json",
    f"/runs/{9 ** 30}/", f"/audits/{9 ** 30}/", f"/sign-offs/{9 ** 30}/"]
NAMES = ["page", "q", "seen", "show", "what", "column", "table", "label", "reverse"]
FORMS = ["/runs/select/", "/tables/count/", "/audits/start/", "/runs/transforms/", "/runs/start/",
    "/runs/catch-up/start/", "/runs/catch-up/choose/", "/preflight/check/",
    f"/audits/{audit.pk}/sign/off/",
    f"/runs/{run.pk}/limit/", f"/runs/{run.pk}/rejected/retry/"]
FIELDS = ["label", "app", "name", "fingerprint", "transform", "reject_limit", "workers", "rows",
    "next", "password", "count", "shown", "q"]
def status(ask, *arguments, **named):
    answer = ask(*arguments, **named)
    try:
        answer.getvalue() if answer.streaming else answer.content
    except ValueError as error:
        return 500
    return answer.status_code
bad = []
for odd in ODD:
    query = "&".join(f"{name}={odd}" for name in NAMES)
    bad += [(page, odd) for page in PAGES if status(browser.get, f"{page}?{query}") >= 500]
    form = "&".join(f"{name}={odd}" for name in FIELDS)
    kind = "application/x-www-form-urlencoded"
    bad += [(page, odd) for page in FORMS
        if status(browser.post, page, form, content_type=kind) >= 500]
print(json.dumps(bad))
"""


def test_no_parameter_is_an_error_of_the_servers(
    run_manage: RunManage, make_database: MakeDatabase
) -> None:
    site = Site(
        run_manage,
        {
            "SOURCE_DATABASE_URL": make_database("sqlite"),
            "DEST_DATABASE_URL": make_database("sqlite"),
            "CONTROL_DATABASE_URL": make_database("postgresql"),
        },
    )
    site.manage("migrate", "-v0")
    assert site.shell(ASK) == []
