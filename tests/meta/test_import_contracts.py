"""The lists of the import contracts in pyproject.toml are complete, so that a new package or library cannot slip by."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
IMPORTED_AS = {"arro3-core": "arro3", "arro3-io": "arro3", "pynacl": "nacl"}
"""Libraries whose module has another name than what is installed."""


def forbidden(source: str) -> set[str]:
    """What the contract of this package forbids."""
    (found,) = (
        contract["forbidden_modules"]
        for contract in PROJECT["tool"]["importlinter"]["contracts"]
        if source in contract.get("source_modules", ())
    )
    return set(found)


def modules(requirements: list[str]) -> set[str]:
    """The names under which libraries are imported."""
    names = [re.split(r"[\[><=~! ]", each)[0] for each in requirements]
    return {IMPORTED_AS.get(name, name.replace("-", "_")) for name in names}


OURS = modules(PROJECT["project"]["dependencies"])
COLLECTORS = modules(PROJECT["project"]["optional-dependencies"]["collector"])


def test_the_collector_may_import_what_the_page_names_and_nothing_else() -> None:
    """What docs/architecture.md calls shared is; every other module of the candidate's program is forbidden."""
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    (row,) = re.findall(r"^\| `collector/promptster_collector` \|.*from `promptster` only (.+) \|$", page, re.MULTILINE)
    shared = {f"promptster.{name}" for name in re.findall(r"`(\w+)`", row)}
    tree = ROOT / "cli" / "promptster"
    found = {each.stem for each in tree.glob("*.py")} | {each.parent.name for each in tree.glob("*/__init__.py")}
    ours = {f"promptster.{name}" for name in found - {"__init__"}}
    assert forbidden("promptster_collector") == (ours - shared) | {"promptster_hooks"}
    assert shared <= ours


def test_every_library_of_the_collector_is_forbidden_to_the_candidates_program() -> None:
    """What only the extra ``collector`` installs is missing on a candidate's machine."""
    assert forbidden("promptster") == COLLECTORS | {"promptster_collector"}


def test_every_library_is_forbidden_to_hooks() -> None:
    """Hooks run with any Python, with nothing installed."""
    assert forbidden("promptster_hooks") == OURS | COLLECTORS | {"promptster", "promptster_collector"}


def test_every_package_with_packages_or_modules_of_its_own_is_in_a_contract() -> None:
    """Each room of the sessions, recorder, capture, journal and replay says what may import what inside it."""
    contracts = PROJECT["tool"]["importlinter"]["contracts"]
    told = {name for contract in contracts for name in contract.get("containers", ())}
    told |= {name.removesuffix(".*") for contract in contracts for name in contract.get("modules", ())}
    for name in ("session", "recorder", "session_folder", "capture", "journal", "replay"):
        folder = ROOT / "cli" / "promptster" / name
        rooms = {each.parent.relative_to(ROOT / "cli").as_posix() for each in folder.rglob("__init__.py")}
        assert {room.replace("/", ".") for room in rooms} <= told
