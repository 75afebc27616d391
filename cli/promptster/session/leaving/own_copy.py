"""Writes the candidate's own copy of a session: a bundle of the local recording and of what the collector signed.

The copy is verified so that the result can be reported, and it is written in any case, because it is the candidate's.
"""

from __future__ import annotations

import contextlib
import shlex
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from promptster.client import CollectorClient
from promptster.durable import write_private
from promptster.errors import CollectorError
from promptster.paths import slug
from promptster.protocol.batch import open_body, parse_batch
from promptster.protocol.bundle import SUFFIX, BundleBatch, BundleParts, parts_from_batches, write_bundle
from promptster.protocol.documents import encode
from promptster.protocol.encoding import b64u_decode
from promptster.protocol.errors import ProtocolError
from promptster.protocol.finding_codes import FindingCode
from promptster.protocol.receipt import Check, Close
from promptster.protocol.signing import Envelope
from promptster.protocol.transparency_log import LogProof
from promptster.protocol.verdict import Effect
from promptster.protocol.verdict_words import VerdictWord
from promptster.protocol.verification import verify_bundle
from promptster.session.current import CERTIFICATE
from promptster.session.joining import redeeming
from promptster.session_folder.collector_keys import trusted_keys
from promptster.times import file_day

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from promptster.config import Config
    from promptster.protocol.events import RecordedEvent
    from promptster.protocol.verdict import Verification
    from promptster.session.current import Current

PATIENCE_S: Final = 15.0
"""Seconds without a new check or proof of the collector after which waiting ends."""
PROOFS_S: Final = 10.0
"""Seconds to wait for log proofs once everything else arrived; ``promptster export`` adds later ones."""
_PAUSE_S = 0.2


@dataclass(frozen=True, kw_only=True)
class OwnCopy:
    """A copy that was written."""

    path: Path
    received: int
    """Number of events for which the collector signed a receipt."""
    verification: Verification
    notes: tuple[str, ...] = ()
    """The checkpoints that the collector sent meanwhile, not verified."""

    @property
    def complete(self) -> bool:
        """Whether the collector signed a receipt for every local event."""
        return self.verification.events > 0 and self.received == self.verification.events

    @property
    def settled(self) -> bool:
        """Whether the session is finished on this computer, because at most log proofs are missing."""
        if self.verification.verdict is VerdictWord.VERIFIED:
            return True
        lacking = {found.code for found in self.verification.findings if found.effect is not Effect.NOTE}
        return self.complete and lacking == {FindingCode.NOT_IN_LOG}

    def log_is_late(self, organisation: str) -> list[str]:
        """Return the lines for the candidate if only log proofs are missing; empty otherwise."""
        if self.verification.verdict is VerdictWord.VERIFIED or not self.settled:
            return []
        what = "; ".join(found.text for found in self.verification.findings if found.code == FindingCode.NOT_IN_LOG)
        return [
            f"warning: your copy is not complete yet: {what}",
            f"{organisation} has everything, so you need not do anything. To complete your copy later:",
            f"promptster export {shlex.quote(str(self.path))}",
        ]


@dataclass(frozen=True, kw_only=True)
class Signed:
    """What the collector signed, as far as it was received."""

    receipts: tuple[Envelope, ...] = ()
    checks: tuple[Envelope, ...] = ()
    close: Envelope | None = None
    redactions: tuple[Envelope, ...] = ()
    checkpoint: str | None = None
    proofs: tuple[LogProof, ...] = ()
    keyfile: bytes | None = None
    notes: tuple[str, ...] = ()
    """Every checkpoint that was received, not verified."""

    @classmethod
    def from_evidence(cls, evidence: Mapping[str, Any]) -> Signed:
        """Read the collector's answer.

        Raises:
            ProtocolError: a part is malformed.
            LookupError: a part is missing.
            TypeError: a part has another type.
        """
        close = evidence["close"]
        return cls(
            receipts=tuple(Envelope.from_json(entry) for entry in evidence["receipts"]),
            checks=tuple(Envelope.from_json(entry) for entry in evidence["checks"]),
            close=None if close is None else Envelope.from_json(close),
            redactions=tuple(Envelope.from_json(entry) for entry in evidence["redactions"]),
            checkpoint=evidence["checkpoint"],
            proofs=tuple(
                LogProof(n=entry["n"], index=entry["index"], proof=tuple(b64u_decode(item) for item in entry["proof"]))
                for entry in evidence["proofs"]
            ),
            keyfile=encode(evidence["keys"]),
        )


