"""What somebody needs who sees little, hears the page, or has no mouse."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal

import pytest
from django.test import Client
from django.utils import timezone

from migrations_ui.models import Audit, Run, Step, Worker
from tests.views.conftest import POLL, Files, Open, count_everything, expect

if TYPE_CHECKING:
    from playwright.sync_api import Page

Text = Callable[[Any], str]

# Everything that is written into the announcement from now on.
LISTEN = """() => {
  window.spoken = [];
  const status = document.getElementById("announcement");
  new MutationObserver(() => window.spoken.push(status.textContent)).observe(status, {
    childList: true,
    characterData: true,
    subtree: true,
  });
}"""
# The contrast of each link's colour to what is behind it.
CONTRASTS = """() => {
  const parts = (color) => color.match(/[\\d.]+/g).map(Number);
  const light = (color) => {
    const [r, g, b] = parts(color).map((one) => {
      const part = one / 255;
      return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (element) => {
    const color = getComputedStyle(element).backgroundColor;
    return (parts(color)[3] ?? 1) === 0 ? behind(element.parentElement) : color;
  };
  return [...document.querySelectorAll(".cutover a:not(.button)")].map((link) => {
    const [a, b] = [getComputedStyle(link).color, behind(link)].map(light).sort((x, y) => y - x);
    return [link.textContent, (a + 0.05) / (b + 0.05)];
  });
}"""


def test_each_change_is_spoken_once_and_nothing_that_has_not_changed(
    open_page: Open, make_run: Callable[..., Run]
) -> None:
    run = make_run("running")
    for position, status in enumerate(("running", "waiting")):
        Step.objects.create(run=run, position=position, words=["step"], status=status)
    page = open_page(f"/runs/{run.pk}/")
    assert page.inner_text("#announcement") == (
        f"Run {run.pk} is running. Step step is running. Step step is waiting."
    )
    page.evaluate(LISTEN)

    for _ in range(2):
        with page.expect_response("**/live/*"):
            pass
    Step.objects.filter(position=0).update(status="succeeded")
    expect(page, "#announcement", "succeeded")

    assert page.evaluate("spoken") == ["Step step is succeeded. Step step is waiting."]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_links_stand_out_from_notes_and_from_red_rows(
    open_page: Open,
    make_audit: Callable[..., Audit],
    theme: Literal["light", "dark"],
) -> None:
    audit = make_audit("differs", "identical", counts_only=False)
    sign_off = make_audit("identical")
    page = open_page(f"/audits/{audit.pk}/")
    page.emulate_media(color_scheme=theme)
    for path in (f"/audits/{audit.pk}/", f"/audits/{sign_off.pk}/", "/"):
        page.goto(page.url.partition("/audits/")[0] + path)
        page.evaluate("""document.querySelector(".cutover").insertAdjacentHTML("beforeend",
            `<p class="note note-success"><a href="/x">a</a></p><p class="note note-warning">
            <a href="/x">b</a></p><p class="note"><a href="/x">c</a></p>`)""")
        faint = [(text, ratio) for text, ratio in page.evaluate(CONTRASTS) if ratio < 4.5]
        assert faint == []
    style = "getComputedStyle(document.querySelector('.note a')).textDecorationLine"
    assert page.evaluate(style) == "underline"


def test_a_name_typed_wrong_is_said_at_its_field_which_has_the_focus(
    open_page: Open, files: Files
) -> None:
    page = confirmation(open_page)
    page.fill("#name", "shop")
    page.evaluate("document.querySelector('#confirm').submit()")

    expect(page, "#name-wrong", "is not that of the destination")
    assert page.get_attribute("#name", "aria-invalid") == "true"
    assert page.get_attribute("#name", "aria-describedby") == "name-wrong"
    assert page.evaluate("document.activeElement.id") == "name"
    assert "is not that of" in page.inner_text("[role=alert] .messagelist")
    page.reload()
    assert page.get_attribute("#name", "aria-invalid") is None


def confirmation(open_page: Open) -> Page:
    """The confirmation of a copy of the groups, ready for the name."""
    page = open_page("/tables/")
    page.check("[value='auth.Group']")
    page.click("text=Review the wipe and the copy")
    page.wait_for_selector("#plan[hx-get]")
    count_everything()
    page.wait_for_selector("#name", timeout=POLL)
    return page


def test_what_an_operator_may_ask_of_a_run_stands_below_its_status(
    sign_in: Callable[[Any], Client], alice: Any, make_run: Callable[..., Run], text: Text
) -> None:
    run = make_run("running")
    Step.objects.create(run=run, position=0, words=["step"], status="waiting")

    page = text(sign_in(alice).get(f"/runs/{run.pk}/"))

    assert page.index("run-state") < page.index("Pause run") < page.index('id="steps"')


def test_escape_closes_what_was_opened_and_keeps_the_focus_there(
    open_page: Open, make_run: Callable[..., Run]
) -> None:
    page = open_page(f"/runs/{make_run('running').pk}/")
    page.click("#cancel summary")
    page.focus("#cancel button")

    page.keyboard.press("Escape")

    assert page.is_hidden("#cancel button")
    assert page.evaluate("document.activeElement.textContent") == "Cancel this run…"


def test_no_two_regions_of_the_overview_have_the_same_name(open_page: Open) -> None:
    Worker.objects.create(host="box", pid=1, heartbeat_at=timezone.now())
    page = open_page("/")

    names = page.evaluate("""() => [...document.querySelectorAll("[role=region], section")].map(
        (one) => one.ariaLabel || document.getElementById(one.getAttribute("aria-labelledby"))?.
        textContent).filter(Boolean)""")
    assert "List of workers" in names
    assert len(names) == len(set(names))
