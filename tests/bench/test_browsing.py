"""Browsers that watch a run."""

from __future__ import annotations

import pytest

from tests.bench.browsing import next_poll


@pytest.mark.parametrize(
    ("fragment", "expected"),
    [
        ('<div hx-get="/live/?q=1&amp;seen=2" hx-trigger="every 2s">', (2.0, "/live/?q=1&seen=2")),
        ("<div>", (1.0, "/")),
    ],
)
def test_they_ask_for_what_the_page_tells_them_and_as_often(
    fragment: str, expected: tuple[float, str]
) -> None:
    assert next_poll(fragment, "/") == expected
