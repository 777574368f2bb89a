"""The dashboard's settings on throw-away SQLite files, whatever the shell's environment says."""

from __future__ import annotations

import atexit
import os
import tempfile
from pathlib import Path

FOLDER = tempfile.TemporaryDirectory(prefix="cutover-tests-")
atexit.register(FOLDER.cleanup)
_folder = Path(FOLDER.name)

# What the dashboard reads from its environment (README.md, "Settings").
VARIABLES = (
    "ALLOWED_HOSTS",
    "CONTROL_DATABASE_URL",
    "CSRF_TRUSTED_ORIGINS",
    "CUTOVER_BUSY_SESSIONS",
    "CUTOVER_STEPS",
    "CUTOVER_STEP_TIMEOUT",
    "CUTOVER_LEASE",
    "CUTOVER_READY",
    "CUTOVER_VAR",
    "DEBUG",
    "DEFAULT_FROM_EMAIL",
    "DEST_DATABASE_URL",
    "EMAIL_URL",
    "HOST_SETTINGS",
    "HUEY_URL",
    "METRICS_TOKEN",
    "NOTIFY_EMAILS",
    "NOTIFY_WEBHOOK_SECRET",
    "NOTIFY_WEBHOOK_URL",
    "PUBLIC_URL",
    "SECRET_KEY",
    "SOURCE_DATABASE_URL",
)
for _name in VARIABLES:
    os.environ.pop(_name, None)
for _name in ("source", "dest"):
    (_folder / f"{_name}.sqlite3").touch()
    os.environ[f"{_name.upper()}_DATABASE_URL"] = f"sqlite:///{_folder}/{_name}.sqlite3"
os.environ["CUTOVER_VAR"] = str(_folder)
os.environ["SECRET_KEY"] = "tests-only"

from dashboard.settings import *  # noqa: E402, F403  # only now does the environment fit

DATABASES["default"]["TEST"] = {"NAME": str(_folder / "control-test.sqlite3")}  # noqa: F405  # same
# Fast: the tests have no secrets.
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
