"""Inside an agent only reading commands work, however it imitates a person; a person elsewhere is not affected."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.helpers.people import BIN, Person
from tests.helpers.running import kill_and_wait
from tests.helpers.waiting import wait_until

from promptster.commands import NAMES
from promptster.commands.guard import WORKS_INSIDE_AGENTS
from promptster.session.current import Current
from promptster.session.inspection import read_session

if TYPE_CHECKING:
    from tests.helpers.hiring import Invited

OURS = str(BIN / "promptster")
BARE = 'env -i PATH="$PATH" HOME="$HOME"'
SAID = "does not work inside an agent"
ON_RECORD = "This attempt is recorded."
AT_THE_SOCKET = """
from promptster.paths import Paths
from promptster.protocol.events import Source
from promptster.protocol.events.kinds import Note, SubmissionFinal
from promptster.session_folder.control_calls import SentEvent
from promptster.session_folder.control_client import ControlClient
from promptster.session_folder.folder import SessionFolder
control = ControlClient(SessionFolder.active(Paths.from_environment()))
control.record([SentEvent(src=Source.CANDIDATE, event=Note(text="an agent may note"))])
for ask in (
    lambda: control.stop(withdrawn=True),
    lambda: control.record([SentEvent(src=Source.WORKSPACE, event=SubmissionFinal(diff=""))]),
    control.launch,
    lambda: control.close([]),
):
    try:
        ask()
    except Exception as error:
        print(type(error).__name__, error.exit_code)
"""


@pytest.fixture
def invited(invited: Invited) -> Invited:
    """A candidate with a running session and an agent that runs its last argument as a shell would."""
    invited.start()
    install_agent(invited.folder / "tools")
    return invited


def install_agent(tools: Path) -> None:
    """A program called ``claude``."""
    tools.mkdir()
    (tools / "claude").write_text('#!/bin/sh\nfor last; do :; done\nsh -c "$last"\nexit $?\n')
    (tools / "claude").chmod(0o755)


def recorded_agent(invited: Invited, line: str) -> subprocess.CompletedProcess[str]:
    """Let an agent that ``promptster run`` started do something."""
    return _run(invited, OURS, "run", "claude", "-p", line)


def _run(invited: Invited, *words: str) -> subprocess.CompletedProcess[str]:
    environ = invited.person.environment()
    environ["PATH"] = f"{invited.folder / 'tools'}{os.pathsep}{environ['PATH']}"
    return subprocess.run(
        words,
        env=environ, cwd=invited.workspace, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, check=False,
    )  # fmt: skip


def state_of(invited: Invited) -> str:
    """What the session is doing."""
    return str(invited.person.result("status")["state"])


def attempts(invited: Invited) -> list[dict[str, Any]]:
    """The recorded refusals, as every replay shows them."""
    entries = read_session(Current(invited.session)).replay.timeline.entries
    found = [entry for entry in entries if entry.fields.get("raw_kind") == "promptster_refused"]
    assert {(entry.fields["agent"], entry.sources) for entry in found} <= {("claude", ("launcher",))}
    return [entry.fields["payload"] for entry in found]


def shown_in(path: Path) -> str:
    """A piece of shell that waits for a detached command's output, and shows it."""
    return f"for i in $(seq 300); do grep -q terminal {path} && break; sleep 0.1; done; cat {path}"


@pytest.mark.parametrize("name", NAMES)
def test_only_what_reads_works_inside_an_agent(name: str, tmp_path: Path) -> None:
    """Every other command is refused before it looks at its arguments, with exit code 6; its help is not."""
    agent = Person(name="agent", home=tmp_path, extra={"CLAUDECODE": "1"})
    answer = agent.call(name, "--yes")
    assert (answer.code == 6) == (name not in WORKS_INSIDE_AGENTS)
    if name not in WORKS_INSIDE_AGENTS:
        assert answer.stdout == ""
        assert answer.stderr.startswith(f"error: promptster {name} {SAID}\nNothing was changed")
        assert answer.stderr.endswith(".\nUse your own terminal.\n")
        assert ON_RECORD not in answer.stderr
    helped = agent.call(name, "--help")
    assert helped.code == 0
    assert list(tmp_path.iterdir()) == []


