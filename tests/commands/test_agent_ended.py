"""Before and after an agent, at a terminal: whether it is recorded, what was recorded, and how to continue."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.helpers import practice_agent
from tests.helpers.people import BIN
from tests.helpers.provider.script import Conversation, Script, ToolUse, Turn
from tests.helpers.provider.server import running
from tests.helpers.running import kill_and_wait
from tests.helpers.terminal import Terminal

from promptster.protocol.agents import PROGRAMS, all_of

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from tests.helpers.hiring import Invited

PROMPT = "Please do the work"


def _script(workspace: Path) -> Script:
    write = ToolUse(name="Write", input={"file_path": str(workspace / "a.py"), "content": "x = 1\n"})
    change = ToolUse(
        name="Edit", input={"file_path": str(workspace / "a.py"), "old_string": "x = 1", "new_string": "x = 2"}
    )
    run = ToolUse(name="Bash", input={"command": "echo done"})
    turns = (Turn(tools=(write,)), Turn(tools=(change,)), Turn(tools=(run,)), Turn(text="All done."))
    return Script(conversations=(Conversation(prompt=PROMPT, turns=turns),))


@pytest.fixture
def invited(invited: Invited) -> Iterator[Invited]:
    """A candidate with a running session, a provider with a script, and the practice agent in Claude Code's place."""
    with running(_script(invited.workspace)) as provider:
        invited.start("--upstream", f"anthropic={provider.anthropic_url}")
        tools = invited.folder / "tools"
        tools.mkdir()
        (tools / "claude").write_text(f'#!/bin/sh\nexec {sys.executable} {practice_agent.__file__} "$@"\n')
        (tools / "claude").chmod(0o755)
        yield invited


def _environ(invited: Invited) -> dict[str, str]:
    environ = {**invited.person.environment(), "ANTHROPIC_API_KEY": "sk-ant-practice-0123456789", "SHELL": "/bin/sh"}
    return environ | {"PATH": f"{invited.folder / 'tools'}{os.pathsep}{environ['PATH']}"}


def _at_terminal(invited: Invited, *words: str) -> list[str]:
    """Promptster's lines after the agent's own."""
    program = [str(BIN / "promptster"), *words]
    with Terminal(program, environ=_environ(invited), cwd=invited.workspace) as terminal:
        assert terminal.end() == 0, terminal.shown
    lines = terminal.shown.replace("\r", "").splitlines()
    at = next(place for place, line in enumerate(lines) if line.startswith("claude ended."))
    return [*(line for line in lines[:at] if line.startswith(("warning:", "To record"))), *lines[at:]]


def test_what_was_recorded_and_how_to_go_on(invited: Invited) -> None:
    """The screen shows this run's prompts, tool calls and edited files, the command to continue, and the time left."""
    for _ in range(2):
        ended, on, command, last = _at_terminal(invited, "run", "claude", "-p", PROMPT)
        assert ended == "claude ended. Recorded: 1 prompt, 3 tool calls, edits to 1 file."
        assert on == "To continue this conversation, recorded (plain claude --resume is not):"
        assert re.fullmatch(r"  promptster run claude --resume [0-9a-f-]{36}", command)
        assert re.fullmatch(r"To submit: promptster submit\. Until .*\(\d+ \w+ left\)\.", last)


def test_inside_the_recorded_shell_the_plain_name_is_recorded_too(invited: Invited) -> None:
    """An agent started by its plain name inside the recorded shell is recorded, and the screen says so."""
    lines = _at_terminal(invited, "shell", "-c", f"claude -p '{PROMPT}'")
    assert "To continue this conversation, recorded:" in lines


def test_a_pause_is_told_before_and_after(invited: Invited) -> None:
    """Both before and after the agent, the screen says that nothing is recorded and which command changes it."""
    invited.person.result("pause")
    lines = _at_terminal(invited, "run", "claude", "-p", PROMPT)
    assert lines[:-1] == [
        "warning: the session is paused, so nothing in claude is recorded",
        "To record it, run `promptster resume` in another terminal.",
        "claude ended. Nothing was recorded.",
        "The session is paused. To record again: promptster resume",
    ]
    assert lines[-1].startswith("To submit: promptster submit")


def test_after_the_time_no_way_is_shown_that_would_not_record(invited: Invited) -> None:
    """Continuing the conversation would no longer be recorded, so only submitting is named."""
    invited.person.result("pause")
    invited.session.update(record_until=1)
    warning, *lines = _at_terminal(invited, "run", "claude", "-p", PROMPT)
    assert re.fullmatch("warning: time was up at .*, so nothing in claude is recorded", warning)
    assert lines == [
        "claude ended. Nothing was recorded.",
        "Time is up. Agents are no longer recorded. To submit: promptster submit",
    ]


