"""docs/wire-api.md lists every route of the collector, as the collector itself describes it."""

from __future__ import annotations

import ast
import importlib
import pkgutil
import re
from pathlib import Path
from typing import Any

import pytest
from tests.helpers.site import make_template, running_site
from tests.helpers.wire_page import lists

import promptster_collector
from promptster_collector.errors import Refusal

PAGE = (Path(__file__).parents[2] / "docs" / "wire-api.md").read_text()


@pytest.fixture(scope="module")
def description(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """A running collector's description of itself."""
    template = make_template(tmp_path_factory.mktemp("described") / "data")
    with running_site(template.data, template.token) as site:
        found: dict[str, Any] = site.client.get("/schema/openapi.json").json()
    return found


def routes() -> dict[str, list[str]]:
    """The list below each route's heading on the page."""
    parts = re.split(r"^### `(.+?)`$", PAGE.partition("\n## Error codes")[0], flags=re.MULTILINE)
    return {
        name: re.findall(r"^- (.*)$", text.partition("\n## ")[0], re.MULTILINE)
        for name, text in zip(parts[1::2], parts[2::2], strict=True)
    }


def test_every_route_is_listed_as_the_collector_describes_it(description: dict[str, Any]) -> None:
    """Access, input, output and the statuses of its refusals are the collector's own."""
    assert routes() == lists(description)
    paths = {f"{method.upper()} {path}" for path, methods in description["paths"].items() for method in methods}
    assert routes().keys() == paths


def test_every_route_has_a_sentence() -> None:
    """A heading is followed by words before its list."""
    assert re.search(r"^### .*\n\n- ", PAGE, re.MULTILINE) is None


def _refusals(kind: type[Refusal]) -> dict[str, type[Refusal]]:
    found = {kind.__name__: kind}
    for below in kind.__subclasses__():
        found |= _refusals(below)
    return found


def _raised() -> set[tuple[int, str]]:
    """Status and code of every refusal that the collector's code makes with both written out."""
    found: set[tuple[int, str]] = set()
    root = promptster_collector.__path__
    for module in pkgutil.walk_packages(root, "promptster_collector."):
        if not re.search(r"migrations|__main__", module.name):
            importlib.import_module(module.name)
    classes = _refusals(Refusal)
    for path in Path(root[0]).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name) or node.func.id not in classes:
                continue
            kind = classes[node.func.id]
            given = {word.arg: word.value for word in node.keywords}
            code, status = given.get("code"), given.get("status")
            known = kind.default_status if status is None else getattr(status, "value", None)
            if code is None:
                found.add((known or 0, kind.default_code))
            elif isinstance(code, ast.Constant):
                found.add((known or 0, str(code.value)))
    return found


def _listed() -> list[tuple[int, str]]:
    rows = re.findall(r"^\| (\d{3}) \| (.+?) \|", PAGE, re.MULTILINE)
    return [(int(status), code) for status, codes in rows for code in re.findall(r"`(\w+)`", codes)]


def test_every_error_code_is_listed_with_its_status() -> None:
    """Each refusal in the code is in the table, and no row occurs twice."""
    raised = _raised()
    assert len(raised) > 40
    assert raised <= set(_listed())
    assert len(_listed()) == len(set(_listed()))


def test_no_error_code_is_listed_that_the_code_does_not_know() -> None:
    """Every code of the table is written somewhere in the collector, or in what it shares with the clients."""
    folders = [Path(promptster_collector.__path__[0]), Path(__file__).parents[2] / "cli" / "promptster"]
    text = "".join(path.read_text() for folder in folders for path in folder.rglob("*.py"))
    assert [code for _, code in _listed() if f'"{code}"' not in text] == []
