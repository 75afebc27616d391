"""Agents that are not in the tree, each a folder of tests with a ``catalogue_line.txt``, and copies that have them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
import venv
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = sorted(line.parent for line in (ROOT / "tests" / "agents").glob("*/catalogue_line.txt"))
PACKAGES = ("cli", "collector", "hooks")
PROGRAMS = {"promptster": "promptster.__main__", "promptster-collector": "promptster_collector.__main__"}
_END = ")  # fmt: skip\n"
_OUR_RUN = ("PYTEST_", "COVERAGE_", "PYTHONPATH")
"""Variables of the tests' own run that would reach into the runs of a copy."""


@dataclass(frozen=True)
class Tree:
    """A copy of the tree in which further agents can be recorded."""

    root: Path

    @property
    def environ(self) -> dict[str, str]:
        """The environment with which Python imports its packages from here."""
        return {"PYTHONPATH": os.pathsep.join(str(self.root / name) for name in PACKAGES)}

    def run_conformance_suite(self, agent: str) -> int:
        """Run the suite on one agent, which must pass; the number of tests that passed."""
        return self.run_tests("tests/agents/test_conformance.py", "-k", agent)

    def run_tests(self, *words: str) -> int:
        """Run tests of the copy with its own programs, all of which must pass; the number of those that passed."""
        python = self._environment() / "python"
        command = [str(python), "-m", "pytest", "-q", "-p", "no:randomly", "-p", "no:cacheprovider", *words]
        environ = {name: value for name, value in os.environ.items() if not name.startswith(_OUR_RUN)}
        done = subprocess.run(
            command,
            cwd=self.root,
            env={**environ, "PYTHONDONTWRITEBYTECODE": "1"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
        counted = re.search(r"(\d+) passed", done.stdout)
        assert counted is not None
        return int(counted[1])

    def _environment(self) -> Path:
        """The folder of programs of an environment in which the copy is installed, with the libraries of this one."""
        base = self.root / ".venv"
        paths = sysconfig.get_paths("venv", vars={"base": str(base), "platbase": str(base)})
        programs = Path(paths["scripts"])
        if not base.is_dir():
            venv.EnvBuilder(symlinks=True).create(base)
            libraries = [place for place in sys.path if Path(place).name in {"site-packages", "dist-packages"}]
            places = [*(self.root / name for name in PACKAGES), *libraries]
            (Path(paths["purelib"]) / "tree.pth").write_text("".join(f"{place}\n" for place in places))
            for name, module in PROGRAMS.items():
                program = programs / name
                program.write_text(
                    f"#!{programs / 'python'}\nimport sys\nfrom {module} import main\nsys.exit(main())\n"
                )
                program.chmod(0o755)
        return programs

    def check_types(self, *agents: str) -> None:
        """Hold the agents' folders against the Protocols that they implement."""
        folders = [str(self.root / "cli" / "promptster" / "agents" / agent) for agent in agents]
        words = [sys.executable, "-m", "mypy", "--follow-imports", "silent", *folders]
        done = subprocess.run(words, cwd=self.root, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]


def tree_with(folders: list[Path], root: Path) -> Tree:
    """A copy at ``root`` that has what was in the tree, and these agents added as ``docs/adding-an-agent.md`` says.

    Their plug-ins are moved, so nothing but an agent's own folder of tests and its line name it.
    """
    for path in _files():
        copy = root / path.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, copy)
    for folder in folders:
        _add(root / folder.relative_to(ROOT), root)
    subprocess.run(["git", "init", "-q"], cwd=root, check=True)
    subprocess.run(["git", "add", "-A"], cwd=root, check=True)
    return Tree(root)


def _add(folder: Path, root: Path) -> None:
    """Do what the page says."""
    (folder / "plugin").rename(root / "cli" / "promptster" / "agents" / folder.name)
    line = folder / "catalogue_line.txt"
    catalogue = root / "cli" / "promptster" / "protocol" / "agents.py"
    text = catalogue.read_text(encoding="utf-8")
    assert text.count(_END) == 1
    catalogue.write_text(text.replace(_END, line.read_text(encoding="utf-8") + _END), encoding="utf-8")
    line.unlink()


def _files() -> list[Path]:
    """The files of the tree, without what is made from them."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    paths = [ROOT / name for name in listed.stdout.decode().split("\0") if name]
    return [path for path in paths if path.is_file()]


def files_that_name(agent: str, *, outside: Path) -> list[Path]:
    """The files of the tree that name an agent, apart from those of its own folder."""
    named = re.compile(re.escape(agent.encode()), re.IGNORECASE)
    return [path for path in _files() if outside not in path.parents and named.search(path.read_bytes())]
