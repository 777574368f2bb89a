"""An operator's night after the copy: sign the audit off, keep the record, look at the way back."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from tests.e2e.conftest import Demo, OpenBrowser

GREEN = ".status.verdict-identical"


def test_a_green_audit_is_signed_kept_and_leads_to_the_way_back(
    demo: Demo, open_browser: OpenBrowser, tmp_path: Path
) -> None:
    page = open_browser()
    demo.sign_in(page)
    page.goto(f"{demo.url}/tables/")
    page.wait_for_selector("#tables table:not(:has-text('≈'))")
    page.check("[name=label][value='registry.Policy']")
    page.click("text=Review the wipe and the copy")
    page.wait_for_selector("#name")
    page.fill("#name", "dest.sqlite3")
    page.click("#confirm button")
    page.wait_for_url(re.compile(r"/runs/\d+/$"))
    run = page.url
    page.click("text=/Read audit/")
    page.wait_for_selector(f"#audit:not([hx-get]) {GREEN}")

    page.click("text=Sign this audit off")
    page.fill("#password", "not it")
    page.click("button:has-text('Sign audit')")
    assert "That is not your password" in page.inner_text(".messagelist")
    page.fill("#password", "demo")
    page.click("button:has-text('Sign audit')")
    page.wait_for_url("**/sign-offs/*/")

    seal = page.inner_text(".note-success code")
    with page.expect_download() as download:
        page.click(".downloads >> text=JSON")
    download.value.save_as(tmp_path / "record.json")
    assert hashlib.sha256((tmp_path / "record.json").read_bytes()).hexdigest() == seal
    with page.expect_download() as download:
        page.click(".downloads >> text=HTML")
    download.value.save_as(tmp_path / "record.html")
    alone = open_browser(java_script_enabled=False)
    alone.goto((tmp_path / "record.html").as_uri())
    assert seal in alone.inner_text("body")
    assert "registry.Policy" in alone.inner_text("table >> nth=1")
    page.emulate_media(media="print")
    assert not page.is_visible(".sections")
    assert page.is_visible("text=Every cell of every row")
    page.emulate_media(media="screen")

    page.goto(run)
    page.click("text=The way back…")
    page.click("text=Prepare the way back to source.sqlite3")
    page.wait_for_selector("#name")
    assert "This is the way back." in page.inner_text("#plan [role=alert]")
    assert page.is_disabled("#confirm button")
    page.fill("#name", "dest.sqlite3")
    assert page.is_disabled("#confirm button")
