"""Finds out whether a process belongs to an agent, which means that the agent started it, directly or indirectly.

Three signs show that, in the process itself and in each of its ancestors:

- It is on the list that ``promptster run`` keeps: ``agents/PID`` in the state folder holds when that process started
  and the agent's name. The process on the list is the one that waits for the agent; on Linux it also inherits
  whatever detaches itself from the agent.
- Its environment holds a mark: our own, or a variable that agents set in their shells.
- It has an agent's name.

The last two count only for a process of this same user of Promptster, whose environment names the same state folder: so
an agent that develops or tests Promptster itself does not count for the sessions of test users.
"""

from __future__ import annotations

import os
import pwd
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from promptster.durable import make_missing_folders
from promptster.protocol.agents import CATALOGUE, NOT_RECORDED, PROGRAMS
from promptster.system.agent_waiter import write_entry
from promptster.system.processes import lineage, started

if TYPE_CHECKING:
    from collections.abc import Mapping

MARK = "PROMPTSTER_AGENT"
"""The variable that ``promptster run`` gives to an agent; holds the agent's name."""

MARKS = {
    MARK: "",
    **{mark: agent.program for agent in CATALOGUE for mark in agent.marks},
    **{mark: program for program, marks in NOT_RECORDED.items() for mark in marks},
    "AI_AGENT": "",
}
"""Variables in the environment of what an agent runs, and not in a person's terminal; the agent that sets each.

Variables that editors also set in a person's own terminal, such as ``CLAUDE_CODE_SSE_PORT``, prove nothing.
"""
_NAMES = frozenset({*PROGRAMS, *NOT_RECORDED})
"""Programs of agents, also of some that cannot be recorded."""
UNKNOWN = "an agent"
"""The name of an agent that is not known by name."""


def agent_around(pid: int, state: Path, environ: Mapping[str, str] | None = None) -> str | None:
    """Return the name of the agent that a process belongs to; ``None`` if it belongs to a person.

    Args:
        pid: the process.
        state: the state folder whose sessions it wants to act on.
        environ: its current environment, if that is known better than from the system.
    """
    listed = _listed(state)
    for place, process in enumerate(lineage(pid)):
        agent = listed.get((process.pid, process.started))
        if agent is not None:
            return agent
        own = environ if place == 0 and environ is not None else process.environ
        if _state_folder(own or {}) != _real(state):
            continue
        agent = _named_by_variables(own or {}) or next(iter(sorted(process.names & _NAMES)), None)
        if agent is not None:
            return agent
    return None


def register(state: Path, pid: int, agent: str) -> str:
    """Add a process to the list of agents; returns the path of its entry, which is written if the disk allows."""
    folder = state / "agents"
    with suppress(OSError):
        make_missing_folders(folder)
        for path in folder.iterdir():
            if path.name.isdigit() and started(int(path.name)) != _entry(path)[0]:
                path.unlink()
        return write_entry(str(folder), pid, started(pid), agent)
    return str(folder / str(pid))


def _listed(state: Path) -> dict[tuple[int, str], str]:
    found: dict[tuple[int, str], str] = {}
    with suppress(OSError):
        for path in (state / "agents").iterdir():
            if path.name.isdigit():
                began, agent = _entry(path)
                found[int(path.name), began] = agent or UNKNOWN
    return found


def _entry(path: Path) -> tuple[str, str]:
    try:
        began, _, agent = path.read_text(encoding="utf-8").partition(" ")
    except (OSError, UnicodeDecodeError):
        return "", ""
    return began, agent


def _named_by_variables(environ: Mapping[str, str]) -> str | None:
    for name, agent in MARKS.items():
        value = environ.get(name, "")
        if value and value != "0":
            return agent or (value if value in _NAMES else UNKNOWN)
    return None


def _state_folder(environ: Mapping[str, str]) -> str:
    """Return the state folder that a process with this environment uses; by default the account's own.

    It follows the same rules as ``promptster.paths``.
    """
    named = environ.get("XDG_STATE_HOME", "")
    if os.path.isabs(named):  # noqa: PTH117 - a word of another process
        return _real(Path(named) / "promptster")
    home = environ.get("HOME") or pwd.getpwuid(os.getuid()).pw_dir
    inside = "Library/Application Support" if sys.platform == "darwin" else ".local/state"
    return _real(Path(home) / inside / "promptster")


def _real(path: Path) -> str:
    return os.path.realpath(path)
