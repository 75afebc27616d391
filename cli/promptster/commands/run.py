"""``promptster run claude|codex|cursor-agent ARGS``: the real agent, recorded.

Everything after the agent's name is the agent's, down to ``--help`` and ``--json``; one leading ``--`` is dropped.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

from promptster.errors import LaunchError, PromptsterError
from promptster.ui.output import Output

if TYPE_CHECKING:
    from collections.abc import Sequence

OUR_FAILURE = 125

_HELP = """\
usage: promptster run AGENT [ARGUMENTS...]

Starts the real agent inside your assessment: claude, codex or cursor-agent. Everything after
the agent's name goes to the agent as it is (one leading -- is dropped), and its exit code,
input and output are its own. Nothing is written to the agent's configuration.

Exit code: the agent's; 125 if it could not be started recorded, 126 if it is not executable,
127 if it is not installed."""


def main(arguments: Sequence[str]) -> int:
    """Start the agent; returns only with help, or by an error."""
    out = Output(False)
    if not arguments or arguments[0] in {"-h", "--help"}:
        (out.say if arguments else out.note)(_HELP)
        return 0 if arguments else OUR_FAILURE
    try:
        _start(arguments[0], tuple(arguments[1:]), out)
    except PromptsterError as error:
        out.error(error)
        return error.exit_code if isinstance(error, LaunchError) else OUR_FAILURE
    except Exception as error:  # noqa: BLE001 - whatever it is, it is ours and not the agent's
        out.error(PromptsterError(f"a fault inside promptster ({type(error).__name__})", code="internal"))
        return OUR_FAILURE


def _start(name: str, arguments: tuple[str, ...], out: Output) -> NoReturn:
    from promptster.paths import Paths  # noqa: PLC0415 - its help needs none of this
    from promptster.session.launcher import become, prepare  # noqa: PLC0415 - likewise

    prepared = prepare(name, arguments[1:] if arguments[:1] == ("--",) else arguments, Paths.from_environment())
    for note in prepared.launch.notes:
        out.note(f"promptster: {note}")
    become(prepared)
