"""Running processes as the system tells of them: who started whom, under which names, in which environment.

Linux is read from ``/proc``; on macOS ``ps`` is asked, which tells no environment.
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
"""What stands before the command: two numbers, and five words of a date."""


@dataclass(frozen=True, kw_only=True)
class Process:
    """One process."""

    pid: int
    started: str
    """When, in the system's own words: with the number it names one process for good."""
    names: frozenset[str]
    """What it may be called: its own name, its program's, and its script's if the program is an interpreter."""
    environ: Mapping[str, str] | None
    """The environment it was started with; ``None`` where that cannot be read."""


def lineage(pid: int) -> Iterator[Process]:
    """The process, its parent, and so on, as far as the system tells."""
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
    """When a process started, as ``Process.started`` tells it; empty if there is none."""
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
    """What a process may be called, from its own name and its command line."""
    found = set(titles)
    if words:
        program = os.path.basename(words[0]).lstrip("-")  # noqa: PTH119 - a word, not a path of this system
        found.add(program)
        if program.rstrip("0123456789.") in _INTERPRETERS and (script := _script(words[1:])):
            found.add(os.path.basename(script))  # noqa: PTH119 - likewise
    return frozenset(found - {""})


def _script(options: list[str]) -> str:
    """What an interpreter runs: the first word that is no option; nothing where the code itself stands in the line."""
    for word in options:
        if word in _CODE_FOLLOWS:
            return ""
        if not word.startswith("-"):
            return word
    return ""


def _by_ps() -> dict[int, tuple[Process, int]]:
    """Every process with its parent, from the words of ``ps``."""
    asked = subprocess.run(
        _PS, env={"LC_ALL": "C", "PATH": "/usr/bin:/bin"}, capture_output=True, stdin=subprocess.DEVNULL, check=False
    )
    return parse_ps(os.fsdecode(asked.stdout))


def parse_ps(text: str) -> dict[int, tuple[Process, int]]:
    """Every process with its parent, by number, from lines of number, parent, start (five words) and command."""
    found: dict[int, tuple[Process, int]] = {}
    for line in text.splitlines():
        words = line.split()
        if len(words) < _PS_FIELDS or not (words[0].isdigit() and words[1].isdigit()):
            continue
        pid, parent = int(words[0]), int(words[1])
        began, command = "-".join(words[2:7]), words[7:]
        found[pid] = (Process(pid=pid, started=began, names=names(set(), command), environ=None), parent)
    return found
