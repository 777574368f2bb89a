from __future__ import annotations

from unittest.mock import patch

import pytest
from django.db import OperationalError
from django.test import Client

from migrations_ui.models import Run


@pytest.mark.django_db
def test_a_healthy_dashboard_answers_ok_to_anybody(client: Client) -> None:
    response = client.get("/healthz")

    assert response.status_code == 200
    assert response.content == b"ok\n"
    assert response["Content-Type"].startswith("text/plain")


@pytest.mark.django_db
def test_a_control_database_that_does_not_answer_is_not_healthy(client: Client) -> None:
    # The tests' own control database always answers.
    with patch.object(Run.objects, "exists", side_effect=OperationalError("secret")):
        response = client.get("/healthz")

    assert response.status_code == 503
    assert b"manage.py migrate" in response.content
    assert b"secret" not in response.content


def test_it_cannot_be_posted(client: Client) -> None:
    assert client.post("/healthz").status_code == 405
