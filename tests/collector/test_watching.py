"""Anyone can watch the log: its newest checkpoint, proofs that it only grew, and what a restart does with a fork."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select
from tests.helpers.candidate import bearer, started
from tests.helpers.site import Site, copy_data, running_site

from promptster.protocol.encoding import b64u_decode
from promptster.protocol.merkle import leaf_hash, verify_consistency
from promptster.protocol.signing import SigningKey
from promptster.protocol.transparency_log import Checkpoint, sign_checkpoint
from promptster_collector.ingest.receipt_log import CheckpointStanding
from promptster_collector.store.schema import Alarm, LogCheckpoint, LogOrigin


def _grow(site: Site, count: int, email: str = "ada@example.com") -> list[Checkpoint]:
    """Log so many receipts, each with its own checkpoint; returns the newest checkpoint after each."""
    candidate = started(site.client, site.token, email=email)
    found: list[Checkpoint] = []
    for n in range(count):
        candidate.say(f"{email} {n}")
        candidate.put(site.client, n)
        site.drain()
        found.append(Checkpoint.parse(site.client.get("/v1/log/checkpoint").text))
    return found


def _consistency(site: Site, **query: Any) -> Any:
    return site.client.get("/v1/log/consistency", params=query)


def test_every_two_checkpoints_are_shown_to_be_one_log(site: Site) -> None:
    """The newest note verifies, and from each size to each later one there is a valid proof."""
    empty = site.client.get("/v1/log/checkpoint")
    assert (empty.status_code, empty.json()["code"]) == (404, "log_empty")
    notes = _grow(site, 7)
    assert site.client.get("/v1/log/checkpoint").headers["content-type"] == "text/plain; charset=utf-8"
    for note in notes:
        note.verify(site.store.identity.log_signer.public_key)
    assert [note.size for note in notes] == [1, 2, 3, 4, 5, 6, 7]
    for old in notes:
        for new in notes[old.size - 1 :]:
            answer = _consistency(site, **{"from": old.size, "to": new.size})
            assert answer.status_code == 200
            document = answer.json()
            assert (document["origin"], document["old"], document["new"]) == (new.origin, old.size, new.size)
            verify_consistency(
                old_size=old.size,
                old_root=old.root,
                new_size=new.size,
                new_root=new.root,
                proof=[b64u_decode(item) for item in document["proof"]],
            )


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ({}, "invalid_request"),
        ({"from": "1"}, "invalid_request"),
        ({"to": "1"}, "invalid_request"),
        ({"from": "one", "to": "2"}, "invalid_request"),
        ({"from": "1.5", "to": "2"}, "invalid_request"),
        ({"from": "", "to": ""}, "invalid_request"),
        ({"from": "0", "to": "0"}, "log_size"),
        ({"from": "0", "to": "2"}, "log_size"),
        ({"from": "-1", "to": "2"}, "log_size"),
        ({"from": "2", "to": "1"}, "log_size"),
        ({"from": "1", "to": "3"}, "log_size"),
        ({"from": "3", "to": "3"}, "log_size"),
        ({"from": "1", "to": str(1 << 70)}, "log_size"),
        ({"from": "9" * 5000, "to": "9" * 5000}, "invalid_request"),
    ],
)
def test_trees_that_are_not_there_have_no_proof(site: Site, query: dict[str, str], code: str) -> None:
    """Whatever is requested, the answer is a problem document with its code, never an internal error."""
    _grow(site, 2)
    answer = _consistency(site, **query)
    assert (answer.status_code, answer.json()["code"]) == (400, code)
    assert answer.headers["content-type"] == "application/problem+json"


def test_before_anything_is_logged_there_is_no_proof(site: Site) -> None:
    """An empty log refuses by name."""
    answer = _consistency(site, **{"from": 1, "to": 1})
    assert (answer.status_code, answer.json()["code"], answer.json()["size"]) == (400, "log_size", 0)


def test_a_parameter_that_nobody_knows_is_passed_over(site: Site) -> None:
    """As on every other route; the answer names its origin, so it cannot be taken for another log's."""
    (note,) = _grow(site, 1)
    for path in ("checkpoint", "consistency"):
        answer = site.client.get(f"/v1/log/{path}", params={"from": 1, "to": 1, "origin": "another"})
        assert answer.status_code == 200
        assert note.origin in answer.text


