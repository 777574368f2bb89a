"""The host project's overlay: somebody else's settings, as far as their models need them.

HOST_SETTINGS names a settings module on PYTHONPATH.  Its apps, user model, time zone and the
settings that its models read are taken over; everything that makes up a web site (middleware,
URLs, templates, sessions, logging …) stays ours.
"""

from __future__ import annotations

import importlib
import os
import re
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, redirect_stdout, suppress
from copy import deepcopy
from types import ModuleType
from typing import Any

from asgiref.local import Local
from django import conf
from django.conf import ENVIRONMENT_VARIABLE, global_settings
from django.core.cache import caches
from django.core.exceptions import ImproperlyConfigured
from django.core.files.storage import storages
from django.db import connections, router
from django.utils.module_loading import import_string

from migrations_ui.engine.databases import access

# Of Django's own settings, those that models, fields, migrations and accounts read.  All of the
# host's other settings that Django knows are about its site, and so is none of our business.
FOR_MODELS = {
    "ABSOLUTE_URL_OVERRIDES",
    "AUTH_PASSWORD_VALIDATORS",
    "AUTH_USER_MODEL",
    "CACHES",  # their modules may ask for one while they are imported
    "DEFAULT_AUTO_FIELD",
    "DEFAULT_INDEX_TABLESPACE",
    "DEFAULT_TABLESPACE",
    "FILE_UPLOAD_DIRECTORY_PERMISSIONS",
    "FILE_UPLOAD_PERMISSIONS",
    "FIXTURE_DIRS",
    "LANGUAGES",
    "LANGUAGES_BIDI",
    "LANGUAGE_CODE",
    "LOCALE_PATHS",
    "MEDIA_ROOT",
    "MEDIA_URL",
    "MIGRATION_MODULES",
    "PASSWORD_HASHERS",
    "SILENCED_SYSTEM_CHECKS",
    "STORAGES",
    "TIME_ZONE",
    "USE_I18N",
    "USE_TZ",
}
# Settings that are not Django's own, but those of a site's packages that we use ourselves.
OURS = {"HUEY", "CONTENT_SECURITY_POLICY", "CONTENT_SECURITY_POLICY_REPORT_ONLY"}
OUR_PREFIXES = ("CSP_", "WHITENOISE_")
# Packages of our own: a host's package of the same name could not be imported beside them.
OUR_PACKAGES = {"dashboard", "migrations_ui"}
DEMO = "dashboard.demo"
VALIDATION = "django.contrib.auth.password_validation"
VALIDATORS = (
    "UserAttributeSimilarityValidator",
    "MinimumLengthValidator",
    "CommonPasswordValidator",
    "NumericPasswordValidator",
)
# What Django finds where a host does without the admin and has a LogEntry of its own: its relations
# are called like those of the admin's, which is ours.  Neither is followed backwards here.
CLASHES = ["fields.E304", "fields.E305"]

CREDENTIALS = re.compile(r"(?<=://)[^\s/'\"]+(?=@)")


def load(dotted_path: str) -> ModuleType:
    """Import the host's settings, or say what is missing."""
    check_names([dotted_path])
    try:
        with as_its_own(dotted_path):
            module = importlib.import_module(dotted_path)
    except (Exception, SystemExit) as error:  # noqa: BLE001  # settings run arbitrary code
        reason = CREDENTIALS.sub("…", f"{type(error).__name__}: {error}")
        raise ImproperlyConfigured(
            f"HOST_SETTINGS={dotted_path!r} could not be imported: {reason}. Put the project's "
            "folder on PYTHONPATH, install its requirements in this environment, and set the "
            "environment variables that its settings read."
        ) from None  # the original's text may hold a password
    if not hasattr(module, "INSTALLED_APPS"):
        raise ImproperlyConfigured(
            f"HOST_SETTINGS={dotted_path!r} has no INSTALLED_APPS. Name the module that "
            "DJANGO_SETTINGS_MODULE names when the project itself runs; where its settings are a "
            "class, write a module that assigns that class's attributes."
        )
    check_names(module.INSTALLED_APPS)
    return module


def database(host: ModuleType, dotted_path: str) -> dict[str, Any] | None:
    """Its default database.

    The backend is imported here, since one of a package's own may read the host's settings
    meanwhile; who needs a database that can't be read is told so.
    """
    found: dict[str, Any] | None = deepcopy(getattr(host, "DATABASES", {}).get("default"))
    with as_its_own(dotted_path), suppress(ImproperlyConfigured):
        access.vendor(found or {})
    return found


def aliases_of(host: ModuleType, dotted_path: str, place: tuple[str, ...]) -> list[str]:
    """What the host calls the database at this place (`access.place`)."""
    databases: dict[str, dict[str, Any]] = getattr(host, "DATABASES", {})
    with as_its_own(dotted_path):
        return [alias for alias, config in databases.items() if leads_to(config, place)]


