"""What all of the clinic's sites share."""

import os
from pathlib import Path

BASE_DIR = Path(__file__).resolve().parent.parent
VAR_DIR = "/nonexistent/of-the-clinic"

CLINIC_NAME = os.environ["CLINIC_NAME"]
SECRET_KEY = "the clinic's own"
INSTALLED_APPS = [
    "tests.hosts.clinic.apps.ClinicAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.sites",
    "django.contrib.staticfiles",
    "tests.hosts.clinic.people.apps.PeopleConfig",
]
MIDDLEWARE = ["tests.hosts.clinic.middleware.that_is_not_there"]
ROOT_URLCONF = "tests.hosts.clinic.urls_that_are_not_there"
AUTH_USER_MODEL = "people.User"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"},
    {"NAME": "tests.hosts.clinic.validators_that_are_not_there.Validator"},
]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
LANGUAGE_CODE = "de"
TIME_ZONE = "Europe/Berlin"
