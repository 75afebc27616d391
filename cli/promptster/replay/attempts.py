"""Requests and their attempts: what an agent asked once is one entry, however often the network made it ask again.

A response that a later complete attempt superseded is folded into its request, with the partial text that it had. What
remains an entry of its own is the answer that counted, or, without one, what was received of it.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from promptster.protocol.events.choices import CallPurpose, ResponseOutcome
from promptster.protocol.events.kinds import ModelRequest, ModelResponse
from promptster.replay.model import Entry, EntryRole

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

ATTEMPT_FACTS = (
    "status",
    "retry_after",
    "first_byte_ms",
    "duration_ms",
    "stop_reason",
    "response_id",
    "usage",
    "error",
)
"""Fields that every attempt shows; a superseded one keeps all that it had."""
NOT_CANDIDATE = "not the candidate's work"
"""The mark on the agent's own housekeeping."""


def fold_attempts(entries: Iterable[Entry]) -> list[Entry]:
    """The entries with attempts in their requests and superseded responses folded away; order is kept."""
    everything = list(entries)
    responses: dict[int, list[Entry]] = defaultdict(list)
    requests = {entry.seq: entry.event for entry in everything if isinstance(entry.event, ModelRequest)}
    for entry in everything:
        if isinstance(entry.event, ModelResponse) and entry.refs and entry.refs[0] in requests:
            responses[entry.refs[0]].append(entry)
    folded: dict[int, int] = {}
    """Superseded response -> its request."""
    for request, answers in responses.items():
        answers.sort(key=lambda answer: (_number(answer), answer.seq))
        folded |= {answer.seq: request for answer in _superseded(answers)}
    kept: list[Entry] = []
    for entry in everything:
        match entry.event:
            case ModelRequest(purpose=purpose):
                kept.append(_with_attempts(entry, purpose, responses.get(entry.seq, []), folded))
            case ModelResponse():
                if entry.seq not in folded:
                    asked = requests.get(entry.refs[0]) if entry.refs else None
                    kept.append(_response(entry, asked.purpose if asked is not None else None))
            case _:
                kept.append(entry)
    return kept


def is_housekeeping(purpose: str | None) -> bool:
    """Whether a request of this purpose is the agent's own business and not the candidate's work."""
    return (purpose or CallPurpose.WORK) not in {CallPurpose.WORK, CallPurpose.OTHER}


def _number(response: Entry) -> int:
    attempt = response.event.attempt if isinstance(response.event, ModelResponse) else None
    return 1 if attempt is None else attempt


def _outcome(response: Entry) -> str:
    return (response.event.outcome if isinstance(response.event, ModelResponse) else None) or ""


def _superseded(answers: Sequence[Entry]) -> Iterator[Entry]:
    """Those whose place a later complete attempt takes, and those that said nothing and that another one followed."""
    has_later = is_answered_later = False
    for answer in reversed(answers):
        is_complete = _outcome(answer) == ResponseOutcome.COMPLETE
        if has_later and not is_complete and (is_answered_later or not _said_something(answer)):
            yield answer
        has_later, is_answered_later = True, is_answered_later or is_complete


def _said_something(answer: Entry) -> bool:
    match answer.event:
        case ModelResponse(text=text, thinking=thinking, content=content, tool_use_ids=tool_use_ids):
            return any((text, thinking, content, tool_use_ids))
        case _:
            return False


def _with_attempts(request: Entry, purpose: str | None, answers: Sequence[Entry], folded: Mapping[int, int]) -> Entry:
    attempts = tuple(_attempt(answer, superseded=answer.seq in folded) for answer in answers)
    seqs = tuple(sorted({*request.seqs, *(answer.seq for answer in answers if answer.seq in folded)}))
    marks = list(request.marks)
    role = EntryRole.STORY
    if is_housekeeping(purpose):
        role = EntryRole.NOT_CANDIDATE
        marks.append(NOT_CANDIDATE)
    elif purpose == CallPurpose.OTHER or (len(attempts) == 1 and _outcome(answers[0]) == ResponseOutcome.COMPLETE):
        role = EntryRole.ROUTINE
    if len(attempts) > 1:
        marks.append(f"{len(attempts)} attempts")
    if not attempts:
        marks.append("no answer recorded")
    return replace(
        request,
        attempts=attempts,
        seqs=seqs,
        role=role,
        marks=tuple(dict.fromkeys(marks)),
    )


def _attempt(answer: Entry, *, superseded: bool) -> dict[str, Any]:
    attempt: dict[str, Any] = {
        "attempt": _number(answer),
        "seq": answer.seq,
        "ms": answer.ms,
        "outcome": _outcome(answer),
        "superseded": superseded,
    }
    for name, value in answer.fields.items():
        if name not in attempt and (superseded or name in ATTEMPT_FACTS):
            attempt[name] = value
    return attempt


def _response(response: Entry, purpose: str | None) -> Entry:
    marks = list(response.marks)
    if _outcome(response) in {ResponseOutcome.CUT, ResponseOutcome.ERROR}:
        marks.append(_outcome(response))
    role = response.role
    if is_housekeeping(purpose):
        role = EntryRole.NOT_CANDIDATE
        marks.append(NOT_CANDIDATE)
    elif purpose == CallPurpose.OTHER:
        role = EntryRole.ROUTINE
    return replace(response, role=role, marks=tuple(dict.fromkeys(marks)))
