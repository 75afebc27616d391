"""``python -m tests.release.trial PYTHON...``: install the files in dist/ as docs/installing.md says, and use them.

For each Python and each of pip, uv and pipx the page's own lines run in an empty home folder, for both programs.
``nox -s release_check`` runs it.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from tests.release.agreement import version_of
from tests.release.pins import SETS

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "installing.md"
BUNDLE = ROOT / "tests" / "commands" / "made_by_0_1" / "session.promptster"
CONSISTENT_BUT_SIGNER_UNKNOWN = 13


class TrialError(Exception):
    """Something that was installed does not work, and how."""


def lines_of(page: str, tool: str, program: str, version: str) -> str:
    """The page's commands for a tool, with a version and a program in them.

    Args:
        page: the page's text.
        tool: pip, uv or pipx.
        program: which of the two is installed.
        version: the release's version.
    """
    section = page.partition(f"\n## With {tool}\n")[2].partition("\n## ")[0]
    found = re.search(r"^```sh\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)
    if found is None:
        raise TrialError(f"docs/installing.md has no commands for {tool}")
    text = found[1]
    if program != "promptster":
        text = text.replace("promptster-VERSION-requirements", "promptster-collector-VERSION-requirements")
        text = text.replace(
            "./promptster-VERSION-py3-none-any.whl", "'./promptster-VERSION-py3-none-any.whl[collector]'"
        )
    return text.replace("VERSION", version)


def run(words: list[str], cwd: Path, environment: Mapping[str, str], expected: int = 0) -> str:
    """Run a command and return what it printed.

    Raises:
        TrialError: it ended with another exit code than expected.
    """
    done = subprocess.run(words, cwd=cwd, env=environment, check=False, capture_output=True, text=True)
    if done.returncode != expected:
        told = f"{done.stdout[-2000:]}{done.stderr[-2000:]}"
        raise TrialError(f"{' '.join(words)} ended with {done.returncode} instead of {expected}:\n{told}")
    return done.stdout


def environment_of(python: Path, home: Path) -> dict[str, str]:
    """An environment in which ``python3`` is this Python, with the tools of this one and an empty home folder."""
    programs = home / "programs"
    programs.mkdir(parents=True)
    (programs / "python3").symlink_to(python)
    for tool in ("uv", "pipx"):
        (programs / tool).symlink_to(Path(sys.executable).parent / tool)
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("VIRTUAL_ENV", "PYTHON", "PIPX_"))
    }
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
    return {
        **kept,
        "PATH": f"{programs}:/usr/local/bin:/usr/bin:/bin",
        "HOME": str(home),
        "PIP_CACHE_DIR": str(cache / "pip"),
        "UV_CACHE_DIR": str(cache / "uv"),
        "UV_PYTHON": str(python),
        "UV_PYTHON_DOWNLOADS": "never",
        "PIPX_DEFAULT_PYTHON": str(python),
    }


def attempt(python: Path, tool: str, program: str, dist: Path) -> None:
    """Install a program by a tool in an empty home folder, and use it.

    Raises:
        TrialError: it does not work.
    """
    version = version_of(ROOT)
    with tempfile.TemporaryDirectory() as name:
        home = Path(name).resolve() / "home"
        environment = environment_of(python, home)
        script = lines_of(PAGE.read_text(encoding="utf-8"), tool, program, version)
        run(["sh", "-euc", script], dist, environment)
        installed = home / (".local/bin" if tool == "pipx" else f"promptster-{version}/bin")
        client = str(installed / "promptster")
        if version not in run([client, "--version"], home, environment):
            raise TrialError(f"{client} --version does not say {version}")
        run([client, "--help"], home, environment)
        verdict = run([client, "verify", str(BUNDLE)], home, environment, CONSISTENT_BUT_SIGNER_UNKNOWN)
        if "CONSISTENT" not in verdict.upper():
            raise TrialError(f"{client} verify says:\n{verdict}")
        if program == "promptster-collector":
            run([str(installed / program), "--help"], home, environment)


def main(pythons: list[str]) -> int:
    """Try every combination and return the exit code."""
    failed = 0
    with tempfile.TemporaryDirectory() as name:
        dist = Path(shutil.copytree(ROOT / "dist", Path(name) / "dist"))
        run(["sha256sum", "--check", "--quiet", "SHA256SUMS"], dist, os.environ)
        for asked in pythons:
            told = run(
                [asked, "-c", "import sys; print(sys.executable, '%d.%d.%d' % sys.version_info[:3])"], dist, os.environ
            )
            python, number = told.split()
            for tool in ("pip", "uv", "pipx"):
                for program in SETS:
                    try:
                        attempt(Path(python), tool, program, dist)
                    except TrialError as error:
                        failed += 1
                        sys.stdout.write(f"FAILED  Python {number}, {tool}, {program}: {error}\n")
                    else:
                        sys.stdout.write(f"ok      Python {number}, {tool}, {program}\n")
                    sys.stdout.flush()
    return 1 if failed or not pythons else 0


if __name__ == "__main__":
    unknown = [asked for asked in sys.argv[1:] if shutil.which(asked) is None]
    sys.exit(f"not a program: {', '.join(unknown)}; name each Python by its path" if unknown else main(sys.argv[1:]))
