"""Agents that are not in the tree, each a folder of tests with a ``catalogue_line.txt``, and copies that have them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = sorted(line.parent for line in (ROOT / "tests" / "agents").glob("*/catalogue_line.txt"))
_END = ")  # fmt: skip\n"


@dataclass(frozen=True)
class Tree:
    """A copy of the tree in which further agents can be recorded."""

    root: Path

    @property
    def environ(self) -> dict[str, str]:
        """The environment with which Python imports its packages from here."""
        return {"PYTHONPATH": os.pathsep.join(str(self.root / name) for name in ("cli", "collector", "hooks"))}

    def run_conformance_suite(self, agent: str) -> int:
        """Run the suite on one agent, which must pass; the number of tests that passed."""
        words = ["-m", "pytest", "tests/agents/test_conformance.py", "-q", "-p", "no:randomly", "-k", agent]
        environ = {**os.environ, **self.environ, "PYTHONDONTWRITEBYTECODE": "1"}
        done = subprocess.run(
            [sys.executable, *words], cwd=self.root, env=environ, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
        counted = re.search(r"(\d+) passed", done.stdout)
        assert counted is not None
        return int(counted[1])

    def check_types(self, *agents: str) -> None:
        """Hold the agents' folders against the Protocols that they implement."""
        folders = [str(self.root / "cli" / "promptster" / "agents" / agent) for agent in agents]
        words = [sys.executable, "-m", "mypy", "--follow-imports", "silent", *folders]
        done = subprocess.run(words, cwd=self.root, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]


def tree_with(folders: list[Path], root: Path) -> Tree:
    """A copy at ``root`` that has what was in the tree, and these agents added as ``docs/adding-an-agent.md`` says."""
    without = shutil.ignore_patterns("__pycache__", "*.pyc")
    for name in ("cli", "collector", "hooks", "tests"):
        shutil.copytree(ROOT / name, root / name, ignore=without)
    shutil.copy(ROOT / "pyproject.toml", root / "pyproject.toml")
    for folder in folders:
        _add(folder, root)
    return Tree(root)


def _add(folder: Path, root: Path) -> None:
    """Do what the page says."""
    shutil.copytree(folder / "plugin", root / "cli" / "promptster" / "agents" / folder.name)
    catalogue = root / "cli" / "promptster" / "protocol" / "agents.py"
    text = catalogue.read_text(encoding="utf-8")
    assert text.count(_END) == 1
    catalogue.write_text(
        text.replace(_END, (folder / "catalogue_line.txt").read_text(encoding="utf-8") + _END), encoding="utf-8"
    )


def files_that_name(agent: str, *, outside: Path) -> list[Path]:
    """The files of the tree that name an agent, apart from those of its own folder."""
    named = re.compile(re.escape(agent.encode()), re.IGNORECASE)
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    paths = [ROOT / name for name in listed.stdout.decode().split("\0") if name]
    return [
        path for path in paths if path.is_file() and outside not in path.parents and named.search(path.read_bytes())
    ]
