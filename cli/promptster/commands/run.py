"""``promptster run AGENT ARGS``: start the real agent with recording on.

Everything after the agent's name is passed to the agent, even ``--help`` and ``--json``; one leading ``--`` is dropped.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, NoReturn

from promptster.errors import ChoiceError, InsideAgentError, LaunchError, PromptsterError, SessionError
from promptster.protocol.agents import PROGRAMS, one_of
from promptster.ui.output import Output
from promptster.ui.wrapping import fold

if TYPE_CHECKING:
    from collections.abc import Sequence

    from promptster.agents.launching import EditorFileMissingError
    from promptster.paths import Paths
    from promptster.session.launch.launcher import PreparedAgent

OUR_FAILURE = 125

_AGENTS = "\n".join(
    f"  {line}"
    for line in fold(
        f"Start {one_of(PROGRAMS)} in your assessment, with recording on.",
        width=78,
    )
)
_HELP = f"""\
Usage: promptster run AGENT [ARGUMENTS...]

{_AGENTS}

  Everything after the agent's name is passed to the agent unchanged, except for
  one leading --. Input, output and exit code are the agent's own. Nothing is
  written to the agent's configuration.

Options, before the agent's name:
  -h, --help  Show this message and exit.

Example: promptster run {PROGRAMS[0]} -p 'Explain the tests'

Exit code: the agent's. 6 inside another agent, where this does not work; 125 if
it could not be started with recording on, 126 if it is not executable, 127 if
it is not installed."""


def main(arguments: Sequence[str]) -> int:
    """Start the agent; returns only after printing help or an error."""
    out = Output(False)
    if not arguments or arguments[0] in {"-h", "--help"}:
        (out.say if arguments else out.note)(_HELP)
        return 0 if arguments else OUR_FAILURE
    try:
        _start(arguments[0], tuple(arguments[1:]), out)
    except PromptsterError as error:
        out.error(error)
        return error.exit_code if isinstance(error, (LaunchError, InsideAgentError, ChoiceError)) else OUR_FAILURE


def _agrees_to_file(missing: EditorFileMissingError, paths: Paths) -> bool:
    """Ask at a terminal whether the file that the agent needs may be made, and make it after a typed yes."""
    from promptster.ui.questions import confirm, is_terminal  # noqa: PLC0415 - its help needs none of this

    if not is_terminal():
        return False
    confirm(missing.question, yes=False, json=False, act="starting", code=missing.code)
    from promptster.session.current import Current  # noqa: PLC0415 - likewise
    from promptster.session.launch.editor_files import agree_later  # noqa: PLC0415 - likewise

    agree_later(Current.require(paths), missing.agent)
    return True


def _start(name: str, arguments: tuple[str, ...], out: Output) -> NoReturn:
    from promptster.agents.launching import EditorFileMissingError  # noqa: PLC0415 - its help needs none of this
    from promptster.paths import Paths  # noqa: PLC0415 - likewise
    from promptster.session.launch.child_process import start  # noqa: PLC0415 - likewise
    from promptster.session.launch.launcher import prepare  # noqa: PLC0415 - likewise

    paths, words = Paths.from_environment(), arguments[1:] if arguments[:1] == ("--",) else arguments
    for note in _place_notes(name, words, paths):
        out.note(note)
    try:
        prepared = prepare(name, words, paths)
    except EditorFileMissingError as missing:
        if not _agrees_to_file(missing, paths):
            raise
        prepared = prepare(name, words, paths)
    for note in prepared.launch.notes:
        out.note(note)
    start(prepared, paths, _words_after(prepared, paths, out))


def _place_notes(name: str, words: tuple[str, ...], paths: Paths) -> tuple[str, ...]:
    """Refuse a conversation outside the workspace; notes about other folders that the agent is given."""
    import os  # noqa: PLC0415 - its help needs none of this
    from pathlib import Path  # noqa: PLC0415 - likewise

    from promptster.agents.registry import launches  # noqa: PLC0415 - likewise
    from promptster.agents.working_folder import require_inside  # noqa: PLC0415 - likewise
    from promptster.session.allowed_agents import require_allowed  # noqa: PLC0415 - likewise
    from promptster.session.launch.launcher import find_program, recording_session  # noqa: PLC0415 - likewise

    agent = launches(name)
    folder = recording_session(paths)
    workspace = Path(folder.facts().workspace)
    require_allowed(name, folder)  # before advice to install what may not be used
    find_program(name, os.environ)
    return require_inside(name, agent, words, workspace) if agent.converses(words) else ()


def _words_after(prepared: PreparedAgent, paths: Paths, out: Output) -> tuple[str, ...]:
    """The command that prints what was recorded after the agent ended; warns now if nothing will be."""
    from promptster.clock import SystemClock  # noqa: PLC0415 - likewise
    from promptster.session_folder.control_client import ControlClient  # noqa: PLC0415 - its help needs none of this
    from promptster.session_folder.folder import SessionFolder, SessionState  # noqa: PLC0415 - likewise

    folder = SessionFolder.active(paths)
    if folder is None or not prepared.launch.converses:
        return ()
    facts = folder.facts()
    if facts.state is SessionState.PAUSED and not facts.time_is_over(SystemClock().wall_ms()):
        out.note(f"warning: the session is paused, so nothing in {prepared.name} is recorded")
        out.note("To record it, run `promptster resume` in another terminal.")
    if not sys.stderr.isatty():
        return ()
    try:
        since = ControlClient(folder).status().events
    except SessionError:  # the recorder has died since then; its supervisor starts another
        return ()
    return (sys.executable, "-P", "-m", "promptster.commands.agent_ended", prepared.name, str(since))
