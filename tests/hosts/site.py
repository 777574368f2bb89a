"""A dashboard that is pointed at one of the little host projects, as a test sees it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from subprocess import CompletedProcess
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.conftest import RunManage

PASSWORD = "a good password"


@dataclass(frozen=True)
class Site:
    """`manage()` runs a command in a process of its own, with the environment `env`."""

    run_manage: RunManage
    env: Mapping[str, str]

    def manage(self, *arguments: str, fails: bool = False) -> CompletedProcess[str]:
        """The finished process, whose exit status is 0, or on request anything else."""
        done = self.run_manage(self.env, *arguments)
        assert (done.returncode != 0) == fails, done.stdout + done.stderr
        return done

    def shell(self, code: str) -> Any:
        """What Python code in the dashboard's process prints, as JSON."""
        lines = self.manage("shell", "-v0", "-c", code).stdout.splitlines()
        return json.loads(lines[-1]) if lines else None

    def with_env(self, **env: str) -> Site:
        return replace(self, env={**self.env, **env})

    def exchanged(self) -> Site:
        """The same with source and destination exchanged: a source is written as a destination."""
        return self.with_env(
            SOURCE_DATABASE_URL=self.env["DEST_DATABASE_URL"],
            DEST_DATABASE_URL=self.env["SOURCE_DATABASE_URL"],
        )

    def sign_in(self, name: str, password: str = PASSWORD) -> dict[str, Any]:
        """What a browser gets: the status of / and the form before, of some pages afterwards."""
        answer: dict[str, Any] = self.shell(SIGN_IN.format(name=name, password=password))
        return answer


def file_of(url: str) -> str:
    return url.removeprefix("sqlite:///")


SIGN_IN = """
import json
from django.test import Client
browser = Client(SERVER_NAME="localhost", raise_request_exception=False)
before = [browser.get(page).status_code for page in ("/", "/admin/login/")]
form = browser.post("/admin/login/?next=/", {{"username": {name!r}, "password": {password!r}}})
pages = ("/", "/tables/", "/runs/", "/audits/", "/preflight/", "/admin/", "/admin/password_change/")
print(json.dumps({{
    "before": before,
    "signed in": form.status_code == 302,
    "said": form.content.decode(),
    "pages": {{page: browser.get(page).status_code for page in pages}},
    "may": sorted(
        name for name in ("view_run", "copy_run", "wipe_destination")
        if (user := browser.get("/healthz").wsgi_request.user).is_authenticated
        and user.has_perm("migrations_ui." + name)
    ),
}}))
"""
