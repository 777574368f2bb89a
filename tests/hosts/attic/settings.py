"""The attic's site."""

import os

INSTALLED_APPS = ("tests.hosts.attic.boxes",)
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": os.environ["ATTIC_FILE"]}}
MIGRATION_MODULES = {"boxes": "tests.hosts.attic.elsewhere.migrations"}
USE_TZ = False
TIME_ZONE = "Asia/Tokyo"
ENDPOINTS = CUTOVER = "of the attic's own"
HUEY = {"immediate": True}
CSP_DEFAULT_SRC = ["*"]
PREPEND_WWW = True
SESSION_COOKIE_DOMAIN = "attic.example"
SILENCED_SYSTEM_CHECKS = ["models.W042"]
TEMPLATES = [{"BACKEND": "not.there"}]
