"""Verification, outer part: what the collector signed about keys, consent, custody, content, end, redaction and log."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from promptster.protocol.bundle import BundleParts
from promptster.protocol.chain import Chain, in_order
from promptster.protocol.consent import Certificate, Consent
from promptster.protocol.documents import Document
from promptster.protocol.errors import DocumentError, KeyringError, LogError, NewerVersionError, SignatureError
from promptster.protocol.events.public import PublicEvent
from promptster.protocol.events.sources import ends_session
from promptster.protocol.finding_codes import FindingCode
from promptster.protocol.key_succession import KeySuccession, parse_keyfile
from promptster.protocol.log_consistency import Shown, View
from promptster.protocol.policy import Policy, policy_sha256
from promptster.protocol.privacy import RedactionRecord, Tombstone
from promptster.protocol.receipt import Check, Close, CloseOutcome, Receipt
from promptster.protocol.signing import Envelope, open_envelope, verify
from promptster.protocol.transparency_log import Checkpoint, LogProof, log_leaf
from promptster.protocol.verdict import LogFacts, Report, Span, in_words, joined, spans

S = TypeVar("S", Certificate, Receipt, Check, Close, RedactionRecord, Tombstone)
B = TypeVar("B", Receipt, Check)

_KID = re.compile(rb'"kid"[\t\n\r ]*:[\t\n\r ]*"([A-Za-z0-9_-]{22})"')
_WITNESS_PRECISION_MS = 1000
"""Witnesses state whole seconds."""
_NAMED_AT_MOST = 200
"""Characters of a list of names in a finding."""


@dataclass
class Evidence:
    """What the collector signed, read and checked as far as it goes."""

    keys: KeySuccession
    certificate: Certificate
    consent: Consent | None
    policy: Policy | None
    signers: set[int] = field(default_factory=set[int])
    """Positions in the succession of the keys that signed anything here."""
    receipts: dict[int, Receipt] = field(default_factory=dict[int, Receipt])
    """Of batches whose header is here."""
    signed_receipts: dict[int, Envelope] = field(default_factory=dict[int, Envelope])
    """Every receipt that the collector signed, as the log holds it."""
    checks: dict[int, Check] = field(default_factory=dict[int, Check])
    redactions: list[RedactionRecord] = field(default_factory=list[RedactionRecord])
    close: Close | None = None
    log: LogFacts | None = None
    witnesses: tuple[str, ...] = ()


def _open_signed(report: Report, keys: KeySuccession, signers: set[int], cls: type[S], envelope: Envelope) -> S | None:
    """Read a document that one of the collector's keys signed, or say why not."""
    what = cls.TYPE.value
    try:
        document = cls.parse(envelope.payload)
    except DocumentError as error:
        if _is_signed(cls, envelope, _named_key(keys, envelope.payload)):
            report.unreadable(FindingCode(f"{what}_malformed"), f"a {what} was signed but cannot be read: {error}")
        else:
            report.altered(FindingCode(f"{what}_signature"), f"a {what} is not what the collector signed: {error}")
        return None
    position = keys.position(document.kid)
    if position is None:
        report.altered(FindingCode.FOREIGN_SIGNER, f"a {what} is signed by a key outside the collector's succession")
        return None
    if not _is_signed(cls, envelope, keys.collector[position].public_key):
        report.altered(FindingCode(f"{what}_signature"), f"a {what} is not what the collector signed")
        return None
    signers.add(position)
    return document


def _named_key(keys: KeySuccession, payload: bytes) -> bytes:
    """The key that bytes which are no document name, or the newest: one signature to check, whatever the bytes."""
    match = _KID.search(payload)
    named = keys.find(match[1].decode("ascii")) if match else None
    return named or keys.current.public_key


def _is_signed(cls: type[Document], envelope: Envelope, public_key: bytes) -> bool:
    try:
        verify(public_key, cls.TYPE, envelope.payload, envelope.signature)
    except SignatureError:
        return False
    return True


