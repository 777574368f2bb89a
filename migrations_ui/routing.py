"""Which tables the site keeps in another database than the one that is moved.

Its own routers say so, as they do when the site itself is migrated.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

from django.apps import apps
from django.conf import settings
from django.db.models import Model
from django.utils.module_loading import import_string

from migrations_ui.engine.catalog import Table, owner_of
from migrations_ui.engine.databases.base import Database
from migrations_ui.engine.findings import Finding, Severity
from migrations_ui.engine.naming import names_on

logger = logging.getLogger(__name__)

ELSEWHERE = "The site’s routers keep this table in another database."


def keeps(app_label: str, model_name: str | None = None, **hints: Any) -> bool:
    """Whether the site keeps it in this database, as far as its routers know the database."""
    return not _know_the_database() or _keep(app_label, model_name, hints)


def keeps_table(model: type[Model]) -> bool:
    """Whether the site keeps the model's table here; a through table is where its owner's is."""
    owner = owner_of(model)
    kept = owner[0] if owner else model
    return keeps(kept._meta.app_label, kept._meta.model_name, model=kept)


def left_behind(source: Database, tables: Sequence[Table]) -> Iterator[Finding]:
    """Those of the tables of which the source has rows, although the site keeps them elsewhere."""
    names = names_on(source, tables)
    for table in tables:
        name = names.get(table.label)
        if name and source.query(f"SELECT 1 FROM {source.quote(name)} LIMIT 1"):
            yield Finding(
                code="table-of-another-database",
                severity=Severity.WARNING,
                label=table.label,
                table=name,
                message=f"The site's routers keep {table.label} in another database, but the "
                f"source has rows in its table {name}, which are not copied.",
                remedy="If the site reads them, its routers send it there: copy that database, too "
                "(SOURCE_DATABASE_URL). If they are left over from before, nothing.",
            )


@cache
def _know_the_database() -> bool:
    """Whether the routers keep anything in it: where they don't, the site calls it otherwise."""
    models = [
        model
        for model in apps.get_models()
        if model._meta.managed and model._meta.app_config.name in settings.HOST_APP_NAMES
    ]
    known = not models or any(
        _keep(model._meta.app_label, model._meta.model_name, {"model": model}) for model in models
    )
    if not known:
        logger.warning(
            "The site's database routers keep nothing in %r, so they are not asked what is there.",
            settings.HOST_ALIAS,
        )
    return known


def _keep(app_label: str, model_name: str | None, hints: dict[str, Any]) -> bool:
    """What the first router says that has an opinion."""
    for router in _routers():
        if (said := _ask(router, app_label, model_name, hints)) is not None:
            return said
    return True


@cache
def _routers() -> list[Any]:
    found = []
    for router in settings.HOST_DATABASE_ROUTERS:
        try:
            found.append(import_string(router)() if isinstance(router, str) else router)
        except Exception as error:  # noqa: BLE001  # the host's code
            _tell(str(router), f"{type(error).__name__}: {error}")
    return found


def _ask(router: Any, app_label: str, model_name: str | None, hints: dict[str, Any]) -> bool | None:
    if not hasattr(router, "allow_migrate"):
        return None
    try:
        said: bool | None = router.allow_migrate(
            settings.HOST_ALIAS, app_label, model_name=model_name, **hints
        )
    except Exception as error:  # noqa: BLE001  # the host's code, which may expect its own site
        _tell(type(router).__name__, f"{type(error).__name__}: {error}")
        return None
    return said


@cache
def _tell(router: str, problem: str) -> None:
    """Say once that a router can't be asked."""
    logger.warning(
        "The site's database router %s can't be asked here (%s), so its tables are taken to be in "
        "the database that is moved.",
        router,
        problem,
    )
