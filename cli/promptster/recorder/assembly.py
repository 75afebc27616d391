"""Builds and connects the parts of one recording: keys, journal, batches, capture and delivery."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from promptster.agents.registry import readers
from promptster.client import AsyncCollectorClient
from promptster.config import network_from_environment
from promptster.deliver.outbox import Outbox
from promptster.deliver.refused_batches import Refusals
from promptster.deliver.sealer import BatchSealer
from promptster.deliver.uploader import Uploader
from promptster.journal.disk import SystemFiles
from promptster.journal.heartbeat import Heartbeat
from promptster.journal.journal import Journal
from promptster.journal.writer import JournalWriter
from promptster.paths import Paths
from promptster.protocol.consent import Certificate
from promptster.protocol.events import Source
from promptster.protocol.events.kinds import CaptureDegraded, CaptureGap
from promptster.protocol.policy import Policy
from promptster.protocol.sealing import JournalCipher
from promptster.protocol.signing import Envelope
from promptster.recorder.journal_repair import align
from promptster.recorder.outside_workspace import PlacedCapture
from promptster.recorder.recording import Recording
from promptster.session_folder.collector_keys import trusted_keys
from promptster.watching.asking import remember

if TYPE_CHECKING:
    from collections.abc import Callable

    from promptster.capture.engine import Capture
    from promptster.clock import Clock
    from promptster.recorder.process_log import Log
    from promptster.secret_store import SessionSecrets
    from promptster.session_folder.folder import SessionFolder


_REASONS = {"while_paused": "paused", "outside_policy": "policy", "hook_unreadable": "unreadable_hook"}


@dataclass(frozen=True, kw_only=True)
class Assembly:
    """The parts of a running recording."""

    recording: Recording
    writer: JournalWriter
    sealer: BatchSealer
    outbox: Outbox
    uploader: Uploader
    collector: AsyncCollectorClient
    heartbeat: Heartbeat

    def take_hook(self, agent: str, payload: bytes, times: tuple[int, int]) -> None:
        """Capture a hook call with its arrival times, whether it arrived just now or waited in the spool."""
        try:
            self.recording.capture.hook(agent, payload, arrived=times)
        except Exception:
            self.recording.capture.faulted()
            raise

    def spool_unreadable(self) -> None:
        """Record that a hook call in the spool could not be read."""
        detail = "a hook call in the spool could not be read"
        self.writer.append_own(CaptureGap(source=Source.HOOK, detail=detail, lost=1))


def left_out(capture: Capture) -> dict[str, int]:
    """How many items capture left out, by reason."""
    counts = capture.counts
    return {reason: counts[word] for word, reason in _REASONS.items() if counts[word]}


async def assemble(
    folder: SessionFolder, secrets: SessionSecrets, clock: Clock, log: Log, *, start_anew: Callable[[], None]
) -> Assembly:
    """Open, repair and connect everything; the events that describe this start are durable when it returns.

    Raises:
        OSError: the disk failed.
        PromptsterError: a document of the session cannot be used.
    """
    facts = folder.facts()
    certificate_envelope = Envelope.decode(folder.read_document("certificate.json"))
    certificate = Certificate.parse(certificate_envelope.payload)
    keys = trusted_keys(folder)
    policy = Policy.parse(folder.read_document("policy.json"))
    files = SystemFiles()
    outbox = Outbox(
        files=files,
        folder=folder.batches,
        session=facts.session,
        genesis=certificate_envelope.sha256,
        session_public_key=certificate.session_public_key,
        keys=keys,
    )
    cipher = JournalCipher(secrets.content_key, facts.session)
    journal = Journal(files, folder.journal, cipher, facts.session, os.urandom)
    repair = align(journal, outbox, secrets.content_key, os.urandom)
    writer = JournalWriter(
        journal=journal,
        clock=clock,
        random=os.urandom,
        kinds=policy.kinds,
        record_until=facts.record_until or certificate.record_until,
    )
    sealer = BatchSealer(
        writer=writer,
        outbox=outbox,
        session=facts.session,
        session_key=secrets.signing_key,
        content_key=secrets.content_key,
        random=os.urandom,
    )
    collector = AsyncCollectorClient(
        facts.collector_url, token=secrets.access_token, network=network_from_environment(partial(log.fault, "network"))
    )
    refusals = Refusals(
        outbox=outbox,
        writer=writer,
        sealer=sealer,
        collector=collector,
        session=facts.session,
        keys=keys,
        start_anew=start_anew,
        showed=partial(remember, Paths.from_environment(), facts.collector_url),
    )
    uploader = Uploader(
        outbox=outbox,
        collector=collector,
        session=facts.session,
        keys=keys,
        refused=refusals.decide,
        stored=sealer.stored,
    )
    recording = Recording(
        folder=folder,
        clock=clock,
        writer=writer,
        sealer=sealer,
        outbox=outbox,
        uploader=uploader,
        make_capture=lambda append: PlacedCapture(
            append,
            clock,
            allowed_kinds=frozenset(policy.kinds),
            agents=readers(),
            hooked_agents=None if policy.hooks else (),
            workspace=Path(facts.workspace),
            record_detail=lambda detail: writer.append_own(CaptureDegraded(detail=detail)),
        ),
    )
    try:
        await recording.begin(repair)
    except BaseException:
        await writer.close()  # the next attempt must be the only writer
        await collector.aclose()
        raise
    writer.durable_changed.set()
    heartbeat = Heartbeat(writer, clock, lambda: {"received": outbox.received_events, **left_out(recording.capture)})
    return Assembly(
        recording=recording,
        writer=writer,
        sealer=sealer,
        outbox=outbox,
        uploader=uploader,
        collector=collector,
        heartbeat=heartbeat,
    )
