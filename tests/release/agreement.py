"""Whether a release's version, changelog, fragments and tag agree."""

from __future__ import annotations

import re
import subprocess
import tomllib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FINAL = re.compile(r"\d+\.\d+\.\d+")
PREVIEW = re.compile(r"\d+\.\d+\.\d+\.dev\d+")


def git(root: Path, *words: str) -> str:
    """What a git command prints about the repository."""
    return subprocess.run(["git", *words], cwd=root, check=True, capture_output=True, text=True).stdout


def version_of(root: Path) -> str:
    """The version in pyproject.toml."""
    version: str = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    return version


def disagreements(root: Path) -> Iterator[str]:
    """The reasons that keep this commit from being released, each with what to do.

    A final version needs a section in CHANGELOG.md, no fragments left, and no other tag. A preview (``.devN``) has no
    section and no tag yet.

    Args:
        root: the repository.
    """
    version = version_of(root)
    tags = sorted(tag for tag in git(root, "tag", "--points-at", "HEAD").split() if tag.startswith("v"))
    sections = re.findall(r"^## (\S+)", (root / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    fragments = [path for path in (root / "changes").glob("*.md") if path.name != "README.md"]
    if git(root, "status", "--porcelain", "--untracked-files=no"):
        yield "tracked files differ from the commit: commit them first"
    if tags not in ([], [f"v{version}"]):
        yield f"this commit has the tag {', '.join(tags)}, and the version in pyproject.toml is {version}"
    if FINAL.fullmatch(version):
        if sections[:1] != [version]:
            yield f"the newest section of CHANGELOG.md is not {version}: run `towncrier build --version {version}`"
        if fragments:
            yield f"changes/ still has {len(fragments)} fragments: run `towncrier build --version {version}`"
        if f"v{version}" in git(root, "tag").split() and not tags:
            yield f"the tag v{version} exists and names another commit: raise the version in pyproject.toml"
    elif PREVIEW.fullmatch(version):
        if version.partition(".dev")[0] in sections or version in sections:
            yield f"CHANGELOG.md has a section for {version} already: set the final version in pyproject.toml"
        if tags:
            yield f"a preview has no tag: set the final version in pyproject.toml, or delete {', '.join(tags)}"
    else:
        yield f"the version {version} is neither final (1.2.3) nor a preview (1.2.3.dev0)"
