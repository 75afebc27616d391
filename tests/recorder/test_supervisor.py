"""The supervisor keeps one recorder running on the same sockets, whatever kills it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from tests.helpers.disk import seeded
from tests.helpers.memory_collector_server import serving
from tests.helpers.recorders import MemoryCollector
from tests.helpers.running import alive, kill_and_wait, prepared

from promptster.errors import SessionError
from promptster.recorder.spawning import spawn_recorder, without_credentials
from promptster.session_folder.folder import SessionState

if TYPE_CHECKING:
    from pathlib import Path


def test_a_killed_recorder_is_back_behind_the_same_port(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After kill -9 all promises hold; port and token stay, and the journal reports the restart."""
    with prepared(tmp_path, monkeypatch) as running:
        port = running.spawn()
        before = running.control.launch()
        running.record("before")
        kill_and_wait(running.recorder_pid)
        status = running.control.status()
        assert (status.port, status.restarts) == (port, 1)
        assert running.control.launch() == before
        running.record("after")
        kinds = running.kinds()
        assert kinds == ["consent", "opened", "note", "capture_recovered", "note"]


def test_a_connection_made_while_the_recorder_is_down_waits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The sockets belong to the supervisor: an agent that connects during a restart is served by the next recorder."""
    with prepared(tmp_path, monkeypatch) as running:
        port = running.spawn()
        os.kill(running.recorder_pid, signal.SIGKILL)
        with socket.create_connection(("127.0.0.1", port), timeout=30) as agent:
            agent.sendall(b"GET /wrong HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n\r\n" % port)
            assert agent.recv(64).startswith(b"HTTP/1.1 4")


def test_many_kills_with_lost_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed again and again while a third of the collector's answers is lost, every promised event arrives once."""
    chance = seeded(3)
    with prepared(tmp_path, monkeypatch) as running:
        memory_collector = MemoryCollector(running.certified)
        with serving(memory_collector, lost=0.33, chance=chance) as server:
            running.folder.update(collector_url=server.url)
            running.spawn()
            promised: list[str] = []
            for kill in range(12):
                for number in range(chance.randint(1, 6)):
                    text = f"{kill}/{number}"
                    try:
                        running.record(text)
                    except SessionError:
                        continue  # killed meanwhile: nothing was promised
                    promised.append(text)
                kill_and_wait(running.recorder_pid)
            events = running.control.close([])
            server.wait_for(events)
            assert running.control.status().port == running.port
            journal = [event.fields["text"] for event in running.events() if event.kind == "note"]
            assert [text for text in journal if text in set(promised)] == promised
            assert len(set(journal)) == len(journal)
            received = memory_collector.public()
            assert len(received) == len(set(received)) == events


def test_a_second_recorder_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One folder has one writer, guarded by a lock of the operating system."""
    with prepared(tmp_path, monkeypatch) as running:
        running.spawn()
        with pytest.raises(SessionError) as refused:
            running.spawn()
        assert refused.value.code == "recorder_running"
        assert running.control.status().state is SessionState.RECORDING


def test_a_recorder_without_its_supervisor_goes_on_and_keeps_the_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If only the supervisor dies, recording continues, and no second recorder may write."""
    with prepared(tmp_path, monkeypatch) as running:
        running.spawn()
        kill_and_wait(running.supervisor_pid)
        running.record("alone")
        with pytest.raises(SessionError) as refused:
            running.spawn()
        assert refused.value.code == "recorder_running"
        running.control.stop()
        running.spawn()
        assert "note" in running.kinds()