def write_copy(
    current: Current, config: Config, *, patience_s: float = PATIENCE_S, proofs_s: float = PROOFS_S
) -> OwnCopy:
    """Collect, verify and write the copy.

    It lacks what the collector did not sign in time: waiting ends after ``patience_s`` seconds without anything new,
    or ``proofs_s`` seconds after only log proofs are missing. Verification reports what is missing. If the collector
    cannot be reached, the copy contains the local receipts.

    Raises:
        SessionError: the session's keys were deleted.
    """
    batches = _batches(current)
    data = None
    try:
        signed = _ask(current, config, len(batches), patience_s, proofs_s)
        if any(current.folder.batches.glob("*.adopted")):  # only the collector has the events of these batches
            data = _collectors_bundle(current, config)
    except (CollectorError, ProtocolError, LookupError, TypeError):
        signed = Signed(receipts=_receipts(current))
    if data is None:
        data = write_bundle(_parts(current, batches, signed))
    verification = verify_bundle(data, trusted=trusted_keys(current.folder).fingerprints)
    path = copy_path(current, config)
    write_private(path, data)
    received = sum(facts.count for facts in verification.batches if facts.received_ms is not None)
    return OwnCopy(path=path, received=received, verification=verification, notes=signed.notes)


def copy_path(current: Current, config: Config) -> Path:
    """Return the copy's path: its name has date, title and session, and is safe in every file system."""
    facts = current.facts
    title = slug(facts.title) or "assessment"
    return config.paths.bundles / f"{file_day(facts.created_ms)}-{title}-{facts.session[:8]}{SUFFIX}"


def _parts(current: Current, batches: list[BundleBatch], signed: Signed) -> BundleParts:
    folder = current.folder
    keys = trusted_keys(folder)
    continued = signed.keyfile is not None and keys.take_over(signed.keyfile)
    return parts_from_batches(
        keys=signed.keyfile if continued and signed.keyfile is not None else keys.keyfile,
        certificate=Envelope.decode(folder.read_document(CERTIFICATE)),
        policy=folder.read_document(redeeming.POLICY),
        consent=Envelope.decode(folder.read_document(redeeming.CONSENT)),
        batches=batches,
        receipts=signed.receipts,
        checks=signed.checks,
        close=signed.close if closes(signed.close, len(batches)) else None,
        redactions=signed.redactions,
        checkpoint=signed.checkpoint,
        proofs=signed.proofs,
    )


def closes(close: Envelope | None, batches: int) -> bool:
    """Return whether a close covers these batches; with one of fewer batches the rest would count as altered."""
    try:
        return close is not None and Close.parse(close.payload).n >= batches
    except ProtocolError:
        return True  # verification reports what is wrong with it


def _collectors_bundle(current: Current, config: Config) -> bytes:
    facts = current.facts
    with CollectorClient(facts.collector_url, token=current.secrets.access_token, network=config.network) as client:
        return client.bundle(facts.session)


def _batches(current: Current) -> list[BundleBatch]:
    """Return every sealed batch, opened with the candidate's key; damaged ones are left out or have no events."""
    found: list[BundleBatch] = []
    for path in sorted(current.folder.batches.glob("*.batch")):
        events: list[RecordedEvent] = []
        try:
            batch = parse_batch(path.read_bytes())
        except ProtocolError:
            continue
        with contextlib.suppress(ProtocolError):
            events = open_body(batch, current.secrets.content_key)
        found.append(BundleBatch.from_wire(batch, events))
    return found


def _receipts(current: Current) -> tuple[Envelope, ...]:
    """Return the local receipts."""
    return tuple(Envelope.decode(path.read_bytes()) for path in sorted(current.folder.batches.glob("*.receipt")))


def _ask(current: Current, config: Config, batches: int, patience_s: float, proofs_s: float) -> Signed:
    """Wait until the collector checked every batch and closed the session, or until nothing new comes."""
    facts = current.facts
    known, since = -1, time.monotonic()
    rest_since: float | None = None
    notes: dict[str, None] = {}
    with CollectorClient(facts.collector_url, token=current.secrets.access_token, network=config.network) as client:
        while True:
            signed = Signed.from_evidence(client.evidence(facts.session))
            if isinstance(signed.checkpoint, str):
                notes[signed.checkpoint] = None
            signed = replace(signed, notes=tuple(notes))
            checked = len(signed.checks) >= batches
            logged = signed.checkpoint is not None and len(signed.proofs) >= batches
            settled = signed.close is not None or _closing_failed(signed.checks)
            parts = len(signed.checks) + len(signed.proofs)
            if parts > known:
                known, since = parts, time.monotonic()
            now = time.monotonic()
            if checked and settled:
                rest_since = now if rest_since is None else rest_since
                if logged or now - rest_since >= proofs_s:
                    return signed
            if now - since > patience_s:
                return signed
            time.sleep(_PAUSE_S)


def _closing_failed(checks: tuple[Envelope, ...]) -> bool:
    """Return whether the last check failed: then the collector closes the session only when its time is over."""
    try:
        found = [Check.parse(envelope.payload) for envelope in checks]
    except ProtocolError:
        return True
    return bool(found) and not max(found, key=lambda check: check.n).ok
