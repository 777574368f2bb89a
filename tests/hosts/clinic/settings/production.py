"""The clinic's site."""

from .base import *  # noqa: F403  # as split settings are written

DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
