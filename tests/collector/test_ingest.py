"""Ingest: the cheapest refusal first, one durable commit, the receipt's exact bytes, nothing untyped."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select
from tests.helpers.candidate import Candidate, bearer, earlier_receipt, started
from tests.helpers.site import Site, Template, copy_data, running_site

from promptster.protocol.batch import MAX_WIRE, header_sha256, join_wire, parse_batch
from promptster.protocol.encoding import b64u_decode, b64u_encode
from promptster.protocol.receipt import Close, Receipt
from promptster.protocol.signing import Envelope, SigningKey, open_envelope
from promptster_collector.settings import HOUR_MS, Limits
from promptster_collector.store.schema import Alarm, Batch, Conflict


@pytest.fixture(scope="module")
def shared(template: Template, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Site, Candidate]]:
    """A collector and a session for tests that change nothing."""
    folder = tmp_path_factory.mktemp("ingest") / "data"
    copy_data(template.data, folder)
    with running_site(folder, template.token) as site:
        candidate = started(site.client, site.token)
        candidate.say("stored")
        candidate.put(site.client, 0)
        candidate.say("not sent")
        yield site, candidate


def forked(candidate: Candidate, text: str) -> bytes:
    """Another batch for the next number; the candidate's own state is unchanged."""
    kept = (list(candidate.events), list(candidate.batches), candidate.prev, candidate.counts.copy())
    wire = candidate.say(text)
    candidate.events, candidate.batches, candidate.prev, candidate.counts = kept
    return wire


def test_the_receipt_is_signed_and_about_this_batch(site: Site) -> None:
    """The receipt names session, number, header and the time of custody."""
    candidate = started(site.client, site.token)
    wire = candidate.say("hello")
    answer = candidate.put(site.client, 0)
    receipt = open_envelope(Receipt, Envelope.decode(answer.content), site.store.identity.signer.public_key)
    assert (receipt.session, receipt.n, receipt.received_ms) == (candidate.session, 0, site.clock.ms)
    assert receipt.header_sha256 == header_sha256(parse_batch(wire).header_bytes)


def test_the_same_batch_gets_the_same_receipt(site: Site) -> None:
    """Sending again changes nothing and returns the stored bytes, also later and also after the end."""
    candidate = started(site.client, site.token)
    candidate.say("hello")
    candidate.close()
    first = candidate.put(site.client, 0).content
    site.clock.pass_ms(10_000)
    assert candidate.put(site.client, 0).content == first
    last = candidate.put(site.client, 1).content
    site.drain()
    assert candidate.put(site.client, 1).content == last
    assert len(site.rows(select(Batch.n))) == 2


def test_checked_is_told_on_answers(site: Site) -> None:
    """The header with the highest checked batch is missing while there is none."""
    candidate = started(site.client, site.token)
    candidate.say("one")
    assert "promptster-checked" not in candidate.put(site.client, 0).headers
    site.drain()
    assert candidate.put(site.client, 0).headers["promptster-checked"] == "0"


def test_a_gap_names_what_is_expected(site: Site) -> None:
    """A batch ahead of the next one is refused and changes nothing."""
    candidate = started(site.client, site.token)
    for text in ("one", "two", "three"):
        candidate.say(text)
    assert candidate.put(site.client, 0).status_code == 200
    answer = candidate.put(site.client, 2)
    assert (answer.status_code, answer.json()["code"], answer.json()["expected"]) == (409, "gap", 1)
    assert candidate.put(site.client, 1).status_code == 200
    assert candidate.put(site.client, 2).status_code == 200


def test_a_conflict_shows_the_stored_header_and_receipt(site: Site) -> None:
    """Other bytes for a taken number are refused; both headers are kept, at most four others, each with an alarm."""
    candidate = started(site.client, site.token)
    others = [forked(candidate, f"version {i}") for i in range(6)]
    candidate.say("the first one")
    receipt = candidate.put(site.client, 0).content
    for wire in [*others, others[0]]:
        site.clock.pass_ms(1000)
        answer = site.client.put(f"/v1/sessions/{candidate.session}/batches/0", content=wire)
        assert (answer.status_code, answer.json()["code"]) == (409, "conflict")
        assert b64u_decode(answer.json()["header"]) == parse_batch(candidate.batches[0]).header_bytes
        assert Envelope.from_json(answer.json()["receipt"]).encode() == receipt
    assert len(site.rows(select(Conflict.id))) == 4
    assert [row.kind for row in site.rows(select(Alarm.kind))] == ["batch_conflict"] * 4


