"""Reads what was recorded so far from the encrypted journal on this computer, without any network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from promptster.errors import SessionError
from promptster.journal.disk import SystemFiles
from promptster.journal.reading import read, scan
from promptster.protocol.events import read_body
from promptster.protocol.sealing import JournalCipher
from promptster.replay.loading import Replay, ReplayHeading, from_bundle, from_opened
from promptster.session.current import finished_bundle
from promptster.session_folder.collector_keys import trusted_keys

if TYPE_CHECKING:
    from promptster.session.current import Current


@dataclass(frozen=True, kw_only=True)
class RecordedSession:
    """The recording of a session on this computer."""

    replay: Replay
    events: int
    """Number of recorded events; an entry of the replay may show several of them."""


def read_session(current: Current) -> RecordedSession:
    """Read a session's recording from its journal, or from its bundle once it was submitted.

    Raises:
        SessionError: the recording was deleted.
    """
    facts = current.facts
    bundle = finished_bundle(current)
    if bundle is not None:
        try:
            replay = from_bundle(bundle.read_bytes(), trusted=trusted_keys(current.folder).fingerprints)
        except FileNotFoundError:
            hint = "Move it back, or read it from its new path: `promptster replay FILE`."
            raise SessionError(f"your copy is no longer at {bundle}", hint=hint, code="bundle_missing") from None
        return RecordedSession(replay=replay, events=replay.verification.events if replay.verification else 0)
    cipher = JournalCipher(current.secrets.content_key, facts.session)
    files = SystemFiles()
    found = scan(files, current.folder.journal, cipher, facts.session)
    events = [event for _, data in read(files, found, cipher) for event in read_body(data)]
    blocks = {block.id: block.data for event in events for block in event.blocks}
    shown = ReplayHeading(session=facts.session, title=facts.title, organisation=facts.organisation)
    replay = from_opened([event.open(blocks) for event in events], facts=shown)
    return RecordedSession(replay=replay, events=len(events))
