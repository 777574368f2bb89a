"""Credentials taken out of texts that others have made: a step's output, the page of an error."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from urllib.parse import quote, unquote, urlsplit

from django.conf import settings
from django.utils.html import escape

# What looks like one in a URL.
CREDENTIALS = re.compile(r"(?<=://)[^\s/'\"]+(?=@)")


def cleaned(text: str) -> str:
    """The text without the secrets that are configured, nor what looks like one in a URL."""
    spelt = {spelling for secret in secrets() if secret for spelling in spellings(secret)}
    for spelling in sorted(spelt, key=len, reverse=True):  # one may hold another
        text = text.replace(spelling, "…")
    return CREDENTIALS.sub("…", text)


def secrets() -> Iterator[str]:
    """Everything in the settings that nobody should read."""
    yield settings.SECRET_KEY
    for config in (*settings.ENDPOINTS.values(), *settings.DATABASES.values()):
        yield str(config.get("PASSWORD") or "")
    yield unquote(urlsplit(settings.HUEY.get("url") or "").password or "")
    yield settings.EMAIL_HOST_PASSWORD
    yield settings.NOTIFY_WEBHOOK_SECRET
    yield settings.NOTIFY_WEBHOOK_URL  # its path often is one
    yield settings.METRICS_TOKEN


def spellings(secret: str) -> set[str]:
    """How it may be written: in a URL, in JSON or by `repr()`, also of these, and all in HTML."""
    found = {secret, quote(secret), quote(secret, safe="")}
    for _ in range(2):
        found |= {spelling for one in found for spelling in quoted(one)}
    return found | {escape(spelling) for spelling in found}


def quoted(text: str) -> Iterator[str]:
    """As a part of a quoted text, of which the quotes may be either."""
    yield json.dumps(text)[1:-1]
    text = text.replace("\\", "\\\\")
    yield text
    yield text.replace("'", "\\'")
    yield text.replace('"', '\\"')
