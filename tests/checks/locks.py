"""The locks in requirements/ pin everything that pyproject.toml asks for, in versions that it allows."""

from __future__ import annotations

import re
import tomllib
from typing import TYPE_CHECKING

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_PIN = re.compile(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)", re.MULTILINE)
_HELP = "run `nox -s lock`"


def problems(root: Path) -> Iterator[str]:
    """Each requirement that its lock does not satisfy, and each pin without a hash.

    Args:
        root: the repository.
    """
    for name, wanted in _wanted(root).items():
        path = root / "requirements" / f"{name}.txt"
        if not path.exists():
            yield f"requirements/{name}.txt is missing: {_HELP}"
            continue
        text = path.read_text(encoding="utf-8")
        pins: dict[str, list[str]] = {}
        for package, version in _PIN.findall(text):
            pins.setdefault(canonicalize_name(package), []).append(version)
        for requirement in map(Requirement, wanted):
            versions = pins.get(canonicalize_name(requirement.name), [])
            if not versions or not all(
                requirement.specifier.contains(version, prereleases=True) for version in versions
            ):
                told = ", ".join(versions) or "nothing"
                yield f"requirements/{name}.txt has {told} for {requirement}: {_HELP}"
        yield from (
            f"requirements/{name}.txt has no hash for {entry.split()[0]}: {_HELP}"
            for entry in re.split(r"^(?=[A-Za-z0-9])", text, flags=re.MULTILINE)[1:]
            if "--hash=sha256:" not in entry
        )


def _wanted(root: Path) -> dict[str, list[str]]:
    """What each lock is for: the two programs and the dependency groups."""
    data = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    project, groups = data.get("project", {}), data.get("dependency-groups", {})
    own = project.get("dependencies", [])
    if not own:
        return {}
    return {"runtime": own, "collector": [*own, *project["optional-dependencies"]["collector"]], **groups}
