"""Sealing: every session becomes a segment, interrupted sealing is finished, and none blocks another."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Generator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update
from tests.helpers.candidate import Candidate, bearer, started
from tests.helpers.segment_helpers import helpers
from tests.helpers.site import Site, Template, copy_data, running_site

from promptster.protocol.invite import InviteCode
from promptster.protocol.verification import verify_bundle
from promptster_collector.review.helper_messages import Piece
from promptster_collector.review.helper_process import HelperProcess
from promptster_collector.review.rows import row_of
from promptster_collector.review.segment_reader import ReadingFailedError
from promptster_collector.review.segment_sealer import SegmentSealer, WrittenSegment
from promptster_collector.review.session_reader import SessionReader
from promptster_collector.settings import Limits
from promptster_collector.store.at_rest import Sealer
from promptster_collector.store.keys.keystore import KeyDestroyedError
from promptster_collector.store.keys.names import segment_key
from promptster_collector.store.parquet import write_rows
from promptster_collector.store.schema import Alarm, Batch, Segment, Session
from promptster_collector.store.segments import SegmentDraft, SegmentFolder

MB = 1_000_000


def get(site: Site, candidate: Candidate, what: str) -> Any:
    """The answer of one reading route."""
    return site.client.get(f"/v1/sessions/{candidate.session}/{what}", headers=bearer(site.token))


def state_of(site: Site, candidate: Candidate) -> str:
    """The session's state."""
    return str(get(site, candidate, "head").json()["state"])


def send(site: Site, candidate: Candidate) -> None:
    """Send every batch, at the pace that the collector allows."""
    for n in range(len(candidate.batches)):
        site.clock.pass_ms(1000)
        assert candidate.put(site.client, n).status_code == 200


def sealer_of(site: Site) -> SegmentSealer:
    """A sealer that the test drives."""
    return SegmentSealer(site.store, site.clock, site.services.reading, site.settings.limits, site.settings.timing)


def write(sealer: SegmentSealer, organisation: str, session: str) -> WrittenSegment:
    """Write a segment but do not list it."""
    with HelperProcess() as process:
        return sealer.write(organisation, session, process)


def checked_and_closed(site: Site, email: str = "cara@example.com") -> tuple[Candidate, str]:
    """A session that could be sealed now, and its organisation."""
    candidate = started(site.client, site.token, email=email)
    for n in range(3):
        candidate.say(f"prompt {n}", "x" * 300_000)
    candidate.close()
    send(site, candidate)

    async def steps() -> None:
        while await site.services.bundles.log.sequence() or await site.services.checks.run():
            pass

    with site.client.portal() as portal:
        portal.call(steps)
    return candidate, site.rows(select(Session.organisation))[0].organisation


def test_a_segment_of_an_erased_session_is_taken_back(site: Site) -> None:
    """A withdrawal between writing and listing wins: neither file nor key of the segment stays."""
    candidate, organisation = checked_and_closed(site)
    written = write(sealer_of(site), organisation, candidate.session)
    site.client.post(f"/v1/sessions/{candidate.session}/withdraw", json=candidate.withdrawal())
    again = sealer_of(site)
    (site.data / "segments" / f"{candidate.session}.{written.version}.segment").write_bytes(b"as if written later")
    with site.client.portal() as portal:
        portal.call(again.enlist, organisation, candidate.session, written)
    assert list((site.data / "segments").iterdir()) == []
    assert site.rows(select(Segment.id)) == []
    with pytest.raises(KeyDestroyedError):
        site.store.keys.get(segment_key(organisation, candidate.session, written.version))


def test_listing_twice_changes_nothing(site: Site) -> None:
    """A segment that is already listed stays: file, key and row."""
    candidate, organisation = checked_and_closed(site)
    sealer = sealer_of(site)
    written = write(sealer, organisation, candidate.session)
    with site.client.portal() as portal:
        portal.call(sealer.enlist, organisation, candidate.session, written)
        portal.call(sealer.enlist, organisation, candidate.session, written)
    assert len(site.rows(select(Segment.id))) == 1
    assert get(site, candidate, "bundle").status_code == 200


@contextmanager
def limited(template: Template, folder: Path, limits: Limits) -> Generator[Site]:
    """A collector with these limits."""
    copy_data(template.data, folder)
    with running_site(folder, template.token, limits=limits) as site:
        yield site


def small_pieces(template: Template, folder: Path, piece_bytes: int) -> AbstractContextManager[Site]:
    """A collector whose segments have many pieces."""
    return limited(template, folder, Limits(piece_bytes=piece_bytes, page_bytes=700_000))


def full_disk(monkeypatch: pytest.MonkeyPatch, session: str) -> list[str]:
    """Let every attempt to seal this session fail; returns the attempts."""
    attempts: list[str] = []
    good = SegmentFolder.draft

    def faulty(folder: SegmentFolder, name: str, version: int, sealer: Sealer) -> AbstractContextManager[SegmentDraft]:
        if name == session:
            attempts.append(name)
            raise OSError("no space left")
        return good(folder, name, version, sealer)

    monkeypatch.setattr(SegmentFolder, "draft", faulty)
    return attempts


