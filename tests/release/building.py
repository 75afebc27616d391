"""The wheel and the sdist of a commit, built twice: if they are not equal to the last byte, there is no release."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from typing import TYPE_CHECKING

from tests.release.agreement import git, version_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

PACKAGES = {"promptster", "promptster_collector", "promptster_hooks"}


class ReleaseError(Exception):
    """Why this commit cannot be released."""


def run(words: Sequence[str], cwd: Path, **environment: str) -> None:
    """Run a tool and show its output only if it fails.

    Raises:
        ReleaseError: it failed.
    """
    done = subprocess.run(
        words, cwd=cwd, env={**os.environ, **environment}, check=False, capture_output=True, text=True
    )
    if done.returncode:
        raise ReleaseError(f"{' '.join(words)} failed:\n{done.stdout}{done.stderr}")


def build(root: Path, scratch: Path) -> list[Path]:
    """Build HEAD in two folders that differ in name, time zone, umask and hash seed, and compare.

    Args:
        root: the repository.
        scratch: an empty folder.

    Returns:
        The sdist and the wheel.

    Raises:
        ReleaseError: a build failed, or the two differ.
    """
    epoch = git(root, "log", "-1", "--format=%ct").strip()
    results = [
        _build_in(root, scratch / "a", epoch, umask="022", TZ="UTC", PYTHONHASHSEED="1"),
        _build_in(root, scratch / "another folder", epoch, umask="077", TZ="Asia/Tokyo", PYTHONHASHSEED="2"),
    ]
    if results[0].keys() != results[1].keys():
        raise ReleaseError(f"two builds made different files: {sorted(results[0])} and {sorted(results[1])}")
    for name, path in results[0].items():
        if path.read_bytes() != results[1][name].read_bytes():
            raise ReleaseError(f"two builds of {name} differ; compare {path} and {results[1][name]}")
    version = version_of(root)
    expected = {f"promptster-{version}.tar.gz", f"promptster-{version}-py3-none-any.whl"}
    if results[0].keys() != expected:
        raise ReleaseError(f"expected {sorted(expected)}, and the build made {sorted(results[0])}")
    return [results[0][name] for name in sorted(results[0])]


def _build_in(root: Path, folder: Path, epoch: str, *, umask: str, **environment: str) -> dict[str, Path]:
    """Build HEAD in a folder of its own; returns what was made, by name."""
    source, made = folder / "source", folder / "made"
    source.mkdir(parents=True)
    archive = folder / "source.tar"
    git(root, "archive", "--format=tar", f"--output={archive}", "HEAD")
    script = 'umask "$1" && tar -xf "$2" && shift 2 && exec "$@"'
    words = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(made)]
    run(["sh", "-c", script, "sh", umask, str(archive), *words], source, SOURCE_DATE_EPOCH=epoch, **environment)
    return {path.name: path for path in made.iterdir()}


def check(root: Path, files: Sequence[Path]) -> None:
    """Check what was built, as a package index would, and what the wheel holds.

    Args:
        root: the repository.
        files: what was built.

    Raises:
        ReleaseError: something is wrong with it.
    """
    run([sys.executable, "-m", "twine", "check", "--strict", *map(str, files)], root)
    run([sys.executable, "-m", "validate_pyproject", "pyproject.toml"], root)
    wheel = next(path for path in files if path.suffix == ".whl")
    tracked = {
        name.partition("/")[2]
        for name in git(root, "ls-files", "cli", "collector", "hooks").splitlines()
        if name.partition("/")[2].partition("/")[0] in PACKAGES
    }
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
    if names != tracked:
        raise ReleaseError(f"the wheel and the commit hold different files: {', '.join(sorted(names ^ tracked))}")