def test_how_a_foreign_checkpoint_stands_to_the_log(site: Site) -> None:
    """A held note is known, newer than what is stored, contradicted by it, or not signed by this collector."""
    key, log = site.store.identity.log_signer, site.services.bundles.log
    first, second = _grow(site, 2)

    def standing(note: str) -> CheckpointStanding:
        return log.ask(lambda connection: log.standing(connection, note))

    def signed(size: int, root: bytes, origin: str = first.origin, key: SigningKey = key) -> str:
        return sign_checkpoint(origin=origin, size=size, root=root, key=key)

    assert [standing(note.note) for note in (first, second)] == [CheckpointStanding.KNOWN, CheckpointStanding.KNOWN]
    assert standing(signed(3, bytes(32))) is CheckpointStanding.NEWER
    assert standing(signed(1, first.root, origin=f"{first.origin}7")) is CheckpointStanding.NEWER
    assert standing(signed(1, second.root)) is CheckpointStanding.CONTRADICTED
    other = SigningKey.generate(lambda size: bytes(range(size)))
    assert standing(signed(1, first.root, key=other)) is CheckpointStanding.FOREIGN
    assert standing("nothing") is CheckpointStanding.FOREIGN


def test_a_fork_that_comes_to_light_starts_another_origin(site: Site) -> None:
    """A restored collector that continued alone and then gets its tombstones back continues neither history.

    The sizes alone would not show it: the log that continued has grown past the known checkpoint. The holder of that
    checkpoint can have it proven that the new log continues from it: its first leaf is the whole tree of size 1.
    """
    _grow(site, 1)
    site.store.database.truncate_wal()
    backup = site.data.with_name("backup")
    copy_data(site.data, backup)
    known = _grow(site, 1, email="before@example.com")[-1]
    with running_site(backup, site.token, clock=site.clock) as fork:
        other = _grow(fork, 2, email="after@example.com")
        assert (known.origin, known.size) == (other[0].origin, other[0].size)
        assert known.root != other[0].root
        fork.store.database.truncate_wal()
    checkpoint = (site.data / "tombstones" / "checkpoint.json").read_bytes()
    (backup / "tombstones" / "checkpoint.json").write_bytes(checkpoint)
    with running_site(backup, site.token, clock=site.clock) as again:
        numbers = [row.number for row in again.rows(select(LogOrigin.number).order_by(LogOrigin.number))]
        assert numbers == [0, 1]
        assert [row.kind for row in again.rows(select(Alarm.kind))] == ["log_restarted"]
        newest = Checkpoint.parse(again.client.get("/v1/log/checkpoint").text)
        assert newest.origin != known.origin
        assert newest.size >= 1
        assert len(again.rows(select(LogCheckpoint.size).where(LogCheckpoint.origin == 1))) == 1
        newest = _grow(again, 2, email="later@example.com")[-1]
        proof = _consistency(again, **{"from": 1, "to": newest.size}).json()["proof"]
        verify_consistency(
            old_size=1,
            old_root=leaf_hash(known.note.encode()),
            new_size=newest.size,
            new_root=newest.root,
            proof=[b64u_decode(item) for item in proof],
        )


def test_a_restore_that_was_cut_off_is_finished_once(site: Site) -> None:
    """The new origin is stored, but not the file that records it: the next start continues with it."""
    _grow(site, 1)
    site.store.database.truncate_wal()
    backup = site.data.with_name("backup")
    copy_data(site.data, backup)
    _grow(site, 1, email="before@example.com")
    known = (site.data / "tombstones" / "checkpoint.json").read_bytes()
    (backup / "tombstones" / "checkpoint.json").write_bytes(known)
    for _ in range(2):
        with running_site(backup, site.token, clock=site.clock) as again:
            assert [row.number for row in again.rows(select(LogOrigin.number).order_by(LogOrigin.number))] == [0, 1]
            again.store.database.truncate_wal()
        (backup / "tombstones" / "checkpoint.json").write_bytes(known)


def _hand_in(site: Site, note: str) -> Any:
    return site.client.post("/v1/log/checkpoint", json={"note": note})


