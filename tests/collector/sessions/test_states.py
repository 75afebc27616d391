"""For an open session the list shows whether its recorder reports and whether its time is over."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import select
from tests.helpers.candidate import bearer, started

from promptster.times import utc
from promptster_collector.sessions.states import SILENT_MS, State, activity
from promptster_collector.store.schema import Session

if TYPE_CHECKING:
    from tests.helpers.candidate import Candidate
    from tests.helpers.site import Site


def _entry(site: Site, candidate: Candidate) -> dict[str, Any]:
    listed = site.client.get("/v1/sessions", headers=bearer(site.token)).json()["sessions"]
    (entry,) = (each for each in listed if each["session"] == candidate.session)
    found: dict[str, Any] = entry
    return found


def test_a_session_is_silent_when_nothing_arrives(site: Site) -> None:
    """Silence counts from the beginning, then from the last batch; a batch ends it, and so does the session's end."""
    candidate = started(site.client, site.token)
    first = _entry(site, candidate)
    assert (first["activity"], first["last_received_at"]) == ("working", None)
    site.clock.pass_ms(SILENT_MS)
    assert _entry(site, candidate)["activity"] == "silent"
    candidate.say("hello")
    assert candidate.put(site.client, 0).status_code == 200
    heard = utc(site.clock.ms)
    site.clock.pass_ms(SILENT_MS - 1)
    entry = _entry(site, candidate)
    assert (entry["activity"], entry["last_received_at"]) == ("working", heard)
    site.clock.pass_ms(1)
    assert _entry(site, candidate)["activity"] == "silent"
    candidate.say("more")
    candidate.close()
    for n in (1, 2):
        assert candidate.put(site.client, n).status_code == 200
    site.drain()
    ended = _entry(site, candidate)
    assert (ended["activity"], ended["outcome"]) == (None, "submitted")


def test_a_session_whose_time_is_over_is_told_with_until_when_it_can_be_submitted(site: Site) -> None:
    """Recording has ended but upload has not: both moments are in the list."""
    candidate = started(site.client, site.token)
    columns = select(Session.record_until_ms, Session.upload_until_ms).where(Session.id == candidate.session)
    ((record_until, upload_until),) = site.rows(columns)
    site.clock.ms = record_until
    entry = _entry(site, candidate)
    assert entry["activity"] == "over"
    assert (entry["record_until"], entry["upload_until"]) == (utc(record_until), utc(upload_until))


def test_what_has_ended_does_nothing() -> None:
    """An ended session shows no activity, whatever the clock says."""
    for state in set(State) - {State.OPEN}:
        assert activity(state, heard_ms=0, record_until_ms=10, now_ms=1) is None
