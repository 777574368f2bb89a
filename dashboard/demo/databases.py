"""The demo's three databases in one folder, made the first time and used again after that."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from dashboard.demo.children import Children

# What would make the demo show somebody's real databases, or not be a demo.
NOT_OURS = {"HOST_SETTINGS", "HUEY_URL", "SECRET_KEY", "DEBUG"}


@dataclass(frozen=True)
class Folder:
    """Where the demo keeps its files."""

    path: Path

    @property
    def source(self) -> Path:
        return self.path / "source.sqlite3"

    @property
    def dest(self) -> Path:
        return self.path / "dest.sqlite3"

    @property
    def control(self) -> Path:
        return self.path / "control.sqlite3"

    @property
    def unfinished(self) -> Path:
        """Named after this process: one that was killed may have left a writer behind."""
        return self.path / f"source.unfinished.{os.getpid()}.sqlite3"

    @property
    def facts(self) -> Path:
        return self.path / "demo.json"

    def environment(self) -> dict[str, str]:
        """The environment of every process of the demo."""
        ours = {name: value for name, value in os.environ.items() if name not in NOT_OURS}
        return ours | {
            "CUTOVER_VAR": str(self.path),
            "DJANGO_SETTINGS_MODULE": "dashboard.settings",
            "SOURCE_DATABASE_URL": url(self.source),
            "DEST_DATABASE_URL": url(self.dest),
            "CONTROL_DATABASE_URL": url(self.control),
        }

    def rows(self) -> int | None:
        """What DEMO_ROWS was when the source was made."""
        try:
            rows = json.loads(self.facts.read_text())["rows"]
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return rows if isinstance(rows, int) else None


def url(path: Path) -> str:
    return f"sqlite:///{quote(str(path))}"


def prepare(folder: Folder, rows: int, children: Children) -> None:
    """Make what is missing: the source with its rows, the empty destination, the operators."""
    if not folder.source.exists():
        make_source(folder, rows, children)
    elif folder.rows() not in (rows, None):
        print(
            f"The source has about {folder.rows():,} rows from an earlier start; to have {rows:,}, "
            f"start over: make demo-reset, then make demo DEMO_ROWS={rows}.",
            flush=True,
        )
    children.run("Preparing the databases", ["manage.py", "preparedemo"])


def make_source(folder: Folder, rows: int, children: Children) -> None:
    """Make the source under another name and rename it when it is whole.

    Nobody may write to `source`; so it is filled by processes that call it the destination.
    """
    print(f"Making the sample source with about {rows:,} rows …", flush=True)
    for leftover in folder.path.glob("source.unfinished.*"):
        leftover.unlink()
    swapped = {
        "DEST_DATABASE_URL": url(folder.unfinished),
        "SOURCE_DATABASE_URL": url(folder.dest),
    }
    migrate = ["manage.py", "migrate", "--database", "dest", "--verbosity", "0"]
    children.run("Making the source's tables", migrate, **swapped)
    children.run("Filling the source", ["manage.py", "filldemo", "--rows", str(rows)], **swapped)
    folder.facts.write_text(json.dumps({"rows": rows}))
    folder.unfinished.rename(folder.source)
