"""A session ready to be shown: its timeline, what verification said, and the facts for its heading."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from promptster.protocol.bundle import BundleParts, read_bundle
from promptster.protocol.errors import BundleError
from promptster.protocol.evidence import read_identity
from promptster.protocol.verdict import Report
from promptster.protocol.verification import verify_bundle, verify_parts
from promptster.replay.timeline import build
from promptster.replay.verification_gaps import missing_spans, unreported_gaps

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from promptster.protocol.consent import Certificate
    from promptster.protocol.events import OpenedEvent
    from promptster.protocol.policy import Policy
    from promptster.protocol.verdict import Verification
    from promptster.replay.model import Timeline


@dataclass(frozen=True, kw_only=True, slots=True)
class ReplayHeading:
    """The heading of a replay; every text is empty if it is unknown."""

    session: str = ""
    """The session's id."""
    title: str = ""
    """The assessment's title."""
    organisation: str = ""
    """Who invited."""
    candidate: str = ""
    """Whose work it is; a bundle does not say."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Replay:
    """Everything that a reader or an exporter needs."""

    timeline: Timeline
    """What happened."""
    facts: ReplayHeading = field(default_factory=ReplayHeading)
    """Its heading."""
    verification: Verification | None = None
    """What checking the bundle said; ``None`` if there is no bundle yet."""
    bundle: bytes | None = None
    """The bundle's own bytes."""


def from_opened(events: Sequence[OpenedEvent], *, facts: ReplayHeading | None = None) -> Replay:
    """A replay of a session that is still running, or of which only the events are at hand.

    Args:
        events: opened wire events, in any order.
        facts: its heading.
    """
    return Replay(timeline=build(events, unreported=missing_spans(events)), facts=facts or ReplayHeading())


def from_bundle(data: bytes, trusted: Collection[str], *, facts: ReplayHeading | None = None) -> Replay:
    """A replay of a bundle, verified first; only what was proved is shown.

    Args:
        data: the bundle's bytes.
        trusted: fingerprints of collector keys that the reader trusts, in hexadecimal digits.
        facts: what the reader knows beyond the bundle; the bundle's own data wins if it has any.
    """
    return from_verification(verify_bundle(data, trusted=trusted), bundle=data, facts=facts)


@dataclass(frozen=True, kw_only=True, slots=True)
class Opening:
    """A bundle taken apart, of which only what its heading needs has been checked: nothing else is to be shown yet."""

    facts: ReplayHeading
    """Title, organisation and session, as the collector signed them; the whole bundle's check finds the same."""
    data: bytes
    """The bundle's own bytes."""
    parts: BundleParts | None
    """What it holds; ``None`` where it cannot be taken apart."""
    trusted: Collection[str]
    """Fingerprints of collector keys that the reader trusts."""

    @classmethod
    def of(cls, data: bytes, trusted: Collection[str]) -> Opening:
        """Take a bundle apart; see ``from_bundle``."""
        try:
            parts = read_bundle(data)
        except BundleError:
            return cls(facts=ReplayHeading(), data=data, parts=None, trusted=trusted)
        evidence = read_identity(Report(), parts)
        known = (
            _known(evidence.certificate, evidence.policy, ReplayHeading()) if evidence is not None else ReplayHeading()
        )
        return cls(facts=known, data=data, parts=parts, trusted=trusted)

    def replay(self) -> Replay:
        """Check all of it; the replay of what was proved."""
        if self.parts is None:
            return from_bundle(self.data, self.trusted)
        return from_verification(verify_parts(self.parts, trusted=self.trusted), bundle=self.data)


def from_verification(
    verification: Verification, *, bundle: bytes | None = None, facts: ReplayHeading | None = None
) -> Replay:
    """A replay of what was verified already."""
    return Replay(
        timeline=build(
            verification.opened,
            unreported=unreported_gaps(verification),
            redacted=((value.seq, value.field) for value in verification.redacted),
        ),
        facts=_facts(verification, facts or ReplayHeading()),
        verification=verification,
        bundle=bundle,
    )


def _facts(verification: Verification, known: ReplayHeading) -> ReplayHeading:
    return _known(verification.certificate, verification.policy, known)


def _known(certificate: Certificate | None, policy: Policy | None, known: ReplayHeading) -> ReplayHeading:
    if certificate is not None:
        known = replace(known, session=certificate.session, organisation=certificate.organisation)
    if policy is not None:
        known = replace(known, title=policy.title)
    return known