def test_a_fork_at_the_next_number_is_refused(site: Site) -> None:
    """A batch that follows another history, or skips events, is not stored."""
    candidate = started(site.client, site.token)
    fork = forked(candidate, "elsewhere")
    candidate.say("here")
    candidate.put(site.client, 0)
    prev, candidate.prev = candidate.prev, header_sha256(parse_batch(fork).header_bytes)
    candidate.say("after elsewhere")
    assert candidate.put(site.client, 1).json()["code"] == "prev_mismatch"
    candidate.batches.pop()
    candidate.prev = prev
    candidate.event("prompt", text="never sent")
    candidate.say("too far")
    assert candidate.put(site.client, 1).json()["code"] == "first_mismatch"


def test_a_batch_belongs_to_its_place(shared: tuple[Site, Candidate]) -> None:
    """Session and number of the path must be those of the header."""
    site, candidate = shared
    wire = candidate.batches[1]
    wrong = site.client.put(f"/v1/sessions/{candidate.session}/batches/2", content=wire)
    assert wrong.json()["code"] == "wrong_place"
    missing = Candidate(candidate.code)
    missing.prev = candidate.prev
    missing.say("nobody knows me")
    answer = missing.put(site.client, 0)
    assert (answer.status_code, answer.json()["code"]) == (404, "unknown_session")


def test_another_key_signs_nothing(shared: tuple[Site, Candidate]) -> None:
    """Only the certificate's key signs batches; without it, a caller cannot learn whether the session exists."""
    site, candidate = shared
    batch = parse_batch(candidate.batches[1])
    thief = SigningKey.generate(os.urandom).sign(batch.header)
    wire = join_wire(thief.payload, thief.signature, batch.body)
    answer = site.client.put(f"/v1/sessions/{candidate.session}/batches/1", content=wire)
    assert (answer.status_code, answer.json()["code"]) == (404, "unknown_session")


