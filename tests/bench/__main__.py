"""`make bench`: Django needs its settings before anything that imports models."""

from __future__ import annotations

import os

import django

os.environ["DJANGO_SETTINGS_MODULE"] = "tests.bench.rival_settings"
django.setup()

from tests.bench.course import main  # noqa: E402  # only now are there models

main()