def read_identity(report: Report, parts: BundleParts) -> Evidence | None:
    """Keys, certificate, policy, consent; ``None`` when there is nothing to build on."""
    try:
        keys = parse_keyfile(parts.keys)
    except DocumentError as error:
        report.unreadable(FindingCode.KEYS_MALFORMED, f"the collector's keys cannot be read: {error}")
        return None
    except KeyringError as error:
        report.altered(FindingCode.KEYS, f"the collector's chain of keys is not valid: {error}")
        return None
    signers: set[int] = set()
    certificate = _open_signed(report, keys, signers, Certificate, parts.certificate)
    if certificate is None:
        return None
    if certificate.unknown_limits:
        named = ", ".join(certificate.unknown_limits)[:_NAMED_AT_MOST]
        report.unreadable(
            FindingCode.NEWER_VERSION, f"the certificate has limits that only a newer version knows: {named}"
        )
        return None
    consent = _read_consent(report, certificate, parts.consent)
    policy = _read_policy(report, certificate, parts.policy)
    return Evidence(keys, certificate, consent, policy, signers)


def _read_consent(report: Report, certificate: Certificate, envelope: Envelope) -> Consent | None:
    if envelope.sha256 != certificate.consent_sha256:
        report.altered(FindingCode.CONSENT_MISMATCH, "the consent is not the one that the certificate names")
        return None
    try:
        consent = open_envelope(Consent, envelope, certificate.session_public_key)
    except SignatureError as error:
        report.altered(FindingCode.CONSENT_SIGNATURE, f"the consent is not signed by the session's key: {error}")
        return None
    except DocumentError as error:
        report.unreadable(FindingCode.CONSENT_MALFORMED, f"the consent cannot be read: {error}")
        return None
    said = (
        consent.session, consent.invite, consent.organisation, consent.policy_sha256, consent.session_public_key,
    )  # fmt: skip
    certified = (
        certificate.session, certificate.invite_id, certificate.organisation, certificate.policy_sha256,
        certificate.session_public_key,
    )  # fmt: skip
    if said != certified:
        report.altered(FindingCode.CONSENT_MISMATCH, "the consent and the certificate contradict each other")
    return consent


def _read_policy(report: Report, certificate: Certificate, data: bytes) -> Policy | None:
    if policy_sha256(data) != certificate.policy_sha256:
        report.altered(FindingCode.POLICY_MISMATCH, "the policy is not the one that was agreed to")
        return None
    try:
        policy = Policy.parse(data)
    except NewerVersionError as error:
        report.refused(error)
        return None
    except DocumentError as error:
        report.unreadable(FindingCode.POLICY_MALFORMED, f"the policy cannot be read: {error}")
        return None
    if policy.organisation != certificate.organisation:
        report.altered(FindingCode.POLICY_MISMATCH, "policy and certificate name different organisations")
    return policy


def _open_list(
    report: Report, evidence: Evidence, cls: type[S], envelopes: Sequence[Envelope]
) -> list[tuple[Envelope, S]]:
    opened: list[tuple[Envelope, S]] = []
    for envelope in envelopes:
        document = _open_signed(report, evidence.keys, evidence.signers, cls, envelope)
        if document is None:
            continue
        if document.session != evidence.certificate.session:
            report.altered(FindingCode.FOREIGN_SESSION, f"a {cls.TYPE.value} belongs to another session")
            continue
        opened.append((envelope, document))
    return opened


def read_custody(report: Report, evidence: Evidence, parts: BundleParts, chain: Chain) -> None:
    """Receipts and checks, against the headers that they name."""
    signed = _open_batches(report, evidence, Receipt, parts.receipts)
    evidence.signed_receipts.update((n, envelope) for n, (envelope, _) in signed.items())
    receipts = _of_chain(report, Receipt, signed, chain)
    checks = _of_chain(report, Check, _open_batches(report, evidence, Check, parts.checks), chain)
    evidence.receipts.update(receipts)
    evidence.checks.update(checks)
    missing: list[Span] = []
    for n in chain.links:
        check = checks.get(n)
        if n not in receipts:
            report.incomplete(FindingCode.RECEIPT_MISSING, f"nothing shows that batch {n} was received")
        if check is None:
            report.incomplete(FindingCode.CHECK_MISSING, f"batch {n} has no check")
        elif not check.ok:
            report.incomplete(FindingCode.UNREADABLE_SPAN, f"the collector could not read batch {n}: {check.code}")
        elif check.discarded:
            report.note(
                FindingCode.OUTSIDE_POLICY,
                f"batch {n}: {check.discarded} event{'s' * (check.discarded > 1)} outside the policy, discarded",
            )
        if check is None or check.ok or not chain.absent(n):
            missing += chain.missing.get(n, ())
    if missing:
        runs = joined(missing)
        code = FindingCode.TRUNCATED if runs[0].first > chain.last_here else FindingCode.GAP
        report.incomplete(code, f"missing events: {in_words(runs)}")


