"""PostgreSQL."""

from migrations_ui.engine.databases.postgresql.database import Database

__all__ = ["Database"]
