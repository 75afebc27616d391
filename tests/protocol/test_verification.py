"""Verification: whole bundles verify, and each fault has its own name."""

from __future__ import annotations

import dataclasses
import random as pseudo
import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.vectors.good import succession
from tests.vectors.world import ORIGIN, START, World, drafts, public_with, with_block, with_stored

from promptster.protocol import key_succession, signing
from promptster.protocol.archive import Member, read_archive, write_archive
from promptster.protocol.batch import MAX_EVENTS, parse_batch
from promptster.protocol.bundle import BundleParts, write_bundle
from promptster.protocol.chain import ProvenEvent
from promptster.protocol.documents import DocumentType, decode, encode
from promptster.protocol.events import Draft, PublicEvent, RecordedEvent, Source
from promptster.protocol.events.fields import BLOCK, MAX_BLOCK, Block, Secret
from promptster.protocol.events.kinds import Closed, event_of
from promptster.protocol.finding_codes import FindingCode
from promptster.protocol.plausibility import ABSENCES
from promptster.protocol.signing import Envelope, SigningKey, kid
from promptster.protocol.transparency_log import cosign
from promptster.protocol.verdict import (
    CLAIM,
    MAX_FINDINGS_OF_A_CODE,
    Effect,
    LogFacts,
    Report,
    Span,
    holes,
    in_words,
    spans,
)
from promptster.protocol.verification import verify_bundle, verify_parts


def _codes(world: World, parts: BundleParts) -> tuple[int, set[str]]:
    """Exit code and findings, without those about sessions of a few events: ``test_plausibility`` covers them."""
    result = verify_bundle(write_bundle(parts), trusted=world.trusted)
    return result.exit_code, {code for code, _ in result.findings} - ABSENCES


def test_a_whole_session_is_verified() -> None:
    """The verdict names signer, events, coverage, gaps and what it does not prove."""
    world = World()
    result = verify_bundle(write_bundle(world.parts()), trusted=world.trusted)
    assert (result.verdict, result.exit_code, result.findings) == ("verified", 0, ())
    assert result.signer is not None
    assert (result.signer.fingerprint, result.signer.trusted) == (world.trusted[0], True)
    assert (result.events, result.shown, result.withheld) == (15, 32, 1)
    assert result.coverage == {"candidate": 5, "hook": 2, "proxy": 3, "recorder": 3, "workspace": 2}
    assert [(gap.kind, gap.seq) for gap in result.gaps] == [("paused", 6), ("capture_gap", 10)]
    assert [(item.seq, item.field, item.actor) for item in result.redacted] == [(8, "text", "candidate")]
    assert result.received_ms == {n: START + 20_000 + n for n in range(3)}
    assert [(batch.first, batch.count, batch.checked, batch.proven) for batch in result.batches] == [
        (0, 5, True, True),
        (5, 4, True, True),
        (9, 6, True, True),
    ]
    assert result.untimed == ()
    assert result.claim == CLAIM
    assert result.time_vouched_by == (f"the collector ({world.trusted[0]})",)
    assert result.certificate is not None
    assert result.consent is not None
    assert result.policy is not None
    assert result.close is not None
    assert [event.seq for event in result.opened] == list(range(15))


_RECEIVED = START + 20_002
"""When the last batch of the world's session was received."""


def _witnesses(world: World, parts: BundleParts, at_ms: int) -> tuple[int, tuple[str, ...]]:
    witness = SigningKey.generate(world.random)
    assert parts.checkpoint is not None
    noted = dataclasses.replace(parts, checkpoint=cosign(parts.checkpoint, name="w.example", key=witness, at_ms=at_ms))
    witnesses = {"w.example": witness.public_key, "other.example": witness.public_key}
    result = verify_parts(noted, trusted=world.trusted, witnesses=witnesses)
    return result.exit_code, result.time_vouched_by[1:]


def test_a_witness_vouches_for_time() -> None:
    """A known witness is named; an unknown one, and one that did not sign, are not."""
    world = World()
    assert _witnesses(world, world.parts(), _RECEIVED) == (0, ("w.example",))