def test_a_session_that_ended_meanwhile_is_told_in_words(invited: Invited) -> None:
    """The session's state is named in words for people."""
    (invited.folder / "tools" / "claude").write_text("#!/bin/sh\necho ready\nread line\n")
    program = [str(BIN / "promptster"), "run", "claude"]
    with Terminal(program, environ=_environ(invited), cwd=invited.workspace) as terminal:
        terminal.wait_for("ready")
        invited.person.result("submit", "--yes")
        terminal.type("end")
        assert terminal.end() == 0
    assert "claude ended. The session was submitted, so nothing more is recorded." in terminal.shown


def _shell_says(invited: Invited) -> str:
    program = [str(BIN / "promptster"), "shell"]
    with Terminal(program, environ=_environ(invited) | {"SHELL": "/bin/sh"}, cwd=invited.workspace) as terminal:
        terminal.wait_for("\n")
        terminal.type("exit 0")
        assert terminal.end() == 0
        return terminal.shown


def test_the_shell_says_whether_agents_are_recorded_in_it(invited: Invited) -> None:
    """The shell says so while recording, during a pause, and after the time."""
    shown = " ".join(_shell_says(invited).split())
    assert f"In this shell {all_of(PROGRAMS)} are recorded. Type exit to leave." in shown
    invited.person.result("pause")
    assert "warning: the session is paused, so agents in this shell are not recorded" in _shell_says(invited)
    invited.session.update(record_until=1)
    assert "warning: time is up, so agents in this shell are not recorded" in _shell_says(invited)


def test_a_recorder_that_stopped_is_told(invited: Invited) -> None:
    """When the agent ends, the person reads that nothing is recorded."""
    (invited.folder / "tools" / "claude").write_text("#!/bin/sh\necho ready\nread line\n")
    program = [str(BIN / "promptster"), "run", "claude"]
    with Terminal(program, environ=_environ(invited), cwd=invited.workspace) as terminal:
        terminal.wait_for("ready")
        for pid in invited.processes():
            kill_and_wait(pid)
        terminal.type("end")
        assert terminal.end() == 0
    assert "claude ended. Not recording: the recorder has stopped. What it recorded is kept." in terminal.shown
    assert "Run `promptster resume` to continue." in terminal.shown


def test_a_session_that_was_submitted_meanwhile_is_told_in_plain_words(invited: Invited) -> None:
    """The screen says so if the work was submitted while the agent was still open."""
    with _waiting_agent(invited) as terminal:
        invited.person.result("submit", "--yes")
        terminal.type("end")
        assert terminal.end() == 0
    assert "claude ended. The session was submitted, so nothing more is recorded." in terminal.shown
    late = subprocess.run(
        [str(BIN / "promptster"), "run", "claude"],
        env=_environ(invited), stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert late.returncode == 125
    assert late.stderr.splitlines() == [
        "error: this session has ended",
        "To work unrecorded, start the agent without promptster.",
    ]


def test_after_the_time_no_recorded_way_to_continue_is_promised(invited: Invited) -> None:
    """What was recorded before is counted, but no recorded way to continue is shown."""
    with _waiting_agent(invited) as terminal:
        invited.session.update(record_until=1)
        terminal.type("end")
        assert terminal.end() == 0
    assert "claude ended. Recorded: 1 prompt, 3 tool calls, edits to 1 file." in terminal.shown
    assert "Time is up." in terminal.shown
    assert "continue this conversation" not in terminal.shown


@contextmanager
def _waiting_agent(invited: Invited) -> Generator[Terminal]:
    """A recorded agent that has done its work and waits for a line."""
    agent = f'{sys.executable} {practice_agent.__file__} "$@"'
    (invited.folder / "tools" / "claude").write_text(f"#!/bin/sh\n{agent}\necho ready\nread line\n")
    program = [str(BIN / "promptster"), "run", "claude", "-p", PROMPT]
    with Terminal(program, environ=_environ(invited), cwd=invited.workspace) as terminal:
        terminal.wait_for("ready")
        yield terminal


def test_scripts_hear_nothing(invited: Invited) -> None:
    """Nothing is printed if standard error is not a terminal, or if there was no conversation."""
    words = [str(BIN / "promptster"), "run", "claude", "-p", PROMPT]
    done = subprocess.run(
        words, env=_environ(invited), cwd=invited.workspace, stdin=subprocess.DEVNULL, capture_output=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, b"")
    (invited.folder / "tools" / "claude").write_text("#!/bin/sh\necho version 1\n")
    program = [str(BIN / "promptster"), "run", "claude", "--version"]
    with Terminal(program, environ=_environ(invited), cwd=invited.workspace) as terminal:
        assert terminal.end() == 0
    assert terminal.shown.replace("\r", "") == "version 1\n"
