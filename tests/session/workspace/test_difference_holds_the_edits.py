"""Random edits in random repositories: the start's files with the difference applied are the files at the end.

No code of the product reads the folders a second time: they are walked here, and git applies the difference to a copy.
"""

from __future__ import annotations

import os
import random
import shutil
import stat
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.helpers.git_repositories import run_git
from tests.helpers.trees import Session, make

NAMES = (
    "a.txt", "b.py", "\u00e9", "e\u0301", "READ me", 'x"y', "tab\tx", "new\nline", "UPPER", "upper", "-dash", "q'q",
    "back\\s", os.fsdecode(b"no\xfftext"), ":colon", "*",
)  # fmt: skip
FOLDERS = ("part", "d e", "upper")
TARGETS = ("/etc", "a.txt", "..", "nowhere", "\u00e9")
SEEDS = 12
STEPS = 18
GIT_SHARE = 0.3
"""How many of the steps are git's."""


def lines_of(chance: random.Random) -> bytes:
    """A text, sometimes empty, sometimes without its last line's end, sometimes with carriage returns."""
    count = chance.randrange(7)
    lines = ["".join(chance.choice("abc \t\u00e9\r\x0c\u2028\x1b+-@") for _ in range(9)) for _ in range(count)]
    text = "\n".join(lines) + ("\n" if chance.random() < GIT_SHARE else "")
    return (text.replace("\n", "\r\n") if chance.random() < GIT_SHARE else text).encode()


def contents(root: Path) -> dict[bytes, tuple[str, bytes]]:
    """Every file and link below a folder that is not git's own."""
    found: dict[bytes, tuple[str, bytes]] = {}
    for place, folders, names in os.walk(os.fsencode(root)):
        folders[:] = [name for name in folders if name != b".git"]
        for name in (*names, *folders):
            path = os.path.join(place, name)  # noqa: PTH118 - bytes
            mode = os.lstat(path).st_mode
            if name == b".git" or not (stat.S_ISREG(mode) or stat.S_ISLNK(mode)):
                continue
            relative = os.path.relpath(path, os.fsencode(root))
            if stat.S_ISLNK(mode):
                found[relative] = ("link", os.readlink(path))  # noqa: PTH115 - bytes
            else:
                kind = "program" if mode & stat.S_IXUSR else "file"
                found[relative] = (kind, Path(os.fsdecode(path)).read_bytes())
    return found


@dataclass
class Agent:
    """Works in the folder without any care."""

    chance: random.Random
    root: Path
    source: Path
    """A repository elsewhere, to clone."""

    def work(self) -> None:
        """Several steps."""
        for _ in range(self.chance.randrange(STEPS)):
            self._git() if self.chance.random() < GIT_SHARE else self._edit()

    def _folders(self) -> list[Path]:
        found: list[Path] = []
        for place, folders, _ in os.walk(self.root):
            folders[:] = sorted(name for name in folders if name != ".git")
            found.append(Path(place))
        return found

    def _edit(self) -> None:
        folder = self.chance.choice(self._folders())
        files = [self.root / os.fsdecode(path) for path in sorted(contents(self.root))]
        old = self.chance.choice(files) if files else None
        step = self.chance.randrange(8)
        if old is None or step < 4:
            self._make(folder, step)
        elif old.is_symlink() or step == 4:
            old.unlink()
            if self.chance.random() < GIT_SHARE and not old.name.startswith(".git"):  # git itself would wait for ever
                os.mkfifo(old)
        elif step == 5:
            old.chmod(old.stat().st_mode ^ stat.S_IXUSR)
        elif step == 6:
            old.unlink()
            old.mkdir()
            (old / "in it").write_bytes(lines_of(self.chance))
        else:
            old.write_bytes(lines_of(self.chance))

    def _make(self, folder: Path, step: int) -> None:
        new = folder / self.chance.choice(FOLDERS if step == 0 else NAMES)
        if os.path.lexists(new):
            return
        if step == 0:
            new.mkdir()
        elif step == 1:
            new.symlink_to(self.chance.choice(TARGETS))
        else:
            new.write_bytes(lines_of(self.chance))

    def _git(self) -> None:
        folders = self._folders()
        repositories = [folder for folder in folders if (folder / ".git").exists()]
        here = self.chance.choice(repositories or folders)
        fresh = f"n{self.chance.randrange(10**6)}"
        step = self.chance.randrange(9)
        if step == 0:
            shutil.rmtree(here / ".git") if (here / ".git").is_dir() else (here / ".git").unlink(missing_ok=True)
            return
        try_git = (
            ("init", "-q"),
            ("add", "-A"),
            ("commit", "-qam", "x"),
            ("worktree", "add", "-q", "-b", fresh, fresh),
            ("-c", "protocol.file.allow=always", "submodule", "add", "-q", str(self.source), fresh),
            ("clone", "-q", str(self.source), fresh),
            ("rm", "-rq", "--cached", "."),
            ("config", "core.ignoreCase", "true"),
        )[step - 1]
        try:
            run_git(self.chance.choice(folders) if step == 1 else here, *try_git)
        except (subprocess.CalledProcessError, UnicodeDecodeError):
            return  # it may fail: the workspace is whatever results


@pytest.mark.parametrize("seed", range(SEEDS))
def test_the_difference_is_the_work(tmp_path: Path, seed: int) -> None:
    """Whatever was edited and whatever happened to the repositories, the difference has exactly the edits."""
    root, copy = tmp_path / "work", tmp_path / "copy"
    make(tmp_path / "source", **{"lib.py": "VALUE = 1\n"})
    make(root, **{"a.txt": "a\n", "README": "hello\n"})
    agent = Agent(random.Random(seed), root, tmp_path / "source")  # noqa: S311 - a repeatable choice
    agent.work()
    run_git(root, "init", "-q")
    before = contents(root)
    shutil.copytree(root, copy, symlinks=True, ignore=_not_plain)
    session = Session(root, tmp_path / "scratch")
    agent.work()
    after = contents(root)
    changes, difference = session.changes()
    changed = {path for path in before.keys() | after.keys() if before.get(path) != after.get(path)}
    named = {change.path for change in changes if change.hidden is None}
    assert named == changed
    if difference:
        _apply(difference, copy)
    assert contents(copy) == after


def _not_plain(folder: str, names: list[str]) -> list[str]:
    """The files that are not part of the work."""
    kinds = {name: os.lstat(f"{folder}/{name}").st_mode for name in names}
    return [name for name, mode in kinds.items() if name == ".git" or stat.S_ISFIFO(mode)]


def _apply(difference: str, folder: Path) -> None:
    env = {**os.environ, "GIT_CEILING_DIRECTORIES": str(folder.parent), "GIT_CONFIG_GLOBAL": os.devnull}
    command = ["git", "apply", "--whitespace=nowarn", "--unsafe-paths", "-"]
    subprocess.run(command, cwd=folder, env=env, input=difference.encode(), check=True, capture_output=True)
