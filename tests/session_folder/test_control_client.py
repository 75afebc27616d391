"""Asking the recorder: one line each way, typed errors, no partial answers."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import threading
from contextlib import contextmanager
from dataclasses import fields
from typing import TYPE_CHECKING, Any, get_args

import pytest

from promptster.errors import RecorderUnreachableError, SessionError
from promptster.protocol.events import Source
from promptster.protocol.events.kinds import Note
from promptster.recorder.control_server import ControlServer
from promptster.recorder.process_log import Log
from promptster.session_folder.answer_fields import AnswerError, AnswerFields
from promptster.session_folder.control_calls import ControlCall, PauseCall, RecordCall, SentEvent, read_call
from promptster.session_folder.control_client import ControlClient
from promptster.session_folder.control_messages import RecorderStatus, RecordReply, Reply
from promptster.session_folder.folder import SessionFolder

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator
    from pathlib import Path


async def _answer(call: ControlCall) -> Reply:
    """Count what is recorded, refuse a pause, fail at anything else."""
    if isinstance(call, RecordCall):
        return RecordReply(seqs=(len(json.dumps(call.document()["drafts"])),))
    if isinstance(call, PauseCall):
        raise SessionError("no", hint="so", code="because")
    raise RuntimeError("a prompt that must not be told")


@contextmanager
def listening(folder: SessionFolder) -> Generator[socket.socket]:
    """The session's control socket, bound."""
    folder.run.mkdir(mode=0o700, parents=True)
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(folder.control_socket))
        folder.control_socket.chmod(0o600)
        sock.listen()
        yield sock


@contextmanager
def answering(folder: SessionFolder, log: Log) -> Generator[ControlClient]:
    """A control server in a thread of its own, and a client."""
    loop = asyncio.new_event_loop()
    with listening(folder) as sock:
        task = loop.create_task(ControlServer(sock, _answer, log).run())
        thread = threading.Thread(target=loop.run_forever)
        thread.start()
        try:
            yield ControlClient(folder, timeout=10.0)
        finally:
            loop.call_soon_threadsafe(task.cancel)
            loop.call_soon_threadsafe(loop.stop)
            thread.join()
            loop.run_until_complete(asyncio.sleep(0))
            loop.close()


@pytest.fixture
def log_file(tmp_path: Path) -> Path:
    """Where the server logs to."""
    return tmp_path / "log"


@pytest.fixture
def client(tmp_path: Path, log_file: Path) -> Iterator[ControlClient]:
    """A client of a running server."""
    handle = os.open(log_file, os.O_CREAT | os.O_WRONLY | os.O_APPEND)
    with answering(SessionFolder(tmp_path / "s"), Log(handle)) as client:
        yield client
    os.close(handle)


def test_a_request_is_answered(client: ControlClient) -> None:
    """Arguments arrive, and the answer is returned, large ones too."""
    large = SentEvent(src=Source.CANDIDATE, event=Note(text="x" * 3_000_000))
    assert client.record([large]) == [len(json.dumps([large.document()]))]


def test_a_refusal_carries_its_code_message_and_hint(client: ControlClient) -> None:
    """The recorder's typed error is the command's typed error."""
    with pytest.raises(SessionError) as error:
        client.pause()
    assert (error.value.code, error.value.message, error.value.hint) == ("because", "no", "so")


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (b'{"op": "unheard"}', "unknown_op"),
        (b'{"op": "record"}', "bad_request"),
        (b'{"op": "record", "drafts": ["note"]}', "bad_request"),
        (b'{"op": "record", "drafts": null}', "bad_request"),
        (b'{"op": "record", "drafts": [{"src": "candidate", "kind": "unheard"}]}', "bad_draft"),
        (b'{"op": "close", "drafts": [{"src": "unheard", "kind": "note"}]}', "bad_draft"),
        (b'{"op": "flush", "seconds": true}', "bad_request"),
        (b'{"op": "stop", "withdrawn": "no"}', "bad_request"),
        (b'{"op": "refused", "command": "stop"}', "bad_request"),
        (b'{"op": "flush", "seconds": 1}', "internal"),
    ],
)
@pytest.mark.usefixtures("client")
def test_every_request_gets_a_typed_answer(tmp_path: Path, log_file: Path, line: bytes, code: str) -> None:
    """Unknown, incomplete, mistyped or failing: the answer is an error with a code, and the log has no content."""
    answer = _exchange(tmp_path, line)
    assert (answer["ok"], answer["error"]["code"]) == (False, code)
    assert "prompt" not in log_file.read_text()


