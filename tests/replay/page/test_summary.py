"""The parts of the page that need no script count and fold as they say."""

from __future__ import annotations

import html
import re

import pytest
from tests.helpers.bundles import Bundler
from tests.helpers.plausible import plausible
from tests.helpers.sessions import Script

from promptster.protocol.events.kinds import Kind
from promptster.replay.loading import Replay, ReplayHeading, from_bundle, from_opened
from promptster.replay.page.rows import GROUPS
from promptster.replay.page.summary import glance, heading, margin, verdict
from promptster.replay.timeline import build


def _shown(markup: object) -> str:
    """The text of some markup, its parts divided by spaces."""
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", str(markup))).split())


def _paused(times: int, *, seconds: int = 60) -> Script:
    """A session in which the candidate paused several times."""
    script = Script()
    script.add("hook", "prompt", lane=1, text="first", agent="claude")
    for _ in range(times):
        script.add("candidate", "paused", reason="candidate", after_ms=1_000)
        script.add("candidate", "resumed", reason="candidate", after_ms=seconds * 1_000)
    return script


def test_the_head_names_the_session() -> None:
    """Title, organisation and candidate, each on one line whatever is in it."""
    facts = ReplayHeading(title="Rate\nlimiter", organisation="Acme", candidate="Ada", session="ses_1")
    shown = str(heading(from_opened(_paused(1).events, facts=facts)))
    assert "\n" not in re.search(r"<h1>(.*?)</h1>", shown, re.DOTALL)[1]  # type: ignore[index]
    for word in ("Acme", "Ada", "ses_1"):
        assert word in shown
    assert "<h1>Session</h1>" in str(heading(from_opened([], facts=ReplayHeading())))


def test_pauses_are_added_up() -> None:
    """Two pauses of a minute are two minutes, and no time of another sort."""
    shown = _shown(glance(build(_paused(2).events)))
    assert "1 prompt 0 answers 0 tool calls 0 edits 0 commands" in shown
    assert re.search(r"2 min( 0+ s)? paused", shown)
    assert "recorder not running" not in shown


@pytest.mark.parametrize(("times", "folded"), [(10, ""), (11, "1 more gap"), (13, "3 more gaps")])
def test_a_long_list_is_folded(times: int, folded: str) -> None:
    """Ten gaps are open at once; the rest is folded under one line that counts it."""
    shown = str(margin(build(_paused(times).events), {}))
    assert shown.count("recording was paused") == times
    assert (re.findall(r"\d+ more gaps?", shown) or [""]) == [folded]


def test_a_very_long_list_is_cut_and_says_so() -> None:
    """Two hundred gaps are listed; the others are counted."""
    shown = str(margin(build(_paused(205).events), {}))
    assert shown.count("recording was paused") == 200
    assert "and 5 more" in shown


def test_nothing_yet_is_said_in_words() -> None:
    """A session that just began has no gaps, no submission and nothing seen."""
    shown = _shown(margin(build([]), {}))
    assert "Submitted No submission in this recording." in shown
    assert "Gaps None reported." in shown


def test_rows_of_conversations_are_the_callers_count() -> None:
    """The list says how many rows the timeline shows, and 0 for a conversation without any."""
    timeline = build(plausible())
    lane = timeline.lanes[1]
    assert f"{lane.name} 1,234" in _shown(margin(timeline, {lane.number: 1_234}))
    assert f"{lane.name} 0" in _shown(margin(timeline, {}))


def test_the_submission_is_one_step_from_the_top() -> None:
    """Its files and lines are counted, and both links lead to what is on the page."""
    timeline = build(plausible())
    submission = timeline.submission
    assert submission is not None
    shown = str(glance(timeline))
    assert f"Submitted: {len(submission.files)} file" in shown
    assert f'href="#s{submission.seq}"' in shown
    assert 'id="submitted"' in str(margin(timeline, {}))


def test_only_bad_news_has_a_colour() -> None:
    """A verified session is told in words alone; a page without a check says that nothing was checked."""
    bundler = Bundler()
    good: Replay = from_bundle(bundler.bundle(plausible()), bundler.certified.keys.fingerprints)
    assert "data-tone" not in str(verdict(good))
    assert "verified" in _shown(verdict(good))
    assert "nothing was checked" in _shown(verdict(from_opened(plausible(), facts=ReplayHeading())))


def test_the_filter_offers_every_kind_once() -> None:
    """A kind that is added to the wire has a word in the filter; a ``notification`` is a prompt that no one typed."""
    offered = [kind for kinds in GROUPS.values() for kind in kinds]
    assert sorted(offered) == sorted([*Kind, "notification"])
