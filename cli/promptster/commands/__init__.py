"""The commands: one file each, loaded when called.

A command's module exposes one of

- ``command``: a function with typer annotations; it returns ``None`` or an exit code;
- ``app``: a ``typer.Typer`` for a command with sub-commands;
- ``main(arguments) -> int``: takes the raw arguments, for commands that pass them on to another program.

It may set ``CONTEXT_SETTINGS`` for typer. Errors are raised, never printed: ``promptster.__main__`` prints them.

Help and completion need only a command's signature, and a plain ``promptster status`` needs only its work. So a module
imports what only one of the two needs under ``if TYPE_CHECKING or needed.work:`` or ``needed.signature:``. Imports that
both need, and light ones, come first as usual.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from promptster.protocol.agents import PROGRAMS, one_of

if TYPE_CHECKING:
    from types import ModuleType

_AGENTS = one_of(PROGRAMS) if len(one_of(PROGRAMS)) <= 45 else "an agent"  # noqa: PLR2004 - what fits in a line

CANDIDATES: dict[str, str] = {
    "policy": "read what would be recorded; changes nothing",
    "start": "read the policy, agree or refuse, start recording",
    "run": f"start {_AGENTS} with recording on",
    "shell": "open a shell in which these agents are recorded",
    "status": "see whether it is recording and what was received",
    "inspect": "see exactly what has been recorded so far",
    "pause": "pause the recording; reviewers see that you paused",
    "resume": "resume recording, even after a reboot",
    "submit": "submit your work; waits until all of it is received",
    "stop": "end without submitting",
    "withdraw": "withdraw your consent; the recording is deleted",
    "restore": "put back files that an interrupted session changed",
}
TEAMS: dict[str, str] = {
    "login": "sign in to your organisation's collector",
    "assessment": "create and list assessments",
    "invite": "invite someone to an assessment",
    "sessions": "see who started and who finished",
    "replay": "read a session in the terminal",
    "export": "save a session as a signed bundle, a web page or JSON lines",
    "token": "create, list and revoke access tokens",
}
ANYONE: dict[str, str] = {
    "verify": "check offline that bundles are unchanged and complete",
    "completion": "print a script that completes commands in your shell",
}
GROUPS = (CANDIDATES, TEAMS, ANYONE)
"""The commands by audience, each with its one line of help; its module is ``promptster.commands.<name>``."""

NAMES = tuple(name for group in GROUPS for name in group)

QUICK = frozenset({"status"})
"""Commands that are called often: without arguments, or with ``--json`` alone, they skip the parser."""


class _Needed:
    """What the modules being imported are needed for."""

    work = True
    """The command runs."""
    signature = True
    """The parser reads the command's annotations."""


needed = _Needed()


def load(name: str, *, work: bool = True, signature: bool = True) -> ModuleType:
    """Import a command's module for one purpose; a later call may import it again for another."""
    from importlib import import_module  # noqa: PLC0415 - the first help needs none of this

    before = frozenset(sys.modules)
    needed.work, needed.signature = work, signature
    try:
        return import_module(f"{__name__}.{name}")
    finally:
        needed.work = needed.signature = True
        if not (work and signature):  # an incomplete module must not be reused
            for module in sys.modules.keys() - before:
                if module.startswith(f"{__name__}."):
                    del sys.modules[module]
