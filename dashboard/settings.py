"""Settings, read from the environment; see "Settings" in README.md for every variable."""

from __future__ import annotations

import os
from pathlib import Path
from types import ModuleType
from typing import Any

from csp.constants import NONE, SELF
from django.core.exceptions import ImproperlyConfigured

from dashboard import environment, host, outside
from dashboard.demo import project
from migrations_ui.engine.databases import access

# Named so that they don't meet the host's: its models may read its BASE_DIR.
CUTOVER_DIR = Path(__file__).resolve().parent.parent
CUTOVER_VAR = Path(os.environ.get("CUTOVER_VAR", CUTOVER_DIR / "var"))

# The host project: whose data is moved.  The demo application stands in for it by default.

HOST_APPS = list(project.INSTALLED_APPS)
LANGUAGE_CODE = "en-us"
TIME_ZONE = "UTC"
USE_TZ = project.USE_TZ
DEFAULT_AUTO_FIELD = project.DEFAULT_AUTO_FIELD
AUTH_USER_MODEL = "auth.User"
STORAGES: dict[str, Any] = {"default": {"BACKEND": "django.core.files.storage.FileSystemStorage"}}
CACHES: dict[str, Any] = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
_host: ModuleType | None = None
_host_database: dict[str, Any] | None = None
_host_steps: list[Any] = []

if HOST_SETTINGS := os.environ.get("HOST_SETTINGS", ""):
    _host = host.load(HOST_SETTINGS)
    globals().update(host.model_settings(_host))
    HOST_APPS = list(_host.INSTALLED_APPS)
    _host_steps = list(getattr(_host, "CUTOVER_STEPS", ()))
    _host_database = host.database(_host, HOST_SETTINGS)
    if not os.environ.get("SOURCE_DATABASE_URL"):
        environment.with_driver(_host_database or {}, "The host's default database")

# The host's caches are its live site's: what we keep goes into one of our own, in this process.

CACHES = CACHES | {
    "cutover": {
        "BACKEND": "django.core.cache.backends.locmem.LocMemCache",
        "LOCATION": "cutover",
    }
}

# What is done after a copy, in processes of their own; seconds that each may take.

CUTOVER_STEPS = environment.steps(_host_steps)
CUTOVER_STEP_TIMEOUT = environment.seconds("CUTOVER_STEP_TIMEOUT", 3600)

# The zone in which the host's Django writes datetimes where a database keeps none; None: UTC.
HOST_TIME_ZONE: str | None = (_host_database or {}).get("TIME_ZONE") if USE_TZ else None

# Three databases.  `source` is opened read-only by the connection itself; the engine opens its own
# connections from ENDPOINTS, so that a reverse run can exchange the two.

_source = environment.database("SOURCE_DATABASE_URL", like=_host_database) or _host_database
_dest = environment.database("DEST_DATABASE_URL", like=_host_database)
if not _source or not _dest:
    raise ImproperlyConfigured(
        f"{'DEST' if _source else 'SOURCE'}_DATABASE_URL is not set. Say where the data is with "
        "SOURCE_DATABASE_URL (or HOST_SETTINGS) and where it goes with DEST_DATABASE_URL, as "
        f"{environment.FORMS}; or try the sample with `make demo`."
    )
ENDPOINTS = {"source": access.endpoint(_source), "dest": access.endpoint(_dest)}
_control = environment.database("CONTROL_DATABASE_URL", f"sqlite:///{CUTOVER_VAR}/control.sqlite3")
DATABASES = {
    "default": environment.private(
        environment.set_apart(access.control(_control or {}), ENDPOINTS)
    ),
    "source": access.read_only(ENDPOINTS["source"]),
    "dest": ENDPOINTS["dest"],
}
DATABASE_ROUTERS = ["dashboard.routers.ThreeDatabases"]
# What the host calls the source, and who says which of its tables are there.
HOST_ALIAS = "default"
HOST_DATABASE_ROUTERS = list(getattr(_host, "DATABASE_ROUTERS", ()))
if _host and HOST_DATABASE_ROUTERS:
    _aliases = host.aliases_of(_host, HOST_SETTINGS, access.place(ENDPOINTS["source"]))
    HOST_ALIAS = _aliases[0] if _aliases and "default" not in _aliases else "default"