def leads_to(config: dict[str, Any], place: tuple[str, ...]) -> bool:
    try:
        return access.place(config) == place
    except (ImproperlyConfigured, KeyError, TypeError):  # of a vendor that Cutover does not move
        return False


@contextmanager
def as_its_own(dotted_path: str) -> Iterator[None]:
    """Let the host's settings be imported as where the host itself runs.

    They may ask Django's settings for what they have defined so far, print, and put objects of
    their own in the place of `django.conf` and of its settings, as dynaconf does.  What Django
    makes of the settings meanwhile is forgotten: psqlextra's engine asks for the connections, of
    which `default` would be the host's own database ever after.
    """
    made = {handler: dict(vars(handler)) for handler in (connections, router, caches, storages)}
    for handler in (connections, caches):
        vars(handler)["_connections"] = Local(handler.thread_critical)
    ours, settings = os.environ.get(ENVIRONMENT_VARIABLE), conf.settings
    wrapped = vars(settings)["_wrapped"]
    os.environ[ENVIRONMENT_VARIABLE] = dotted_path
    try:
        with redirect_stdout(sys.stderr):  # ours is for JSON
            yield
    finally:
        sys.modules["django.conf"], conf.settings = conf, settings
        settings._wrapped = wrapped
        for known, before in made.items():
            vars(known).clear()
            vars(known).update(before)
        del os.environ[ENVIRONMENT_VARIABLE]
        if ours is not None:
            os.environ[ENVIRONMENT_VARIABLE] = ours


def model_settings(host: ModuleType) -> dict[str, Any]:
    """The host's settings that its models may read, and Django's defaults where it is silent."""
    theirs = {name: getattr(host, name) for name in dir(host) if name.isupper()}
    defaults = {
        name: getattr(global_settings, name)
        for name in FOR_MODELS - {"STORAGES"}
        if hasattr(global_settings, name)
    }
    found = defaults | {name: value for name, value in theirs.items() if is_for_models(name)}
    return found | {
        "AUTH_PASSWORD_VALIDATORS": password_validators(found["AUTH_PASSWORD_VALIDATORS"]),
        "SILENCED_SYSTEM_CHECKS": [*found["SILENCED_SYSTEM_CHECKS"], *CLASHES],
    }


def password_validators(theirs: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Django's own of the host's validators; all that Django has, where the host has others only.

    A host's own may look into tables that the control database does not have.
    """
    theirs = list(theirs)
    of_django = [each for each in theirs if each["NAME"].startswith(f"{VALIDATION}.")]
    if theirs and not of_django:
        return [{"NAME": f"{VALIDATION}.{name}"} for name in VALIDATORS]
    return of_django


def is_for_models(name: str) -> bool:
    """Whether a setting is one that the host's models may read."""
    if hasattr(global_settings, name) or name == "INSTALLED_APPS":
        return name in FOR_MODELS
    return name not in OURS and not name.startswith(OUR_PREFIXES)


def installed_apps(host_apps: Iterable[str], our_apps: Iterable[str]) -> list[str]:
    """Our apps and the host's, each once; the host's own spelling, but for the admin.

    The admin is always the one without autodiscovery: the host's admin modules are not needed
    here, and importing them runs code that expects the host's site.  Ours come first, so that
    their templates, static files and commands are the ones that are found.
    """
    admin = "django.contrib.admin"
    theirs = {entry: app_name(entry) for entry in host_apps}
    names = set(theirs.values()) - {admin}
    return [entry for entry in our_apps if app_name(entry) not in names] + [
        entry for entry, name in theirs.items() if name != admin
    ]


def app_name(entry: str) -> str:
    """The package of an INSTALLED_APPS entry, which may name an AppConfig class instead."""
    if not entry.rpartition(".")[2][:1].isupper():
        return entry
    try:
        return str(import_string(entry).name)
    except Exception as error:  # an AppConfig's module runs arbitrary code
        raise ImproperlyConfigured(
            f"INSTALLED_APPS names {entry!r}, which could not be imported: "
            f"{type(error).__name__}: {error}."
        ) from error


def check_names(dotted_paths: Iterable[str]) -> None:
    """Refuse modules of the host's that can't be imported, since ours have their names."""
    for path in dotted_paths:
        if path.partition(".")[0] in OUR_PACKAGES and path != DEMO:
            raise ImproperlyConfigured(
                f"The host project names {path!r}, but {path.partition('.')[0]!r} is a package of "
                "Cutover's own. A project with a top-level package of that name can't be loaded "
                "beside Cutover."
            )
