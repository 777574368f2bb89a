"""Settings readers for what is told to people outside of the pages: e-mail and webhook."""

from __future__ import annotations

import os
from typing import Any
from urllib.parse import SplitResult, unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured

from dashboard import environment

# The scheme: the port without one in the URL, and Django's settings for it.
MAIL_SERVERS: dict[str, tuple[int, dict[str, bool]]] = {
    "smtp": (25, {}),
    "smtp+tls": (587, {"EMAIL_USE_TLS": True}),
    "smtps": (465, {"EMAIL_USE_SSL": True}),
    "smtp+ssl": (465, {"EMAIL_USE_SSL": True}),
}
MAIL_FORMS = "smtp+tls://user:password@host:587, smtps://user:password@host or smtp://host"


def addresses() -> list[str]:
    """NOTIFY_EMAILS: whom to write to."""
    found = environment.strings("NOTIFY_EMAILS")
    for address in found:
        if not address.partition("@")[2] or address.split() != [address]:
            raise ImproperlyConfigured(f"NOTIFY_EMAILS: {address!r} is not an e-mail address.")
    if found and not os.environ.get("EMAIL_URL"):
        raise ImproperlyConfigured(
            "NOTIFY_EMAILS says whom to write to, but EMAIL_URL not by which server. Set it to "
            f"{MAIL_FORMS}."
        )
    return found


def mail_server() -> dict[str, Any]:
    """Django's settings for EMAIL_URL; none where nobody is to be written to.

    The error never repeats the URL, which may hold a password.  A host may read a variable of this
    name, too, in a form of its own.
    """
    if not (url := os.environ.get("EMAIL_URL")) or not environment.strings("NOTIFY_EMAILS"):
        return {}
    parts = _parts(url)
    if parts is None or parts.scheme not in MAIL_SERVERS or not parts.hostname:
        raise ImproperlyConfigured(f"EMAIL_URL is not a mail server. Use {MAIL_FORMS}.")
    port, security = MAIL_SERVERS[parts.scheme]
    settings = {
        "EMAIL_HOST": parts.hostname,
        "EMAIL_PORT": parts.port or port,
        "EMAIL_HOST_USER": unquote(parts.username or ""),
        "EMAIL_HOST_PASSWORD": unquote(parts.password or ""),
        "EMAIL_TIMEOUT": 10,
        **security,
    }
    sender = os.environ.get("DEFAULT_FROM_EMAIL")
    return settings | ({"DEFAULT_FROM_EMAIL": sender} if sender else {})


def webhook() -> tuple[str, str]:
    """NOTIFY_WEBHOOK_URL and the secret that its messages are signed with."""
    url = os.environ.get("NOTIFY_WEBHOOK_URL", "")
    secret = os.environ.get("NOTIFY_WEBHOOK_SECRET", "")
    if url and not _is_web_address(url):
        raise ImproperlyConfigured(
            "NOTIFY_WEBHOOK_URL is not an address to send to. Use https://host/path, without a "
            "user or password in it; NOTIFY_WEBHOOK_SECRET proves who is writing."
        )
    if url and not secret:
        raise ImproperlyConfigured(
            "NOTIFY_WEBHOOK_URL is set and NOTIFY_WEBHOOK_SECRET is not: the receiver could not "
            "tell our messages from anybody else's. Set the same secret on both sides."
        )
    return url, secret


def public_url() -> str:
    """PUBLIC_URL: where the pages are, for links in messages; "" where nobody has said so."""
    url = os.environ.get("PUBLIC_URL", "")
    if url and not _is_web_address(url):
        raise ImproperlyConfigured(
            "PUBLIC_URL is not a web address. Use https://cutover.example.org."
        )
    return url


def _is_web_address(url: str) -> bool:
    parts = _parts(url)
    return (
        parts is not None
        and parts.scheme in {"http", "https"}
        and bool(parts.hostname)
        and "@" not in parts.netloc
        and url.isascii()
        and url.isprintable()
        and " " not in url
    )


def _parts(url: str) -> SplitResult | None:
    """None where it is no URL at all."""
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018  # raises ValueError where the port is not a number
    except ValueError:
        return None
    return parts
