"""The events of a recorder's start: how the session was opened, or what may have been lost before a restart."""

from __future__ import annotations

import hashlib
import platform
import sys
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING

from promptster.protocol.consent import Certificate, Consent
from promptster.protocol.events import Source
from promptster.protocol.events.kinds import CaptureUpstreamOverridden, Consented, Event, Opened
from promptster.protocol.signing import Envelope
from promptster.replay.formatting import counted
from promptster.session_folder.folder import BRIEF
from promptster.session_folder.provider_addresses import unusual_addresses

if TYPE_CHECKING:
    from collections.abc import Iterator

    from promptster.journal.journal import Recovery
    from promptster.recorder.journal_repair import Repair
    from promptster.session_folder.folder import SessionFolder


@dataclass(frozen=True, kw_only=True)
class StartEvent:
    """One event to record."""

    event: Event
    src: Source = Source.RECORDER


def opening(folder: SessionFolder, *, consented: bool) -> Iterator[StartEvent]:
    """A session's first events: the consent, the session's settings, and unusual provider addresses.

    Args:
        folder: the session, as ``promptster start`` prepared it.
        consented: the consent is already recorded, because an earlier start was interrupted after it.

    Raises:
        SessionError: a document is missing.
        ProtocolError: a document cannot be read.
    """
    facts = folder.facts()
    if not consented:
        yield _consent(folder)
    certificate = Certificate.parse(Envelope.decode(folder.read_document("certificate.json")).payload)
    brief = folder.read_document(BRIEF) if folder.has_document(BRIEF) else None
    yield StartEvent(
        event=Opened(
            cli_version=version("promptster"),
            platform=f"{sys.platform} {platform.machine()}",
            path_check=facts.choices.checks(),
            choices=facts.choices.chosen(),
            continues=certificate.continues or None,
            brief=None if brief is None else brief.decode(),
            brief_sha256=None if brief is None else hashlib.sha256(brief).hexdigest(),
        )
    )
    for address in unusual_addresses(facts.upstreams):
        yield StartEvent(event=CaptureUpstreamOverridden(upstream=address.name, url=address.url))


def _consent(folder: SessionFolder) -> StartEvent:
    consent = Consent.parse(Envelope.decode(folder.read_document("consent.json")).payload)
    consented = Consented(
        policy_sha256=consent.policy_sha256,
        choices=dict(consent.choices),
        locale=consent.locale,
        decided_ms=consent.decided_ms,
    )
    return StartEvent(event=consented, src=Source.CANDIDATE)


def losses(*, clean_end: bool, found: Recovery, repair: Repair) -> list[str]:
    """Sentences for people about what may be missing since the last run; empty if nothing is.

    Args:
        clean_end: the last run ended in order.
        found: what was found when the journal was opened.
        repair: what was repaired between journal and batches.
    """
    details: list[str] = []
    if not clean_end:
        details.append("the recorder ended unexpectedly: what was forwarded last may be missing")
    if not found.clean:
        damaged = f"{counted(found.torn_bytes, 'byte')}, {counted(found.refused_files, 'file')}"
        details.append(f"damaged parts of the local recording were set aside ({damaged})")
    if repair.filled:
        details.append(f"{counted(repair.filled, 'event')} restored from sealed batches")
    if repair.moved or repair.skipped:
        details.append(
            f"{counted(repair.skipped, 'event')} found only at the collector, and {counted(repair.moved, 'event')} "
            "recorded again after them"
        )
    return details
