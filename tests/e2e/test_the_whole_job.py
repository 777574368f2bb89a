"""An operator's way through the demo: from signing in to the audit."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.e2e.conftest import Demo, OpenBrowser

if TYPE_CHECKING:
    from playwright.sync_api import Page

TABLES = 15  # of the demo, without its sessions
COUNTED = "#tables table:not(:has-text('≈'))"  # no estimate is left
RUN = re.compile(r"/runs/\d+/$")


def number(text: str) -> int:
    return int(text.replace(",", ""))


def rows_of_the_run(page: Page) -> tuple[int, int]:
    """The rows copied so far, and all of them."""
    found = re.search(r"([\d,]+) of ([\d,]+) rows", page.inner_text(".run-rows"))
    assert found
    return number(found[1]), number(found[2])


def has_ended(page: Page) -> bool:
    return page.locator("#run[hx-get]").count() == 0


def test_from_signing_in_to_the_audit(demo: Demo, open_browser: OpenBrowser) -> None:
    page = open_browser()
    demo.sign_in(page)
    page.click("nav >> text=Tables")
    page.wait_for_selector(COUNTED)

    page.check("[data-app='*']")
    selected = page.inner_text("#selection-sum")
    assert selected.startswith(f"{TABLES} tables selected: ")
    assert "≈" not in selected
    page.click("text=Review the wipe and the copy")
    page.wait_for_url("**/runs/new/")
    page.wait_for_selector("#name")
    to_copy = page.inner_text("tfoot td:nth-child(3)")
    assert f"{to_copy} rows to copy" in selected

    # The button stays dark for a wrong name, and the server would refuse it anyway.
    page.fill("#name", "source.sqlite3")
    assert page.is_disabled("#confirm button")
    page.evaluate("document.querySelector('#confirm').submit()")
    page.wait_for_selector(".messagelist .error")
    assert "is not that of the destination" in page.inner_text(".messagelist")
    page.fill("#name", "dest.sqlite3")
    page.click("#confirm button")

    page.wait_for_url(RUN)
    seen = watch(page)
    assert seen == sorted(seen)
    assert [rows for rows in seen if 0 < rows < number(to_copy)], "no progress was seen"
    assert rows_of_the_run(page) == (number(to_copy), number(to_copy))
    assert "succeeded" in page.inner_text(".run-state")
    assert "100 %" in page.inner_text(".run-state")
    assert page.title() == f"Run {page.url.rstrip('/').rpartition('/')[2]} succeeded | Cutover"

    page.click("text=/Read audit/")
    page.wait_for_url("**/audits/*/")
    assert compared(TABLES) in page.inner_text("#audit")
    after = page.inner_text("tfoot tr").split()
    assert after.count(to_copy) == 2
    audit = page.url
    page.click("nav >> text=Audits")
    page.wait_for_url("**/audits/")
    assert page.locator(f"a[href='{audit.removeprefix(demo.url)}']").count() == 1


def compared(tables: int) -> str:
    """The demo's sessions are in no audit that does not name them."""
    return f"Every cell of {tables} of the project’s {TABLES + 1} tables was compared"


def watch(page: Page) -> list[int]:
    """The numbers of rows that the page shows until the run has ended."""
    seen = [rows_of_the_run(page)[0]]
    while not has_ended(page):
        percent = page.get_attribute(".run-state progress", "value")
        assert percent is None or int(percent) < 100 or has_ended(page)
        seen.append(rows_of_the_run(page)[0])
        page.wait_for_timeout(100)
    return seen


def test_without_javascript_it_takes_a_few_more_clicks(
    demo: Demo, open_browser: OpenBrowser
) -> None:
    page = open_browser(java_script_enabled=False)
    demo.sign_in(page)
    page.click("nav >> text=Tables")
    # Together: after another test's cancelled copy the destination may have no content types.
    page.check("[name=app][value=auth]")
    page.check("[name=app][value=contenttypes]")
    page.click("text=Review the wipe and the copy")
    page.wait_for_url("**/runs/new/")
    click_until(page, "text=Refresh", "#confirm button:enabled")

    page.fill("#name", "wrong")
    page.click("#confirm button")
    assert "is not that of the destination" in page.inner_text(".messagelist")
    page.fill("#name", "dest.sqlite3")
    page.click("#confirm button")

    page.wait_for_url(RUN)
    click_until(page, "noscript a", ".run-state >> text=succeeded")
    page.click("text=/Read audit/")
    assert compared(7) in page.inner_text("#audit")


def click_until(page: Page, button: str, selector: str) -> None:
    """Click as a patient person does."""
    for _ in range(60):
        if page.locator(selector).count():
            return
        if not page.locator(button).count():
            break
        page.click(button)
        page.wait_for_timeout(500)
    pytest.fail(f"{selector} did not appear: {page.inner_text('body')}")


# Whether the focused element looks otherwise than it does without the focus.
LOOKS_FOCUSED = """() => {
  const element = document.activeElement;
  const look = () => {
    const { outline, boxShadow, border, backgroundColor } = getComputedStyle(element);
    return [outline, boxShadow, border, backgroundColor].join();
  };
  element.style.transition = "none";
  const focused = look();
  element.blur();
  const plain = look();
  element.focus();
  return focused !== plain;
}"""


def press_until_focused(page: Page, selector: str, limit: int = 80) -> None:
    """Tab to an element, which must be marked as focused for the eye as well."""
    for _ in range(limit):
        page.keyboard.press("Tab")
        if page.evaluate("selector => document.activeElement.matches(selector)", selector):
            assert page.evaluate(LOOKS_FOCUSED), page.evaluate("document.activeElement.outerHTML")
            return
    pytest.fail(f"{selector} can't be reached by the keyboard")


def test_with_the_keyboard_alone_a_copy_is_selected_confirmed_and_cancelled(
    demo: Demo, open_browser: OpenBrowser
) -> None:
    page = open_browser()
    demo.sign_in(page)
    page.goto(f"{demo.url}/tables/")
    page.wait_for_selector(COUNTED)
    press_until_focused(page, "[data-app='*']")
    page.keyboard.press("Space")
    assert page.inner_text("#selection-sum").startswith(f"{TABLES} tables selected")
    press_until_focused(page, "#selection button.default")
    page.keyboard.press("Enter")
    page.wait_for_url("**/runs/new/")
    page.wait_for_selector("#name")
    press_until_focused(page, "#name")
    page.keyboard.type("dest.sqlite3")
    press_until_focused(page, "#confirm button", limit=8)
    page.keyboard.press("Enter")

    page.wait_for_url(RUN)
    press_until_focused(page, "#cancel summary")
    page.keyboard.press("Enter")
    press_until_focused(page, "#cancel button", limit=1)
    page.keyboard.press("Enter")
    page.wait_for_selector("#run:not([hx-get])")
    assert re.search("cancelled|succeeded|failed", page.inner_text(".run-state"))