def test_a_witness_is_no_word_about_receipts_without_a_proof() -> None:
    """At least one proven receipt is needed, and its header must be in the bundle."""
    world = World()
    parts = world.parts()
    one, _, _ = parts.proofs
    assert _witnesses(world, dataclasses.replace(parts, proofs=()), _RECEIVED) == (0, ())
    assert _witnesses(world, dataclasses.replace(parts, proofs=(one,)), _RECEIVED) == (0, ("w.example",))
    elsewhere = dataclasses.replace(one, index=2)
    assert _witnesses(world, dataclasses.replace(parts, proofs=(elsewhere,)), _RECEIVED) == (10, ())
    rival = world.receipt(world.batches()[0][0], header_sha256=bytes(32))
    checkpoint, proofs = world.log_of([rival])
    disputed = dataclasses.replace(parts, receipts=(rival,), checkpoint=checkpoint, proofs=proofs)
    assert _witnesses(world, disputed, _RECEIVED) == (10, ())


@pytest.mark.parametrize(
    ("at_ms", "named"), [(_RECEIVED - 1002, ()), (_RECEIVED, ("w.example",)), (_RECEIVED + 10**9, ("w.example",))]
)
def test_a_witness_cannot_vouch_for_what_was_received_after_it_signed(at_ms: int, named: tuple[str, ...]) -> None:
    """Its second counts to its end; a receipt with a later time is not confirmed."""
    world = World()
    assert _witnesses(world, world.parts(), at_ms) == (0, named)


@pytest.mark.parametrize(("pinned", "trusted"), [(0, True), (1, True), (2, False), (None, False)])
def test_a_pin_at_or_before_the_signing_key_is_trust(pinned: int | None, trusted: bool) -> None:  # noqa: FBT001 - drawn
    """If the second key signs, its own pin and the first key's count, a later one does not."""
    world = World()
    second, records = succession(world)
    third = SigningKey.generate(world.random)
    world.key_records = [*records, key_succession.next_key(second, third.public_key, created_ms=START)]
    world.certificate = second.sign(world.certificate_document(kid=second.kid))
    fingerprints = key_succession.parse_keyfile(world.keyfile).fingerprints
    parts = world.parts(key=second)
    result = verify_parts(parts, trusted=[] if pinned is None else [fingerprints[pinned]])
    assert result.signer is not None
    assert result.signer.trusted is trusted
    assert (result.verdict, result.exit_code) == (("verified", 0) if trusted else ("consistent", 13))
    assert result.signer.fingerprint == fingerprints[1]


@pytest.mark.parametrize(
    ("signer", "named", "exit_code"),
    [("first", "first", 12), ("second", "second", 12), ("second", None, 12), ("second", "stranger", 12),
     ("first", "second", 10), ("first", None, 10), ("stranger", "first", 10), ("stranger", "stranger", 10)],
)  # fmt: skip
def test_signed_bytes_that_are_no_document_are_held_against_one_key(
    signer: str, named: str | None, exit_code: int
) -> None:
    """They are checked with the key that they name, or the newest; a wrong signature and bad content differ in code."""
    world = World()
    second, records = succession(world)
    world.key_records = records
    signers = {"first": world.collector, "second": second, "stranger": SigningKey.generate(world.random)}
    payload = b"{}" if named is None else b'{"v": 2, "kid" : "%b"}' % signers[named].kid.encode()
    odd = Envelope(payload, signers[signer].sign_bytes(DocumentType.RECEIPT, payload))
    parts = world.parts()
    code, found = _codes(world, dataclasses.replace(parts, receipts=(*parts.receipts, odd)))
    assert (code, found) == (exit_code, {"receipt_malformed" if exit_code == 12 else "receipt_signature"})


def test_malformed_documents_cost_one_check_each(monkeypatch: pytest.MonkeyPatch) -> None:
    """The number of keys in the succession does not matter."""
    world = World()
    newest = world.collector
    for _ in range(20):
        newest, older = SigningKey.generate(world.random), newest
        world.key_records.append(key_succession.next_key(older, newest.public_key, created_ms=START))
    parts = world.parts()
    broken = [Envelope(b"%d" % n, parts.receipts[0].signature) for n in range(50)]
    checked: list[bytes] = []
    check = signing.verify_message

    def counting(public_key: bytes, message: bytes, signature: bytes) -> None:
        checked.append(public_key)
        check(public_key, message, signature)

    monkeypatch.setattr(signing, "verify_message", counting)
    verify_parts(parts, trusted=world.trusted)
    whole = len(checked)
    verify_parts(dataclasses.replace(parts, receipts=(*parts.receipts, *broken)), trusted=world.trusted)
    assert len(checked) == 2 * whole + len(broken)