@pytest.mark.usefixtures("client")
def test_fields_of_a_newer_command_are_left_aside(tmp_path: Path) -> None:
    """Unknown fields do not keep this recorder from doing the rest."""
    assert _exchange(tmp_path, b'{"op": "record", "drafts": [], "urgent": 1}') == {"ok": True, "seqs": [2]}


@pytest.mark.parametrize("call", get_args(ControlCall))
def test_every_call_reads_back_as_it_was_written(call: type[ControlCall]) -> None:
    """The recorder reads what commands write, for every class and every field."""
    note = SentEvent(src=Source.CANDIDATE, event=Note(text="n"))
    values: dict[str, Any] = {"drafts": (note,), "seconds": 2.5, "reason": "r", "command": "c", "agent": "a"}
    made = call(**{field.name: values.get(field.name, True) for field in fields(call)})
    assert read_call(json.loads(json.dumps(made.document()))) == made


def _exchange(tmp_path: Path, line: bytes) -> Any:
    """Send one line to the server and return its answer."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(SessionFolder(tmp_path / "s").control_socket))
        connection.sendall(line + b"\n")
        with connection.makefile("rb") as answers:
            return json.loads(answers.readline())


def test_a_line_that_is_no_request_is_refused(client: ControlClient, tmp_path: Path) -> None:
    """Bytes that are not JSON get an answer too, and the connection stays open."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(SessionFolder(tmp_path / "s").control_socket))
        answers = connection.makefile("rb")
        for line in (b"nonsense\n", b"[]\n", b'{"op": 7}\n', b'{"op": "record", "drafts": []}\n'):
            connection.sendall(line)
            answer = json.loads(answers.readline())
            assert answer["ok"] is line.startswith(b'{"op": "record"')
        answers.close()
    assert client.record([]) == [2]


def test_nobody_there_is_told_as_such(tmp_path: Path) -> None:
    """Without a socket, or without a server on it, the error has one code that commands can act on."""
    folder = SessionFolder(tmp_path / "s")
    with pytest.raises(RecorderUnreachableError) as error:
        ControlClient(folder).status()
    assert error.value.code == "recorder_unreachable"


def _dying(folder: SessionFolder, answers: list[bytes]) -> tuple[threading.Thread, list[bytes]]:
    """A recorder that dies during the first requests: an empty answer is a closed connection."""
    seen: list[bytes] = []
    listener = socket.socket(socket.AF_UNIX)
    folder.run.mkdir(mode=0o700, parents=True)
    listener.bind(str(folder.control_socket))
    folder.control_socket.chmod(0o600)
    listener.listen()

    def serve() -> None:
        with listener:
            for answer in answers:
                connection, _ = listener.accept()
                with connection, connection.makefile("rb") as lines:
                    seen.append(lines.readline())
                    connection.sendall(answer)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    return thread, seen


def test_a_recorder_that_died_is_asked_again(tmp_path: Path) -> None:
    """Its supervisor keeps the socket open: what may be repeated is sent again to the next recorder."""
    folder = SessionFolder(tmp_path / "s")
    thread, seen = _dying(folder, [b"", b"", b'{"ok": true, "seq": 1}\n'])
    assert ControlClient(folder).pause() == 1
    thread.join()
    assert len(seen) == 3


GOOD: dict[str, dict[str, Any]] = {
    "status": {
        "session": "s", "state": "recording", "events": 1, "durable": 1, "received": 0, "checked": 0,
        "batches": {"sealed": 0, "received": 0}, "sources": {"recorder": 1}, "dropped": {}, "port": 1,
        "collector": {"reachable": None, "last_error": None, "refused": None}, "record_until": 0, "upload_until": 0,
        "restarts": 0, "last": {"kind": "prompt", "ms": 1, "agent": "claude", "subject": ""},
        "path_check": {"anthropic": {"ok": True, "status": 401, "reason": ""}},
    },
    "launch": {
        "port": 1, "token": "t", "base_urls": {"claude": "http://127.0.0.1:1/t"}, "usual_addresses": ["anthropic"],
        "hook_socket": "/s", "spool": "/p",
    },
    "record": {"seqs": [1]},
    "pause": {"seq": 1},
    "resume": {"seq": 1},
    "close": {"events": 1},
    "flush": {"received": 1, "events": 1},
    "refused": {"recorded": True},
}  # fmt: skip
"""A good answer to each request that has an answer of its own."""


