"""``promptster run claude|codex|cursor-agent ARGS``: start the real agent with recording on.

Everything after the agent's name is passed to the agent, even ``--help`` and ``--json``; one leading ``--`` is dropped.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, NoReturn

from promptster.errors import ChoiceError, InsideAgentError, LaunchError, PromptsterError, SessionError
from promptster.ui.output import Output

if TYPE_CHECKING:
    from collections.abc import Sequence

    from promptster.paths import Paths
    from promptster.session.launch.launcher import Prepared

OUR_FAILURE = 125
HOOKS_MISSING = "cursor_hooks_missing"

_HELP = """\
Usage: promptster run AGENT [ARGUMENTS...]

  Start claude, codex or cursor-agent in your assessment, with recording on.

  Everything after the agent's name is passed to the agent unchanged, except for
  one leading --. Input, output and exit code are the agent's own. Nothing is
  written to the agent's configuration.

Options, before the agent's name:
  -h, --help  Show this message and exit.

Example: promptster run claude -p 'Explain the tests'

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


def _agrees_to_hooks(paths: Paths) -> bool:
    """Ask at the terminal whether Cursor's hooks file may be created, and create it after a yes."""
    from promptster.ui.questions import confirm, is_terminal  # noqa: PLC0415 - its help needs none of this

    question = (
        "Cursor's agent can be recorded only through .cursor/hooks.json in your workspace, which is put back at the "
        "end. Create it?"
    )
    if not is_terminal():
        return False
    confirm(question, yes=False, json=False, act="starting", code="cursor_hooks_missing")
    from promptster.session.current import Current  # noqa: PLC0415 - likewise
    from promptster.session.launch.editor_files import agree_later  # noqa: PLC0415 - likewise

    agree_later(Current.require(paths), "cursor")
    return True


def _start(name: str, arguments: tuple[str, ...], out: Output) -> NoReturn:
    from promptster.paths import Paths  # noqa: PLC0415 - its help needs none of this
    from promptster.session.launch.child_process import start  # noqa: PLC0415 - likewise
    from promptster.session.launch.launcher import prepare  # noqa: PLC0415 - likewise

    paths, words = Paths.from_environment(), arguments[1:] if arguments[:1] == ("--",) else arguments
    for note in _place_notes(name, words, paths):
        out.note(note)
    try:
        prepared = prepare(name, words, paths)
    except LaunchError as error:
        if error.code != HOOKS_MISSING or not _agrees_to_hooks(paths):
            raise
        prepared = prepare(name, words, paths)
    for note in prepared.launch.notes:
        out.note(note)
    start(prepared, paths, _words_after(prepared, paths, out))


def _place_notes(name: str, words: tuple[str, ...], paths: Paths) -> tuple[str, ...]:
    """Refuse a conversation outside the workspace; notes about other folders that the agent is given."""
    import os  # noqa: PLC0415 - its help needs none of this
    from pathlib import Path  # noqa: PLC0415 - likewise

    from promptster.agents.launchers import find_agent  # noqa: PLC0415 - likewise
    from promptster.agents.working_folder import require_inside  # noqa: PLC0415 - likewise
    from promptster.session.allowed_agents import require_allowed  # noqa: PLC0415 - likewise
    from promptster.session.launch.launcher import find_program, recording_session  # noqa: PLC0415 - likewise

    agent = find_agent(name)
    folder = recording_session(paths)
    workspace = Path(folder.facts().workspace)
    require_allowed(name, folder)  # before advice to install what may not be used
    find_program(name, os.environ)
    return require_inside(name, words, workspace) if agent.converses(words) else ()


def _words_after(prepared: Prepared, paths: Paths, out: Output) -> tuple[str, ...]:
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
