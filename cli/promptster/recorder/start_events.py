"""What a recorder has to say when it starts: how the session was opened, or what was lost before it came back."""

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
from promptster.session_folder.folder import BRIEF
from promptster.session_folder.provider_addresses import unusual_addresses

if TYPE_CHECKING:
    from collections.abc import Iterator

    from promptster.journal.journal import Recovery
    from promptster.recorder.journal_repair import Repair
    from promptster.session_folder.folder import SessionFolder


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One event to record."""

    event: Event
    src: str = Source.RECORDER


def opening(folder: SessionFolder, *, consented: bool) -> Iterator[Entry]:
    """A session's first events: what was agreed to, with what it begins, where traffic goes instead of to a provider.

    Args:
        folder: the session, as ``promptster start`` left it.
        consented: the consent is recorded already, by a start that was interrupted after it.

    Raises:
        SessionError: a document is missing.
        ProtocolError: a document cannot be read.
    """
    facts = folder.facts()
    if not consented:
        yield _consent(folder)
    choices = dict(facts.choices)
    certificate = Certificate.parse(Envelope.decode(folder.read_document("certificate.json")).payload)
    brief = folder.read_document(BRIEF) if folder.has_document(BRIEF) else None
    yield Entry(
        event=Opened(
            cli_version=version("promptster"),
            platform=f"{sys.platform} {platform.machine()}",
            path_check=choices.pop("path_check", {}),
            choices=choices,
            continues=certificate.continues or None,
            brief=None if brief is None else brief.decode(),
            brief_sha256=None if brief is None else hashlib.sha256(brief).hexdigest(),
        )
    )
    for address in unusual_addresses(facts.upstreams):
        yield Entry(event=CaptureUpstreamOverridden(upstream=address.name, url=address.url))


def _consent(folder: SessionFolder) -> Entry:
    consent = Consent.parse(Envelope.decode(folder.read_document("consent.json")).payload)
    consented = Consented(
        policy_sha256=consent.policy_sha256,
        choices=dict(consent.choices),
        locale=consent.locale,
        decided_ms=consent.decided_ms,
    )
    return Entry(event=consented, src=Source.CANDIDATE)


def losses(*, clean_end: bool, found: Recovery, repair: Repair) -> list[str]:
    """What may be missing since the last run, for a person; empty if nothing is.

    Args:
        clean_end: the last run ended in order.
        found: what opening the journal showed.
        repair: what was put right between journal and batches.
    """
    details: list[str] = []
    if not clean_end:
        details.append("it ended without notice, and what was forwarded last may be missing")
    if not found.clean:
        details.append(f"{found.torn_bytes} bytes and {found.refused_files} files of the journal were moved aside")
    if repair.filled:
        details.append(f"{repair.filled} events were taken back from sealed batches")
    if repair.moved or repair.skipped:
        details.append(
            f"{repair.skipped} numbers belong to events that only the collector holds; {repair.moved} events were "
            "added again after them"
        )
    return details
