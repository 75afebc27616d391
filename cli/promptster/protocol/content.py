"""Verification, inner part: values against commitments, blocks against ids, and what is missing without a record."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from promptster.protocol.bundle import BundleParts, redactions_in_session
from promptster.protocol.chain import Chain, ProvenEvent
from promptster.protocol.errors import EventError
from promptster.protocol.events import OpenedEvent, RecordedEvent
from promptster.protocol.events.fields import MAX_BLOCK, SALT_SIZE, Secret, read_stored
from promptster.protocol.events.sources import ends_session
from promptster.protocol.evidence import Evidence
from promptster.protocol.finding_codes import FindingCode
from promptster.protocol.verdict import Redacted, Report, numbered, spans


@dataclass(frozen=True)
class VisibleContent:
    """What can be shown."""

    opened: tuple[OpenedEvent, ...]
    redacted: tuple[Redacted, ...]


def read_content(report: Report, evidence: Evidence, parts: BundleParts, chain: Chain) -> VisibleContent:
    """Open every proven event as far as its values are here and true."""
    blocks = _read_blocks(report, parts)
    recorded = [_assemble(report, item, parts.values.get(seq, {})) for seq, item in chain.proven.items()]
    for seq in sorted(seq for seq in parts.values if not chain.knows(seq)):
        report.altered(FindingCode.VALUE_UNKNOWN, f"there are values for event {seq}, but no such event")
    redacted = _redactions(evidence, recorded)
    hidden_blocks = {record.block for record in evidence.redactions}
    used: set[bytes | None] = set()
    opened: list[OpenedEvent] = []
    decoded: dict[tuple[bytes, str], Any] = {}
    for event in recorded:
        used |= {read_stored(secret.stored).block for secret in event.secrets.values()}
        shown = _open(report, event, blocks, decoded)
        opened.append(shown)
        if evidence.policy is None or evidence.policy.allows(event.kind):
            _report_withheld(report, event, shown, redacted, hidden_blocks)
    for block_id in sorted(blocks.keys() - used):
        report.altered(FindingCode.BLOCK_UNKNOWN, f"no shown value refers to block {block_id.hex()[:16]}")
    _report_outside(report, evidence, opened)
    if opened and opened[-1].seq == len(opened) - 1:
        _report_totals(report, opened)
    return VisibleContent(tuple(opened), tuple(redacted.values()))


def _read_blocks(report: Report, parts: BundleParts) -> dict[bytes, bytes]:
    blocks: dict[bytes, bytes] = {}
    for block_id, block in parts.blocks.items():
        if len(block.data) > MAX_BLOCK:
            report.altered(
                FindingCode.BLOCK_ALTERED, f"block {block_id.hex()[:16]} is longer than any block that was recorded"
            )
        elif len(block.salt) == SALT_SIZE and block.id == block_id:
            blocks[block_id] = block.data
        else:
            report.altered(FindingCode.BLOCK_ALTERED, f"block {block_id.hex()[:16]} does not match its id")
    return blocks


def _assemble(report: Report, item: ProvenEvent, secrets: Mapping[str, Secret]) -> RecordedEvent:
    try:
        return RecordedEvent.assemble(item.public, secrets, parsed=item.event)
    except EventError as error:
        report.altered(FindingCode.VALUE_ALTERED, f"event {item.event.seq}: {error}")
        return RecordedEvent(public=item.public, parsed=item.event, secrets={})


def _redactions(evidence: Evidence, recorded: list[RecordedEvent]) -> dict[tuple[int, str], Redacted]:
    redacted = {
        (seq, name): Redacted(seq=seq, field=name, reason=reason, actor="candidate")
        for seq, name, reason, _ in redactions_in_session(recorded)
    }
    for record in evidence.redactions:
        entry = Redacted(seq=record.seq, field=record.field, reason=record.reason, actor=record.actor)
        redacted.setdefault((record.seq, record.field), entry)
    return redacted


def _open(
    report: Report, event: RecordedEvent, blocks: Mapping[bytes, bytes], decoded: dict[tuple[bytes, str], Any]
) -> OpenedEvent:
    try:
        return event.open(blocks, decoded=decoded)
    except EventError as error:
        report.incomplete(FindingCode.VALUE_MALFORMED, f"event {event.seq} holds a value that cannot be read: {error}")
        return RecordedEvent(public=event.public, parsed=event.parsed, secrets={}).open()


def _report_withheld(
    report: Report,
    event: RecordedEvent,
    shown: OpenedEvent,
    redacted: Mapping[tuple[int, str], Redacted],
    hidden_blocks: set[bytes | None],
) -> None:
    missing: list[str] = []
    for name in sorted(shown.withheld):
        if (event.seq, name) in redacted:
            continue
        block = read_stored(event.secrets[name].stored).block if name in event.secrets else None
        if block is None or block not in hidden_blocks:
            missing.append(name)
    if missing:
        report.incomplete(
            FindingCode.VALUE_MISSING, f"event {event.seq} lacks {', '.join(missing)}, and no record says why"
        )


def _report_totals(report: Report, opened: list[OpenedEvent]) -> None:
    """The closing event counts events by source, with or without itself."""
    counted = Counter(event.src for event in opened)
    for event in opened:
        if "totals" not in event.shown or not ends_session(event.kind, event.src):
            continue
        totals: object = event.fields.get("totals")
        entries = cast("dict[str, object]", totals) if isinstance(totals, dict) else {}
        said = {source: count for source, count in entries.items() if count != 0}
        if said not in (counted, counted - Counter([event.src])):
            report.incomplete(FindingCode.TOTALS, "the closing event's counts do not match the events in the bundle")


def _report_outside(report: Report, evidence: Evidence, opened: list[OpenedEvent]) -> None:
    late = [event.seq for event in opened if event.ms > evidence.certificate.record_until]
    if late:
        report.note(
            FindingCode.LATE, f"recorded after the end of recording in the certificate: {numbered(spans(late))}"
        )
    if evidence.policy is None:
        return
    for kind in sorted({event.kind for event in opened if not evidence.policy.allows(event.kind)}):
        report.note(FindingCode.OUTSIDE_POLICY, f"there are events of kind {kind}, which the policy does not name")
