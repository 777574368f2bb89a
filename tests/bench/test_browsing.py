"""Browsers that watch a run."""

from __future__ import annotations

import pytest

from tests.bench.browsing import seconds_of


@pytest.mark.parametrize(
    ("fragment", "seconds"),
    [('<div hx-get="/" hx-trigger="every 2s">', 2.0), ("<div>", 1.0)],
)
def test_they_ask_as_often_as_the_page_tells_them(fragment: str, seconds: float) -> None:
    assert seconds_of(fragment) == seconds
