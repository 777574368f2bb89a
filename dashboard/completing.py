"""What a host's own process imports and nothing does here: settings' defaults, and models."""

from __future__ import annotations

import os
import re
import sys
from contextlib import suppress
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from django.apps import AppConfig, apps
from django.db.migrations.loader import MigrationLoader

TESTS = {"test", "tests", "testing"}
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
    """Import what nobody has imported of the app's `models`, where that is a package, and below it.

    A host's views or its start-up code may be all that imports some of them.  Without them their
    tables would be left out.  A module of whose classes no migration speaks has no tables.
    """
    if config.models_module is None:
        return
    modules = modules_of_models(config)
    late = {name: path for name, path in modules.items() if name not in sys.modules}
    named = names_in_migrations(config) if late else set()
    missing = {name for name in named if name.lower() not in config.models}
    for name, path in late.items():
        classes = CLASS.findall(path.read_text(errors="replace"))
        of_the_package = name.startswith(f"{config.name}.models.")
        if missing.intersection(classes) or (not named and of_the_package):
            with suppress(Exception):  # what it should have is missed in preflight
                import_module(name)


def modules_of_models(config: AppConfig) -> dict[str, Path]:
    """Where the app may have models: the files, by their modules' names.

    These are all modules of its package `models`, and each `models.py` of its other packages, but
    for those of tests and of other apps.
    """
    found = {}
    own = Path(config.path)
    others = {Path(other.path) for other in apps.get_app_configs()}
    for path in sorted(own.glob("models/**/*.py")):
        found[module_name(config, path)] = path
    for folder, packages, files in os.walk(own):
        packages[:] = sorted(
            name
            for name in packages
            if name not in TESTS
            and Path(folder, name) not in others
            and any(Path(folder, name).glob("*.py"))  # it need not have an __init__.py
        )
        if "models.py" in files:
            path = Path(folder, "models.py")
            found[module_name(config, path)] = path
    return found


def module_name(config: AppConfig, path: Path) -> str:
    """The dotted name of an app's file."""
    parts = path.relative_to(config.path).with_suffix("").parts
    return ".".join((config.name, *(part for part in parts if part != "__init__")))


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