def _ask(client: ControlClient, op: str) -> object:
    calls: dict[str, Callable[[], object]] = {
        "status": client.status,
        "launch": client.launch,
        "record": lambda: client.record([]),
        "pause": client.pause,
        "resume": client.resume,
        "close": lambda: client.close([]),
        "flush": client.flush,
        "refused": lambda: client.refused("stop", agent="claude"),
    }
    return calls[op]()


def _broken(answer: dict[str, Any]) -> Iterator[bytes]:
    """Every way to spoil one good answer: a missing field, a field of another type, or an answer of another form."""
    yield from (b"nonsense\n", b"7\n", b"[]\n", b"null\n", b"{}\n", b'{"ok": 1}\n', b"[" * 100_000 + b"\n")
    yield from (b'{"ok": false}\n', b'{"ok": false, "error": 7}\n', b'{"ok": false, "error": {"code": 7}}\n')
    yield b'{"ok": true}\n'
    for name in list(answer):
        values: list[Any] = [7.5, {"x": []}, [{}], 1 if name == "recorded" else True]
        for value in values:
            yield json.dumps({"ok": True, **answer, name: value}).encode() + b"\n"
        if name not in {"last", "path_check"}:
            yield json.dumps({"ok": True, **{key: one for key, one in answer.items() if key != name}}).encode() + b"\n"


@pytest.mark.parametrize("op", sorted(GOOD))
def test_whatever_is_answered_is_a_type_or_a_typed_error(tmp_path: Path, op: str) -> None:
    """A missing field, another type or no JSON is one named error, and a good answer after it is read."""
    broken = list(_broken(GOOD[op]))
    good = json.dumps({"ok": True, **GOOD[op], "newer": 1}).encode() + b"\n"
    folder = SessionFolder(tmp_path / "s")
    thread, _ = _dying(folder, [*broken, good])
    client = ControlClient(folder)
    for answer in broken:
        with pytest.raises(SessionError) as error:
            _ask(client, op)
        assert error.value.code == "recorder_answer", answer
    assert _ask(client, op) is not None
    thread.join()


def test_recording_is_not_repeated_blindly(tmp_path: Path) -> None:
    """A repeated event might be recorded twice; the caller has to find out whether the first try arrived."""
    folder = SessionFolder(tmp_path / "s")
    thread, seen = _dying(folder, [b""])
    with pytest.raises(SessionError) as error:
        ControlClient(folder).record([])
    assert error.value.code == "recorder_unreachable"
    thread.join()
    assert len(seen) == 1


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("collector", {"reachable": "no", "last_error": None, "refused": None}),
        ("collector", {"reachable": None, "last_error": 7, "refused": None}),
        ("collector", {"reachable": None, "last_error": None}),
        ("collector", {"reachable": None, "last_error": None, "refused": {"code": "session_full"}}),
        ("batches", {"sealed": 1}),
        ("batches", {"sealed": -1, "received": 0}),
        ("last", {"kind": "prompt", "ms": 1, "agent": "claude"}),
        ("last", {"kind": "prompt", "ms": "1", "agent": "claude", "subject": ""}),
        ("path_check", {"anthropic": {"ok": 1, "status": None, "reason": ""}}),
        ("path_check", {"anthropic": {"ok": True, "status": True, "reason": ""}}),
        ("path_check", {"anthropic": "401"}),
    ],
)
def test_a_misread_part_of_a_status_is_an_error(field: str, value: object) -> None:
    """Each part of a status is read as strictly as the whole."""
    with pytest.raises(AnswerError):
        RecorderStatus.read(AnswerFields({**GOOD["status"], field: value}))


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"last": {}, "path_check": {}},
        {"collector": {"reachable": False, "last_error": "x", "refused": {"code": "session_full", "message": "m"}}},
    ],
)
def test_a_status_is_written_as_it_was_read(changes: dict[str, Any]) -> None:
    """What the recorder answers has the same names and values as before it was typed."""
    answer = {**GOOD["status"], **changes}
    document = RecorderStatus.read(AnswerFields(answer)).document()
    assert {name: document[name] for name in answer} == answer
