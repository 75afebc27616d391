"""Refuses commands inside an agent, except those that only read or write a note; every command is checked here first.

``--yes`` stands for a person's yes, but an agent can type it too. So the calling process decides, not the option.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from promptster.errors import PromptsterError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from promptster.paths import Paths

WORKS_INSIDE_AGENTS = frozenset({"status", "inspect", "note", "replay", "verify", "policy", "doctor"})
"""Everything else is refused inside an agent, including commands that are added later."""
_HAS_YES = frozenset({"stop", "submit", "withdraw"})
_OTHERS_ARGUMENTS = frozenset({"run", "shell"})
"""Words after these belong to an agent or a shell; only the first word can ask for our help."""
_HELP = frozenset({"--help", "-h"})


def refuse_inside_agent(name: str, arguments: Sequence[str]) -> None:
    """Return if the command may run here; record the attempt if it may not.

    Raises:
        InsideAgentError: the command was called inside an agent.
    """
    if name in WORKS_INSIDE_AGENTS or _asks_for_help(name, arguments):
        return
    import os  # noqa: PLC0415 - commands that only read need none of this

    from promptster.paths import Paths  # noqa: PLC0415 - likewise
    from promptster.system.inside_agent import agent_around  # noqa: PLC0415 - likewise

    paths = Paths.from_environment()
    agent = agent_around(os.getpid(), paths.state, os.environ)
    if agent is None:
        return
    from promptster.recorder.agent_refusal import refusal  # noqa: PLC0415 - likewise

    raise refusal(f"promptster {name}", recorded=_record(name, agent, paths), asks=name in _HAS_YES)


def _asks_for_help(name: str, arguments: Sequence[str]) -> bool:
    """Whether the first word, or the second after a sub-command, asks for help; later words may be option values."""
    if _HELP.intersection(arguments[:1]):
        return True
    after_name = name not in _OTHERS_ARGUMENTS and not "".join(arguments[:1]).startswith("-")
    return after_name and bool(_HELP.intersection(arguments[1:2]))


def _record(name: str, agent: str, paths: Paths) -> bool:
    """Record the attempt; whether that worked, which needs a session that is recording."""
    from promptster.session_folder.control_client import ControlClient  # noqa: PLC0415 - only a refusal needs it
    from promptster.session_folder.folder import SessionFolder  # noqa: PLC0415 - likewise

    try:
        folder = SessionFolder.active(paths)
        return folder is not None and ControlClient(folder).refused(name, agent=agent)
    except (PromptsterError, OSError):
        return False
