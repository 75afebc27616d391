"""The recorder's whole process: what it records, when it stops, what it delivers, what it survives."""

from __future__ import annotations

import http.client
import json
import socket
import subprocess
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
from tests.helpers.certified import Certified
from tests.helpers.memory_collector_server import serving
from tests.helpers.recorders import MemoryCollector
from tests.helpers.recording_agent import PROMPT, ask_model, hook, provider, until
from tests.helpers.running import FAR, kill_and_wait, prepared

from promptster.agents.hook_command import hook_command
from promptster.errors import SessionError
from promptster.protocol.encoding import b64u_decode
from promptster.protocol.events import Source
from promptster.protocol.events.kinds import CaptureDegraded, SubmissionBaseline, SubmissionFinal
from promptster.session_folder.choices import Choices, PathCheck
from promptster.session_folder.control_calls import SentEvent
from promptster.session_folder.control_messages import CollectorStatus
from promptster.session_folder.folder import SessionState

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.helpers.running import Running


FINAL = [SentEvent(src=Source.WORKSPACE, event=SubmissionFinal(commit="c", diff="+1"))]


@pytest.fixture
def running(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Running]:
    """A recorder without a collector."""
    with prepared(tmp_path, monkeypatch) as running:
        running.spawn()
        yield running


def test_the_first_events_tell_what_was_agreed_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Consent, opening, and where traffic goes instead of to the provider are recorded once, in this order."""
    certified = Certified(
        record_until=FAR,
        upload_until=FAR,
        upstreams={"anthropic": "http://127.0.0.1:9", "openai": "https://api.openai.com/v1"},
        overrides=("anthropic",),
    )
    with prepared(tmp_path, monkeypatch, certified=certified) as running:
        check = PathCheck(ok=False, status=None, reason="no route")
        running.folder.update(choices=Choices(ide=("claude",), path_check={"anthropic": check}))
        running.spawn()
        consent, opened, overridden = running.events()
        assert (consent.kind, consent.src, consent.fields["locale"]) == ("consent", "candidate", "en")
        assert opened.fields["choices"] == {"ide": "claude"}
        assert opened.fields["path_check"] == {"anthropic": {"ok": False, "status": None, "reason": "no route"}}
        assert overridden.fields == {"upstream": "anthropic", "url": "http://127.0.0.1:9"}


def test_events_of_commands_are_durable_when_answered(running: Running) -> None:
    """The answer to ``record`` comes after the disk's; a baseline is recorded once however often it is sent."""
    baseline = [SentEvent(src=Source.WORKSPACE, event=SubmissionBaseline(commit="c"))]
    seqs = running.control.record([*baseline, SentEvent(src=Source.LAUNCHER, event=CaptureDegraded(detail="x"))])
    assert [event.kind for event in running.events()][-2:] == ["submission_baseline", "capture_degraded"]
    assert running.control.record(baseline) == seqs[:1]
    kill_and_wait(running.recorder_pid)
    assert running.control.record(baseline) == seqs[:1]


def _raw(running: Running, request: bytes) -> Any:
    """The answer to a line that no command would send."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(running.folder.control_socket))
        connection.sendall(request)
        with connection.makefile("rb") as answers:
            return json.loads(answers.readline())


@pytest.mark.parametrize(
    "draft",
    [
        {"src": "recorder", "kind": "note", "fields": {"text": "x"}},
        {"src": "proxy", "kind": "prompt", "fields": {"text": "x"}},
        {"src": "candidate", "kind": "unheard", "fields": {}},
        {"src": "candidate", "kind": "note", "fields": {"unheard": "x"}},
        {"src": "candidate", "kind": "note", "fields": {"text": 5}},
        {"src": "candidate", "kind": "note", "fields": "x"},
        {"src": "candidate", "fields": {"text": "x"}},
        {"src": "unheard", "kind": "note", "fields": {"text": "x"}},
        {"kind": "note", "fields": {"text": "x"}},
        {"src": "candidate", "kind": "closed", "fields": {"batches": 1}},
        {"src": "launcher", "kind": "capture_heartbeat", "fields": {}},
        {"src": "candidate", "kind": "paused", "fields": {}},
        {"src": "candidate", "kind": "consent", "fields": {}},
        {"src": "launcher", "kind": "submission_final", "fields": {"diff": ""}},
    ],
)
def test_commands_cannot_speak_for_others(running: Running, draft: dict[str, Any]) -> None:
    """Only a command's own sources, known kinds and known fields are accepted; nothing of such a request is kept."""
    before = running.kinds()
    good = {"src": "candidate", "kind": "note", "fields": {"text": "a good one before it"}}
    for op in ("record", "close"):
        request = json.dumps({"op": op, "drafts": [good, draft]}).encode() + b"\n"
        answer = _raw(running, request)
        assert (answer["ok"], answer["error"]["code"]) == (False, "bad_draft")
    assert running.kinds() == before
    assert running.control.status().state is SessionState.RECORDING


