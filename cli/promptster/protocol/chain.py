"""Verification, middle part: the chain of batch headers and the public events that their roots cover."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from promptster.protocol import merkle
from promptster.protocol.batch import BatchHeader
from promptster.protocol.consent import Certificate
from promptster.protocol.documents import DocumentType
from promptster.protocol.errors import DocumentError, EventError, SignatureError
from promptster.protocol.events import PublicEvent
from promptster.protocol.finding_codes import FindingCode
from promptster.protocol.signing import Envelope, verify
from promptster.protocol.verdict import Report, Span, holes, in_words, is_within, joined, numbered, spans

T = TypeVar("T")


@dataclass(frozen=True)
class ChainLink:
    """A header whose signature holds."""

    header: BatchHeader
    sha256: bytes


@dataclass(frozen=True)
class ProvenEvent:
    """An event that its batch's root covers."""

    public: bytes
    event: PublicEvent


@dataclass(frozen=True)
class Chain:
    """The headers in order, and the events that they prove."""

    links: dict[int, ChainLink]
    """By batch number."""
    proven: dict[int, ProvenEvent]
    """By ``seq``, ascending."""
    broken: frozenset[int]
    """Batches whose events are not all here, or do not lead to the root."""
    missing: dict[int, tuple[Span, ...]]
    """The events that are not here, by batch number."""
    covered: tuple[Span, ...]
    """The events that some header covers, ascending."""
    here: frozenset[int]
    """``seq`` of the events whose public bytes are here."""
    last_here: int
    """The last ``seq`` that is here and covered; -1 when there is none."""

    def absent(self, n: int) -> bool:
        """Whether no event of the batch is here."""
        return sum(span.last - span.first + 1 for span in self.missing.get(n, ())) == self.links[n].header.count

    def knows(self, seq: int) -> bool:
        """Whether an event of this number is here, or a header covers it."""
        return seq in self.here or is_within(self.covered, seq)


def in_order(  # the four names by which lists can be off
    report: Report, items: Sequence[T], *, what: str, number: Callable[[T], int], identity: Callable[[T], bytes]
) -> dict[int, T]:
    """Sort numbered items and tell repetition, conflict and disorder apart; of two with one number the first counts."""
    by_number: dict[int, T] = {}
    last = -1
    for item in items:
        n = number(item)
        known = by_number.setdefault(n, item)
        if known is not item and identity(known) == identity(item):
            report.altered(FindingCode.DUPLICATE, f"{what} {n} appears twice")
        elif known is not item:
            report.altered(FindingCode.CONFLICT, f"there are two different versions of {what} {n}")
        elif n < last:
            report.altered(FindingCode.REORDERED, f"{what} {n} comes after {what} {last}")
        last = max(last, n)
    return dict(sorted(by_number.items()))


def read_chain(
    report: Report, certificate: Certificate, genesis: bytes, headers: Sequence[Envelope], events: Sequence[bytes]
) -> Chain:
    """Check headers and events against each other.

    Args:
        report: takes the findings.
        certificate: names the session and its key.
        genesis: hash of the certificate's payload, from which the chain starts.
        headers: batch headers with their signatures.
        events: public bytes of events.
    """
    links = _read_headers(report, certificate, headers)
    reaching_back = _check_links(report, genesis, links)
    return _read_events(report, links, reaching_back, events)


def _read_headers(report: Report, certificate: Certificate, headers: Sequence[Envelope]) -> dict[int, ChainLink]:
    links: list[ChainLink] = []
    for place, envelope in enumerate(headers):
        try:
            verify(certificate.session_public_key, DocumentType.BATCH, envelope.payload, envelope.signature)
        except SignatureError as error:
            report.altered(FindingCode.HEADER_SIGNATURE, f"header {place} is not signed by the session's key: {error}")
            continue
        try:
            header = BatchHeader.parse(envelope.payload)
        except DocumentError as error:
            report.unreadable(FindingCode.HEADER_MALFORMED, f"header {place} cannot be read: {error}")
            continue
        if header.session != certificate.session:
            report.altered(FindingCode.FOREIGN_SESSION, f"header {place} belongs to another session")
            continue
        links.append(ChainLink(header, envelope.sha256))
    return in_order(report, links, what="batch", number=lambda link: link.header.n, identity=lambda link: link.sha256)


def _check_links(report: Report, genesis: bytes, links: dict[int, ChainLink]) -> frozenset[int]:
    """Whether each header continues the one before it; the numbers of those that reach back into an earlier batch."""
    if missing := holes(links):
        report.incomplete(FindingCode.GAP, f"missing batches: {in_words(missing)}")
    reaching_back: set[int] = set()
    end = 0
    for n, link in links.items():
        before = links.get(n - 1)
        expected = (genesis, 0) if n == 0 else None
        if before is not None:
            expected = (before.sha256, before.header.first + before.header.count)
        if link.header.first < end:
            reaching_back.add(n)
        if link.header.first < end or (expected is not None and (link.header.prev, link.header.first) != expected):
            report.altered(FindingCode.CHAIN_BROKEN, f"batch {n} does not continue the previous one")
        end = max(end, link.header.first + link.header.count)
    return frozenset(reaching_back)


def _read_public(report: Report, events: Sequence[bytes]) -> dict[int, ProvenEvent]:
    read: list[ProvenEvent] = []
    for place, public in enumerate(events):
        try:
            read.append(ProvenEvent(public, PublicEvent.parse(public)))
        except EventError as error:
            report.altered(FindingCode.EVENT_MALFORMED, f"line {place} of the events cannot be read: {error}")
    return in_order(report, read, what="event", number=lambda item: item.event.seq, identity=lambda item: item.public)


def _read_events(
    report: Report, links: dict[int, ChainLink], reaching_back: frozenset[int], events: Sequence[bytes]
) -> Chain:
    """Events against roots, in time and memory that follow from the bundle's size and not from what headers claim."""
    here = _read_public(report, events)
    numbers = list(here)
    covered = joined(Span(link.header.first, link.header.first + link.header.count - 1) for link in links.values())
    proven: dict[int, ProvenEvent] = {}
    missing: dict[int, tuple[Span, ...]] = {}
    broken = set(reaching_back)
    for n, link in links.items():
        if n in reaching_back:
            continue  # its events are judged by the batch that covered them first
        first, count = link.header.first, link.header.count
        found = numbers[bisect_left(numbers, first) : bisect_left(numbers, first + count)]
        if len(found) < count:
            broken.add(n)
            missing[n] = holes(found, first=first, end=first + count)
        elif merkle.root([merkle.leaf_hash(here[seq].public) for seq in found]) != link.header.root:
            broken.add(n)
            report.altered(FindingCode.ROOT, f"the events of batch {n} are not the ones that were signed")
        else:
            proven.update((seq, here[seq]) for seq in found)
    if unsigned := [seq for seq in numbers if not is_within(covered, seq)]:
        report.altered(FindingCode.INSERTED, f"no signed batch covers {numbered(spans(unsigned))}")
    return Chain(
        links=links,
        proven=proven,
        broken=frozenset(broken),
        missing=missing,
        covered=covered,
        here=frozenset(numbers),
        last_here=next((seq for seq in reversed(numbers) if is_within(covered, seq)), -1),
    )
