"""A session that a made-up collector has certified, with its folder: real keys, real signatures, no server."""

from __future__ import annotations

import hashlib
import itertools
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from promptster.deliver.trust import TrustedKeys
from promptster.protocol import merkle
from promptster.protocol.consent import Certificate, Consent
from promptster.protocol.encoding import b64u_encode
from promptster.protocol.events.kinds import Kind
from promptster.protocol.invite import Invite
from promptster.protocol.key_succession import first_key, log_key, parse_keyfile, write_keyfile
from promptster.protocol.policy import make_policy, policy_sha256
from promptster.protocol.sealing import SealingKey
from promptster.protocol.signing import Envelope, SigningKey
from promptster.protocol.transparency_log import LogProof, log_leaf, sign_checkpoint
from promptster.secret_store import SessionSecrets
from promptster.session_folder.folder import SessionFacts, SessionFolder, SessionState

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from promptster.paths import Paths
    from promptster.protocol.key_succession import KeySuccession

NOW_MS = 1_795_600_000_000


class SeededBytes:
    """A source of bytes that is the same in every run."""

    def __init__(self, seed: int = 0, name: str = "") -> None:
        self._count = itertools.count()
        self._seed = f"{seed}/{name}".encode()

    def __call__(self, size: int) -> bytes:
        """The next ``size`` bytes."""
        return hashlib.shake_256(b"%b/%d" % (self._seed, next(self._count))).digest(size)


@dataclass
class Certified:
    """Everything that exists after an invite was redeemed."""

    seed: int = 0
    record_until: int = NOW_MS + 10**10
    upload_until: int = NOW_MS + 10**10
    upstreams: dict[str, str] = field(default_factory=lambda: {"anthropic": "https://api.anthropic.com"})
    overrides: tuple[str, ...] = ()
    limits: dict[str, int] = field(default_factory=dict[str, int])
    """What the certificate says of itself; ``log`` promises a proof for every receipt."""

    @cached_property
    def random(self) -> SeededBytes:
        """Salts and nonces."""
        return SeededBytes(self.seed)

    def named(self, name: str) -> SeededBytes:
        """Bytes for one purpose, always the same regardless of earlier calls."""
        return SeededBytes(self.seed, name)

    @cached_property
    def collector_key(self) -> SigningKey:
        """The key that the collector signs with."""
        return SigningKey.generate(self.named("collector"))

    @cached_property
    def log_key(self) -> SigningKey:
        """The key that the collector's log signs with."""
        return SigningKey.generate(self.named("log"))

    @cached_property
    def keyfile(self) -> bytes:
        """The collector's key file."""
        key = self.collector_key
        records = [first_key(key, created_ms=NOW_MS)]
        if self.limits:
            records.append(log_key(key, self.log_key.public_key, created_ms=NOW_MS))
        return write_keyfile(records)

    def logged(self, receipts: Sequence[Envelope]) -> tuple[str, tuple[LogProof, ...]]:
        """A checkpoint over these receipts, and their proofs."""
        leaves = [log_leaf(receipt) for receipt in receipts]
        note = sign_checkpoint(
            origin="acme.example/receipts", size=len(leaves), root=merkle.root(leaves), key=self.log_key
        )
        proofs = [LogProof(n=n, index=n, proof=tuple(merkle.inclusion_proof(leaves, n))) for n in range(len(leaves))]
        return note, tuple(proofs)

    @cached_property
    def keys(self) -> KeySuccession:
        """The collector's public keys."""
        return parse_keyfile(self.keyfile)

    @property
    def trusted(self) -> TrustedKeys:
        """The key that the session trusts at its start."""
        return TrustedKeys(self.keyfile, pin=self.collector_key.kid, keep=lambda _keyfile: None)

    @cached_property
    def invite(self) -> Envelope:
        """The signed invite."""
        return self.collector_key.sign(
            Invite(
                kid=self.collector_key.kid,
                invite_id=Consent.parse(self.consent.payload).invite,
                organisation="Acme",
                policy_sha256=policy_sha256(self.policy),
                sealing_key_id=b64u_encode(self.named("sealing")(16)),
                sealing_public_key=SealingKey.generate(self.named("box")).public_key,
                expires=NOW_MS + 10**8,
            )
        )

    @cached_property
    def session(self) -> str:
        """The session's id."""
        return b64u_encode(b"\x00" + self.named("session")(15))

    @cached_property
    def secrets(self) -> SessionSecrets:
        """The candidate's secrets."""
        return SessionSecrets.generate(self.session, self.named("secrets"))

    @cached_property
    def policy(self) -> bytes:
        """The policy's exact bytes."""
        return make_policy(
            organisation="Acme",
            title="Take-home",
            kinds=sorted(Kind),
            retention_days=30,
            time_limit_minutes=0,
            providers=self.upstreams,
            hooks=True,
            analysis_by_llm=False,
            readers=["reviewer"],
        ).payload()

    @cached_property
    def consent(self) -> Envelope:
        """The signed consent."""
        return self.secrets.signing_key.sign(
            Consent(
                organisation="Acme",
                invite=b64u_encode(self.named("invite")(16)),
                policy_sha256=policy_sha256(self.policy),
                session=self.session,
                session_public_key=self.secrets.signing_key.public_key,
                sealing_key_id=b64u_encode(self.named("sealing")(16)),
                choices={},
                locale="en",
                shown_ms=NOW_MS,
                decided_ms=NOW_MS + 1,
                cli="test",
            )
        )

    @cached_property
    def certificate(self) -> Envelope:
        """The signed certificate."""
        return self.collector_key.sign(
            Certificate(
                kid=self.collector_key.kid,
                session=self.session,
                organisation="Acme",
                invite_id=Consent.parse(self.consent.payload).invite,
                session_public_key=self.secrets.signing_key.public_key,
                consent_sha256=self.consent.sha256,
                policy_sha256=policy_sha256(self.policy),
                record_until=self.record_until,
                upload_until=self.upload_until,
                limits=self.limits,
                continues=None,
            )
        )

    def folder(self, paths: Paths, *, collector_url: str = "http://127.0.0.1:9") -> SessionFolder:
        """The session's folder, as ``promptster start`` leaves it before the recorder runs."""
        facts = SessionFacts(
            session=self.session,
            collector_url=collector_url,
            organisation="Acme",
            title="Take-home",
            workspace="/nowhere",
            created_ms=NOW_MS,
            secrets="file",
            upstreams=self.upstreams,
            overrides=self.overrides,
            record_until=self.record_until,
            upload_until=self.upload_until,
            state=SessionState.PREPARING,
        )
        folder = SessionFolder.create(paths, facts)
        folder.write_document("invite.json", self.invite.encode())
        folder.write_document("policy.json", self.policy)
        folder.write_document("consent.json", self.consent.encode())
        folder.write_document("certificate.json", self.certificate.encode())
        folder.write_document("keys.json", self.keyfile)
        folder.activate(paths)
        return folder


def paths_below(folder: Path) -> Any:
    """The three folders of a made-up user."""
    from promptster.paths import Paths  # noqa: PLC0415 - keeps the helper's import light

    return Paths(config=folder / "config", data=folder / "data", state=folder / "state")