def test_pauses_are_events_and_outlast_a_crash(running: Running) -> None:
    """While paused no agent event is recorded; a new recorder is still paused."""
    running.control.pause()
    assert running.control.status().state is SessionState.PAUSED
    with pytest.raises(SessionError) as error:
        running.control.pause()
    assert error.value.code == "cannot_pause"
    hook(running, PROMPT)
    kill_and_wait(running.recorder_pid)
    hook(running, PROMPT)
    assert running.control.status().state is SessionState.PAUSED
    running.control.resume()
    with pytest.raises(SessionError):
        running.control.resume()
    hook(running, {**PROMPT, "prompt": "after"})
    until(running, lambda status: status.sources.get("hook", 0) == 1)
    running.control.flush(seconds=0.1)
    kinds = running.kinds()
    assert kinds.index("paused") < kinds.index("resumed") < kinds.index("prompt")
    assert kinds.count("prompt") == 1


def test_a_hook_process_is_heard(running: Running) -> None:
    """The real forwarder process delivers by the socket, the event is the candidate's prompt, and no file is left."""
    hook(running, PROMPT)
    until(running, lambda status: status.sources.get("hook", 0) == 1)
    running.control.flush(seconds=0.1)
    (prompt,) = [event for event in running.events() if event.kind == "prompt"]
    assert (prompt.fields["text"], prompt.src) == ("write a test", "hook")
    running.control.stop()
    assert not list(running.folder.spool.glob("*.hook"))


def test_what_waited_in_the_spool_is_recorded_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hook calls made while no recorder ran are recorded at its start with their own times, and then removed."""
    with prepared(tmp_path, monkeypatch) as running:
        running.spawn()
        ticket = running.control.launch()
        for pid in (running.supervisor_pid, running.recorder_pid):
            kill_and_wait(pid)
        command = [*hook_command(), "claude", ticket.hook_socket, ticket.spool]
        for text in ("one", "two"):
            subprocess.run(command, input=json.dumps({**PROMPT, "prompt": text}).encode(), check=True, timeout=60)
        assert len(list(running.folder.spool.glob("*.hook"))) == 2
        running.spawn()
        until(running, lambda status: status.sources.get("hook", 0) == 2)
        running.control.flush(seconds=0.1)
        kill_and_wait(running.recorder_pid)
        until(running, lambda _status: not list(running.folder.spool.glob("*.hook")))
        assert [event.fields["text"] for event in running.events() if event.kind == "prompt"] == ["one", "two"]


def test_a_model_call_is_forwarded_and_recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Through the real proxy to a provider and back, both sides become events; the key stays with the agent."""
    with provider() as url:
        upstreams = {"anthropic": url}
        certified = Certified(record_until=FAR, upload_until=FAR, upstreams=upstreams, overrides=("anthropic",))
        with prepared(tmp_path, monkeypatch, certified=certified) as running:
            port = running.spawn()
            assert ask_model(port, running.control.launch().token) == "msg_1"
            until(running, lambda status: status.sources.get("proxy", 0) >= 3)
            running.control.flush(seconds=0.1)
            kinds = [event.kind for event in running.events() if event.src == "proxy"]
            assert kinds == ["prompt", "model_request", "model_response"]
            running.control.stop()
            for path in running.folder.path.rglob("*"):
                assert not path.is_file() or b"sk-plant-1" not in path.read_bytes()


def test_a_submitted_session_ends_with_every_event_received(delivering: tuple[Running, MemoryCollector]) -> None:
    """Closing records the last events and ``closed``, alone in the last batch, with true totals; all of it arrives."""
    running, memory_collector = delivering
    running.record("work")
    events = running.control.close(FINAL)
    status = until(running, lambda status: status.state is SessionState.CLOSED)
    assert (status.received, status.events, events) == (5, 5, 5)
    until(running, lambda status: status.checked == events)
    assert memory_collector.public()
    *_, final, closed = running.events()
    assert (final.kind, closed.kind) == ("submission_final", "closed")
    assert closed.fields["batches"] == len(memory_collector.stored)
    assert memory_collector.stored[-1][0].header.count == 1
    assert closed.fields["totals"] == {"candidate": 2, "recorder": 2, "workspace": 1}
    assert running.control.close(FINAL) == events
    with pytest.raises(SessionError):
        running.record("too late")
    assert running.folder.facts().state is SessionState.CLOSED


