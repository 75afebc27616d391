"""A session's folder: private, durable, readable without a secret, and the same for every program."""

from __future__ import annotations

import json
import os
import stat
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from tests.helpers.certified import Certified, paths_below

from promptster.errors import SessionError
from promptster.paths import RUN_NAMED
from promptster.private import OWN_FOLDER_HINT, SHARED_FOLDER_HINT
from promptster.session_folder.folder import SessionFacts, SessionFolder, SessionState


def test_facts_come_back_as_written(tmp_path: Path) -> None:
    """The next program reads the facts that were written."""
    folder = Certified().folder(paths_below(tmp_path), collector_url="https://c.example")
    facts = folder.facts()
    assert facts.collector_url == "https://c.example"
    assert facts.state is SessionState.PREPARING
    assert SessionFacts.from_json(facts.to_json()) == facts
    assert "SessionFolder(" in repr(folder)


def test_everything_is_private_from_the_first_moment(tmp_path: Path) -> None:
    """Folders are 0700 and files 0600, up to the folder that is the user's own."""
    folder = Certified().folder(paths_below(tmp_path))
    for path in (tmp_path / "state", *(tmp_path / "state").rglob("*")):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path
    assert folder.journal.is_dir()


def test_changes_by_two_programs_do_not_undo_each_other(tmp_path: Path) -> None:
    """Each update keeps what others changed meanwhile."""
    folder = Certified().folder(paths_below(tmp_path))

    def count(name: str) -> None:
        for number in range(1, 26):
            SessionFolder(folder.path).update(**{name: number})

    threads = [threading.Thread(target=count, args=(name,)) for name in ("port", "record_until")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    facts = folder.facts()
    assert (facts.port, facts.record_until) == (25, 25)


def test_a_newer_program_s_facts_are_left_aside(tmp_path: Path) -> None:
    """Unknown keys do not keep an older program from working."""
    folder = Certified().folder(paths_below(tmp_path))
    data = json.loads(folder.facts_file.read_bytes())
    folder.facts_file.write_text(json.dumps({**data, "from_the_future": 1}))
    assert folder.facts().organisation == "Acme"


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b'{"state": "unheard of"}', b"\xff"])
def test_a_damaged_file_is_said_to_be_one(tmp_path: Path, content: bytes) -> None:
    """The error is typed, whatever ``session.json`` contains."""
    folder = Certified().folder(paths_below(tmp_path))
    folder.facts_file.write_bytes(content)
    with pytest.raises(SessionError) as error:
        folder.facts()
    assert error.value.code == "session_unreadable"


def test_the_active_session_is_the_one_that_was_activated(tmp_path: Path) -> None:
    """``current`` names a folder; without it, or if the folder is gone, there is no session."""
    paths = paths_below(tmp_path)
    assert SessionFolder.active(paths) is None
    folder = Certified().folder(paths)
    found = SessionFolder.active(paths)
    assert found is not None
    assert found.path == folder.path
    (paths.state / "current").unlink()
    assert SessionFolder.active(paths) is None
    for content in (b"../../elsewhere", b"", b"\xff\xfe", b"gone"):
        (paths.state / "current").write_bytes(content)
        assert SessionFolder.active(paths) is None


def test_documents_keep_their_exact_bytes(tmp_path: Path) -> None:
    """What was signed is stored unchanged; a missing document is named."""
    folder = Certified().folder(paths_below(tmp_path))
    folder.write_document("x.bin", b"\x00\xff")
    assert folder.read_document("x.bin") == b"\x00\xff"
    assert folder.has_document("x.bin")
    with pytest.raises(SessionError) as error:
        folder.read_document("y.bin")
    assert error.value.code == "document_missing"


def test_sockets_stay_reachable_below_long_paths(tmp_path: Path) -> None:
    """A unix socket's path has a limit that home folders may exceed."""
    deep = tmp_path / ("d" * 60) / ("e" * 60)
    folder = SessionFolder(deep)
    assert len(str(folder.control_socket)) < 108
    assert folder.control_socket.parent == folder.run
    assert SessionFolder(tmp_path / "x").run.name


@pytest.mark.parametrize("state", list(SessionState))
def test_states_either_record_or_end_or_finish(state: SessionState) -> None:
    """No state both records and has ended; only closing does neither."""
    assert not (state.records and state.ended)
    assert (state is SessionState.CLOSING) == (not state.records and not state.ended)


def test_the_time_is_over_at_its_last_moment(tmp_path: Path) -> None:
    """The end itself is outside; without one the time is never over."""
    facts = Certified().folder(paths_below(tmp_path)).facts()
    limited = replace(facts, record_until=1_000)
    assert [limited.time_is_over(now) for now in (999, 1_000, 1_001)] == [False, True, True]
    assert not replace(facts, record_until=0).time_is_over(1 << 50)


def test_a_receipt_tells_when_a_batch_arrived(tmp_path: Path) -> None:
    """The file of the newest receipt decides; without batches or without the file there is no time."""
    folder = Certified().folder(paths_below(tmp_path))
    receipt = folder.batches / "00000001.receipt"
    receipt.write_bytes(b"")
    os.utime(receipt, (5.0, 7.0))
    assert [folder.arrived_ms(received) for received in (0, 1, 2)] == [None, None, 7_000]


def test_a_folder_for_sockets_that_is_elsewhere_is_named(tmp_path: Path) -> None:
    """Below a long path the sockets' folder is saved, and its hint is the one for shared folders."""
    near = SessionFolder(Path("/s"))
    far = SessionFolder(tmp_path / ("x" * 120))
    far.path.mkdir()
    assert (near.private_hint, far.private_hint) == (OWN_FOLDER_HINT, SHARED_FOLDER_HINT)
    far.name_run()
    assert (far.path / RUN_NAMED).read_bytes() == os.fsencode(far.run) + b"\n"