def test_a_body_too_large_is_refused_before_it_is_read(shared: tuple[Site, Candidate]) -> None:
    """A length beyond the limit is enough; without a length the reading stops at the limit."""
    site, candidate = shared
    path = f"/v1/sessions/{candidate.session}/batches/1"
    answer = site.client.put(path, content=b"x", headers={"content-length": str(MAX_WIRE + 1)})
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")

    def pieces() -> Iterator[bytes]:
        for _ in range(MAX_WIRE // 65536 + 2):
            yield bytes(65536)

    answer = site.client.put(path, content=pieces())
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")
    large = {"title": "x" * 300_000}
    assert site.client.post("/v1/assessments", headers=bearer(site.token), json=large).status_code == 413


def test_a_session_is_not_larger_than_its_limit(template: Template, data: Path) -> None:
    """The bytes of all bodies of a session are counted."""
    limits = replace(Limits(), session_bytes=1000)
    with running_site(data, template.token, limits=limits) as site:
        candidate = started(site.client, site.token)
        candidate.batch([candidate.event("prompt", text=os.urandom(400).hex())])
        candidate.batch([candidate.event("prompt", text=os.urandom(400).hex())])
        assert candidate.put(site.client, 0).status_code == 200
        answer = candidate.put(site.client, 1)
        assert (answer.status_code, answer.json()["code"]) == (413, "session_full")


def test_a_session_sends_at_its_pace(site: Site) -> None:
    """At most twenty batches a second are accepted; the next one gets a time to try again, and succeeds then."""
    candidate = started(site.client, site.token)
    for n in range(21):
        candidate.say(f"{n}")
    answers = [candidate.put(site.client, n) for n in range(21)]
    assert [answer.status_code for answer in answers] == [200] * 20 + [429]
    assert answers[-1].headers["retry-after"] == "1"
    site.clock.pass_ms(1000)
    assert candidate.put(site.client, 20).status_code == 200


def test_after_the_end_nothing_new_is_taken(site: Site) -> None:
    """A batch after the closing one gets 410 with the signed close."""
    candidate = started(site.client, site.token)
    candidate.close()
    candidate.put(site.client, 0)
    site.drain()
    candidate.say("one more thing")
    answer = candidate.put(site.client, 1)
    assert (answer.status_code, answer.json()["code"]) == (410, "closed")
    close = open_envelope(Close, Envelope.from_json(answer.json()["close"]), site.store.identity.signer.public_key)
    assert (close.outcome, close.n, close.events) == ("submitted", 1, 1)


def test_a_session_lapses_when_upload_time_is_over(site: Site) -> None:
    """A late batch finds the session lapsed; so does the sweep if no batch comes."""
    late, silent = started(site.client, site.token), started(site.client, site.token, email="s@example.com")
    late.say("in time")
    late.say("too late")
    late.put(site.client, 0)
    site.clock.pass_ms(96 * HOUR_MS)
    assert late.put(site.client, 0).status_code == 200
    site.clock.pass_ms(1)
    answer = late.put(site.client, 1)
    assert (answer.status_code, answer.json()["code"]) == (503, "checking")
    assert answer.headers["retry-after"]
    site.drain()
    answer = late.put(site.client, 1)
    assert (answer.status_code, answer.json()["code"]) == (410, "closed")
    public_key = site.store.identity.signer.public_key
    assert open_envelope(Close, Envelope.from_json(answer.json()["close"]), public_key).outcome == "lapsed"
    site.drain()
    for candidate in (late, silent):
        headers = bearer(candidate.access_token)
        assert site.client.get(f"/v1/sessions/{candidate.session}/head", headers=headers).json()["state"] == "sealed"
        evidence = site.client.get(f"/v1/sessions/{candidate.session}/evidence", headers=headers).json()
        close = open_envelope(Close, Envelope.from_json(evidence["close"]), public_key)
        assert (close.outcome, close.n) == ("lapsed", len(candidate.receipts))
    listed = site.client.get("/v1/sessions", headers=bearer(site.token)).json()["sessions"]
    assert {entry["outcome"] for entry in listed} == {"lapsed"}


def test_an_earlier_receipt_is_stored_again(site: Site) -> None:
    """A restored collector accepts a batch with the receipt it once gave: the same bytes, and an alarm."""
    candidate = started(site.client, site.token)
    candidate.say("before the backup")
    candidate.put(site.client, 0)
    candidate.say("after the backup")
    backup = site.data.with_name("backup")
    copy_data(site.data, backup)
    site.clock.pass_ms(60_000)
    given = candidate.put(site.client, 1).content
    site.drain()
    with running_site(backup, site.token, clock=site.clock) as restored:
        restored.clock.pass_ms(3_600_000)
        headers = earlier_receipt(given)
        assert candidate.put(restored.client, 1, headers).content == given
        assert candidate.put(restored.client, 1).content == given
        assert [row.kind for row in restored.rows(select(Alarm.kind))] == ["log_restarted", "receipt_returned"]


def test_only_own_receipts_are_taken_back(shared: tuple[Site, Candidate]) -> None:
    """A receipt of another key, of another batch, or an invalid one is refused with its code."""
    site, candidate = shared
    stranger = SigningKey.generate(os.urandom)
    header = header_sha256(parse_batch(candidate.batches[1]).header_bytes)
    made = Receipt(kid=stranger.kid, session=candidate.session, n=1, header_sha256=header, received_ms=5)
    mine = replace(made, kid=site.store.identity.signer.kid)
    for text, code in (
        (b64u_encode(stranger.sign(made).encode()), "receipt_unknown"),
        (b64u_encode(stranger.sign(mine).encode()), "receipt_invalid"),
        (b64u_encode(candidate.receipts[0]), "receipt_invalid"),
        ("???", "receipt_invalid"),
        ("", "receipt_invalid"),
    ):
        answer = candidate.put(site.client, 1, {"promptster-receipt": text})
        assert (answer.status_code, answer.json()["code"]) == (422, code)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(position=st.integers(min_value=0, max_value=10_000), flip=st.integers(min_value=1, max_value=255))
def test_any_changed_byte_is_refused(shared: tuple[Site, Candidate], position: int, flip: int) -> None:
    """No batch with a changed byte is stored, and each refusal is typed."""
    site, candidate = shared
    site.clock.pass_ms(1000)
    wire = bytearray(candidate.batches[1])
    wire[position % len(wire)] ^= flip
    answer = site.client.put(f"/v1/sessions/{candidate.session}/batches/1", content=bytes(wire))
    assert answer.status_code in {404, 413, 422}
    assert answer.json()["code"] not in {"internal", ""}
    assert len(site.rows(select(Batch.n).where(Batch.session == candidate.session))) == 1


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(junk=st.one_of(st.binary(max_size=400), st.binary(max_size=200).map(lambda tail: b"PSB1" + tail)))
def test_junk_is_refused(shared: tuple[Site, Candidate], junk: bytes) -> None:
    """Bytes that are not a batch get a typed refusal."""
    site, candidate = shared
    site.clock.pass_ms(1000)
    answer = site.client.put(f"/v1/sessions/{candidate.session}/batches/1", content=junk)
    assert answer.status_code in {413, 422}
    assert answer.headers["content-type"] == "application/problem+json"
