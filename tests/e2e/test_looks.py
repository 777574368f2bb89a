"""What the pages look like: in the dark, on a small screen, to somebody who may only look."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.e2e.conftest import Demo, OpenBrowser

if TYPE_CHECKING:
    from playwright.sync_api import Page

PAGES = ("/", "/preflight/", "/tables/", "/runs/", "/audits/", "/sign-offs/", "/freeze/", "/admin/")

# Elements whose own background is lighter, or whose own text is darker, than fits a dark page.
OUT_OF_PLACE = """() => {
  const parse = (color) => (color.match(/[\\d.]+/g) || []).map(Number);
  const light = ([r, g, b]) => (0.2126 * r + 0.7152 * g + 0.0722 * b) / 255;
  const found = [];
  for (const element of document.body.querySelectorAll("*")) {
    if (!element.checkVisibility() || element.closest("progress, input[type=checkbox]")) continue;
    const background = parse(getComputedStyle(element).backgroundColor);
    const opaque = background.length === 3 || background[3] > 0.5;
    if (opaque && light(background) > 0.6) found.push(element.outerHTML.slice(0, 120));
  }
  return found;
}"""


@pytest.mark.parametrize("path", PAGES)
def test_in_the_dark_nothing_is_white(demo: Demo, open_browser: OpenBrowser, path: str) -> None:
    page = open_browser(color_scheme="dark")
    demo.sign_in(page)
    page.goto(demo.url + path)
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") != "rgb(255, 255, 255)"
    assert page.evaluate(OUT_OF_PLACE) == []


def test_the_theme_that_an_operator_chose_wins_over_the_systems(
    demo: Demo, open_browser: OpenBrowser
) -> None:
    page = open_browser(color_scheme="light")
    demo.sign_in(page)
    page.evaluate("localStorage.setItem('theme', 'dark')")
    page.goto(f"{demo.url}/preflight/")
    assert page.evaluate(OUT_OF_PLACE) == []


@pytest.mark.parametrize("path", PAGES)
def test_on_a_narrow_screen_nothing_sticks_out(
    demo: Demo, open_browser: OpenBrowser, path: str
) -> None:
    page = open_browser(screen={"width": 400, "height": 800})
    page.set_viewport_size({"width": 400, "height": 800})
    demo.sign_in(page)
    page.goto(demo.url + path)
    assert page.evaluate("document.documentElement.scrollWidth") <= 400


def cookie(page: Page, name: str) -> str:
    return next(c["value"] for c in page.context.cookies() if c["name"] == name)


def test_a_viewer_sees_all_pages_and_can_start_nothing(
    demo: Demo, open_browser: OpenBrowser
) -> None:
    page = open_browser()
    demo.sign_in(page, "viewer")
    for path in ("/", "/preflight/", "/tables/", "/runs/", "/audits/"):
        answer = page.goto(demo.url + path)
        assert answer is not None
        assert answer.status == 200
        assert page.locator("main button, #content button[type=submit]").count() <= 1  # the search
    page.goto(f"{demo.url}/tables/")
    assert page.locator("input[type=checkbox]").count() == 0
    headers = {"X-CSRFToken": cookie(page, "cutover_csrf"), "Referer": demo.url}
    for path in ("/runs/select/", "/runs/start/", "/runs/1/cancel/", "/audits/start/"):
        refusal = page.request.post(demo.url + path, headers=headers)
        assert refusal.status == 403
        assert "Not allowed" in refusal.text()
