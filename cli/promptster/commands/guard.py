"""No command that ends, pauses, changes, consents or deletes works inside an agent; every command passes here first.

``--yes`` stands for a person's yes, and an agent can type it too. So it is the asking process that counts. What may be
called inside an agent only reads, or writes a note that carries its author's place in the record.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from promptster.errors import PromptsterError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from promptster.paths import Paths

WORKS_INSIDE_AGENTS = frozenset({"status", "inspect", "note", "replay", "verify", "policy", "doctor"})
"""Everything else is refused there, whatever will be added."""
_HAS_YES = frozenset({"stop", "submit", "withdraw"})
_OTHERS_ARGUMENTS = frozenset({"run", "shell"})
"""Behind these the words are an agent's or a shell's; only the first can ask for our help."""
_HELP = frozenset({"--help", "-h"})


def refuse_inside_agent(name: str, arguments: Sequence[str]) -> None:
    """Return if this command may be run by whoever runs it; an attempt that may not is recorded.

    Raises:
        InsideAgentError: it is an agent's.
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
    """Whether the first word asks for it, or the second behind a sub-command; elsewhere it may be an option's value."""
    if _HELP.intersection(arguments[:1]):
        return True
    behind_word = name not in _OTHERS_ARGUMENTS and not "".join(arguments[:1]).startswith("-")
    return behind_word and bool(_HELP.intersection(arguments[1:2]))


def _record(name: str, agent: str, paths: Paths) -> bool:
    """Whether the attempt stands in the record: not without a session that records at this moment."""
    from promptster.session_folder.control_client import ControlClient  # noqa: PLC0415 - only a refusal needs it
    from promptster.session_folder.folder import SessionFolder  # noqa: PLC0415 - likewise

    try:
        folder = SessionFolder.active(paths)
        return folder is not None and ControlClient(folder).refused(name, agent=agent)
    except (PromptsterError, OSError):
        return False
