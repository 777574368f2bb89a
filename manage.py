#!/usr/bin/env python
"""Django's command line for the dashboard."""

import os
import sys
from contextlib import redirect_stdout

import django
from django.core.exceptions import ImproperlyConfigured
from django.core.management import execute_from_command_line

from migrations_ui.memory import let_sqlite_allocate_freely

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "dashboard.settings")
    let_sqlite_allocate_freely()
    try:
        with redirect_stdout(sys.stderr):  # a host may print; what a command prints may be JSON
            django.setup()
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as error:  # says what to set; where it was found helps nobody
        sys.stderr.write(f"{error}\n")
        sys.exit(2)
