"""The log: every receipt gets a leaf, every checkpoint verifies, and a restored database starts another origin."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import pytest
from sqlalchemy import create_engine, insert, select
from tests.helpers.candidate import bearer, earlier_receipt, started
from tests.helpers.site import Site, copy_data, running_site

from promptster.protocol import merkle
from promptster.protocol.encoding import b64u_decode
from promptster.protocol.merkle import verify_inclusion
from promptster.protocol.signing import Envelope
from promptster.protocol.transparency_log import Checkpoint, log_leaf
from promptster.protocol.verification import verify_bundle
from promptster_collector.ingest.merkle_tree import MerkleTree
from promptster_collector.store.schema import Alarm, Base, LogCheckpoint, LogNode, LogOrigin


@pytest.fixture
def tree() -> Iterator[MerkleTree]:
    """An empty tree on an empty database."""
    engine = create_engine("sqlite://")
    with engine.begin() as connection:
        Base.metadata.create_all(connection)
        connection.execute(insert(LogOrigin).values(number=0, origin="x", size=0, created_ms=0))
        yield MerkleTree(connection, 0)
    engine.dispose()


def test_the_stored_tree_is_the_protocols_tree(tree: MerkleTree) -> None:
    """Root and proofs from stored nodes equal those computed from all leaves, for every size and index up to 40."""
    leaves = [hashlib.sha256(bytes([i])).digest() for i in range(40)]
    assert tree.root(0) == merkle.root([])
    size = 0
    for step in (1, 1, 2, 3, 1, 9, 16, 7):
        tree.append(size, leaves[size : size + step])
        size += step
    assert size == 40
    for length in range(1, 41):
        assert tree.root(length) == merkle.root(leaves[:length])
        for index in range(length):
            assert tree.inclusion_proof(index, length) == merkle.inclusion_proof(leaves[:length], index)


def test_receipts_stand_in_the_log(site: Site) -> None:
    """The evidence's proofs lead from each receipt to the signed checkpoint."""
    candidate = started(site.client, site.token)
    for n in range(5):
        candidate.say(str(n))
        candidate.put(site.client, n)
        if n == 2:
            site.drain()
    site.drain()
    path = f"/v1/sessions/{candidate.session}/evidence"
    evidence = site.client.get(path, headers=bearer(candidate.access_token)).json()
    checkpoint = Checkpoint.parse(evidence["checkpoint"])
    checkpoint.verify(site.store.identity.log_signer.public_key)
    assert [proof["n"] for proof in evidence["proofs"]] == [0, 1, 2, 3, 4]
    for proof, receipt in zip(evidence["proofs"], evidence["receipts"], strict=True):
        verify_inclusion(
            leaf=log_leaf(Envelope.from_json(receipt)),
            index=proof["index"],
            size=checkpoint.size,
            proof=[b64u_decode(item) for item in proof["proof"]],
            root_hash=checkpoint.root,
        )


def test_a_sessions_checkpoint_does_not_move(site: Site) -> None:
    """Later entries of others do not change a session's evidence."""
    first = started(site.client, site.token)
    first.say("one")
    first.put(site.client, 0)
    site.drain()
    path = f"/v1/sessions/{first.session}/evidence"
    before = site.client.get(path, headers=bearer(first.access_token)).content
    other = started(site.client, site.token, email="o@example.com")
    other.say("two")
    other.put(site.client, 0)
    site.drain()
    assert len(site.rows(select(LogCheckpoint.size))) == 2
    assert site.client.get(path, headers=bearer(first.access_token)).content == before


def test_a_restored_database_starts_another_origin(site: Site) -> None:
    """The new origin's first leaf is the last known checkpoint; running sessions are logged there and still verify."""
    candidate = started(site.client, site.token)
    candidate.say("before the backup")
    candidate.put(site.client, 0)
    site.drain()
    backup = site.data.with_name("backup")
    copy_data(site.data, backup)
    candidate.say("after the backup")
    candidate.put(site.client, 1)
    site.drain()
    last = site.rows(select(LogCheckpoint.note).order_by(LogCheckpoint.size.desc()))[0].note
    site.store.database.truncate_wal()
    for name in ("checkpoint.json",):
        (backup / "tombstones" / name).write_bytes((site.data / "tombstones" / name).read_bytes())
    with running_site(backup, site.token, clock=site.clock) as restored:
        origins = restored.rows(select(LogOrigin.number, LogOrigin.origin).order_by(LogOrigin.number))
        assert [row.number for row in origins] == [0, 1]
        assert origins[0].origin != origins[1].origin
        leaf = restored.rows(select(LogNode.hash).where(LogNode.origin == 1, LogNode.level == 0, LogNode.position == 0))
        assert leaf[0].hash == merkle.leaf_hash(last)
        assert [row.kind for row in restored.rows(select(Alarm.kind))] == ["log_restarted"]
        candidate.put(restored.client, 1, earlier_receipt(candidate.receipts[1]))
        candidate.close()
        candidate.put(restored.client, 2)
        restored.drain()
        bundle = restored.client.get(f"/v1/sessions/{candidate.session}/bundle", headers=bearer(site.token)).content
        assert verify_bundle(bundle, trusted=[site.store.identity.fingerprint]).verdict == "verified"


def test_the_same_database_goes_on_in_its_origin(site: Site) -> None:
    """A plain restart starts no new origin and raises no alarm."""
    candidate = started(site.client, site.token)
    candidate.say("one")
    candidate.put(site.client, 0)
    site.drain()
    site.services.bundles.log.continue_after_restore()
    assert len(site.rows(select(LogOrigin.number))) == 1
    assert site.rows(select(Alarm.id)) == []
