"""MySQL and MariaDB."""

from migrations_ui.engine.databases.mysql.database import Database

__all__ = ["Database"]
