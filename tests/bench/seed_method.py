"""The seed's method: model by model, in chunks of 3,000 objects, by `bulk_create`.

With settings of its own, `tests.bench.rival_settings`.
"""

from __future__ import annotations

from collections.abc import Iterable
from graphlib import TopologicalSorter

import django
from django.apps import apps
from django.core.management.color import no_style
from django.db import connections
from django.db.models import Model

CHUNK = 3_000


def main() -> None:
    django.setup()
    models = in_order(apps.get_models(include_auto_created=True))
    dest = connections["dest"]
    with dest.constraint_checks_disabled():
        for model in models:
            copy(model)
    with dest.cursor() as cursor:
        for statement in dest.ops.sequence_reset_sql(no_style(), models):
            cursor.execute(statement)


def in_order(models: Iterable[type[Model]]) -> list[type[Model]]:
    """Each model after those that it refers to, as whoever runs such a script lists them."""
    referred: dict[type[Model], set[type[Model]]] = {
        model: {
            field.related_model
            for field in model._meta.concrete_fields
            if isinstance(field.related_model, type) and field.related_model is not model
        }
        for model in models
    }
    return list(TopologicalSorter(referred).static_order())


def copy(model: type[Model]) -> None:
    """Empty the model's table in the destination and fill it from the source, page by page."""
    for field in model._meta.concrete_fields:  # the source's times are to stay
        for automatic in ("auto_now", "auto_now_add"):
            if hasattr(field, automatic):
                setattr(field, automatic, False)
    there, here = (model._base_manager.using(alias) for alias in ("source", "dest"))
    here.all().delete()
    for start in range(0, there.count(), CHUNK):
        here.bulk_create(there.order_by("pk")[start : start + CHUNK])


if __name__ == "__main__":
    main()
