"""A plain Django project with the demo application and two databases, for the ORM's own ways."""

from __future__ import annotations

import os

import dj_database_url

SECRET_KEY = "bench"  # nothing is signed
INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "dashboard.demo",
]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
# Its pages are never served.
SILENCED_SYSTEM_CHECKS = ["admin.E403", "admin.E408", "admin.E409", "admin.E410"]
DATABASES = {
    "default": {},
    "source": dj_database_url.parse(os.environ.get("SOURCE_DATABASE_URL", "sqlite://:memory:")),
    "dest": dj_database_url.parse(os.environ.get("DEST_DATABASE_URL", "sqlite://:memory:")),
}
