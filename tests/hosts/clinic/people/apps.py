"""An app that, when it starts, demands a site around it."""

from django.apps import AppConfig
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured


class PeopleConfig(AppConfig):
    name = "tests.hosts.clinic.people"
    label = "people"

    def ready(self) -> None:
        if "tests.hosts.clinic.middleware.that_is_not_there" not in settings.MIDDLEWARE:
            raise ImproperlyConfigured("tests.hosts.clinic.middleware must be added to MIDDLEWARE.")
