"""The host project's own settings, but its database is the destination.

For the steps after a copy (`migrations_ui/steps.py`): commands and functions of the host's, which
use `default` without asking.  In the dashboard's process that is the control database; here, in a
process of their own, it is the destination.  Everything else is as the host has it: its start-up
code runs, its caches, queues and search engines are its own.
"""

from __future__ import annotations

import json
import os
from typing import Any

from dashboard import host
from dashboard.demo import project

_named = os.environ.get("HOST_SETTINGS")
_host: Any = host.load(_named) if _named else project
globals().update({name: getattr(_host, name) for name in dir(_host) if name.isupper()})

_dest = json.loads(os.environ.pop("CUTOVER_STEP_DATABASE"))
_source = tuple(json.loads(os.environ.pop("CUTOVER_STEP_SOURCE")))


# An alias of the host's that leads to the source would let a step write there.
DATABASES = {
    alias: _dest if host.leads_to(config, _source) else config
    for alias, config in getattr(_host, "DATABASES", {}).items()
} | {"default": _dest}
