"""What the README names is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.core.management import get_commands, load_command_class

from migrations_ui.engine.transforms import Transform
from tests.conftest import ROOT
from tests.settings import VARIABLES

README = (ROOT / "README.md").read_text()
ARCHITECTURE = (ROOT / "docs" / "architecture.md").read_text()


def options(command: str) -> set[str]:
    parser = load_command_class(get_commands()[command], command).create_parser(
        "manage.py", command
    )
    return set(parser._option_string_actions)


def test_every_setting_is_named_and_every_named_setting_is_read() -> None:
    table = README.partition("### Settings")[2].partition("### Commands")[0]
    assert set(re.findall(r"^\| `([A-Z_]+)`", table, re.MULTILINE)) == set(VARIABLES)


@pytest.mark.parametrize("command", sorted(set(re.findall(r"manage\.py ([a-z_]+)", README))))
def test_every_command_exists(command: str) -> None:
    assert command in get_commands()


@pytest.mark.parametrize(
    ("command", "named"),
    [
        (command, option)
        for command in ("preflight", "copydata", "auditdata")
        for line in README.splitlines()
        if line.startswith(f"| `manage.py {command}")
        for option in re.findall(r"--[a-z-]+", line)
    ],
)
def test_every_option_exists(command: str, named: str) -> None:
    assert named in options(command)


def test_the_other_options_exist() -> None:
    named = set(re.findall(r"--(?:reverse|json|transform|reject-limit)\b", README))
    assert named == {"--reverse", "--json", "--transform", "--reject-limit"}
    assert named <= options("copydata")


@pytest.mark.parametrize("target", sorted(set(re.findall(r"`?make ([a-z-]+)", README)) - {"and"}))
def test_every_make_target_exists(target: str) -> None:
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE)


@pytest.mark.parametrize("transform", list(Transform))
def test_every_transform_is_named(transform: str) -> None:
    assert f"`{transform}`" in README


@pytest.mark.parametrize("link", re.findall(r"\]\(([^)h#][^)]*)\)", README))
def test_every_link_leads_somewhere(link: str) -> None:
    assert (ROOT / link).exists()


def test_every_module_that_the_architecture_names_exists() -> None:
    table = ARCHITECTURE.partition("| module | concept |")[2].partition("\n\n")[0]
    for name in re.findall(r"`([\w/*]+(?:\.py|/\*?))`", table):
        path = Path("migrations_ui") / name.rstrip("*")
        assert (ROOT / path).exists() or (ROOT / "migrations_ui" / "engine" / name).exists(), name


def test_every_dependency_is_explained() -> None:
    text = (ROOT / "pyproject.toml").read_text().partition("dependencies = [")[2].partition("]")[0]
    for name in re.findall(r'"([A-Za-z0-9-]+)', text):
        assert re.search(rf"^\| {name}\b", ARCHITECTURE, re.MULTILINE), name
