"""The operators' tables in the control database, made from the host's models as they are now.

They are made, and made again when the models have changed, by `manage.py migrate`.
"""

from __future__ import annotations

from copy import copy
from typing import Any, cast

from django.core.management.base import CommandError
from django.core.management.color import no_style
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.models import Field, ForeignKey, Model, UniqueConstraint

from dashboard import operators

Row = dict[str, Any]


def prepare(connection: BaseDatabaseWrapper) -> list[str]:
    """Make the tables that are missing, and all of them again if one has other columns now.

    Returns what was done, in words.  Accounts are kept.
    """
    models = operators.models()
    present = existing_columns(connection, models)
    missing = [model for model in models if model not in present]
    changed = [
        model for model, columns in present.items() if columns != {f.column for f in fields(model)}
    ]
    if changed:
        remake(connection, models, present)
    elif missing:
        with connection.schema_editor() as editor:
            create(editor, missing)
    return [
        *(f"  Made {model._meta.db_table} for the operators." for model in missing),
        *(f"  Made {model._meta.db_table} again: its model has changed." for model in changed),
    ]


def fields(model: type[Model]) -> list[Field[Any, Any]]:
    """The fields that are columns of the model's own table."""
    return [field for field in model._meta.local_fields if field.concrete]


def existing_columns(
    connection: BaseDatabaseWrapper, models: tuple[type[Model], ...]
) -> dict[type[Model], set[str]]:
    with connection.cursor() as cursor:
        tables = set(connection.introspection.table_names(cursor))
        return {
            model: {
                column.name
                for column in connection.introspection.get_table_description(
                    cursor, model._meta.db_table
                )
            }
            for model in models
            if model._meta.db_table in tables
        }


def create(editor: BaseDatabaseSchemaEditor, models: list[type[Model]]) -> None:
    for model in models:
        editor.create_model(standing_alone(model))


def standing_alone(model: type[Model]) -> type[Model]:
    """What the schema editor needs to know of the model, without what only its own home has.

    That is foreign keys to tables that are not here, and indexes and constraints of other kinds
    than Django's own, which may need the host's vendor.  The model itself stays as it is.
    """
    meta = copy(model._meta)
    meta.local_fields = [without_reference(field) for field in meta.local_fields]
    meta.local_many_to_many = []
    meta.indexes = []
    meta.constraints = [each for each in meta.constraints if type(each) is UniqueConstraint]
    return cast("type[Model]", type(model.__name__, (), {"_meta": meta}))


def without_reference(field: Field[Any, Any]) -> Field[Any, Any]:
    if not isinstance(field, ForeignKey) or is_at_home(field.remote_field.model):
        return field
    plain = copy(field)
    plain.db_constraint = False  # type: ignore[attr-defined]  # the stubs don't know it
    return plain


def is_at_home(model: type[Model]) -> bool:
    return model._meta.app_label in operators.CONTROL_APPS or model in operators.models()


def remake(
    connection: BaseDatabaseWrapper,
    models: tuple[type[Model], ...],
    present: dict[type[Model], set[str]],
) -> None:
    """Make all the tables anew and put their rows back.

    All of them, since they refer to each other; and with every value at hand before the first one
    is dropped, since not every vendor can take that back.
    """
    rows = {model: read(connection, model, columns) for model, columns in present.items()}
    with connection.schema_editor() as editor:
        rows = {model: [completed(editor, model, row) for row in rows[model]] for model in present}
        for model in reversed(list(present)):
            editor.delete_model(standing_alone(model))
        create(editor, list(models))
        for model in present:
            write(connection, model, rows[model])
    with connection.cursor() as cursor:
        for statement in connection.ops.sequence_reset_sql(no_style(), list(models)):
            cursor.execute(statement)


def read(connection: BaseDatabaseWrapper, model: type[Model], columns: set[str]) -> list[Row]:
    """The table's rows, as far as the model still has their columns."""
    names = sorted(columns & {field.column for field in fields(model)})
    quote = connection.ops.quote_name
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {', '.join(map(quote, names))} FROM {quote(model._meta.db_table)}")
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def completed(editor: BaseDatabaseSchemaEditor, model: type[Model], row: Row) -> Row:
    """The row with a value for every column that the model has now."""
    for field in fields(model):
        if field.column not in row:
            row[field.column] = editor.effective_default(field)
            if row[field.column] is None and not field.null:
                raise CommandError(
                    f"{field} is new in the user model and has no default, so the operators "
                    "can't be kept. Empty the control database and make them again."
                )
    return row


def write(connection: BaseDatabaseWrapper, model: type[Model], rows: list[Row]) -> None:
    if not rows:
        return
    quote = connection.ops.quote_name
    names = list(rows[0])
    with connection.cursor() as cursor:
        cursor.executemany(
            f"INSERT INTO {quote(model._meta.db_table)} ({', '.join(map(quote, names))}) "
            f"VALUES ({', '.join(['%s'] * len(names))})",
            [list(row.values()) for row in rows],
        )
