"""The commands: one file each, loaded when called.

A command's module exposes one of

- ``command``: a function with typer annotations; it returns ``None``, or its exit code where that is no error's;
- ``app``: a ``typer.Typer`` for a command with sub-commands;
- ``main(arguments) -> int``: takes the raw arguments, for commands whose arguments are somebody else's.

It may set ``CONTEXT_SETTINGS`` for typer. Errors are raised, never printed: ``promptster.__main__`` prints them.
"""

from __future__ import annotations

GROUPS: tuple[tuple[str, dict[str, str]], ...] = (
    (
        "you were invited to an assessment",
        {
            "policy": "show what would be recorded; changes nothing",
            "start": "read the policy, agree or refuse, start recording",
            "run": "start claude, codex or cursor-agent inside the assessment",
            "shell": "open a shell in which claude and codex are inside the assessment",
            "status": "is it recording, and did everything arrive",
            "inspect": "show exactly what has been recorded so far",
            "pause": "stop recording for a while; the pause is visible",
            "resume": "record again, also after a reboot",
            "submit": "hand in your work and wait until all of it arrived",
            "stop": "end without handing in",
            "withdraw": "end at once and have everything deleted",
            "restore": "put back files that an interrupted session left changed",
        },
    ),
    (
        "you invite or review",
        {
            "login": "sign in to your organisation's collector",
            "assessment": "create and list assessments",
            "invite": "invite someone to an assessment",
            "sessions": "who started, who finished",
            "replay": "read a session in the terminal",
            "export": "save a session as a signed bundle, a web page or JSON lines",
            "token": "create, list and revoke access tokens",
        },
    ),
    (
        "anyone",
        {"verify": "check a bundle: nothing changed, nothing missing; needs no network"},
    ),
)
"""Who needs them, and per command its one line of help; the module is ``promptster.commands.<name>``."""

NAMES = tuple(name for _, group in GROUPS for name in group)
