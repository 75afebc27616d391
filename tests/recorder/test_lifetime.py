"""A recorder whose session is over ends, but never while an agent works."""

from __future__ import annotations

import pytest
from tests.helpers.certified import NOW_MS
from tests.helpers.recorders import HandClock

from promptster.recorder.lifetime import GRACE_MS, QUIET_MS, SUBMITTED_GRACE_MS, UPLOAD_OVERDUE_MS, Lifetime
from promptster.session_folder.folder import SessionState

ENDED = [SessionState.LAPSED, SessionState.WITHDRAWN, SessionState.STOPPED]
GOES_ON = [SessionState.PREPARING, SessionState.RECORDING, SessionState.PAUSED, SessionState.CLOSING]


@pytest.mark.parametrize("state", GOES_ON)
def test_a_session_that_goes_on_keeps_its_recorder(state: SessionState) -> None:
    """It stays however long no request comes: a candidate may think for hours."""
    clock = HandClock()
    lifetime = Lifetime(clock, upload_until=0)
    for _ in range(3):
        assert not lifetime.may_go(state, None)
        clock.pass_by(10 * QUIET_MS)


@pytest.mark.parametrize("state", ENDED)
def test_after_the_end_it_answers_a_little_longer(state: SessionState) -> None:
    """A command that asks just then still learns how the session ended."""
    clock = HandClock()
    lifetime = Lifetime(clock, upload_until=0)
    assert not lifetime.may_go(state, None)
    clock.pass_by(GRACE_MS - 1)
    assert not lifetime.may_go(state, None)
    clock.pass_by(1)
    assert lifetime.may_go(state, None)


def test_an_agent_at_work_is_not_cut_off() -> None:
    """Its calls continue unrecorded; the recorder waits until there was none for ten minutes."""
    clock = HandClock()
    lifetime = Lifetime(clock, upload_until=0)
    last_call = clock.mono
    for _ in range(5):
        last_call = clock.mono
        clock.pass_by(QUIET_MS - 1)
        assert not lifetime.may_go(SessionState.LAPSED, last_call)
    clock.pass_by(1)
    assert lifetime.may_go(SessionState.LAPSED, last_call)


def test_submit_has_time_to_end_it_itself() -> None:
    """A complete submission is usually concluded by the command that waits for it."""
    clock = HandClock()
    lifetime = Lifetime(clock, upload_until=0)
    assert not lifetime.may_go(SessionState.CLOSED, None)
    clock.pass_by(SUBMITTED_GRACE_MS - 1)
    assert not lifetime.may_go(SessionState.CLOSED, None)
    clock.pass_by(1)
    assert lifetime.may_go(SessionState.CLOSED, None)


def test_a_collector_that_never_says_the_end_is_not_waited_for() -> None:
    """A day after the time for upload nothing is accepted any longer; a clock that is a day wrong is no reason."""
    clock = HandClock()
    lifetime = Lifetime(clock, upload_until=NOW_MS)
    clock.pass_by(UPLOAD_OVERDUE_MS)
    assert not lifetime.may_go(SessionState.RECORDING, None)
    clock.pass_by(1)
    assert not lifetime.may_go(SessionState.RECORDING, None)
    clock.pass_by(GRACE_MS)
    assert lifetime.may_go(SessionState.RECORDING, None)


def test_an_end_that_was_none_starts_anew() -> None:
    """If the clock was set back and the session continues, the countdown starts again."""
    clock = HandClock(wall=NOW_MS + UPLOAD_OVERDUE_MS + 1)
    lifetime = Lifetime(clock, upload_until=NOW_MS)
    assert not lifetime.may_go(SessionState.RECORDING, None)
    clock.wall = NOW_MS
    clock.mono += GRACE_MS
    assert not lifetime.may_go(SessionState.RECORDING, None)
    clock.wall = NOW_MS + UPLOAD_OVERDUE_MS + 1
    assert not lifetime.may_go(SessionState.RECORDING, None)
