"""The demo's worker: what it says at each start would bury the address and the sign-in."""

from __future__ import annotations

from typing import Any

from dashboard.settings import *  # noqa: F403  # all of them but one
from dashboard.settings import LOGGING

_loggers: Any = LOGGING["loggers"]
_loggers["huey"]["level"] = "WARNING"