def test_a_log_of_a_key_in_front_of_the_pinned_one_is_no_log() -> None:
    """Anyone can put a key before a known one, so logs are trusted from the pinned key on only."""
    stranger = World("stranger")
    world = World()
    promoted = key_succession.next_key(stranger.collector, world.collector.public_key, created_ms=START)
    world.key_records = [*stranger.key_records, promoted]
    world.log = stranger.log
    assert _codes(world, world.parts()) == (0, {"not_in_log"})
    second, records = succession(world)
    world.key_records, world.log = records, SigningKey.generate(world.random)
    own = key_succession.log_key(second, world.log.public_key, created_ms=START, previous=_last_log(records))
    world.key_records = [*records, own]
    assert _codes(world, world.parts()) == (0, set())


def _last_log(records: list[Envelope]) -> str:
    return kid(key_succession.parse_keyfile(key_succession.write_keyfile(records)).log[-1].public_key)


def _bad_root(parts: BundleParts) -> BundleParts:
    changed = public_with(World().events[0], ms=1)
    return dataclasses.replace(parts, events=(changed, *parts.events[1:]))


def _incomplete(parts: BundleParts) -> BundleParts:
    return dataclasses.replace(parts, close=None)


def _unreadable(parts: BundleParts) -> BundleParts:
    return dataclasses.replace(parts, checkpoint="nothing")


@pytest.mark.parametrize(
    ("changes", "trusted", "exit_code"),
    [
        ((), True, 0),
        ((_incomplete,), True, 11),
        ((_incomplete,), False, 13),
        ((), False, 13),
        ((_incomplete, _bad_root), False, 10),
        ((_bad_root,), True, 10),
        ((_incomplete, _bad_root, _unreadable), False, 12),
    ],
)
def test_the_strongest_finding_decides(
    changes: tuple[Callable[[BundleParts], BundleParts], ...],
    trusted: bool,  # noqa: FBT001 - drawn
    exit_code: int,
) -> None:
    """The order is 12, 10, 13, 11, 0."""
    world = World()
    parts = world.parts()
    for change in changes:
        parts = change(parts)
    assert verify_parts(parts, trusted=world.trusted if trusted else []).exit_code == exit_code


_CONTENT = write_bundle(World().parts())


@settings(max_examples=400)
@given(st.data())
def test_no_changed_byte_of_a_bundle_verifies(data: st.DataObject) -> None:
    """This holds for any byte and any value, and even without a pinned key."""
    content = bytearray(_CONTENT)
    place = data.draw(st.integers(0, len(content) - 1))
    content[place] ^= data.draw(st.integers(1, 255))
    assert verify_bundle(bytes(content), trusted=World().trusted).exit_code in {10, 12}


@settings(max_examples=400)
@given(st.data())
def test_no_changed_byte_of_a_member_verifies(data: st.DataObject) -> None:
    """It does not verify even if the zip is rebuilt around it with correct checksums."""
    members = read_archive(_CONTENT)
    place = data.draw(st.integers(0, len(members) - 1).filter(lambda i: members[i].data))
    content = bytearray(members[place].data)
    content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    members[place] = Member(members[place].name, bytes(content))
    result = verify_bundle(write_archive(members), trusted=World().trusted)
    assert result.exit_code != 0


@settings(max_examples=100)
@given(st.sampled_from([member.name for member in read_archive(_CONTENT)]), st.binary(max_size=300))
def test_any_member_may_be_anything(name: str, content: bytes) -> None:
    """No content of a member raises anything, and none of it verifies; only proofs may be left out."""
    members = [Member(m.name, content if m.name == name else m.data) for m in read_archive(_CONTENT)]
    result = verify_bundle(write_archive(members), trusted=World().trusted)
    same = any(m.name == name and m.data == content for m in read_archive(_CONTENT))
    assert result.exit_code != 0 or same or (name, content) == ("proofs.jsonl", b"")


