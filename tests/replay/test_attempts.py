"""Attempts: one request, however often the network made the agent ask again."""

from __future__ import annotations

from typing import Any

from tests.helpers.sessions import CLAUDE, Script

from promptster.replay.model import Entry, EntryRole
from promptster.replay.timeline import build

OVERLOADED: dict[str, Any] = {"outcome": "error", "status": 529, "error": {"type": "overloaded_error"}}
BROKEN: dict[str, Any] = {"outcome": "cut", "status": 200, "text": "I will"}


def _entries(script: Script, kind: str) -> list[Entry]:
    return [entry for entry in build(script.events).entries if entry.kind == kind]


def test_a_retried_request_is_one_entry_with_numbered_attempts() -> None:
    """Failed attempts fold into the request with all they had; the final answer is an entry of its own."""
    script = Script()
    script.turn("Done.", faults=(OVERLOADED, BROKEN))
    (request,), (answer,) = _entries(script, "model_request"), _entries(script, "model_response")
    attempts = request.fields["attempts"]
    assert [(a["attempt"], a["outcome"], a["superseded"]) for a in attempts] == [
        (1, "error", True),
        (2, "cut", True),
        (3, "complete", False),
    ]
    assert attempts[0]["error"] == {"type": "overloaded_error"}
    assert attempts[1]["text"] == "I will"
    assert "text" not in attempts[2]
    assert answer.fields["text"] == "Done."
    assert answer.refs == (request.seq,)
    assert request.seqs == (0, 1, 2)
    assert request.marks == ("3 attempts",)
    assert request.role is EntryRole.STORY


def test_a_cut_answer_without_a_later_complete_one_is_its_own_entry_marked_cut() -> None:
    """What was received of it is shown; a later attempt without content does not hide it."""
    script = Script()
    request = script.add("proxy", "model_request", lane=1, purpose="work", **CLAUDE)
    script.add("proxy", "model_response", lane=1, refs=(request,), attempt=1, **BROKEN, **CLAUDE)
    script.add("proxy", "model_response", lane=1, refs=(request,), attempt=2, **OVERLOADED, **CLAUDE)
    answers = _entries(script, "model_response")
    assert [(answer.fields["attempt"], answer.marks) for answer in answers] == [(1, ("cut",)), (2, ("error",))]


def test_an_error_that_another_attempt_followed_is_folded_even_if_that_one_broke_off() -> None:
    """An attempt without content is not an entry of its own."""
    script = Script()
    request = script.add("proxy", "model_request", lane=1, purpose="work", **CLAUDE)
    script.add("proxy", "model_response", lane=1, refs=(request,), attempt=1, **OVERLOADED, **CLAUDE)
    script.add("proxy", "model_response", lane=1, refs=(request,), attempt=2, **BROKEN, **CLAUDE)
    assert [answer.marks for answer in _entries(script, "model_response")] == [("cut",)]
    (entry,) = _entries(script, "model_request")
    assert [attempt["superseded"] for attempt in entry.fields["attempts"]] == [True, False]


def test_a_request_without_an_answer_says_so() -> None:
    """The entry says that no answer came."""
    script = Script()
    script.add("proxy", "model_request", lane=1, purpose="work", **CLAUDE)
    (request,) = _entries(script, "model_request")
    assert request.fields["attempts"] == []
    assert request.marks == ("no answer recorded",)


def test_an_answer_whose_request_is_not_on_record_stays() -> None:
    """A response that refers to a missing event is shown as it is."""
    script = Script()
    script.add("proxy", "model_response", lane=1, refs=(99,), attempt=2, outcome="complete", text="late")
    (answer,) = _entries(script, "model_response")
    assert answer.fields["text"] == "late"
    assert answer.refs == (99,)


def test_housekeeping_is_kept_and_marked_as_not_the_candidates_work() -> None:
    """Title, classifier and compaction calls stay in the record but are left out of the story."""
    script = Script()
    for purpose in ("title", "classifier", "compaction", "other", "work"):
        script.turn("x", purpose=purpose)
    timeline = build(script.events)
    roles = {entry.fields["purpose"]: entry.role for entry in timeline.entries if entry.kind == "model_request"}
    assert roles == {
        "title": EntryRole.NOT_CANDIDATE,
        "classifier": EntryRole.NOT_CANDIDATE,
        "compaction": EntryRole.NOT_CANDIDATE,
        "other": EntryRole.ROUTINE,
        "work": EntryRole.ROUTINE,
    }
    marked = [entry for entry in timeline.entries if "not the candidate's work" in entry.marks]
    assert len(marked) == 6
    assert [entry.fields["text"] for entry in timeline.story] == ["x"]


def test_references_to_folded_attempts_lead_to_the_request() -> None:
    """After folding, every reference between entries still leads to an entry."""
    script = Script()
    request = script.add("proxy", "model_request", lane=1, purpose="work", **CLAUDE)
    cut = script.add("proxy", "model_response", lane=1, refs=(request,), attempt=1, **BROKEN, **CLAUDE)
    script.add("proxy", "model_response", lane=1, refs=(request,), attempt=2, outcome="complete", text="x", **CLAUDE)
    script.add("proxy", "tool_call", lane=1, refs=(cut,), tool_use_id="t", name="Bash", input={}, **CLAUDE)
    (call,) = _entries(script, "tool_call")
    assert call.refs == (request,)
