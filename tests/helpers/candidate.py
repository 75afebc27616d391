"""A candidate's side of the wire, made from ``promptster.protocol`` alone: redeems an invite, seals and signs batches.

It keeps every batch that it made, so that a test can send any of them again, in any order.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx

from promptster.protocol.batch import header_sha256, parse_batch, seal_batch
from promptster.protocol.consent import Certificate, Consent, Redeem
from promptster.protocol.encoding import b64u_decode, b64u_encode
from promptster.protocol.events import Draft, RecordedEvent, Source, compose
from promptster.protocol.events.kinds import event_of
from promptster.protocol.invite import Invite, InviteCode
from promptster.protocol.policy import NEWEST, POLICY_HEADER
from promptster.protocol.privacy import Withdrawal
from promptster.protocol.sealing import access_token, seal_box
from promptster.protocol.signing import Envelope, SigningKey


def now_ms() -> int:
    """The wall clock, milliseconds since the epoch."""
    return time.time_ns() // 1_000_000


def bearer(token: str) -> dict[str, str]:
    """The header that carries a bearer credential."""
    return {"authorization": f"Bearer {token}"}


@dataclass(repr=False)
class Candidate:
    """One session, from its keys to its last batch."""

    code: InviteCode
    key: SigningKey = field(default_factory=lambda: SigningKey.generate(os.urandom))
    content_key: bytes = field(default_factory=lambda: os.urandom(32))
    session: str = field(default_factory=lambda: b64u_encode(b"\x00" + os.urandom(15)))
    """Never begins with a dash: commands would take it for an option."""
    certificate: Envelope | None = None
    request: dict[str, Any] = field(default_factory=dict[str, Any])
    events: list[RecordedEvent] = field(default_factory=list[RecordedEvent])
    batches: list[bytes] = field(default_factory=list[bytes])
    receipts: dict[int, bytes] = field(default_factory=dict[int, bytes])
    counts: Counter[str] = field(default_factory=Counter[str])
    prev: bytes = b""

    @property
    def access_token(self) -> str:
        """The bearer token for the candidate's own rights."""
        return access_token(self.content_key, self.session)

    def consent_to(self, offer: Mapping[str, Any], **changes: Any) -> dict[str, Any]:
        """The body of the redemption for an invite as the collector offered it."""
        invite = Invite.parse(Envelope.from_json(offer["invite"]).payload)
        box = seal_box(self.content_key, invite.sealing_public_key)
        values: dict[str, Any] = {
            "organisation": invite.organisation,
            "invite": invite.invite_id,
            "policy_sha256": invite.policy_sha256,
            "session": self.session,
            "session_public_key": self.key.public_key,
            "sealing_key_id": invite.sealing_key_id,
            "choices": {},
            "locale": "en",
            "shown_ms": now_ms(),
            "decided_ms": now_ms(),
            "cli": "0.1.0",
        }
        consent = self.key.sign(Consent(**(values | changes)))
        redeem = self.key.sign(Redeem(consent_sha256=consent.sha256, box_sha256=hashlib.sha256(box).digest()))
        self.request = {"consent": consent.to_json(), "redeem": redeem.to_json(), "box": b64u_encode(box)}
        return self.request

    def accept(self, answer: Mapping[str, Any]) -> Certificate:
        """Take the certificate; batches refer to it from then on."""
        self.certificate = Envelope.from_json(answer["certificate"])
        self.prev = self.certificate.sha256
        return Certificate.parse(self.certificate.payload)

    def event(self, kind: str, *, src: str = "proxy", **fields: Any) -> RecordedEvent:
        """One more event, not in a batch yet."""
        seq = len(self.events)
        draft = Draft(src=Source(src), event=event_of(kind, fields), ms=now_ms(), mono_ms=seq)
        made = compose(draft, seq=seq, src_seq=self.counts[src], random=os.urandom)
        self.counts[src] += 1
        self.events.append(made)
        return made

    def batch(self, events: Sequence[RecordedEvent]) -> bytes:
        """The next batch, sealed and signed over these events."""
        wire = seal_batch(
            events,
            session=self.session,
            n=len(self.batches),
            first=events[0].seq,
            prev=self.prev,
            session_key=self.key,
            content_key=self.content_key,
            random=os.urandom,
        )
        self.prev = header_sha256(parse_batch(wire).header_bytes)
        self.batches.append(wire)
        return wire

    def say(self, *texts: str) -> bytes:
        """A batch of one prompt per text."""
        return self.batch([self.event("prompt", text=text) for text in texts])

    def close(self) -> bytes:
        """The last batch: the closing event alone, with its totals."""
        totals = dict(self.counts)
        return self.batch([self.event("closed", src="recorder", totals=totals, batches=len(self.batches))])

    def withdrawal(self) -> dict[str, str]:
        """The signed statement that ends the session."""
        return self.key.sign(Withdrawal(session=self.session, at_ms=now_ms())).to_json()

    def redeem_at(self, client: httpx.Client) -> Certificate:
        """Fetch the invite, consent and redeem."""
        secret = secret_header(self.code)
        offer = client.get(f"/v1/invites/{self.code.invite_id}", headers=secret)
        assert offer.status_code == 200, offer.text
        body = self.consent_to(offer.json())
        answer = client.post(f"/v1/invites/{self.code.invite_id}/redeem", headers=secret, json=body)
        assert answer.status_code == 200, answer.text
        return self.accept(answer.json())

    def put(self, client: httpx.Client, n: int, headers: Mapping[str, str] | None = None) -> httpx.Response:
        """Send batch ``n`` and keep its receipt."""
        answer = client.put(
            f"/v1/sessions/{self.session}/batches/{n}", content=self.batches[n], headers=dict(headers or {})
        )
        if answer.status_code == 200:
            self.receipts[n] = answer.content
        return answer


def new_assessment(client: httpx.Client, token: str, **settings: Any) -> str:
    """Set up an assessment and return its id."""
    body = {"title": "Build a parser"} | settings
    answer = client.post("/v1/assessments", headers=bearer(token), json=body)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def new_invite(
    client: httpx.Client, token: str, assessment: str, *, name: str = "Cara Candidate", email: str = "cara@example.com"
) -> InviteCode:
    """Invite someone and return the code."""
    path = f"/v1/assessments/{assessment}/invites"
    answer = client.post(path, headers=bearer(token), json={"name": name, "email": email})
    assert answer.status_code == 201, answer.text
    return InviteCode.parse(answer.json()["link"])


def started(client: httpx.Client, token: str, **person: str) -> Candidate:
    """A candidate with a running session in a new assessment."""
    candidate = Candidate(new_invite(client, token, new_assessment(client, token), **person))
    candidate.redeem_at(client)
    return candidate


def secret_header(code: InviteCode) -> dict[str, str]:
    """The headers with which a candidate's program asks for an invite: its secret, and the policies that it reads."""
    return {**bearer(b64u_encode(code.secret)), POLICY_HEADER: str(NEWEST)}


def earlier_receipt(receipt: bytes) -> dict[str, str]:
    """The header that gives a restored collector a receipt from before."""
    return {"promptster-receipt": b64u_encode(receipt)}


def decoded(text: str) -> bytes:
    """Decode base64url."""
    return b64u_decode(text)
