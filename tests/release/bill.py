"""The bill of materials of a release: what it runs with, as CycloneDX, taken from a fresh installation."""

from __future__ import annotations

import json
import shutil
import sys
from typing import TYPE_CHECKING

from tests.release.building import ReleaseError, run
from tests.release.pins import SETS, requirements_name

if TYPE_CHECKING:
    from pathlib import Path


def bill(program: str, version: str, dist: Path, scratch: Path, pyproject: Path) -> Path:
    """Install a program from its requirement file and list what was installed.

    Args:
        program: which of the two.
        version: the release's version.
        dist: the folder of the release.
        scratch: a folder for the installation.
        pyproject: the project's description.

    Returns:
        The bill's file.

    Raises:
        ReleaseError: it could not be made, or it names files of this computer.
    """
    folder, made = scratch / program, dist / f"{program}-{version}.cdx.json"
    run([sys.executable, "-m", "venv", "--without-pip", str(folder)], dist)
    python = str(folder / "bin" / "python")
    pip = [
        sys.executable,
        "-m",
        "pip",
        "--python",
        python,
        "install",
        "--quiet",
        "--require-hashes",
        "--only-binary=:all:",
    ]
    run([*pip, "--find-links", str(dist), "-r", requirements_name(program, version)], dist)
    words = ["environment", "--output-reproducible", "--spec-version=1.6", f"--pyproject={pyproject}"]
    run([sys.executable, "-m", "cyclonedx_py", *words, f"--output-file={made}", python], dist)
    shutil.rmtree(folder)
    text = made.read_text(encoding="utf-8")
    if str(scratch) in text or str(dist) in text:
        raise ReleaseError(f"{made.name} names folders of this computer")
    listed = {each["name"].lower().replace("_", "-") for each in json.loads(text)["components"]}
    if "promptster" in listed or "pynacl" not in listed or ("duckdb" in listed) != ("[" in SETS[program][0]):
        raise ReleaseError(f"{made.name} lists other components than expected: {', '.join(sorted(listed))}")
    return made