def test_a_session_that_cannot_be_sealed_stops_nobody(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its bodies stay in the inbox, other sessions are sealed, and it is sealed once the fault is gone."""
    broken, _ = checked_and_closed(site)
    fine = started(site.client, site.token, email="fine@example.com")
    fine.close()
    fine.put(site.client, 0)
    full_disk(monkeypatch, broken.session)
    site.drain()
    assert state_of(site, fine) == "sealed"
    assert state_of(site, broken) == "closing"
    assert get(site, broken, "events").json()["events"]
    monkeypatch.undo()
    site.drain()
    assert state_of(site, broken) == "closing"
    site.clock.pass_ms(900_000)
    site.drain()
    assert state_of(site, broken) == "sealed"


def test_attempts_become_rare_and_the_alarm_is_one(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """A session that cannot be sealed is retried after 15 minutes, 30, an hour, at last a day, with one alarm."""
    broken, organisation = checked_and_closed(site)
    attempts = full_disk(monkeypatch, broken.session)
    pauses: list[int] = []
    for minutes in (15, 30, 60, 120, 240, 480, 960, 1440, 1440):
        site.drain()
        site.drain()
        pauses.append(len(attempts))
        site.clock.pass_ms(minutes * 60_000 - 1)
        site.drain()
        site.clock.pass_ms(1)
    assert pauses == list(range(1, 10))
    alarms = site.rows(select(Alarm.kind, Alarm.organisation, Alarm.session))
    assert [tuple(alarm) for alarm in alarms] == [("sealing_failed", organisation, broken.session)]
    monkeypatch.undo()
    site.drain()
    assert state_of(site, broken) == "sealed"


def test_many_that_fail_leave_room_for_others(
    template: Template, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If more sessions than one round takes fail, and were closed first, the next round takes others."""
    with limited(template, tmp_path / "data", Limits(seal_sessions=2)) as site:
        for n in range(3):
            full_disk(monkeypatch, checked_and_closed(site, f"{n}@example.com")[0].session)
        fine, _ = checked_and_closed(site, "fine@example.com")
        site.drain()
        site.drain()
        assert state_of(site, fine) == "sealed"


def test_sealing_that_was_cut_off_is_gone_on_with(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """After the listing only bodies are left to empty: nothing is written again, and readers see no difference."""
    candidate, organisation = checked_and_closed(site)
    before = get(site, candidate, "events").json()["events"]

    async def cut(_: SegmentSealer, session: str) -> None:
        raise RuntimeError(session)

    sealer = sealer_of(site)
    written = write(sealer, organisation, candidate.session)
    with monkeypatch.context() as context, site.client.portal() as portal:
        context.setattr(SegmentSealer, "_empty", cut)
        with pytest.raises(RuntimeError):
            portal.call(sealer.enlist, organisation, candidate.session, written)
    assert state_of(site, candidate) == "closing"
    assert get(site, candidate, "events").json()["events"] == before
    site.drain()
    assert state_of(site, candidate) == "sealed"
    assert [row.version for row in site.rows(select(Segment.version))] == [written.version]
    assert [row.body_sealed for row in site.rows(select(Batch.body_sealed))] == [None] * 4
    assert get(site, candidate, "events").json()["events"] == before


def test_bodies_are_emptied_some_at_a_time(template: Template, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No write empties more than its share; after the last body the session is sealed."""
    left: list[int] = []
    step: Any = vars(SegmentSealer)["_empty_some"]

    def noting(sealer: SegmentSealer, connection: Any, session: str) -> bool:
        more = bool(step(sealer, connection, session))
        left.append(len(connection.execute(select(Batch.n).where(Batch.body_sealed.is_not(None))).all()))
        return more

    monkeypatch.setattr(SegmentSealer, "_empty_some", noting)
    with limited(template, tmp_path / "data", Limits(empty_bytes=1)) as site:
        candidate, _ = checked_and_closed(site)
        site.drain()
        assert left == [3, 2, 1, 0, 0]
        assert state_of(site, candidate) == "sealed"


@pytest.mark.parametrize("piece_bytes", [1, 1000, 400_000, 100 * MB])
def test_pieces_change_nothing_for_readers(template: Template, tmp_path: Path, piece_bytes: int) -> None:
    """Bundle and pages are the same, live and sealed, wherever one piece ends and the next begins."""
    with small_pieces(template, tmp_path / "data", piece_bytes) as site:
        candidate, _ = checked_and_closed(site)
        before, live = get(site, candidate, "bundle").content, everything(site, candidate)
        site.drain()
        assert state_of(site, candidate) == "sealed"
        assert get(site, candidate, "bundle").content == before
        assert everything(site, candidate) == live
        assert everything(site, candidate, limit=2) == live
        assert verify_bundle(before, trusted=[site.store.identity.fingerprint]).verdict == "verified"


def everything(site: Site, candidate: Candidate, limit: int = 500) -> list[Any]:
    """All events, page by page."""
    found: list[Any] = []
    after = -1
    while page := get(site, candidate, f"events?after={after}&limit={limit}").json()["events"]:
        found += page
        after = page[-1]["seq"]
    return found


def test_a_segment_from_before_there_were_pieces_is_read(site: Site) -> None:
    """A session that an earlier version sealed as one Parquet file is the same in every answer."""
    candidate, organisation = checked_and_closed(site)
    before, live = get(site, candidate, "bundle").content, everything(site, candidate)
    site.drain()
    rows = [row_of(event.seq // 2, event) for event in candidate.events]
    key = site.store.keys.get(segment_key(organisation, candidate.session, 1))
    old = Sealer(key, organisation=organisation, session=candidate.session).seal(write_rows(rows), "segment/1")
    (path,) = (site.data / "segments").iterdir()
    path.write_bytes(old)
    listed = update(Segment).values(file_sha256=hashlib.sha256(old).digest())
    site.store.database.write_now(lambda connection: connection.execute(listed))
    assert get(site, candidate, "bundle").content == before
    assert everything(site, candidate) == live


def hexadecimal(size: int) -> str:
    """Text that compresses to half, as a batch of 4 MiB must."""
    return os.urandom(size // 2).hex()


LARGE = [8 << 20] * 6 + [5 * MB, 4 * MB, 4 * MB, 3 * MB, 3 * MB, 3 * MB]


def test_large_values_are_sealed_and_read(site: Site) -> None:
    """Values as long as the wire allows, between short ones, can be sealed and paged, and the bundle is the same."""
    candidate = started(site.client, site.token)
    for size in LARGE:
        candidate.say(*["short"] * 14)
        candidate.batch([candidate.event("prompt", text=hexadecimal(size // 2) + "x" * (size // 2))])
    candidate.close()
    send(site, candidate)
    site.drain()
    assert state_of(site, candidate) == "sealed"
    assert sum(len(event["fields"].get("text", "")) for event in everything(site, candidate)) > sum(LARGE)
    bundle = get(site, candidate, "bundle").content
    assert verify_bundle(bundle, trusted=[site.store.identity.fingerprint]).verdict == "verified"


@pytest.mark.skipif(not Path("/proc/self/status").is_file(), reason="asks Linux for a process's memory")
def test_sealing_takes_no_more_memory_for_a_larger_session() -> None:
    """A conversation that resends itself, 200 MB of it in few bytes, needs no more memory than a tenth of it."""
    peaks: list[int] = []
    for requests in (8, 80):
        candidate = Candidate(InviteCode(invite_id="i", secret=bytes(32), pin="p"))
        candidate.prev = bytes(32)
        said = hexadecimal(1 * MB) + "and again " * 160_000
        with HelperProcess() as process:
            process.begin(candidate.content_key, ["note"], piece_bytes=8 << 20)
            made: list[Piece] = []
            for _ in range(requests):
                made += process.add(candidate.batch([candidate.event("note", src="candidate", text=said)]))
            made += process.finish()
            assert sum(piece.span.events for piece in made) == requests
            assert all(process.holds(number, piece.data) for number, piece in enumerate(made))
            status = Path(f"/proc/{process.pid}/status").read_text()
        (peak,) = re.findall(r"VmHWM:\s+(\d+) kB", status)
        peaks.append(int(peak))
    assert peaks[1] < peaks[0] + 64 * 1024


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="asks Linux for its processes")
def test_whoever_stops_listening_ends_the_helper(site: Site) -> None:
    """An export that is read halfway, or fails in the middle, leaves no process, and its failure is logged."""
    candidate, organisation = checked_and_closed(site)
    site.drain()

    async def half() -> bytes:
        export = await site.services.bundles.bundle(organisation, candidate.session)
        assert len(helpers()) == 1
        first = await anext(export.chunks)
        await export.chunks.aclose()
        return first

    with site.client.portal() as portal:
        assert portal.call(half).startswith(b"PK")
    assert helpers() == []
    (path,) = (site.data / "segments").iterdir()
    path.write_bytes(b"damaged")
    answer = get(site, candidate, "export?format=jsonl")
    assert (answer.status_code, answer.json()["code"]) == (503, "segment_damaged")
    assert helpers() == []


def test_a_session_that_is_sealed_while_it_is_read_is_said(site: Site) -> None:
    """If batches were emptied meanwhile, the export fails as a whole and can be requested again."""
    candidate, organisation = checked_and_closed(site)
    reading = SessionReader(site.store, Limits(), group=1).events_of(organisation, candidate.session)
    next(reading)
    site.drain()
    with pytest.raises(ReadingFailedError):
        list(reading)
    assert verify_bundle(get(site, candidate, "bundle").content, trusted=[site.store.identity.fingerprint]).events == 7