def test_scripts_get_the_code(tmp_path: Path) -> None:
    """With ``--json`` the refusal is the only document on stdout; ``--help`` as an option's value asks for no help."""
    agent = Person(name="agent", home=tmp_path, extra={"CODEX_THREAD_ID": "x"})
    answer = agent.call("withdraw", "--yes", "--json")
    assert (answer.code, answer.document["error"]["code"]) == (6, "inside_agent")
    assert agent.call("start", "--workspace", "--help", "LINK").code == 6
    assert agent.call("token", "create", "--help").code == 0
    assert agent.call("run", "claude", "--help").code == 6


@pytest.mark.parametrize("mark", ["CURSOR_TRACE_ID", "CLAUDE_CODE_SSE_PORT", "CODEX_HOME"])
def test_a_persons_terminal_in_an_editor_is_no_agent(mark: str, tmp_path: Path) -> None:
    """Variables that editors and people set in their terminals do not count."""
    assert Person(name="person", home=tmp_path, extra={mark: "1"}).call("stop", "--yes").code == 1


def test_no_disguise_helps_a_recorded_agent(invited: Invited) -> None:
    """Without its environment, detached, in the background: each attempt is refused, and recorded exactly once."""
    nohup, setsid = invited.folder / "nohup.txt", invited.folder / "setsid.txt"
    lines = (
        f"{OURS} withdraw --yes",
        f"{BARE} {OURS} stop --yes",
        f"setsid -f {BARE} sh -c 'sleep 0.5; {OURS} submit --yes' >{setsid} 2>&1; {shown_in(setsid)}",
        f"({BARE} nohup sh -c 'sleep 0.5; {OURS} restore' >{nohup} 2>&1 &); {shown_in(nohup)}",
        f"{OURS} status",
    )
    done = recorded_agent(invited, "; ".join(lines))
    assert done.stdout.count(SAID) == done.stdout.count(ON_RECORD) == 4
    assert done.returncode == 0
    assert Counter(entry["command"] for entry in attempts(invited)) == Counter(
        ("withdraw", "stop", "submit", "restore")
    )
    assert state_of(invited) == "recording"


def test_deleting_the_list_of_agents_helps_nobody(invited: Invited) -> None:
    """Detached, without an environment and without the list, the process next to the agent is still recognised."""
    told = invited.folder / "told.txt"
    listed = invited.state / "agents"
    detached = f"setsid -f {BARE} sh -c 'sleep 0.5; {OURS} stop --yes' >{told} 2>&1"
    done = recorded_agent(invited, f"rm {listed}/*; {detached}; {shown_in(told)}")
    assert done.stdout.count(SAID) == done.stdout.count(ON_RECORD) == 1
    assert [entry["command"] for entry in attempts(invited)] == ["stop"]
    assert state_of(invited) == "recording"


def test_the_recorder_itself_refuses(invited: Invited) -> None:
    """On the socket itself, without our commands, only a note is accepted; all else is refused and recorded."""
    done = recorded_agent(invited, f"{BARE} {shlex.join((sys.executable, '-c', AT_THE_SOCKET))}")
    assert done.stdout.splitlines() == ["InsideAgentError 6"] * 4
    assert [entry["request"] for entry in attempts(invited)] == ["stop", "record", "launch", "close"]
    assert state_of(invited) == "recording"


def test_what_an_agent_leaves_running_stays_its_own(invited: Invited) -> None:
    """A detached process without any environment is recognised after the agent and its launcher have ended."""
    told, go = invited.folder / "told.txt", invited.folder / "go"
    waiting = f"until [ -e {go} ]; do sleep 0.05; done; {OURS} stop --yes >{told} 2>&1; echo code $? >>{told}"
    done = recorded_agent(invited, f"setsid -f {BARE} sh -c {shlex.quote(waiting)} >/dev/null 2>&1; exit 3")
    assert done.returncode == 3
    go.touch()
    wait_until(lambda: told.exists() and "code" in told.read_text(), "what a detached process writes")
    assert told.read_text().endswith("code 6\n")
    assert [entry["command"] for entry in attempts(invited)] == ["stop"]
    assert state_of(invited) == "recording"


