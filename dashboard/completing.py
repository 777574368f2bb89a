"""What a host's own process imports and nothing does here: settings' defaults, and models."""

from __future__ import annotations

import re
import sys
from contextlib import suppress
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from django.apps import AppConfig
from django.db.migrations.loader import MigrationLoader

CLASS = re.compile(r"^class (\w+)", re.MULTILINE)
NAME = re.compile(r"\bname=[\"'](\w+)[\"']")


def fill_in_settings(config: AppConfig) -> None:
    """Import the app's `conf`, where there is one.

    Packages keep their settings' defaults there, and some write them into Django's settings, for
    their own migrations and models to read.  They import it in the `ready()` that is left out.
    """
    name = f"{config.name}.conf"
    with suppress(Exception):  # what is truly needed fails again where it is needed
        if find_spec(name):
            import_module(name)


def load_models(config: AppConfig) -> None:
    """Import what nobody has imported of the app's `models`, where that is a package.

    A host's views or its start-up code may be all that imports some of them.  Without them their
    tables would be left out.  A module of whose classes no migration speaks has no tables.
    """
    models = config.models_module
    if models is None or not hasattr(models, "__path__") or models.__file__ is None:
        return
    folder = Path(models.__file__).parent
    late = {}
    for path in sorted(folder.rglob("*.py")):
        parts = path.relative_to(folder).with_suffix("").parts
        name = ".".join((models.__name__, *(part for part in parts if part != "__init__")))
        if name not in sys.modules:
            late[name] = path
    named = names_in_migrations(config) if late else set()
    for name, path in late.items():
        if not named or named.intersection(CLASS.findall(path.read_text(errors="replace"))):
            with suppress(Exception):  # what it should have is missed in preflight
                import_module(name)


def names_in_migrations(config: AppConfig) -> set[str]:
    """What the app's migrations call something by, models among it; nothing if it has none."""
    package, _ = MigrationLoader.migrations_module(config.label)
    spec = None
    with suppress(ImportError):
        spec = find_spec(package) if package else None
    places = (spec and spec.submodule_search_locations) or ()
    files = (path for place in places for path in Path(place).glob("*.py"))
    return {
        name
        for path in files
        if path.stem != "__init__"
        for name in NAME.findall(path.read_text(errors="replace"))
    }
