"""A made-up collector's answers to one invite; a test can replace each part."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from promptster.protocol.consent import Certificate, Consent
from promptster.protocol.encoding import b64u_encode
from promptster.protocol.invite import Invite, InviteCode, new_invite_code
from promptster.protocol.key_succession import first_key, keyfile_object, next_key
from promptster.protocol.policy import Policy, make_policy, policy_sha256
from promptster.protocol.sealing import SealingKey
from promptster.protocol.signing import Envelope, SigningKey

NOW_MS = 1_795_600_000_000


@dataclass
class Inviting:
    """Keys, invite and policy of a made-up collector."""

    key: SigningKey = field(default_factory=lambda: SigningKey.generate(os.urandom))
    sealing: SealingKey = field(default_factory=lambda: SealingKey.generate(os.urandom))
    secret: bytes = field(default_factory=lambda: os.urandom(32))
    policy: Policy = field(
        default_factory=lambda: make_policy(
            organisation="Acme", title="Build a parser", providers={"anthropic": "https://api.anthropic.com"}
        )
    )
    repository: str | None = None
    changes: dict[str, Any] = field(default_factory=dict[str, Any])
    """Members of the invite that are other than they should be."""

    @cached_property
    def code(self) -> InviteCode:
        """The code that the candidate has."""
        return new_invite_code(self.secret, self.key.public_key)

    @property
    def invite(self) -> Envelope:
        """The signed invite."""
        values: dict[str, Any] = {
            "kid": self.key.kid,
            "invite_id": self.code.invite_id,
            "organisation": "Acme",
            "policy_sha256": policy_sha256(self.policy.payload()),
            "sealing_key_id": self.sealing.key_id,
            "sealing_public_key": self.sealing.public_key,
            "expires": NOW_MS + 1000,
        }
        return self.key.sign(Invite(**(values | self.changes)))

    @cached_property
    def keys(self) -> list[Envelope]:
        """The key succession."""
        return [first_key(self.key, created_ms=1)]

    def rotate(self) -> SigningKey:
        """A next key, signed by the first one."""
        new = SigningKey.generate(os.urandom)
        self.keys.append(next_key(self.key, new.public_key, created_ms=2))
        return new

    def offer(self, **other: Any) -> bytes:
        """The answer to asking for the invite."""
        document: dict[str, Any] = {
            "invite": self.invite.to_json(),
            "policy": b64u_encode(self.policy.payload()),
            "assessment": {"title": "Build a parser", "repository": self.repository, "time_limit_minutes": 0},
            "keys": keyfile_object(self.keys),
        }
        return json.dumps(document | other).encode()

    def offer_keys(self) -> dict[str, Any]:
        """The key file as an object."""
        return keyfile_object(self.keys)

    def certificate(self, request: bytes, signer: SigningKey | None = None, **changes: Any) -> bytes:
        """The answer to a redemption."""
        consent_envelope = Envelope.from_json(json.loads(request)["consent"])
        consent = Consent.parse(consent_envelope.payload)
        signer = signer or self.key
        values: dict[str, Any] = {
            "kid": signer.kid,
            "session": consent.session,
            "organisation": consent.organisation,
            "invite_id": consent.invite,
            "session_public_key": consent.session_public_key,
            "consent_sha256": consent_envelope.sha256,
            "policy_sha256": consent.policy_sha256,
            "record_until": NOW_MS + 10_000,
            "upload_until": NOW_MS + 20_000,
            "limits": {},
            "continues": None,
        }
        certificate = signer.sign(Certificate(**(values | changes)))
        return json.dumps({"certificate": certificate.to_json(), "keys": keyfile_object(self.keys)}).encode()


class FixedClock:
    """A clock that never moves."""

    def wall_ms(self) -> int:
        """The same moment always."""
        return NOW_MS

    def mono_ms(self) -> int:
        """The same moment always."""
        return 0
