"""Refusals of batches: every reason has its status and code, and gives the sender what it needs to continue."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from tests.helpers.candidate import started

from promptster.protocol.batch import parse_batch
from promptster.protocol.signing import Envelope
from promptster_collector.ingest.outcome import FixedFacts, PreparedBatch, Reason, Refused, refusal
from promptster_collector.store.at_rest import Sealer
from promptster_collector.store.inbox import head_bytes

if TYPE_CHECKING:
    from tests.helpers.site import Site

STATUSES = {
    Reason.UNKNOWN_SESSION: 404,
    Reason.ERASED: 410,
    Reason.CLOSED: 410,
    Reason.CONFLICT: 409,
    Reason.GAP: 409,
    Reason.PREV_MISMATCH: 422,
    Reason.FIRST_MISMATCH: 422,
    Reason.SESSION_FULL: 413,
}


@pytest.fixture
def prepared(site: Site) -> PreparedBatch:
    """A batch as ingest prepares it."""
    candidate = started(site.client, site.token)
    candidate.say("hello")
    batch = parse_batch(candidate.batches[0])
    return PreparedBatch(
        session=candidate.session,
        facts=FixedFacts(organisation="o", public_key=b"k" * 32),
        batch=batch,
        sealer=Sealer(os.urandom(32), organisation="o", session=candidate.session),
        receipt=b"",
        returned=False,
        row={},
        now_ms=1,
    )


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_has_its_status_and_code(prepared: PreparedBatch, reason: Reason) -> None:
    """Clients act on the code, so each code is fixed; an erased session's code is its state."""
    signed = Envelope(b"{}", bytes(64))
    refused = Refused(
        reason=reason,
        state="withdrawn" if reason is Reason.ERASED else "",
        head_sealed=prepared.sealer.seal(head_bytes(prepared.batch), "head/0"),
        receipt_sealed=prepared.sealer.seal(signed.encode(), "receipt/0"),
        close_sealed=prepared.sealer.seal(signed.encode(), "close"),
        expected=7,
    )
    found = refusal(prepared, refused)
    assert (found.status, found.code) == (STATUSES[reason], "withdrawn" if reason is Reason.ERASED else reason.value)
    members = {
        Reason.ERASED: {"tombstone"},
        Reason.CLOSED: {"close"},
        Reason.CONFLICT: {"header", "receipt"},
        Reason.GAP: {"expected"},
    }
    assert set(found.extra) == members.get(reason, set())


def test_a_session_that_ended_without_its_key_has_no_close(prepared: PreparedBatch) -> None:
    """If no end could be signed, the refusal says so instead of failing."""
    assert refusal(prepared, Refused(reason=Reason.CLOSED)).extra == {"close": None}
