"""Starting agents: found by name, refused with the shells' own codes, and then the process becomes the agent."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import pytest
from tests.helpers.launching import TICKET, recording_session
from tests.helpers.terminal import Terminal

from promptster.agents.hook_command import hook_command
from promptster.agents.registry import launches, plugins, program_facts
from promptster.commands import run
from promptster.errors import LaunchError
from promptster.protocol.agents import CATALOGUE, one_of
from promptster.protocol.agents import PROGRAMS as NAMES
from promptster.protocol.events import Source
from promptster.protocol.events.kinds import CaptureDegraded
from promptster.protocol.policy import AGENTS, make_policy
from promptster.protocol.providers import USUAL_ADDRESSES
from promptster.session.allowed_agents import allowed_names
from promptster.session.launch.launcher import SHIMS_VARIABLE, become, find_program, prepare
from promptster.session_folder.choices import Choices
from promptster.session_folder.control_calls import SentEvent
from promptster.session_folder.folder import SessionState
from promptster.times import soon

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tests.helpers.launching import RecordingSession


def _install(folder: Path, name: str, text: str = "#!/bin/sh\nexit 0\n", mode: int = 0o755) -> Path:
    folder.mkdir(exist_ok=True)
    program = folder / name
    program.write_text(text)
    program.chmod(mode)
    return program


def _environ(root: Path, **more: str) -> dict[str, str]:
    return {"PATH": f"{root / 'bin'}:/usr/bin:/bin", "HOME": str(root / "home"), **more}


def _detail(sent: SentEvent) -> str:
    """What an event says about the recording's quality."""
    assert isinstance(sent.event, CaptureDegraded)
    return sent.event.detail or ""


def test_each_name_has_a_recipe() -> None:
    """Each name that ``run`` takes leads to the launch half of its own plug-in."""
    assert [type(launches(name)) for name in NAMES] == [type(each.launch()) for each in plugins()]


def test_policies_name_the_agents_that_there_are(tmp_path: Path) -> None:
    """Each name that ``run`` takes is allowed by its own name in a policy, and by no other."""
    for name in NAMES:
        agent = program_facts(name).id
        assert agent in AGENTS
        policy = make_policy(organisation="Acme", title="A task", providers=USUAL_ADDRESSES, agents=[agent])
        (tmp_path / name).mkdir()
        with recording_session(tmp_path / name, answering=False, policy=policy) as made:
            assert allowed_names(made.folder) == (name,)
    assert len(AGENTS) == len(NAMES)


def test_an_agent_whose_provider_the_policy_does_not_name_is_not_started(tmp_path: Path) -> None:
    """Its calls would be recorded although nobody agreed to where they go."""
    only = {"anthropic": "https://api.anthropic.com"}
    with recording_session(
        tmp_path, answering=False, policy=make_policy(organisation="Acme", title="T", providers=only)
    ) as made:
        allowed = allowed_names(made.folder)
    assert allowed == tuple(each.program for each in CATALOGUE if each.upstreams[:1] in {(), ("anthropic",)})
    assert {"claude", "cursor-agent"} <= set(allowed)
    assert "codex" not in allowed


def test_where_no_agent_here_is_allowed_the_team_is_asked(tmp_path: Path) -> None:
    """A policy may name only agents that a later version records; the message then says to ask the team."""
    policy = make_policy(organisation="Acme", title="A task", providers={}, agents=["later-agent"])
    with recording_session(tmp_path, policy=policy) as made, pytest.raises(LaunchError) as caught:
        prepare("claude", (), made.paths, _environ(tmp_path))
    assert (caught.value.code, caught.value.exit_code) == ("agent_not_allowed", 125)
    assert caught.value.hint == "Ask the hiring team: it allows no agent that can be recorded here."