def test_an_agent_that_is_not_recorded_is_known_by_its_name(invited: Invited) -> None:
    """It works on this person's sessions, so it is refused; with another home it is not."""
    claude = str(invited.folder / "tools" / "claude")
    refused = _run(invited, claude, "-p", f"{BARE} {OURS} stop --yes; {BARE} sh -c '{OURS} pause; echo code $?'")
    assert refused.stdout.count(SAID) == refused.stdout.count(ON_RECORD) == 2
    assert refused.stdout.endswith("code 6\n")
    elsewhere = f'env -i PATH="$PATH" HOME={invited.folder} {OURS} stop --yes'
    other = _run(invited, claude, "-p", elsewhere)
    assert SAID not in other.stdout
    assert other.stdout.startswith("error: there is no session")
    assert len(attempts(invited)) == 2


def test_nothing_is_claimed_that_is_not_so(invited: Invited) -> None:
    """While recording is paused the attempt is refused and not recorded, and no message says that it was."""
    invited.person.result("pause")
    done = recorded_agent(invited, f"{OURS} resume; {BARE} {shlex.join((sys.executable, '-c', AT_THE_SOCKET))}")
    assert SAID in done.stdout
    assert ON_RECORD not in done.stdout
    assert done.stdout.count("InsideAgentError") == 4
    assert state_of(invited) == "paused"
    invited.person.result("resume")
    assert attempts(invited) == []


def test_withdrawing_is_refused_without_a_recorder_too(invited: Invited) -> None:
    """Withdrawing deletes files by itself, so the refusal must not depend on a running recorder."""
    (journal,) = invited.state.glob("sessions/*/journal")
    for pid in invited.processes():
        kill_and_wait(pid)
    claude = str(invited.folder / "tools" / "claude")
    done = _run(invited, claude, "-p", f"{BARE} {OURS} withdraw --yes")
    assert done.returncode == 6
    assert ON_RECORD not in done.stdout
    assert list(journal.iterdir())


def test_a_person_beside_an_agent_is_free(invited: Invited) -> None:
    """While a recorded agent runs, pausing, resuming and stopping work in the person's own terminal."""
    gate = invited.folder / "gate"
    os.mkfifo(gate)
    environ = invited.person.environment()
    environ["PATH"] = f"{invited.folder / 'tools'}{os.pathsep}{environ['PATH']}"
    words = [OURS, "run", "claude", "-p", f"echo ready; cat {gate}"]
    with subprocess.Popen(words, env=environ, cwd=invited.workspace, stdout=subprocess.PIPE, text=True) as agent:
        assert agent.stdout is not None
        assert agent.stdout.readline() == "ready\n"
        for word in ("pause", "resume"):
            invited.person.result(word)
        invited.person.result("stop", "--yes")
        gate.write_text("")
    assert agent.returncode == 0


def test_an_agent_can_run_these_tests(tmp_path: Path) -> None:
    """Below a program called ``claude`` and with its marks, made-up people still do what people do."""
    install_agent(tmp_path / "tools")
    python = shlex.quote(sys.executable)
    chosen = "tests/test_main.py"
    chosen += " tests/commands/test_ending.py::test_resume_goes_on_after_a_restart_of_the_machine"
    line = f"{python} -m pytest -q -p no:cacheprovider -p no:randomly --basetemp={tmp_path / 'inner'} {chosen}"
    done = subprocess.run(
        [str(tmp_path / "tools" / "claude"), "-p", line],
        env={**os.environ, "CLAUDECODE": "1", "AI_AGENT": "claude-code", "CODEX_THREAD_ID": "x"},
        cwd=Path(__file__).parents[2], capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    shutil.rmtree(tmp_path / "inner", ignore_errors=True)
