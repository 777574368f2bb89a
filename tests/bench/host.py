"""A host project with as many tables as one likes, written into a folder of its own."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.bench.ground import Ground, opened
from tests.bench.process import measure
from tests.bench.stock import Place

SETTINGS = """
INSTALLED_APPS = ["django.contrib.auth", "django.contrib.contenttypes", "plenty"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
SECRET_KEY = "bench"
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
"""
MODEL = """

class Thing{number:03}(models.Model):
    code = models.CharField(max_length=32, unique=True)
    name = models.CharField(max_length=200, db_index=True)
    amount = models.DecimalField(max_digits=12, decimal_places=2)
    at = models.DateTimeField()
    note = models.TextField()
"""
ROWS = """
    INSERT INTO plenty_thing{number:03} (code, name, amount, at, note)
    SELECT 'c' || i, md5(i::text) || ' name', i / 100.0,
           '2020-01-01Z'::timestamptz + i * '1 s'::interval, repeat(md5((i * 7)::text), 3)
    FROM generate_series(1, {rows}) i
"""
ROW_BYTES = 200  # of such a row as text, about


@dataclass(frozen=True)
class Host:
    """A project of `tables` tables besides Django's own."""

    folder: Path
    tables: int

    @property
    def environment(self) -> dict[str, str]:
        return {"PYTHONPATH": str(self.folder), "HOST_SETTINGS": "plenty_settings"}

    @property
    def models(self) -> str:
        classes = (MODEL.format(number=number) for number in range(self.tables))
        return "from django.db import models\n" + "".join(classes)

    def write(self) -> None:
        """The project's files, its migrations made by Django."""
        (package := self.folder / "plenty" / "migrations").mkdir(parents=True)
        for init in (package, package.parent):
            (init / "__init__.py").touch()
        (package.parent / "models.py").write_text(self.models)
        (self.folder / "plenty_settings.py").write_text(SETTINGS)
        env = {"PYTHONPATH": str(self.folder), "DJANGO_SETTINGS_MODULE": "plenty_settings"}
        measure([sys.executable, "-m", "django", "makemigrations", "plenty"], self.folder, env)

    @contextmanager
    def migrated(self, ground: Ground, vendor: str) -> Iterator[Place]:
        """A database with the project's tables; permissions and content types are left out."""
        with ground.servers.database(vendor) as place:
            ground.manage_dest(
                place, "migrate", "--database", "dest", "--verbosity", "0", env=self.environment
            )
            with opened(place) as connection, connection.cursor() as cursor:
                cursor.execute("DELETE FROM auth_permission")
                cursor.execute("DELETE FROM django_content_type")
            yield place


def fill(place: Place, number: int, rows: int) -> None:
    """Replace the rows of one of the tables of a PostgreSQL database."""
    with opened(place) as connection, connection.cursor() as cursor:
        cursor.execute(f"TRUNCATE plenty_thing{number:03} RESTART IDENTITY")
        cursor.execute(ROWS.format(number=number, rows=rows))
        cursor.execute(f"ANALYZE plenty_thing{number:03}")
