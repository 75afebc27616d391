"""Verification of a bundle, offline: no network, no secret, no account.

Order: key succession, certificate, consent and policy, header chain, leaves and roots, receipts and checks, close,
redaction records, commitments and blocks, log, cosignatures. Every check runs as far as it can, so that one bad
batch is one finding.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from types import MappingProxyType

from promptster.protocol.bundle import BundleParts, read_bundle
from promptster.protocol.chain import Chain, read_chain
from promptster.protocol.content import VisibleContent, read_content
from promptster.protocol.errors import BundleError, ChecksumError
from promptster.protocol.evidence import (
    Evidence,
    read_custody,
    read_end,
    read_identity,
    read_log,
    read_redactions,
)
from promptster.protocol.finding_codes import FindingCode
from promptster.protocol.gaps import read_gaps
from promptster.protocol.key_succession import KeySuccession
from promptster.protocol.plausibility import read_presence, read_times
from promptster.protocol.verdict import BatchFacts, Effect, Report, Signer, Span, Verification, spans

UNTIMED_AFTER_MS = 5 * 60 * 1000
"""Events received later than this after they happened are untimed."""

_NOBODY: Mapping[str, bytes] = MappingProxyType({})


def verify_bundle(data: bytes, *, trusted: Collection[str], witnesses: Mapping[str, bytes] = _NOBODY) -> Verification:
    """Check a bundle; never raises for what the bundle holds.

    Args:
        data: the file's bytes.
        trusted: fingerprints of collector keys that are known from elsewhere, in hexadecimal digits.
        witnesses: public keys of witnesses by name.
    """
    report = Report()
    try:
        parts = read_bundle(data)
    except ChecksumError as error:
        report.altered(FindingCode.CHECKSUM, str(error))
    except BundleError as error:
        report.refused(error)
    else:
        return verify_parts(parts, trusted=trusted, witnesses=witnesses)
    return _nothing(report)


def verify_parts(
    parts: BundleParts, *, trusted: Collection[str], witnesses: Mapping[str, bytes] = _NOBODY
) -> Verification:
    """Check a bundle that has been taken apart; see ``verify_bundle``."""
    report = Report()
    evidence = read_identity(report, parts)
    if evidence is None:
        return _nothing(report)
    genesis = parts.certificate.sha256
    chain = read_chain(report, evidence.certificate, genesis, parts.headers, parts.events)
    read_custody(report, evidence, parts, chain)
    read_end(report, evidence, parts, chain, genesis)
    read_redactions(report, evidence, parts, genesis)
    content = read_content(report, evidence, parts, chain)
    read_log(report, evidence, parts, witnesses, _believed(evidence, trusted))
    return _conclude(report, evidence, chain, content, trusted)


def _nothing(report: Report) -> Verification:
    verdict, exit_code = report.verdict()
    return Verification(verdict=verdict, exit_code=exit_code, signer=None, events=0, findings=report.findings())


def _conclude(
    report: Report, evidence: Evidence, chain: Chain, content: VisibleContent, trusted: Collection[str]
) -> Verification:
    signer = _signer(evidence, trusted)
    if not signer.trusted:
        report.add(Effect.UNTRUSTED, FindingCode.SIGNER_UNKNOWN, "no pinned key vouches for the collector's keys")
    batches = tuple(
        BatchFacts(
            n=n,
            first=link.header.first,
            count=link.header.count,
            received_ms=evidence.receipts[n].received_ms if n in evidence.receipts else None,
            checked=evidence.checks[n].ok if n in evidence.checks else None,
            proven=n not in chain.broken,
        )
        for n, link in chain.links.items()
    )
    read_presence(report, evidence, content.opened)
    read_times(report, batches, content.opened)
    verdict, exit_code = report.verdict()
    return Verification(
        verdict=verdict,
        exit_code=exit_code,
        signer=signer,
        events=len(content.opened),
        findings=report.findings(),
        gaps=read_gaps(content.opened),
        untimed=_untimed(batches, chain),
        coverage=dict(sorted(Counter(event.src for event in content.opened).items())),
        shown=sum(len(event.shown) for event in content.opened),
        withheld=sum(len(event.withheld) for event in content.opened),
        redacted=content.redacted,
        batches=batches,
        log=evidence.log,
        time_vouched_by=(f"the collector ({signer.fingerprint})", *evidence.witnesses),
        opened=content.opened,
        certificate=evidence.certificate,
        consent=evidence.consent,
        policy=evidence.policy,
        close=evidence.close,
    )


def _signer(evidence: Evidence, trusted: Collection[str]) -> Signer:
    position = evidence.keys.position(evidence.certificate.kid)
    return Signer(evidence.keys.fingerprints[position or 0], _pin(evidence, trusted) is not None)


def _pin(evidence: Evidence, trusted: Collection[str]) -> int | None:
    """The position of the first pinned key, if it vouches for every key that signed here."""
    fingerprints = evidence.keys.fingerprints
    pinned = next((position for position, name in enumerate(fingerprints) if name in trusted), None)
    return None if pinned is None or pinned > min(evidence.signers) else pinned


def _believed(evidence: Evidence, trusted: Collection[str]) -> KeySuccession:
    """The keys that a pin vouches for; without one all of them, as nothing here is more than a stranger's word then."""
    pin = _pin(evidence, trusted)
    return evidence.keys if pin is None else evidence.keys.from_position(pin)


def _untimed(batches: tuple[BatchFacts, ...], chain: Chain) -> tuple[Span, ...]:
    numbers = [
        seq
        for batch in batches
        if batch.proven
        for seq in range(batch.first, batch.first + batch.count)
        if (batch.received_ms is None or batch.received_ms - chain.proven[seq].event.ms > UNTIMED_AFTER_MS)
    ]
    return spans(numbers)
