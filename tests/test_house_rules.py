"""Rules of the house that no linter checks."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from tests.conftest import ROOT

PACKAGES = ("dashboard", "migrations_ui")
MODULES = sorted(
    path.relative_to(ROOT)
    for package in (*PACKAGES, "tests")
    for path in (ROOT / package).rglob("*.py")
    if "migrations" not in path.parts
)
OURS = [path for path in MODULES if path.parts[0] in PACKAGES]
# A rule's name is followed by the reason, as another comment.
SWITCHED_OFF = re.compile(r"#\s*noqa\b(?!.*\w\s+# \w)")
LEFT_OUT = re.compile(r"pytest\.(?:mark\.)?(?:skip|skipif|importorskip|xfail)$")
FUNCTION = ast.FunctionDef | ast.AsyncFunctionDef


def functions(path: Path) -> Iterator[FUNCTION]:
    for node in ast.walk(ast.parse((ROOT / path).read_text())):
        if isinstance(node, FUNCTION):
            yield node


def imports(node: ast.AST) -> list[str]:
    """The modules that a statement imports."""
    if isinstance(node, ast.ImportFrom):
        return [node.module or ""]
    return [alias.name for alias in node.names] if isinstance(node, ast.Import) else []


def lines(function: FUNCTION) -> int:
    """Its length without its docstring."""
    documented = ast.get_docstring(function, clean=False)
    length = (function.end_lineno or 0) - function.lineno + 1
    return length - (documented.count("\n") + 1 if documented else 0)


def test_every_module_is_short_enough_to_be_read() -> None:
    lengths = {str(path): len((ROOT / path).read_text().splitlines()) for path in MODULES}
    assert {path: length for path, length in lengths.items() if length >= 400} == {}


def test_functions_are_short() -> None:
    lengths = [(lines(found), found.name) for path in OURS for found in functions(path)]
    assert median(length for length, _ in lengths) <= 10
    assert [name for length, name in lengths if length > 50] == []


def test_every_module_says_what_it_is_about() -> None:
    texts = {str(path): (ROOT / path).read_text() for path in OURS}
    undocumented = [
        path
        for path, text in texts.items()
        if text.strip() and not ast.get_docstring(ast.parse(text))
    ]
    assert undocumented == []


def test_the_engine_knows_no_http_and_no_templates() -> None:
    """Of Django it needs the models and the ORM, and what tells a session from other rows."""
    allowed = (
        "django.apps",
        "django.contrib.sessions.base_session",
        "django.core.exceptions",
        "django.db",
        "django.utils",
    )
    imported = {
        name
        for path in OURS
        if path.parts[1] == "engine"
        for node in ast.walk(ast.parse((ROOT / path).read_text()))
        for name in imports(node)
    }
    django = {name for name in imported if name.startswith("django")}
    assert {name for name in django if not name.startswith(allowed)} == set()


def test_a_rule_that_is_switched_off_says_why() -> None:
    """Behind the code, or in a comment on the line above."""
    unexplained = []
    for path in MODULES:
        before = ""
        for number, line in enumerate((ROOT / path).read_text().splitlines(), start=1):
            if SWITCHED_OFF.search(line) and not before.lstrip().startswith("#"):
                unexplained.append(f"{path}:{number}: {line.strip()}")
            before = line
    assert unexplained == []


def test_no_test_is_left_out() -> None:
    """A test that can't run is an error, and one that fails is a failure."""
    left_out = [
        f"{path}:{node.lineno}"
        for path in MODULES
        for node in ast.walk(ast.parse((ROOT / path).read_text()))
        if isinstance(node, ast.Attribute) and LEFT_OUT.match(ast.unparse(node))
    ]
    assert left_out == []
