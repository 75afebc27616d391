"""How the recorder's process ends when the collector ends the session, and which keys it trusts until then."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest
from tests.helpers.certified import NOW_MS, Certified
from tests.helpers.memory_collector_server import serving
from tests.helpers.recorders import MemoryCollector
from tests.helpers.recording_agent import PROMPT, ask_model, hook, provider, until
from tests.helpers.running import FAR, alive, kill_and_wait, prepared

from promptster.errors import SessionError
from promptster.protocol.key_succession import first_key, next_key, write_keyfile
from promptster.protocol.privacy import Tombstone, TombstoneOutcome
from promptster.protocol.signing import SigningKey
from promptster.session_folder.folder import SessionState
from promptster.session_folder.touched_files import TouchedFiles
from promptster.session_folder.vault import Vault

if TYPE_CHECKING:
    from pathlib import Path

    from tests.helpers.running import Running


def erased(running: Running) -> dict[str, Any]:
    """The collector's refusal of everything, with its signed tombstone."""
    key = running.certified.collector_key
    tombstone = Tombstone(
        kid=key.kid,
        session=running.certified.session,
        outcome=TombstoneOutcome.ERASED,
        at_ms=1,
        backups_until_ms=1,
        batches=1,
        exports=0,
    )
    return {"code": "erased", "tombstone": key.sign(tombstone).to_json()}


def test_a_session_that_the_collector_ended_says_so_and_ends(delivering: tuple[Running, MemoryCollector]) -> None:
    """A signed tombstone stops the recording; then files are put back, and both processes end by themselves."""
    running, memory_collector = delivering
    supervisor, writer = running.supervisor_pid, running.recorder_pid
    workspace = running.folder.path.parent / "workspace"
    workspace.mkdir()
    (workspace / "settings.json").write_bytes(b"theirs")
    running.folder.update(workspace=str(workspace))
    vault = Vault(running.folder.touched, running.certified.secrets.content_key, running.certified.session)
    TouchedFiles(workspace, vault).write("settings.json", b"ours")
    running.control.flush()
    memory_collector.ended = erased(running)
    running.record("one more")
    until(running, lambda status: status.state is SessionState.WITHDRAWN)
    with pytest.raises(SessionError):
        running.record("too late")
    kill_and_wait(writer, 0)
    kill_and_wait(supervisor, 0)
    assert not alive(writer)
    assert not alive(supervisor)
    assert (workspace / "settings.json").read_bytes() == b"theirs"
    facts = running.folder.facts()
    assert (facts.state, facts.deleted) == (SessionState.WITHDRAWN, "erased")
    assert any(running.folder.journal.iterdir())
    assert not running.folder.spool.exists()


def test_an_agent_works_on_unrecorded_when_the_collector_ends_the_session(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its calls reach the provider as before, and nothing of them is recorded."""
    with provider() as url, ExitStack() as stack:
        certified = Certified(record_until=FAR, upload_until=FAR, upstreams={"anthropic": url})
        running = stack.enter_context(prepared(tmp_path, monkeypatch, certified=certified))
        memory_collector = MemoryCollector(certified)
        running.folder.update(collector_url=stack.enter_context(serving(memory_collector)).url)
        port = running.spawn()
        token = running.control.launch().token
        memory_collector.ended = erased(running)
        running.record("one more")
        until(running, lambda status: status.state is SessionState.WITHDRAWN)
        events = running.control.status().events
        assert ask_model(port, token) == "msg_1"
        hook(running, PROMPT)
        assert running.control.status().events == events


def test_a_collector_that_went_on_to_a_new_key_is_believed_across_starts(
    delivering: tuple[Running, MemoryCollector],
) -> None:
    """Its receipts count, its key file is kept, and the next recorder trusts what was received."""
    running, memory_collector = delivering
    old, new = running.certified.collector_key, SigningKey.generate(running.certified.named("new"))
    memory_collector.keyfile = write_keyfile(
        [first_key(old, created_ms=NOW_MS), next_key(old, new.public_key, created_ms=NOW_MS)]
    )
    memory_collector.signer = new
    running.record("under the new key")
    received, events = running.control.flush()
    assert received == events
    assert running.folder.read_document("keys.json") == memory_collector.keyfile
    memory_collector.calls.clear()
    stored = len(memory_collector.stored)
    kill_and_wait(running.recorder_pid)
    assert running.control.status().received >= received
    running.control.flush()
    assert len(memory_collector.stored) > stored
    assert running.control.status().collector.last_error is None
