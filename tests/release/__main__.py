"""``python -m tests.release``: the files of a release, in ``dist/``; ``nox -s release`` runs it."""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

from tests.release.agreement import disagreements, git, version_of
from tests.release.bill import bill
from tests.release.building import ReleaseError, build, check
from tests.release.pins import SETS, requirements, requirements_name, sums

ROOT = Path(__file__).parents[2]
DIST = ROOT / "dist"


def make(dist: Path) -> None:
    """Make every file of the release of HEAD.

    Args:
        dist: where; existing files are replaced.

    Raises:
        ReleaseError: this commit cannot be released.
    """
    found = list(disagreements(ROOT))
    if found:
        raise ReleaseError("\n".join(found))
    version, commit = version_of(ROOT), git(ROOT, "rev-parse", "HEAD").strip()
    shutil.rmtree(dist, ignore_errors=True)
    dist.mkdir()
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name).resolve()
        built = build(ROOT, scratch)
        check(ROOT, built)
        files = [Path(shutil.copy(path, dist)) for path in built]
        wheel = next(path for path in files if path.suffix == ".whl")
        for program in SETS:
            pinned = dist / requirements_name(program, version)
            pinned.write_text(requirements(ROOT, program, version, wheel), encoding="utf-8")
            files += [pinned, bill(program, version, dist, scratch, ROOT / "pyproject.toml")]
    (dist / "SHA256SUMS").write_text(sums(files), encoding="utf-8")
    sys.stdout.write(f"Release {version} of commit {commit}, built twice with the same bytes:\n{sums(files)}")


def main() -> int:
    """Make the release; returns the exit code."""
    try:
        make(DIST)
    except ReleaseError as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