def test_a_submission_survives_a_crash_and_an_absent_collector(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A whole session offline: closed without a collector, killed, started again; all arrives once there is one."""
    with prepared(tmp_path, monkeypatch) as running:
        running.spawn()
        running.record("offline")
        events = running.control.close(FINAL)
        assert running.control.status().state is SessionState.CLOSING
        kill_and_wait(running.recorder_pid)
        assert running.control.status().events == events
        running.control.stop()
        memory_collector = MemoryCollector(running.certified)
        with serving(memory_collector) as server:
            running.folder.update(collector_url=server.url)
            running.spawn()
            status = until(running, lambda status: status.state is SessionState.CLOSED)
            assert status.received == events
        assert running.kinds()[-1] == "closed"


def test_flush_sends_what_there_is(delivering: tuple[Running, MemoryCollector]) -> None:
    """After a flush everything recorded so far has its receipt, and the session continues."""
    running, memory_collector = delivering
    running.record("x")
    received, events = running.control.flush()
    assert received == events == memory_collector.events == 3
    assert running.control.status().collector == CollectorStatus(reachable=True, last_error=None, refused=None)


def test_a_flush_without_a_collector_ends_in_time(running: Running) -> None:
    """A flush while offline takes the requested time at most."""
    assert running.control.flush(seconds=0.2) == (0, 2)
    assert until(running, lambda s: s.collector.reachable is False).collector.last_error == "collector_unreachable"


def test_a_withdrawn_session_writes_nothing_more(running: Running) -> None:
    """After a withdrawal no event is added, not even about the end, and the files can be deleted."""
    before = running.kinds()
    running.control.stop(withdrawn=True)
    assert running.folder.facts().state is SessionState.WITHDRAWN
    assert running.kinds() == before


def test_a_damaged_journal_costs_its_tail_and_is_told(running: Running) -> None:
    """Flipped bits on the candidate's disk never stop the recorder; sealed events are restored from the batches."""
    for number in range(6):
        running.record(f"note {number}")
    running.control.flush(seconds=0.1)
    running.control.stop()
    (path,) = running.folder.journal.glob("*.journal")
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    running.spawn()
    running.record("after")
    events = running.events()
    assert [event.seq for event in events] == list(range(len(events)))
    texts = [event.fields["text"] for event in events if event.kind == "note"]
    assert texts == [*(f"note {number}" for number in range(6)), "after"]
    (told,) = [event.fields["detail"] for event in events if event.kind == "capture_recovered"]
    assert "set aside" in told
    assert "restored from sealed batches" in told


def test_deleted_journal_is_filled_from_the_batches(running: Running) -> None:
    """Even without any journal, numbering continues after what was sealed."""
    running.record("a")
    running.control.flush(seconds=0.1)
    running.control.stop()
    sealed = len(running.events())
    for path in running.folder.journal.iterdir():
        path.unlink()
    running.spawn()
    assert running.control.status().events > sealed
    assert "a" in [event.fields.get("text") for event in running.events()]


def test_a_disk_that_fails_at_the_start_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a journal nothing is begun: the command gets the reason, and no process stays."""
    with prepared(tmp_path, monkeypatch) as running:
        running.folder.batches.rmdir()
        running.folder.batches.write_bytes(b"in the way")
        with pytest.raises(SessionError) as error:
            running.spawn()
        assert error.value.code == "disk"
        assert not (running.folder.path / "supervisor.pid").exists()


def test_agents_work_on_while_the_disk_fails(running: Running) -> None:
    """A recorder that restarts on an unreadable disk forwards, unrecorded, and records again when it can."""
    running.record("before")
    hidden = running.folder.path / "hidden"
    running.folder.journal.rename(hidden)
    running.folder.journal.write_bytes(b"in the way")
    kill_and_wait(running.recorder_pid)
    with closing(http.client.HTTPConnection("127.0.0.1", running.port, timeout=60)) as agent:
        agent.request("GET", "/nowhere")
        assert agent.getresponse().status in range(400, 500)
    running.folder.journal.unlink()
    hidden.rename(running.folder.journal)
    running.record("after")
    kinds = [kind for kind in running.kinds() if kind != "capture_gap"]
    assert kinds[-3:] == ["note", "capture_recovered", "note"]


def test_status_is_complete(running: Running) -> None:
    """It has everything that a person is shown, with plain values."""
    status = running.control.status()
    assert status.session == running.certified.session
    assert len(b64u_decode(status.session)) == 16
    assert (status.events, status.durable, status.received, status.checked) == (2, 2, 0, 0)
    assert status.record_until == status.upload_until == FAR
    assert (status.restarts, status.silent_hooks, status.degraded) == (0, (), ())
    ticket = running.control.launch()
    assert ticket.base_urls["claude"] == f"http://127.0.0.1:{status.port}/{ticket.token}/anthropic"
    assert ticket.base_urls["codex"] == f"http://127.0.0.1:{status.port}/openai"
    assert len(ticket.token) >= 43
