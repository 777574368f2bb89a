"""What a host project might want to be done after a copy; run in processes of their own."""

from __future__ import annotations

import os
import subprocess
import sys
import time

from django.conf import settings
from django.contrib.auth.models import Group
from django.db import connections


def where(*words: str) -> str:
    """Which database `default` is, and the arguments."""
    return f"{connections['default'].settings_dict['NAME']} {words}"


def add_group(name: str) -> None:
    Group.objects.create(name=name)


def add_group_once(name: str, marker: str) -> None:
    """Fails until somebody makes the file."""
    if not os.path.exists(marker):
        raise RuntimeError("not mended yet")
    add_group(name)


def chatter(lines: str) -> None:
    for number in range(int(lines)):
        sys.stdout.write(f"line {number} {'x' * 80}\n")


def tell_secrets() -> None:
    """What a careless command may print."""
    password = settings.DATABASES["default"].get("PASSWORD")
    url = "postgres://somebody:hunter2@example.org/shop"
    sys.stdout.write(f"password: {password}\nurl: {url}\nvariables: {sorted(os.environ)}\n")


def write_elsewhere(alias: str) -> None:
    Group.objects.using(alias).create(name="elsewhere")


def sleep_with_a_child(file: str) -> None:
    """Leaves its own id and that of a child in the file, and takes its time."""
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    with open(f"{file}.new", "w") as pids:
        pids.write(f"{os.getpid()} {child.pid}")
    os.rename(f"{file}.new", file)
    time.sleep(600)
