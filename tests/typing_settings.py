"""Settings for the type checker, which only looks at the models: nothing is opened or written."""

from __future__ import annotations

import os

os.environ.update(
    SECRET_KEY="types only",
    SOURCE_DATABASE_URL="postgres://127.0.0.1:1/source",
    DEST_DATABASE_URL="postgres://127.0.0.1:1/dest",
    CONTROL_DATABASE_URL="postgres://127.0.0.1:1/control",
    HUEY_URL="redis://127.0.0.1:1/0",
)
os.environ.pop("HOST_SETTINGS", None)

from dashboard.settings import *  # noqa: F403  # only now does the environment fit
