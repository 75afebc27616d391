"""``promptster shell``: a shell in which agents start with recording on, by their plain names.

Everything after ``shell`` is passed to the shell, so ``promptster shell -c "claude -p hello"`` works in a script.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

from promptster.errors import LaunchError, PromptsterError
from promptster.protocol.agents import PROGRAMS, all_of
from promptster.ui.output import Output
from promptster.ui.wrapping import fold

if TYPE_CHECKING:
    from collections.abc import Sequence

    from promptster.session_folder.folder import SessionFolder

OUR_FAILURE = 125

_AGENTS = "\n".join(
    f"  {line}"
    for line in fold(
        f"{all_of(PROGRAMS)} are recorded when you start them in it, as with promptster run. Nothing else that you do "
        "in it is recorded. Type exit to leave.",
        width=78,
    )
)
_HELP = f"""\
Usage: promptster shell [ARGUMENTS FOR THE SHELL...]

  Open your own shell, in which agents are recorded.

{_AGENTS}

Options, before the shell's arguments:
  -h, --help  Show this message and exit.

Example: promptster shell -c '{PROGRAMS[0]} -p hello'

Exit code: the shell's. 6 inside an agent, where this does not work; 125 if
agents could not be recorded in it, 126 if the shell is not executable, 127 if
it is not installed."""


def main(arguments: Sequence[str]) -> int:
    """Become the shell; returns only after printing help or an error."""
    out = Output(False)
    if arguments and arguments[0] in {"-h", "--help"}:
        out.say(_HELP)
        return 0
    try:
        _start(tuple(arguments[1:] if arguments[:1] == ["--"] else arguments), out)
    except PromptsterError as error:
        out.error(error)
        return error.exit_code if isinstance(error, LaunchError) else OUR_FAILURE


def _tell(folder: SessionFolder, out: Output) -> None:
    """Print whether agents are recorded in the shell, and how to leave it."""
    import contextlib  # noqa: PLC0415 - its help needs none of this
    from pathlib import Path  # noqa: PLC0415 - likewise

    from promptster.agents.working_folder import is_inside  # noqa: PLC0415 - likewise
    from promptster.clock import SystemClock  # noqa: PLC0415 - likewise
    from promptster.session.allowed_agents import allowed_names  # noqa: PLC0415 - likewise
    from promptster.session_folder.folder import SessionState  # noqa: PLC0415 - likewise
    from promptster.session_folder.wording import shell_path  # noqa: PLC0415 - likewise

    facts = folder.facts()
    if facts.time_is_over(SystemClock().wall_ms()):
        out.note("warning: time is up, so agents in this shell are not recorded")
        out.note("To submit what was recorded: promptster submit")
    elif facts.state is SessionState.PAUSED:
        out.note("warning: the session is paused, so agents in this shell are not recorded")
        out.note("To record them, run `promptster resume`.")
    else:
        names = allowed_names(folder)
        recorded = f"{all_of(names)} {'is' if len(names) == 1 else 'are'}" if names else "no agent is"
        out.note(f"In this shell {recorded} recorded. Type exit to leave.")
    with contextlib.suppress(FileNotFoundError):
        if not is_inside(Path.cwd(), Path(facts.workspace)):
            out.note("warning: you are outside your workspace, and agents start only inside it")
            out.note(f"  cd {shell_path(facts.workspace)}")


def _start(arguments: tuple[str, ...], out: Output) -> NoReturn:
    import os  # noqa: PLC0415 - its help needs none of this
    import sys  # noqa: PLC0415 - likewise

    from promptster.agents.launching import Launch  # noqa: PLC0415 - likewise
    from promptster.paths import Paths  # noqa: PLC0415 - likewise
    from promptster.session.launch.launcher import PreparedAgent, become, recording_session  # noqa: PLC0415 - likewise
    from promptster.session.launch.shims import plan_shell  # noqa: PLC0415 - likewise

    folder = recording_session(Paths.from_environment())
    plan = plan_shell(folder.run, arguments, os.environ)
    if sys.stdin.isatty() and not arguments:
        _tell(folder, out)
    launch = Launch(arguments=plan.arguments, environ=plan.environ)
    become(PreparedAgent(program=plan.program, launch=launch, name=plan.program.name))