def test_an_orphaned_recorder_is_replaced_for_running_agents(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It reports that its supervisor is gone; the next one has the same port and token for a connected agent."""
    with prepared(tmp_path, monkeypatch) as running:
        port = running.spawn()
        assert running.control.status().supervised
        ticket = running.control.launch()
        with socket.create_connection(("127.0.0.1", port), timeout=30) as agent:
            agent.sendall(b"GET /wrong HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n\r\n" % port)
            assert agent.recv(64).startswith(b"HTTP/1.1 4")
            kill_and_wait(running.supervisor_pid)
            assert not running.control.status().supervised
            running.control.stop(for_another=True)
            assert running.folder.facts().state is SessionState.RECORDING
            assert spawn_recorder(running.folder, running.certified.secrets, token=ticket.token) == port
        running.supervisors.append(running.supervisor_pid)
        assert running.control.status().supervised
        assert running.control.launch() == ticket
        assert "capture_recovered" not in running.kinds()
        kill_and_wait(running.recorder_pid)
        assert running.control.status().restarts == 1


def test_after_a_reboot_the_session_continues(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After both processes were lost, a new start continues the same journal, at the same port if it is free."""
    with prepared(tmp_path, monkeypatch) as running:
        port = running.spawn()
        running.record("before")
        kill_and_wait(running.supervisor_pid)
        kill_and_wait(running.recorder_pid)
        assert running.spawn() == port
        running.record("after")
        assert running.kinds()[-3:] == ["note", "capture_recovered", "note"]


def test_a_taken_port_is_not_shared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If another program took the port meanwhile, the recorder uses a new one."""
    with prepared(tmp_path, monkeypatch) as running, socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        running.folder.update(port=other.getsockname()[1])
        assert running.spawn() != other.getsockname()[1]


def test_nobody_else_can_bind_the_port_while_it_is_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The listener only overrides connections that still close: another program with the same option gets no share."""
    with prepared(tmp_path, monkeypatch) as running:
        port = running.spawn()
        with socket.socket() as other:
            other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with pytest.raises(OSError, match="in use"):
                other.bind(("127.0.0.1", port))


def test_stop_ends_both_and_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After ``stop`` returned, no process runs, no socket exists, and the lock is free."""
    with prepared(tmp_path, monkeypatch) as running:
        running.spawn()
        pids = (running.supervisor_pid, running.recorder_pid)
        running.control.stop()
        for pid in pids:
            kill_and_wait(pid, 0)
        assert not running.folder.control_socket.exists()
        assert not running.folder.hook_socket.exists()
        assert not (running.folder.path / "supervisor.pid").exists()
        with pytest.raises(SessionError) as refused:
            running.control.status()
        assert refused.value.code == "recorder_unreachable"
        assert running.folder.facts().state is SessionState.STOPPED


def test_a_deleted_folder_ends_both(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both processes end rather than record into nothing, and their sockets are removed."""
    with prepared(tmp_path, monkeypatch) as running:
        running.spawn()
        supervisor, recorder = running.supervisor_pid, running.recorder_pid
        run = running.folder.run
        shutil.rmtree(running.folder.path)
        kill_and_wait(recorder, 0)
        kill_and_wait(supervisor, 0)
        assert not alive(recorder)
        assert not alive(supervisor)
        assert not run.exists()


def test_a_recorder_that_dies_with_its_folder_is_not_started_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The supervisor checks the folder first, and ends in order."""
    with prepared(tmp_path, monkeypatch) as running:
        running.spawn()
        supervisor, recorder = running.supervisor_pid, running.recorder_pid
        shutil.rmtree(running.folder.path)
        kill_and_wait(recorder)
        kill_and_wait(supervisor, 0)
        assert not alive(supervisor)
        assert not running.folder.path.exists()


@pytest.mark.parametrize("number", [signal.SIGTERM])
def test_a_terminated_supervisor_ends_the_recorder_in_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    """At a shutdown of the machine they end in order: no recovery is needed, the absence shows as a pause."""
    with prepared(tmp_path, monkeypatch) as running:
        running.spawn()
        recorder = running.recorder_pid
        kill_and_wait(running.supervisor_pid, number)
        kill_and_wait(recorder, 0)
        assert running.folder.facts().state is SessionState.RECORDING
        running.spawn()
        assert running.kinds() == ["consent", "opened", "paused", "resumed"]


def test_a_closed_terminal_is_survived(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SIGHUP and SIGINT, as a closing terminal sends them, have no effect; both have a session of their own."""
    with prepared(tmp_path, monkeypatch) as running:
        running.spawn()
        for pid in (running.supervisor_pid, running.recorder_pid):
            assert os.getsid(pid) != os.getsid(0)
            os.kill(pid, signal.SIGHUP)
        os.kill(running.supervisor_pid, signal.SIGINT)
        running.record("still here")
        assert running.control.status().restarts == 0


_STARTER = """
import json, sys
from pathlib import Path
from promptster.secret_store import SessionSecrets
from promptster.session_folder.folder import SessionFolder
from promptster.recorder.spawning import spawn_recorder
told = json.loads(sys.stdin.read())
print(spawn_recorder(SessionFolder(Path(told["folder"])), SessionSecrets.from_json(told["secrets"])))
"""


def test_nothing_holds_the_caller_s_streams(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A script can read a command's output to its end while recorder and supervisor keep running."""
    with prepared(tmp_path, monkeypatch) as running:
        told = {"folder": str(running.folder.path), "secrets": running.certified.secrets.to_json()}
        extra_read, extra_write = os.pipe()
        os.set_inheritable(extra_write, True)
        with subprocess.Popen(
            [sys.executable, "-c", _STARTER],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            close_fds=False,
            text=True,
        ) as starter:
            os.close(extra_write)
            out, err = starter.communicate(json.dumps(told), timeout=60)
        assert (starter.returncode, err) == (0, "")
        assert os.read(extra_read, 1) == b""
        os.close(extra_read)
        status = running.control.status()
        assert status.port == int(out)
        running.supervisors.append(running.supervisor_pid)


def test_everything_on_disk_is_private_and_sealed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files are 0600, folders 0700, and neither what was recorded nor any secret is readable."""
    with prepared(tmp_path, monkeypatch) as running:
        running.spawn()
        running.record("plant-4711 in a prompt")
        running.control.flush(seconds=0.1)
        ticket = running.control.launch()
        running.control.stop()
        secrets = running.certified.secrets
        planted = [
            b"plant-4711",
            ticket.token.encode(),
            secrets.content_key,
            secrets.session_seed,
            *(value.encode() for name, value in secrets.to_json().items() if name != "spool_key"),
        ]
        for path in [running.folder.path, *running.folder.path.rglob("*")]:
            mode = stat.S_IMODE(path.lstat().st_mode)
            assert mode == (0o700 if path.is_dir() else 0o600), path
            if path.is_file():
                content = path.read_bytes()
                assert not [secret for secret in planted if secret in content], path


def test_a_session_that_cannot_be_recorded_is_refused_with_its_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The command gets a permanent failure at once, and the start is not repeated for ever."""
    with prepared(tmp_path, monkeypatch) as running:
        (running.folder.documents / "certificate.json").unlink()
        with pytest.raises(SessionError) as refused:
            running.spawn()
        assert refused.value.code == "document_missing"
        assert not (running.folder.path / "supervisor.pid").exists()


def test_provider_keys_do_not_reach_the_background(monkeypatch: pytest.MonkeyPatch) -> None:
    """The recorder's environment has no credentials of the candidate's shell."""
    monkeypatch.setenv("HOME", "/home/x")
    for name in ("ANTHROPIC_API_KEY", "openai_api_key", "GITHUB_TOKEN", "DB_PASSWORD"):
        monkeypatch.setenv(name, "secret")
    environment = without_credentials(os.environ)
    assert environment["HOME"] == "/home/x"
    assert "secret" not in environment.values()


def test_the_supervisor_imports_next_to_nothing() -> None:
    """The longest-living process stays small: no asyncio, no network library, no cryptography, little of ours."""
    code = "import sys, promptster.recorder.supervisor; print('\\n'.join(sys.modules))"
    plain = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE")}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=plain)
    modules = set(done.stdout.split())
    heavy = {
        "asyncio",
        "httpx",
        "nacl",
        "zstandard",
        "subprocess",
        "platformdirs",
        "dataclasses",
        "keyring",
        "pydantic",
    }
    assert not modules & heavy
    ours = {name for name in modules if name.startswith("promptster.")}
    allowed = {"promptster.recorder", "promptster.recorder.supervisor", "promptster.private", "promptster.errors"}
    assert ours == allowed