# The site.

SECRET_KEY = environment.secret_key(CUTOVER_VAR / "secret_key")
DEBUG = environment.boolean("DEBUG", default=False)
DEFAULT_EXCEPTION_REPORTER = "dashboard.debugging.Reporter"
ALLOWED_HOSTS = environment.strings("ALLOWED_HOSTS", "localhost,127.0.0.1,[::1]")
DATA_UPLOAD_MAX_NUMBER_FIELDS = 20_000  # a selection of all tables of a large project
CSRF_TRUSTED_ORIGINS = environment.strings("CSRF_TRUSTED_ORIGINS")

INSTALLED_APPS = host.installed_apps(
    HOST_APPS,
    [
        "dashboard.apps.DashboardConfig",
        "migrations_ui",
        "django.contrib.admin.apps.SimpleAdminConfig",
        "django.contrib.auth",
        "django.contrib.contenttypes",
        "django.contrib.humanize",
        "django.contrib.messages",
        "django.contrib.sessions",
        "django.contrib.staticfiles",
        "django_htmx",
        "huey.contrib.djhuey",
    ],
)
HOST_APP_NAMES = {host.app_name(entry) for entry in HOST_APPS}
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "dashboard.middleware.sealed",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "dashboard.middleware.english",
    "dashboard.middleware.impatient",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
]
ROOT_URLCONF = "dashboard.urls"
WSGI_APPLICATION = "dashboard.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "dashboard.templating.OwnTemplates",
        "DIRS": [CUTOVER_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]
FORM_RENDERER = "dashboard.templating.OwnForms"
AUTHENTICATION_BACKENDS = ["dashboard.operators.OperatorBackend"]
LOGIN_URL = "admin:login"
LOGIN_REDIRECT_URL = "overview"
USE_THOUSAND_SEPARATOR = True

STATIC_URL = "static/"
# Nothing is ever collected there, but django-compressor's models can't be imported without one.
STATIC_ROOT = environment.folder(CUTOVER_VAR / "static")
STATICFILES_DIRS = [CUTOVER_DIR / "static"]
STORAGES = STORAGES | {
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
}
WHITENOISE_USE_FINDERS = True

# Apps of the host whose start-up code is to run, because it makes or completes models.
CUTOVER_READY = environment.strings("CUTOVER_READY")
CUTOVER_LEASE = environment.seconds("CUTOVER_LEASE", 30)
CUTOVER_BUSY_SESSIONS = environment.number("CUTOVER_BUSY_SESSIONS", 20)
HUEY = environment.huey(CUTOVER_VAR / "huey.sqlite3")

# Who is told outside of the pages, and who may read the figures without signing in.

NOTIFY_EMAILS = outside.addresses()
globals().update(outside.mail_server())
NOTIFY_WEBHOOK_URL, NOTIFY_WEBHOOK_SECRET = outside.webhook()
PUBLIC_URL = outside.public_url()
METRICS_TOKEN = os.environ.get("METRICS_TOKEN", "")

SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_NAME = "cutover_session"
CSRF_COOKIE_NAME = "cutover_csrf"
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF],
        "font-src": [SELF],
        "connect-src": [SELF],
        "form-action": [SELF],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
    },
}
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"plain": {"format": "{asctime} {levelname} {name}: {message}", "style": "{"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "plain"}},
    "root": {"handlers": ["stderr"], "level": "WARNING"},
    "loggers": {
        "migrations_ui": {"level": "INFO"},
        # With a handler of its own, or the worker adds one and says everything twice.
        "huey": {"level": "INFO", "handlers": ["stderr"], "propagate": False},
    },
}