def _open_batches(
    report: Report, evidence: Evidence, cls: type[B], envelopes: Sequence[Envelope]
) -> dict[int, tuple[Envelope, B]]:
    opened = _open_list(report, evidence, cls, envelopes)
    return in_order(
        report,
        opened,
        what=cls.TYPE.value,
        number=lambda item: item[1].n,
        identity=lambda item: item[0].payload,
    )


def _of_chain(report: Report, cls: type[B], opened: Mapping[int, tuple[Envelope, B]], chain: Chain) -> dict[int, B]:
    """Those whose header is here, and is the one that they name."""
    what = cls.TYPE.value
    end = max(chain.links, default=-1)
    result: dict[int, B] = {}
    for n, (_, document) in opened.items():
        link = chain.links.get(n)
        if link is None:
            if n > end:
                report.incomplete(FindingCode.TRUNCATED, f"there is a {what} of batch {n}, but not the batch")
        elif link.sha256 != document.header_sha256:
            report.altered(FindingCode.CONFLICT, f"the {what} of batch {n} names another header than the one here")
        else:
            result[n] = document
    return result


def read_end(report: Report, evidence: Evidence, parts: BundleParts, chain: Chain, genesis: bytes) -> None:
    """The closing document and a tombstone, if there is one."""
    if parts.tombstone is not None:
        for _, tombstone in _open_list(report, evidence, Tombstone, [parts.tombstone]):
            report.incomplete(FindingCode.TOMBSTONE, f"the session's content is gone: {tombstone.outcome}")
    if parts.close is None:
        report.incomplete(FindingCode.OPEN_ENDED, "nothing says that the session ended here")
        return
    for _, close in _open_list(report, evidence, Close, [parts.close]):
        evidence.close = close
        _check_close(report, close, chain, genesis)


def _check_close(report: Report, close: Close, chain: Chain, genesis: bytes) -> None:
    if close.outcome == CloseOutcome.LAPSED:
        report.incomplete(FindingCode.LAPSED, "the session was never closed by the candidate")
    batches = max(chain.links, default=-1) + 1
    if batches < close.n:
        report.incomplete(FindingCode.TRUNCATED, f"the session had {close.n} batches, but there are only {batches}")
        return
    last = chain.links.get(batches - 1)
    head = genesis if last is None else last.sha256
    events = 0 if last is None else last.header.first + last.header.count
    if (batches, head, events) != (close.n, close.head, close.events):
        report.altered(FindingCode.CLOSE_MISMATCH, "the session that was closed is not the one here")
    elif (
        close.outcome != CloseOutcome.LAPSED
        and events - 1 in chain.proven
        and not _ends(chain.proven[events - 1].event)
    ):
        report.incomplete(FindingCode.CLOSE_MISSING, "the session was submitted, but its last event does not say so")


def _ends(event: PublicEvent) -> bool:
    return ends_session(event.kind, event.src)


def read_redactions(report: Report, evidence: Evidence, parts: BundleParts, genesis: bytes) -> None:
    """The collector's chain of redaction records."""
    opened = _open_list(report, evidence, RedactionRecord, parts.redactions)
    prev = genesis
    for i, (envelope, record) in enumerate(opened):
        if (record.i, record.prev) != (i, prev):
            report.altered(
                FindingCode.REDACTION_CHAIN, f"redaction record {record.i} does not continue the previous one"
            )
        prev = envelope.sha256
        evidence.redactions.append(record)


