"""The template engine of the pages and forms: Django's, without the host's template tags.

Django's engine imports the template tags of every app.  The host's may expect the host's site, and
one that is called like ours would take its place.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from django.apps import apps
from django.core.checks import CheckMessage
from django.forms import renderers
from django.template.backends.django import DjangoTemplates, get_package_libraries
from django.utils.module_loading import module_has_submodule

from dashboard.apps import is_ours


class OwnTemplates(DjangoTemplates):
    def get_templatetag_libraries(self, custom_libraries: dict[str, str]) -> dict[str, str]:
        return own_libraries() | custom_libraries

    def check(self, **kwargs: Any) -> list[CheckMessage]:
        """Nothing: Django's own check is about names that the host's tags share."""
        return []


class OwnForms(renderers.DjangoTemplates):
    backend = OwnTemplates


def own_libraries() -> dict[str, str]:
    """Template tags of Django and ours, by the name that `{% load %}` knows them by."""
    packages = ["django.templatetags"]
    packages += [
        f"{config.name}.templatetags"
        for config in apps.get_app_configs()
        if is_ours(config.name) and module_has_submodule(config.module, "templatetags")
    ]
    return {
        library.removeprefix(f"{package}."): library
        for package in packages
        for library in get_package_libraries(import_module(package))
    }