def test_a_newer_checkpoint_that_is_handed_in_ends_the_log(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    """After the whole folder was restored, a later checkpoint that someone kept prevents a second history."""
    first = _grow(site, 1)[0]
    site.store.database.truncate_wal()
    backup = site.data.with_name("backup")
    copy_data(site.data, backup)
    later = _grow(site, 3, email="before@example.com")
    assert (_hand_in(site, later[1].note).json(), len(site.rows(select(LogOrigin)))) == ({"standing": "known"}, 1)
    with running_site(backup, site.token, clock=site.clock) as restored:
        assert _hand_in(restored, first.note).json() == {"standing": "known"}
        assert restored.rows(select(Alarm.kind)) == []
        for checkpoint in (later[-1], later[0], later[-1]):
            answer = _hand_in(restored, checkpoint.note)
            assert (answer.status_code, answer.json()) == (200, {"standing": "newer"})
        assert [row.number for row in restored.rows(select(LogOrigin.number).order_by(LogOrigin.number))] == [0, 1]
        assert [row.kind for row in restored.rows(select(Alarm.kind))] == ["log_restarted"]
        assert "a submitted checkpoint covers 4 entries and the log here has 1" in caplog.text
        went_on = _grow(restored, 1, email="after@example.com")[-1]
        assert went_on.origin != first.origin
        restored.store.database.truncate_wal()
    with running_site(backup, site.token, clock=site.clock) as again:  # it was not only for this process
        assert Checkpoint.parse(again.client.get("/v1/log/checkpoint").text) == went_on
        assert _hand_in(again, went_on.note).json() == {"standing": "known"}


def test_a_log_that_was_begun_after_a_restore_is_known_by_its_checkpoint(site: Site) -> None:
    """A folder restored to before an earlier restore does not know that log's name: it starts a later one."""
    _grow(site, 1)
    site.store.database.truncate_wal()
    backup, again = site.data.with_name("backup"), site.data.with_name("again")
    copy_data(site.data, backup)
    copy_data(site.data, again)
    known = _grow(site, 1, email="before@example.com")[-1]
    with running_site(backup, site.token, clock=site.clock) as restored:
        _hand_in(restored, known.note)
        second = _grow(restored, 1, email="second@example.com")[-1]
    with running_site(again, site.token, clock=site.clock) as forgetful:
        for note in (second.note, known.note, second.note):
            assert _hand_in(forgetful, note).json() == {"standing": "newer"}
        assert [row.number for row in forgetful.rows(select(LogOrigin.number).order_by(LogOrigin.number))] == [0, 2]


def test_a_checkpoint_that_contradicts_the_log_ends_it(site: Site) -> None:
    """Of two signed histories neither is continued."""
    _grow(site, 1)
    site.store.database.truncate_wal()
    backup = site.data.with_name("backup")
    copy_data(site.data, backup)
    known = _grow(site, 1, email="before@example.com")[-1]
    with running_site(backup, site.token, clock=site.clock) as fork:
        _grow(fork, 2, email="after@example.com")
        assert _hand_in(fork, known.note).json() == {"standing": "contradicted"}
        assert len(fork.rows(select(LogOrigin))) == 2


def test_what_this_collector_did_not_sign_ends_nothing(site: Site) -> None:
    """Another key's checkpoint and an invalid or missing text are refused, and only so many from one address."""
    checkpoint = _grow(site, 1)[0]
    stranger = sign_checkpoint(origin=checkpoint.origin, size=9, root=bytes(32), key=SigningKey(b"s" * 32))
    for note in (stranger, "hello", ""):
        site.clock.pass_ms(1000)
        answer = _hand_in(site, note)
        assert (answer.status_code, answer.json()["code"]) == (422, "checkpoint_unknown")
    assert site.client.post("/v1/log/checkpoint", json={}).status_code == 400
    assert 429 in {_hand_in(site, stranger).status_code for _ in range(20)}
    assert len(site.rows(select(LogOrigin))) == 1


def test_watching_needs_no_credential_and_shows_nobody(site: Site) -> None:
    """Both answers have hashes only: no session, no organisation, no invite."""
    candidate = started(site.client, site.token)
    candidate.say("hello")
    candidate.put(site.client, 0)
    site.drain()
    for path in ("/v1/log/checkpoint", "/v1/log/consistency?from=1&to=1"):
        text = site.client.get(path).text
        assert candidate.session not in text
        assert "Acme" not in text
        assert site.client.get(path, headers=bearer("pt_nobody")).status_code == 200