def read_log(
    report: Report, evidence: Evidence, parts: BundleParts, witnesses: Mapping[str, bytes], believed: KeySuccession
) -> None:
    """The checkpoint, the receipts' places in the log, and cosignatures of known witnesses.

    A witness's word is that the log's head existed by then: it covers receipts that are proven to be below it, and
    cannot bear out ones that say they were received later. A log key that ``believed`` does not hold was introduced by
    a key in front of the pinned one, which anybody can put there: that log may be a stranger's, and proves nothing.
    """
    if parts.checkpoint is None:
        if parts.proofs:
            report.altered(FindingCode.LOG_PROOF, "there are log proofs but no checkpoint")
        _tell_log(report, evidence, None, (), "there is no checkpoint of the log")
        return
    try:
        checkpoint = Checkpoint.parse(parts.checkpoint)
    except LogError as error:
        report.unreadable(FindingCode.CHECKPOINT_MALFORMED, f"the checkpoint cannot be read: {error}")
        return
    signer = next((record for record in evidence.keys.log if _signed_by(checkpoint, record.public_key)), None)
    if signer is None:
        report.altered(FindingCode.CHECKPOINT_SIGNATURE, "the checkpoint is not signed by a key of the collector's log")
        return
    proven = _check_proofs(report, evidence, parts, checkpoint)
    if signer in believed.log:
        shown = tuple(
            Shown(log_leaf(evidence.signed_receipts[n]), proof.index, proof.proof) for n, proof in proven.items()
        )
        _tell_log(report, evidence, checkpoint, proven, view=View(checkpoint, signer.public_key, shown))
    else:
        why = "no pinned key vouches for this bundle's log key"
        _tell_log(report, evidence, checkpoint, (), why)
    received = [evidence.receipts[n].received_ms for n in proven if n in evidence.receipts]
    for name, public_key in witnesses.items():
        try:
            cosigned_ms = checkpoint.cosigned_ms(name, public_key)
        except LogError as error:
            report.altered(FindingCode.COSIGNATURE, f"the signature of {name} is not valid: {error}")
            continue
        if cosigned_ms is not None and received and max(received) < cosigned_ms + _WITNESS_PRECISION_MS:
            evidence.witnesses += (name,)


def _tell_log(
    report: Report,
    evidence: Evidence,
    checkpoint: Checkpoint | None,
    proven: Collection[int],
    why: str = "",
    *,
    view: View | None = None,
) -> None:
    """Say which receipts nothing shows in the log; it counts if the certificate promises that all are there."""
    promised = evidence.certificate.promises_log
    missing = spans(sorted(evidence.signed_receipts.keys() - set(proven)))
    evidence.log = LogFacts(
        promised=promised,
        receipts=len(evidence.signed_receipts),
        missing=missing,
        origin=None if checkpoint is None else checkpoint.origin,
        view=view,
    )
    if not missing and not why:
        return
    one = len(missing) == 1 and missing[0].first == missing[0].last
    which = f"the receipt of batch {in_words(missing)}" if one else f"the receipts of batches {in_words(missing)}"
    text = why
    if missing:
        text = f"no log proof for {which}{f' ({why})' if why else ''}"
    if promised:
        report.incomplete(FindingCode.NOT_IN_LOG, text)
    else:
        report.note(FindingCode.NOT_IN_LOG, f"{text}, but none was promised")


def _signed_by(checkpoint: Checkpoint, public_key: bytes) -> bool:
    try:
        checkpoint.verify(public_key)
    except LogError:
        return False
    return True


def _stands_in_log(proof: LogProof, receipt: Envelope, checkpoint: Checkpoint) -> bool:
    try:
        proof.verify(receipt, checkpoint)
    except LogError:
        return False
    return True


def _check_proofs(
    report: Report, evidence: Evidence, parts: BundleParts, checkpoint: Checkpoint
) -> dict[int, LogProof]:
    """The batches whose receipts are proven to be in the checkpoint's log, each with its proof."""
    proven: dict[int, LogProof] = {}
    receipts = evidence.signed_receipts
    proofs: dict[int, LogProof] = in_order(
        report, parts.proofs, what="proof", number=lambda proof: proof.n, identity=lambda proof: proof.payload()
    )
    for n, proof in proofs.items():
        if n not in receipts:
            report.altered(FindingCode.LOG_PROOF, f"there is a log proof for batch {n} but no receipt")
        elif not _stands_in_log(proof, receipts[n], checkpoint):
            report.altered(FindingCode.LOG_PROOF, f"the log proof does not match the receipt of batch {n}")
        else:
            proven[n] = proof
    return proven
