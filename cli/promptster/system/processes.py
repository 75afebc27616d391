"""Running processes as the system lists them: their parents, names and environments.

They are read from ``/proc`` on Linux and from ``ps`` on macOS, which does not show environments.
"""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from promptster.system import agent_waiter

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_ASKS_PS = str(sys.platform) == "darwin"  # a plain text: type checkers would take the rest for unreachable
_INTERPRETERS = ("node", "bun", "deno", "python", "sh", "bash", "dash", "zsh")
_CODE_FOLLOWS = frozenset({"-c", "-e", "--eval"})
_LONGEST_LINE = 1_000
_PS = ("/bin/ps", "-A", "-o", "pid=,ppid=,lstart=,command=")
_PS_FIELDS = 8
"""The fields before the command: two numbers, and five for a date."""


@dataclass(frozen=True, kw_only=True)
class Process:
    """What the system says about a process; its id alone may later be another's."""

    pid: int
    started: str
    """The start time in the system's format. Together with the id it identifies one process for ever."""
    names: frozenset[str]
    """Its possible names: its own, its program's, and its script's if the program is an interpreter."""
    environ: Mapping[str, str] | None
    """The environment it was started with; ``None`` if that cannot be read."""


def lineage(pid: int) -> Iterator[Process]:
    """Yield the process, its parent, and so on, as far as the system lists them."""
    look = _by_ps() if _ASKS_PS else {}
    for _ in range(_LONGEST_LINE):
        process, parent = look.get(pid, (None, 0)) if look else (_in_proc(pid), agent_waiter.parent(pid))
        if process is None:
            return
        yield process
        if parent <= 0:
            return
        pid = parent


def started(pid: int) -> str:
    """Return the start time of a process in the form of ``Process.started``; empty if there is no such process."""
    if not _ASKS_PS:
        return agent_waiter.started(pid)
    process, _ = _by_ps().get(pid, (None, 0))
    return "" if process is None else process.started


def _in_proc(pid: int) -> Process | None:
    folder = Path(f"/proc/{pid}")
    began = agent_waiter.started(pid)
    if not began:
        return None
    words = [os.fsdecode(word) for word in _read(folder / "cmdline").split(b"\0")]
    title = os.fsdecode(_read(folder / "comm")).strip()
    return Process(pid=pid, started=began, names=names({title}, words), environ=_environment(folder / "environ"))


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def _environment(path: Path) -> Mapping[str, str] | None:
    try:
        data = path.read_bytes()
    except OSError:
        return None
    pairs = (os.fsdecode(entry).partition("=") for entry in data.split(b"\0") if entry)
    return {name: value for name, _, value in pairs}


def names(titles: set[str], words: list[str]) -> frozenset[str]:
    """Return the possible names of a process, from its own name and its command line."""
    found = set(titles)
    if words:
        program = os.path.basename(words[0]).lstrip("-")  # noqa: PTH119 - a word, not a path of this system
        found.add(program)
        if program.rstrip("0123456789.") in _INTERPRETERS and (script := _script(words[1:])):
            found.add(os.path.basename(script))  # noqa: PTH119 - likewise
    return frozenset(found - {""})


def _script(options: list[str]) -> str:
    """Return the script of an interpreter: the first word that is not an option, or nothing if code follows."""
    for word in options:
        if word in _CODE_FOLLOWS:
            return ""
        if not word.startswith("-"):
            return word
    return ""


def _by_ps() -> dict[int, tuple[Process, int]]:
    """List every process with its parent, from the output of ``ps``."""
    asked = subprocess.run(
        _PS, env={"LC_ALL": "C", "PATH": "/usr/bin:/bin"}, capture_output=True, stdin=subprocess.DEVNULL, check=False
    )
    return parse_ps(os.fsdecode(asked.stdout))


def parse_ps(text: str) -> dict[int, tuple[Process, int]]:
    """Parse lines of id, parent, start (five words) and command into every process with its parent, by id."""
    found: dict[int, tuple[Process, int]] = {}
    for line in text.splitlines():
        words = line.split()
        if len(words) < _PS_FIELDS or not (words[0].isdigit() and words[1].isdigit()):
            continue
        pid, parent = int(words[0]), int(words[1])
        began, command = "-".join(words[2:7]), words[7:]
        found[pid] = (Process(pid=pid, started=began, names=names(set(), command), environ=None), parent)
    return found
