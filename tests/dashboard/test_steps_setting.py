"""CUTOVER_STEPS: what is done after a copy."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

from dashboard import environment


@pytest.mark.parametrize(
    ("text", "theirs", "found"),
    [
        (None, [], []),
        (None, ["check", ["shop.hooks.warm", "a b"]], [["check"], ["shop.hooks.warm", "a b"]]),
        ("", ["check"], []),
        ("check; loaddata 'my file'\n", ["x"], [["check"], ["loaddata", "my file"]]),
    ],
)
def test_steps_come_from_the_environment_or_else_from_the_hosts_settings(
    text: str | None, theirs: list[Any], found: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    if text is not None:
        monkeypatch.setenv("CUTOVER_STEPS", text)

    assert environment.steps(theirs) == found


def test_steps_that_can_not_be_read_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUTOVER_STEPS", "loaddata 'my file")

    with pytest.raises(ImproperlyConfigured, match="CUTOVER_STEPS can't be read"):
        environment.steps([])
