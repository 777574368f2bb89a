"""SQLite."""

from migrations_ui.engine.databases.sqlite.database import Database

__all__ = ["Database"]
