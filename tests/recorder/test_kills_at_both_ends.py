"""A real collector and a real recorder, killed again and again while answers get lost."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
from tests.helpers.disk import seeded
from tests.helpers.hiring import Hiring, Invited, hiring_in
from tests.helpers.relay import Relay
from tests.helpers.running import kill_and_wait, pid_of

from promptster.client import CollectorClient
from promptster.errors import SessionError
from promptster.protocol.events import Source
from promptster.protocol.events.kinds import CaptureDegraded
from promptster.protocol.verification import verify_bundle
from promptster.session_folder.control_calls import SentEvent
from promptster.session_folder.control_client import ControlClient
from promptster.session_folder.folder import SessionFolder

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator
    from pathlib import Path


class KilledSession:
    """One session whose recorder and collector are killed."""

    def __init__(self, hiring: Hiring, invited: Invited, relay: Relay, chance: random.Random) -> None:
        started = invited.start("--collector", relay.url)
        self.hiring, self.relay, self.chance = hiring, relay, chance
        self.folder = SessionFolder(invited.state / "sessions" / started["session"])
        self.control = ControlClient(self.folder)
        self.promised: list[str] = []
        self.told = 0
        self.kills = {"recorder": 0, "collector": 0}

    def record(self) -> None:
        """Record some events; those that were answered are promised."""
        for _ in range(self.chance.randint(1, 5)):
            text = f"note {self.told}"
            self.told += 1
            with suppress(SessionError):
                self.control.record([SentEvent(src=Source.LAUNCHER, event=CaptureDegraded(detail=text))])
                self.promised.append(text)

    def kill(self) -> None:
        """Kill one of the two, whatever it is doing."""
        if self.chance.random() < 0.3:
            self.relay.lose_answer_to(b"PUT ")
        if self.chance.random() < 0.75:
            kill_and_wait(pid_of(self.folder.path / "recorder.pid"))
            self.kills["recorder"] += 1
        else:
            self.hiring.running.kill()
            self.record()
            self.hiring.running.start()
            self.kills["collector"] += 1

    def close(self) -> int:
        """Submit and return the number of events, all of them received."""
        events = self.control.close([])
        received = 0
        while received < events:
            received, _ = self.control.flush(seconds=30)
        return events


@pytest.fixture
def killed(tmp_path: Path) -> Iterator[KilledSession]:
    """A session that records, with a connection that loses answers."""
    with hiring_in(tmp_path) as hiring, hiring.invited("carla") as invited, Relay(hiring.running.url) as relay:
        yield KilledSession(hiring, invited, relay, seeded(11))


def _judge(killed: KilledSession) -> None:
    """Check that promised events are in the collector's bundle once, in order, and that the bundle verifies."""
    events = killed.close()
    session = killed.folder.path.name
    while killed.control.status().checked < events:
        killed.control.flush(seconds=1)
    with CollectorClient(killed.hiring.running.url, token=killed.hiring.running.token) as client:
        bundle = client.bundle(session)
    verdict = verify_bundle(bundle, trusted={killed.hiring.running.fingerprint})
    assert verdict.verdict == "verified", verdict.findings
    texts = [event.fields["detail"] for event in verdict.opened if event.src == "launcher"]
    assert len(texts) == len(set(texts))
    assert [text for text in texts if text in set(killed.promised)] == killed.promised
    assert verdict.events == events
    assert killed.control.status().state == "closed"


def test_a_few_kills(killed: KilledSession) -> None:
    """This is the short form of the long test below."""
    for _ in range(4):
        killed.record()
        killed.kill()
    _judge(killed)


@pytest.mark.kills
def test_a_hundred_kills(killed: KilledSession) -> None:
    """There are at least a hundred kills of both ends, with lost answers in between."""
    while sum(killed.kills.values()) < 110:
        killed.record()
        killed.kill()
    assert min(killed.kills.values()) > 10
    _judge(killed)