@given(st.binary(max_size=200))
def test_any_file_gets_a_verdict(data: bytes) -> None:
    """A file that is not a bundle is unreadable, with the reason."""
    result = verify_bundle(data, trusted=[])
    assert (result.verdict, result.exit_code, result.signer) == ("unreadable", 12, None)
    assert result.findings


@settings(max_examples=80)
@given(st.lists(st.integers(1, 4), min_size=1, max_size=4), st.integers(0, 2**32))
def test_what_happened_to_events_is_told_apart_by_name(sizes: list[int], seed: int) -> None:
    """Truncation, a gap, reordering, duplication and conflict each have a name."""
    chosen = pseudo.Random(seed)  # noqa: S311 - picks cases, not secrets
    world = World(told=_plain(sum(sizes)))
    parts = world.parts(sizes, checkpoint=None, proofs=())
    events = parts.events
    assert _codes(world, parts) == (0, {"not_in_log"})
    place = chosen.randrange(len(events))
    doubled = dataclasses.replace(parts, events=(*events[: place + 1], *events[place:]))
    assert _codes(world, doubled) == (10, {"not_in_log", "duplicate"})
    rival = public_with(world.events[place], mono_ms=999_999)
    disputed = dataclasses.replace(parts, events=(*events[: place + 1], rival, *events[place + 1 :]))
    assert _codes(world, disputed) == (10, {"not_in_log", "conflict"})
    shortened = dataclasses.replace(parts, events=events[:place])
    assert _codes(world, shortened) == (11, {"not_in_log", "truncated"})
    if place:
        holed = dataclasses.replace(parts, events=(*events[: place - 1], *events[place:]))
        assert _codes(world, holed) == (11, {"not_in_log", "gap"})
        swapped = (*events[: place - 1], events[place], events[place - 1], *events[place + 1 :])
        assert _codes(world, dataclasses.replace(parts, events=swapped)) == (10, {"not_in_log", "reordered"})


def _plain(count: int) -> list[Draft]:
    told = [
        Draft(src=Source.PROXY, event=event_of("note", {"text": str(i)}), ms=START + i, mono_ms=i)
        for i in range(count - 1)
    ]
    return [*told, Draft(src=Source.RECORDER, event=event_of("closed", {}), ms=START + count, mono_ms=count)]


