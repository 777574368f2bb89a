"""Settings of the nasty host project, as its own team would have written them.

The project knows nothing of the dashboard.  Its own processes use NASTY_DATABASE_URL as their
default database; the dashboard reads this module through HOST_SETTINGS.
"""

from __future__ import annotations

import os

import dj_database_url

SECRET_KEY = "nothing to protect"
INSTALLED_APPS = [
    "django.contrib.contenttypes",
    "django.contrib.auth",
    "tests.conformance.nasty",
]
DATABASES = {
    "default": dj_database_url.parse(os.environ.get("NASTY_DATABASE_URL", "sqlite:///:memory:"))
}
if "NASTY_OTHER_URL" in os.environ:  # a second copy, to be compared with
    DATABASES["other"] = dj_database_url.parse(os.environ["NASTY_OTHER_URL"])
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
TIME_ZONE = "America/St_Johns"  # neither UTC nor a whole number of hours away from it
SILENCED_SYSTEM_CHECKS = ["fields.E210"]  # ImageField's column is text; nobody opens an image

# A swappable model of the app's, replaced by another one: the original has no table.
NASTY_CARD_MODEL = "nasty.LoyaltyCard"

# Which module fills the project's tables.
ROWS = "tests.conformance.nasty.rows"