def test_an_unknown_agent_is_our_failure(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A name without a recipe is refused with 125 and the known names, even if such a program exists.

    As with env, nohup and timeout, 125 says that the wrapper itself refused and nothing was started. 127 would say that
    a program is missing and has to be installed, which would not help here. And 2, the usage code of other commands, is
    a code that agents end with themselves: after ``run`` the two could not be distinguished.
    """
    with pytest.raises(LaunchError, match="nobodys-agent") as caught:
        launches("nobodys-agent")
    assert (caught.value.exit_code, caught.value.code) == (125, "unknown_agent")
    _install(tmp_path, "nobodys-agent")
    assert run.main(["nobodys-agent", "-p", "x"]) == 125
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.startswith(f"error: cannot record nobodys-agent\nUse {one_of(NAMES)}.\n")
    assert all(name in shown.err for name in NAMES)


def test_programs_are_found_as_a_shell_would(tmp_path: Path) -> None:
    """The first executable on PATH is used: 127 without one, 126 if the only one may not run; shims are skipped."""
    with pytest.raises(LaunchError) as missing:
        find_program("claude", _environ(tmp_path))
    plain = _install(tmp_path / "bin", "claude", mode=0o644)
    with pytest.raises(LaunchError) as plain_file:
        find_program("claude", _environ(tmp_path))
    assert (missing.value.exit_code, plain_file.value.exit_code) == (127, 126)
    plain.chmod(0o755)
    assert find_program("claude", _environ(tmp_path)) == plain
    shims = tmp_path / "shims"
    _install(shims, "claude")
    environ = {"PATH": f"{shims}:{tmp_path / 'bin'}", SHIMS_VARIABLE: str(shims)}
    assert find_program("claude", environ) == plain


def test_the_hook_command_is_absolute(tmp_path: Path) -> None:
    """Interpreter and forwarder are named by absolute path, outside any workspace, and work unchanged."""
    python, *flags, forward = hook_command()
    assert Path(python).is_absolute()
    assert Path(forward).is_absolute()
    assert flags == ["-I", "-S"]
    done = subprocess.run([*hook_command(), "claude", str(tmp_path / "s"), str(tmp_path)], input=b"", check=False)
    assert done.returncode == 0


def test_without_a_session_nothing_starts(tmp_path: Path) -> None:
    """Without a session, after its end, or without a recorder, the start is refused by name with 125."""
    _install(tmp_path / "bin", "claude")
    with recording_session(tmp_path, answering=False) as made:
        with pytest.raises(LaunchError) as unreachable:
            prepare("claude", (), made.paths, _environ(tmp_path))
        made.folder.update(state=SessionState.CLOSED)
        with pytest.raises(LaunchError) as ended:
            prepare("claude", (), made.paths, _environ(tmp_path))
        (made.paths.state / "current").unlink()
        with pytest.raises(LaunchError) as none:
            prepare("claude", (), made.paths, _environ(tmp_path))
    errors = [unreachable.value, ended.value, none.value]
    assert [error.code for error in errors] == ["recorder_unreachable", "not_recording", "no_session"]
    assert {error.exit_code for error in errors} == {125}


def test_events_about_the_launch_are_recorded(tmp_path: Path) -> None:
    """The recipe's events are recorded before the agent starts."""
    _install(tmp_path / "bin", "claude")
    with recording_session(tmp_path) as made:
        prepared = prepare("claude", ("--bare",), made.paths, _environ(tmp_path))
    assert [sent.event.kind for sent in made.recorded] == ["capture_degraded"]
    assert made.recorded[0].src is Source.LAUNCHER
    assert prepared.program == tmp_path / "bin" / "claude"


def test_a_recorder_that_does_not_know_the_agent_is_reported(tmp_path: Path) -> None:
    """A recorder of an earlier version has no address for a newer agent: the error says what to do about it."""
    _install(tmp_path / "bin", "codex")
    ticket = replace(TICKET, base_urls={"claude": TICKET.base_urls["claude"]})
    with recording_session(tmp_path, ticket=ticket) as made, pytest.raises(LaunchError) as raised:
        prepare("codex", (), made.paths, _environ(tmp_path))
    assert raised.value.code == "recorder_answer"
    assert raised.value.message == "the recorder's answer cannot be read (base_urls: codex)"
    assert "`promptster resume`" in (raised.value.hint or "")


def test_a_company_provider_is_refused_unless_the_candidate_agreed(tmp_path: Path) -> None:
    """A gateway in the environment stops the launch; with the candidate's earlier yes, hooks record alone."""
    _install(tmp_path / "bin", "claude")
    environ = _environ(tmp_path, ANTHROPIC_BASE_URL="https://gateway.example")
    (tmp_path / "refused").mkdir()
    with recording_session(tmp_path / "refused") as made:
        with pytest.raises(LaunchError, match=r"gateway\.example") as caught:
            prepare("claude", (), made.paths, environ)
        assert caught.value.code == "company_provider"
    (tmp_path / "agreed").mkdir()
    with recording_session(tmp_path / "agreed", choices=Choices(hooks_only=("claude", "codex"))) as made:
        prepare("claude", (), made.paths, environ)
    assert "hooks only" in _detail(made.recorded[-1])


def test_an_agent_started_after_the_time_is_told_that_nothing_is_recorded(tmp_path: Path) -> None:
    """It starts with a line that names the time, and nothing about the launch is recorded either."""
    _install(tmp_path / "bin", "claude")
    with recording_session(tmp_path) as made:
        assert prepare("claude", ("--bare",), made.paths, _environ(tmp_path)).launch.events
        told = len(made.recorded)
        made.folder.update(record_until=1)
        late = prepare("claude", ("--bare",), made.paths, _environ(tmp_path))
    *_, over, step = late.launch.notes
    assert over == f"warning: time was up at {soon(1, 86_400_000 * 400)}, so nothing in claude is recorded"
    assert step == "To submit what was recorded: promptster submit"
    assert len(made.recorded) == told > 0


def test_a_repositorys_base_url_is_no_company(tmp_path: Path) -> None:
    """A base URL in the project's own settings does not stop the launch: it is overridden and recorded."""
    _install(tmp_path / "bin", "claude")
    with recording_session(tmp_path) as made:
        (made.workspace / ".claude").mkdir()
        (made.workspace / ".claude" / "settings.json").write_text('{"env":{"ANTHROPIC_BASE_URL":"http://evil"}}')
        prepare("claude", (), made.paths, _environ(tmp_path))
    assert [sent.event.kind for sent in made.recorded] == ["capture_config_changed"]


def test_cursor_needs_its_workspace_file(tmp_path: Path) -> None:
    """Without our entries in the hooks file nothing would be recorded, so cursor-agent is not started.

    With ``-p`` it fires no hooks for prompts and answers; a message says so, and that is recorded.
    """
    _install(tmp_path / "bin", "cursor-agent")
    with recording_session(tmp_path) as made:
        with pytest.raises(LaunchError) as caught:
            prepare("cursor-agent", ("x",), made.paths, _environ(tmp_path))
        (made.workspace / ".cursor").mkdir()
        (made.workspace / ".cursor" / "hooks.json").write_text(f'{{"hooks":{{"a":"{TICKET.hook_socket}"}}}}')
        prepared = prepare("cursor-agent", ("x",), made.paths, _environ(tmp_path))
        printing = prepare("cursor-agent", ("-p", "x"), made.paths, _environ(tmp_path))
    assert caught.value.code == "cursor_hooks_missing"
    assert prepared.launch.arguments == ("x",)
    assert "only source" in _detail(made.recorded[0])
    assert prepared.launch.notes == ()
    assert "no hooks for prompts and answers" in printing.launch.notes[0]
    assert "neither prompts nor answers" in _detail(made.recorded[-1])


def test_the_process_becomes_the_agent(tmp_path: Path) -> None:
    """The program is executed with its own name and environment, with the signals as a shell leaves them."""
    calls: list[tuple[str, list[str], Mapping[str, str]]] = []

    class ReplacedError(Exception):
        """Raised in place of the end of our own program."""

    def execute(path: str, words: list[str], environ: Mapping[str, str]) -> NoReturn:
        calls.append((path, words, environ))
        raise ReplacedError

    program = _install(tmp_path / "bin", "claude")
    before = signal.getsignal(signal.SIGPIPE)
    with recording_session(tmp_path) as made:
        prepared = prepare("claude", ("-p", "x"), made.paths, _environ(tmp_path))
    try:
        with contextlib.suppress(ReplacedError):
            become(prepared, execute)
        assert signal.getsignal(signal.SIGPIPE) is signal.SIG_DFL
    finally:
        signal.signal(signal.SIGPIPE, before)
    ((path, words, environ),) = calls
    assert path == str(program)
    assert words[0] == "claude"
    assert words[-2:] == ["-p", "x"]
    assert environ == _environ(tmp_path)


def _run(
    made: RecordingSession, *words: str, given: bytes = b"", cwd: Path | None = None
) -> subprocess.CompletedProcess[bytes]:
    environ = made.environ(**_environ(made.workspace.parent))
    return subprocess.run(
        [sys.executable, "-P", "-m", "promptster", "run", *words],
        env=environ,
        input=given,
        capture_output=True,
        check=False,
        cwd=cwd or made.workspace,
    )


@pytest.fixture
def made(tmp_path: Path) -> Iterator[RecordingSession]:
    """A session that a real process finds."""
    with recording_session(tmp_path) as one:
        yield one


def test_streams_and_exit_code_are_the_agents_own(tmp_path: Path, made: RecordingSession) -> None:
    """In a real ``promptster run``, streams, arguments and exit code pass unchanged; one ``--`` is dropped."""
    script = '#!/bin/sh\nshift 2\nprintf "out:%s|" "$@"\ncat\necho err >&2\nexit 42\n'
    _install(tmp_path / "bin", "claude", script)
    done = _run(made, "claude", "--", "-p", "two words", "--json", "--help", given=b"\x00in")
    assert done.stdout == b"out:-p|out:two words|out:--json|out:--help|\x00in"
    assert done.stderr == b"err\n"
    assert done.returncode == 42


def test_our_own_failures_have_the_shells_codes(tmp_path: Path, made: RecordingSession) -> None:
    """The codes are 127 for not installed, 126 for not executable (or a broken interpreter line), 125 for ours."""
    assert _run(made, "claude").returncode == 127
    _install(tmp_path / "bin", "claude", mode=0o600)
    assert _run(made, "claude").returncode == 126
    _install(tmp_path / "bin", "claude", "#!/no/such/interpreter\n")
    assert _run(made, "claude").returncode == 126
    refused = _run(made, "claude", "--settings", "/no/such")
    assert refused.returncode == 125
    assert refused.stderr.startswith(b"error: ")
    assert _run(made, "nobodys-agent").returncode == 125
    assert _run(made).returncode == 125


def test_help_is_ours_only_before_the_agents_name(capsys: pytest.CaptureFixture[str]) -> None:
    """``run --help`` explains run; after the agent's name, ``--help`` belongs to the agent."""
    assert run.main(["--help"]) == 0
    assert "Usage: promptster run" in capsys.readouterr().out


@pytest.mark.parametrize(("typed", "code"), [("yes", 0), ("no", 3)])
def test_cursors_file_is_made_only_after_a_typed_yes(
    tmp_path: Path, made: RecordingSession, typed: str, code: int
) -> None:
    """At a terminal ``run cursor-agent`` asks; anything but yes changes nothing and starts nothing."""
    _install(tmp_path / "bin", "cursor-agent", "#!/bin/sh\necho started\n")
    words = [sys.executable, "-m", "promptster", "run", "cursor-agent", "hello"]
    environ = made.environ(**_environ(tmp_path), TERM="dumb")
    with Terminal(words, environ=environ, cwd=made.workspace) as terminal:
        terminal.wait_for("yes/no")
        terminal.type(typed)
        assert terminal.end() == code
    assert ("started" in terminal.shown) == (typed == "yes")
    assert (made.workspace / ".cursor" / "hooks.json").exists() == (typed == "yes")