@settings(max_examples=60)
@given(st.integers(2, 6), st.integers(0, 2**32))
def test_what_happened_to_batches_is_told_apart_by_name(count: int, seed: int) -> None:
    """Batches' faults have the same names as events'."""
    chosen = pseudo.Random(seed)  # noqa: S311 - picks cases, not secrets
    world = World(told=_plain(count * 2))
    parts = world.parts([2] * count, checkpoint=None, proofs=())
    headers = parts.headers
    place = chosen.randrange(1, count)
    doubled = dataclasses.replace(parts, headers=(*headers[:place], *headers[place - 1 :]))
    assert _codes(world, doubled) == (10, {"not_in_log", "duplicate"})
    swapped = (*headers[: place - 1], headers[place], headers[place - 1], *headers[place + 1 :])
    assert _codes(world, dataclasses.replace(parts, headers=swapped)) == (10, {"not_in_log", "reordered"})
    values = {seq: secrets for seq, secrets in parts.values.items() if seq < 2 * place}
    cut = dataclasses.replace(parts, headers=headers[:place], events=parts.events[: 2 * place], values=values)
    assert _codes(world, cut) == (11, {"not_in_log", "truncated"})
    values = {seq: secrets for seq, secrets in parts.values.items() if seq // 2 != place - 1}
    events = (*parts.events[: 2 * place - 2], *parts.events[2 * place :])
    holed = dataclasses.replace(parts, headers=(*headers[: place - 1], *headers[place:]), events=events, values=values)
    assert _codes(world, holed) == (11, {"not_in_log", "gap"})


def test_a_hostile_chain_cannot_make_a_verifier_count_to_the_end() -> None:
    """Numbers near 2^53 in signed headers and events cost no time and no memory."""
    world = World()
    far = 2**53 - 10
    header = world.batches()[0][0].header
    huge = world.session_key.sign(dataclasses.replace(header, n=far, first=far))
    event = public_with(world.events[0], seq=far + 1)
    parts = world.parts()
    strained = dataclasses.replace(parts, headers=(*parts.headers, huge), events=(*parts.events, event))
    exit_code, codes = _codes(world, strained)
    assert exit_code == 10
    assert "gap" in codes


def test_what_was_received_late_is_untimed() -> None:
    """These are events received more than five minutes after they happened, or never."""
    world = World()
    batches = world.batches()
    late = world.receipt(batches[1][0], received_ms=START + 5_000 + 5 * 60_000 + 1)
    receipts = [world.receipt(batches[0][0]), late]
    parts = world.parts(checkpoint=None, proofs=())
    headers = tuple(batch.envelope for batch, _ in batches)
    checks = tuple(world.check(batch) for batch, _ in batches)
    mixed = dataclasses.replace(
        parts, headers=headers, receipts=tuple(receipts), checks=checks, close=world.close(batches[2][0])
    )
    result = verify_parts(mixed, trusted=world.trusted)
    assert result.untimed == (Span(5, 5), Span(9, 14))
    assert result.exit_code == 11


def test_what_was_recorded_after_the_time_limit_is_noted() -> None:
    """The certificate's time limits the recorder; a later event is noted and does not change the code."""
    world = World()
    world.certificate = world.collector.sign(world.certificate_document(record_until=START + 10_500))
    result = verify_parts(world.parts(), trusted=world.trusted)
    assert result.exit_code == 0
    assert [code for code, _ in result.findings] == ["late"]


def test_discarded_events_are_noted() -> None:
    """The number of events that the collector discarded unread is shown."""
    world = World()
    batches = world.batches()
    checks = tuple(world.check(batch, discarded=batch.header.n) for batch, _ in batches)
    parts = dataclasses.replace(
        world.parts(checkpoint=None, proofs=()),
        headers=tuple(batch.envelope for batch, _ in batches),
        receipts=tuple(world.receipt(batch) for batch, _ in batches),
        checks=checks,
        close=world.close(batches[2][0]),
    )
    result = verify_parts(parts, trusted=world.trusted)
    assert result.exit_code == 0
    assert [code for code, _ in result.findings] == ["outside_policy", "outside_policy", "not_in_log"]


def test_without_a_policy_kinds_are_not_judged() -> None:
    """A policy other than the certified one is altered, and kinds are not judged."""
    world = World()
    parts = dataclasses.replace(world.parts(), policy=b"{}")
    assert _codes(world, parts) == (10, {"policy_mismatch"})


def test_a_block_with_a_short_salt_is_altered() -> None:
    """The name of a block never matches bytes that are not a block."""
    world = World()
    world.events[1] = with_block(world.events[1], "text", random=world.random)
    parts = world.parts()
    [(block_id, block)] = parts.blocks.items()
    short = dataclasses.replace(parts, blocks={block_id: Block(block.salt[:3], b"")})
    assert _codes(world, short) == (10, {"block_altered", "value_missing"})


@pytest.mark.parametrize(("length", "found"), [(MAX_BLOCK, set[str]()), (MAX_BLOCK + 1, {"block_altered"})])
def test_a_block_is_no_longer_in_a_bundle_than_in_a_batch(length: int, found: set[str]) -> None:
    """Longer ones count as missing, although their id is right and a signed value refers to them."""
    world = World()
    block = Block(bytes(16), b"x" * length)
    secret = Secret(bytes(16), bytes([BLOCK]) + block.id)
    world.events[1] = with_stored(world.events[1], "text", secret)
    parts = dataclasses.replace(world.parts(), blocks={block.id: block})
    assert _codes(world, parts) == ((10, {*found, "value_missing"}) if found else (0, found))


def test_events_that_share_a_block_share_what_it_holds() -> None:
    """One block of megabytes and thousands of events that refer to it do not become gigabytes."""
    world = World()
    shared = with_block(world.events[4], "input", random=world.random)
    secret = shared.secrets["input"]
    told = [*drafts()[:5], *(drafts()[4] for _ in range(3)), drafts()[-1]]
    world.events = world.number(told)
    world.events[4:8] = [with_stored(event, "input", secret) for event in world.events[4:8]]
    world.events[4] = dataclasses.replace(world.events[4], blocks=shared.blocks)
    opened = verify_parts(world.parts((5, 4)), trusted=world.trusted).opened
    assert opened[4].fields["input"] == {"command": "pytest"}
    assert all(event.fields["input"] is opened[4].fields["input"] for event in opened[4:8])


def test_a_block_may_be_withheld_by_a_record_that_names_it() -> None:
    """Every value that refers to it is then excused."""
    world = World()
    world.events[1] = with_block(world.events[1], "text", random=world.random)
    block = world.events[1].blocks[0].id
    parts = world.parts(redactions=[world.redaction(0, "platform", block=block)])
    assert parts.blocks == {}
    result = verify_parts(parts, trusted=world.trusted)
    assert (result.exit_code, result.withheld) == (0, 3)


def test_an_event_without_any_value_verifies_when_none_is_due() -> None:
    """Events without fields are complete."""
    world = World(told=_plain(2))
    parts = world.parts((2,))
    assert set(parts.values) == {0}
    assert _codes(world, parts) == (0, set())


def test_totals_may_leave_out_what_is_not_there() -> None:
    """A source without events may be counted as none, and the closing event may count itself or not."""
    for writer in (2, 3):
        totals = {"recorder": writer, "hook": 2, "proxy": 3, "candidate": 5, "workspace": 2, "other": 0}
        last = dataclasses.replace(drafts()[-1], event=Closed(totals=totals))
        world = World(told=[*drafts()[:-1], last])
        assert _codes(world, world.parts()) == (0, set())
    odd = dataclasses.replace(drafts()[-1], event=Closed(totals="fifteen"))
    world = World(told=[*drafts()[:-1], odd])
    assert _codes(world, world.parts()) == (11, {"totals"})


def test_a_session_of_no_batches_has_the_certificate_as_its_head() -> None:
    """A session that lapsed before anything arrived is incomplete, not broken."""
    world = World()
    batch = world.batches()[0][0]
    lapsed = world.close(batch, n=0, events=0, head=world.certificate.sha256, outcome="lapsed")
    parts = world.parts(batches=[], receipts=[], checks=[], close=lapsed, checkpoint=None, proofs=())
    assert _codes(world, parts) == (11, {"lapsed", "not_in_log"})
    other = world.close(batch, n=0, events=0, head=bytes(32))
    parts = world.parts(batches=[], receipts=[], checks=[], close=other, checkpoint=None, proofs=())
    assert _codes(world, parts) == (10, {"close_mismatch", "not_in_log"})


def test_a_receipt_of_a_batch_inside_a_gap_says_nothing_new() -> None:
    """The gap is reported once, for the headers."""
    world = World()
    parts = world.parts()
    values = {seq: secrets for seq, secrets in parts.values.items() if not 5 <= seq < 9}
    events = (*parts.events[:5], *parts.events[9:])
    holed = dataclasses.replace(parts, headers=(parts.headers[0], parts.headers[2]), events=events, values=values)
    assert _codes(world, holed) == (11, {"gap"})


def test_a_receipt_without_a_proof_is_noted_or_counts() -> None:
    """A promised log needs a proof for every receipt; otherwise a proof is only additional evidence."""
    for log, exit_code in ((None, 0), (0, 0), (1, 11)):
        world = World(log=log)
        parts = world.parts()
        assert _codes(world, parts) == (0, set())
        assert _codes(world, dataclasses.replace(parts, proofs=parts.proofs[:2])) == (exit_code, {"not_in_log"})
        bare = dataclasses.replace(parts, proofs=(), checkpoint=None)
        assert _codes(world, bare) == (exit_code, {"not_in_log"})


def _told_of_log(world: World, parts: BundleParts) -> list[str]:
    result = verify_parts(parts, trusted=world.trusted)
    return [finding.text for finding in result.findings if finding.code == "not_in_log"]


def test_what_is_missing_in_the_log_is_said_in_one_finding() -> None:
    """It names the batches by number, in runs, and the reason if all have the same."""
    world = World(log=1)
    parts = world.parts()
    one, _, three = parts.proofs
    assert _told_of_log(world, dataclasses.replace(parts, proofs=(three,))) == [
        "no log proof for the receipts of batches 0 to 1"
    ]
    assert _told_of_log(world, dataclasses.replace(parts, proofs=(one, three))) == [
        "no log proof for the receipt of batch 1"
    ]
    assert _told_of_log(world, dataclasses.replace(parts, proofs=(), checkpoint=None)) == [
        "no log proof for the receipts of batches 0 to 2 (there is no checkpoint of the log)"
    ]
    nothing = dataclasses.replace(parts, receipts=(), proofs=(), checkpoint=None)
    assert _told_of_log(world, nothing) == ["there is no checkpoint of the log"]
    world = World()
    parts = world.parts()
    assert _told_of_log(world, dataclasses.replace(parts, proofs=parts.proofs[1:])) == [
        "no log proof for the receipt of batch 0, but none was promised"
    ]


def test_what_is_known_of_the_log_is_reported() -> None:
    """The report has the number of receipts, those in the log, the log's name, and whether it was promised."""
    world = World(log=1)
    parts = world.parts()
    log = verify_parts(parts, trusted=world.trusted).log
    assert log is not None
    assert log == LogFacts(promised=True, receipts=3, missing=(), origin=ORIGIN, view=log.view)
    dropped = dataclasses.replace(parts, proofs=parts.proofs[1:])
    log = verify_parts(dropped, trusted=world.trusted).log
    assert log is not None
    assert log == LogFacts(promised=True, receipts=3, missing=(Span(0, 0),), origin=ORIGIN, view=log.view)
    unread = dataclasses.replace(parts, checkpoint="nothing")
    assert verify_parts(unread, trusted=world.trusted).log is None


def test_what_headers_claim_costs_nothing() -> None:
    """Every tiny header claims five thousand events: memory and findings depend on what is in the bundle."""
    world = World()
    header = parse_batch(world.wires()[0]).header
    claims = [
        dataclasses.replace(header, n=n, first=n * 2**32, count=MAX_EVENTS, prev=bytes(32)) for n in range(1, 2000)
    ]
    headers = [world.session_key.sign(claim) for claim in claims]
    parts = dataclasses.replace(world.parts(), headers=(*world.parts().headers[:1], *headers))
    tracemalloc.start()
    result = verify_parts(parts, trusted=world.trusted)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert result.verdict == "altered"
    assert result.events == 5
    assert peak < 40_000_000


def test_a_source_that_skips_arrivals_is_a_gap_of_capture() -> None:
    """Loss inside the recorder is shown; it does not change the code."""
    world = World()
    world.events[5] = _renumbered(world, 5, src_seq=3)
    world.events[8] = _renumbered(world, 8, src_seq=0)
    result = verify_parts(world.parts(), trusted=world.trusted)
    assert result.exit_code == 0
    lost = [(gap.seq, gap.text) for gap in result.gaps if gap.kind == "source_loss"]
    assert [seq for seq, _ in lost] == [5, 8, 9]
    assert "hook" in lost[0][1]


def _renumbered(world: World, place: int, **changes: Any) -> RecordedEvent:
    event = world.events[place]
    return RecordedEvent.assemble(public_with(event, **changes), event.secrets)


def test_a_gap_in_the_chain_is_not_a_loss_of_the_recorder() -> None:
    """If events are missing, arrivals cannot be counted; counting starts again after the gap."""
    world = World()
    parts = world.parts()
    events = (*parts.events[:5], *parts.events[9:])
    result = verify_parts(dataclasses.replace(parts, events=events), trusted=world.trusted)
    assert [gap.kind for gap in result.gaps] == ["capture_gap"]


def test_many_findings_of_a_kind_are_counted() -> None:
    """The first ones are listed, the last one counts the rest, and the verdict is the strongest of all."""
    report = Report()
    for i in range(MAX_FINDINGS_OF_A_CODE + 7):
        report.incomplete(FindingCode.GAP, str(i))
    report.add(Effect.ALTERED, FindingCode.GAP, "the worst")
    found = report.findings()
    assert len(found) == MAX_FINDINGS_OF_A_CODE + 1
    assert found[-1].text == "and 8 more of this kind"
    assert found[-1].effect is Effect.ALTERED
    assert report.verdict() == ("altered", 10)
    assert tuple(found[0]) == ("gap", "0")
    assert Report().verdict() == ("verified", 0)


@given(st.sets(st.integers(0, 60)))
def test_spans_and_holes_are_each_others_rest(numbers: set[int]) -> None:
    """Together they cover everything up to the largest number, once."""
    ordered = sorted(numbers)
    covered = [n for span in (*spans(ordered), *holes(ordered)) for n in range(span.first, span.last + 1)]
    assert sorted(covered) == list(range(max(numbers, default=-1) + 1))


def test_runs_are_spoken_shortly() -> None:
    """A person reads ten runs and a count."""
    assert in_words(spans([1, 2, 3, 7])) == "1 to 3, 7"
    assert in_words(spans(list(range(0, 40, 2)))).endswith("18 and 10 more ranges")


def test_a_large_session_is_one_pass() -> None:
    """For 5,000 events in 100 batches the work depends on their number, not on their order."""
    told = _plain(5000)
    world = World(told=told)
    result = verify_parts(world.parts([50] * 100, checkpoint=None, proofs=()), trusted=world.trusted)
    assert (result.exit_code, result.events) == (0, 5000)


def test_proven_events_keep_their_exact_bytes() -> None:
    """What is shown is what was signed."""
    event = World().events[0]
    assert ProvenEvent(event.public, PublicEvent.parse(event.public)).public == event.public
    assert Envelope(b"x", bytes(64)).payload == b"x"
    assert Secret(bytes(16), b"\x00").stored == b"\x00"


_ODD_VALUES: list[Any] = [None, True, -1, 0, 1, 2**53 - 1, "", "x", "A" * 22, "A" * 43, "closed", [], [0], {}, {"v": 1}]


def _resigned(draw: st.DataObject, envelope: Envelope, key: SigningKey, document_type: DocumentType) -> Envelope:
    """The document with another value for one key, signed again by its signer."""
    document = decode(envelope.payload)
    name = draw.draw(st.sampled_from(sorted(document)))
    payload = encode({**document, name: draw.draw(st.sampled_from(_ODD_VALUES))})
    return Envelope(payload, key.sign_bytes(document_type, payload))


@settings(max_examples=150)
@given(st.data())
def test_whatever_the_key_holders_sign_gets_a_verdict(data: st.DataObject) -> None:
    """Hostile documents with valid signatures raise nothing."""
    world = World()
    parts = world.parts(redactions=[world.redaction(1, "text")])
    single = {
        "certificate": (world.collector, DocumentType.CERTIFICATE),
        "consent": (world.session_key, DocumentType.CONSENT),
        "close": (world.collector, DocumentType.CLOSE),
    }
    lists = {
        "headers": (world.session_key, DocumentType.BATCH),
        "receipts": (world.collector, DocumentType.RECEIPT),
        "checks": (world.collector, DocumentType.CHECK),
        "redactions": (world.collector, DocumentType.REDACTION),
    }
    name = data.draw(st.sampled_from(sorted({*single, *lists})))
    if name in single:
        changes: dict[str, Any] = {name: _resigned(data, getattr(parts, name), *single[name])}
    else:
        items = list(getattr(parts, name))
        place = data.draw(st.integers(0, len(items) - 1))
        items[place] = _resigned(data, items[place], *lists[name])
        changes = {name: tuple(items)}
    result = verify_bundle(write_bundle(dataclasses.replace(parts, **changes)), trusted=world.trusted)
    assert result.exit_code in {0, 10, 11, 12, 13}


@settings(max_examples=100)
@given(st.data())
def test_whatever_the_session_key_seals_into_events_gets_a_verdict(data: st.DataObject) -> None:
    """Hostile events and values that were committed to, sealed and received raise nothing."""
    world = World()
    place = data.draw(st.integers(0, 14))
    event = world.events[place]
    stored = st.binary(max_size=40).map(lambda value: b"\x00" + value) | st.just(b"\x01" + bytes(32))
    for name in event.secrets:
        if data.draw(st.booleans()):
            event = with_stored(event, name, Secret(world.random(16), data.draw(stored)))
    world.events[place] = event
    result = verify_bundle(write_bundle(world.parts()), trusted=world.trusted)
    assert result.exit_code in {0, 10, 11}
