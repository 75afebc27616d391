"""The commands: one file each, loaded when called.

A command's module exposes one of

- ``command``: a function with typer annotations; it returns ``None``, or its exit code where that is no error's;
- ``app``: a ``typer.Typer`` for a command with sub-commands;
- ``main(arguments) -> int``: takes the raw arguments, for commands whose arguments are somebody else's.

It may set ``CONTEXT_SETTINGS`` for typer. Errors are raised, never printed: ``promptster.__main__`` prints them.

Help and completion read a command's signature and do none of its work, and a plain ``promptster status`` needs no
signature. So a module imports what only one of the two needs under ``if TYPE_CHECKING or needed.work:``, or under
``needed.signature``; what both need, and what is light, stands above that as usual.
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
    "run": f"start {_AGENTS}, recorded",
    "shell": "open a shell in which these agents are recorded",
    "status": "is it recording, and has everything arrived",
    "inspect": "see exactly what has been recorded so far",
    "pause": "stop recording for a while; the pause is visible",
    "resume": "record again, also after a restart of the computer",
    "submit": "submit your work and wait until all of it has arrived",
    "stop": "end without submitting",
    "withdraw": "end at once and have the recording deleted",
    "restore": "put back files that an interrupted session left changed",
}
TEAMS: dict[str, str] = {
    "login": "sign in to your organisation's collector",
    "assessment": "create and list assessments",
    "invite": "invite someone to an assessment",
    "sessions": "who started, who finished",
    "replay": "read a session in the terminal",
    "export": "save a session as a signed bundle, a web page or JSON lines",
    "token": "create, list and revoke access tokens",
}
ANYONE: dict[str, str] = {
    "verify": "check bundles offline: nothing changed, nothing missing",
    "completion": "print a script that completes commands in your shell",
}
GROUPS = (CANDIDATES, TEAMS, ANYONE)
"""Who needs them, and per command its one line of help; the module is ``promptster.commands.<name>``."""

NAMES = tuple(name for group in GROUPS for name in group)

QUICK = frozenset({"status"})
"""Commands that are called over and over, so that the plain call, at most with ``--json``, passes by the parser."""


class _Needed:
    """What the modules that are imported now will be used for."""

    work = True
    """The command runs."""
    signature = True
    """The parser reads the command's annotations."""


needed = _Needed()


def load(name: str, *, work: bool = True, signature: bool = True) -> ModuleType:
    """Import a command's module for one use; a later call may import it again for another one."""
    from importlib import import_module  # noqa: PLC0415 - the first help needs none of this

    before = frozenset(sys.modules)
    needed.work, needed.signature = work, signature
    try:
        return import_module(f"{__name__}.{name}")
    finally:
        needed.work = needed.signature = True
        if not (work and signature):  # what lacks a part must not be found by whoever needs all of it
            for module in sys.modules.keys() - before:
                if module.startswith(f"{__name__}."):
                    del sys.modules[module]
