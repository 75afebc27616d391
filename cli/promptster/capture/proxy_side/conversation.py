"""Finds out what is new in a request that resends its whole history: prompts, tool results, or nothing.

A conversation is read as turns. The texts after the model's last message are the *tail*. Only the tail can contain a
new prompt, because everything before it was answered. The turn before a tail defines its *position*: the same text
typed at two positions is two prompts, and the same text sent twice at one position is one.
"""

from __future__ import annotations

import hashlib
import itertools
import json
from collections import Counter, OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import TYPE_CHECKING, assert_never

from promptster.capture.agent import GivenPrompt
from promptster.capture.providers.interface import Item, ModelCall, ModelText, Summary, ToolReturn, ToolUse, UserText
from promptster.protocol.events.choices import CallPurpose

if TYPE_CHECKING:
    from collections.abc import Mapping

    from promptster.capture.agent import ReadsRequests

_POSITIONS_KEPT = 128
_REQUESTS_KEPT = 32


@dataclass(frozen=True, kw_only=True)
class Answered:
    """One tool result of a conversation."""

    result: ToolReturn
    """The result itself."""
    use: ToolUse | None
    """The call that it answers; ``None`` if the history does not contain it."""
    place: int
    """The index of that call among the history's calls with this id."""
    is_in_tail: bool
    """Whether the result is in the tail, and so may be new."""


@dataclass(frozen=True, kw_only=True)
class Turn:
    """One request's conversation, as far as its last turn matters."""

    fingerprint: str
    """Equal for requests that repeat each other."""
    position: str
    """The position of the tail."""
    tail: tuple[GivenPrompt, ...]
    """The prompts after the model's last message."""
    answers: tuple[Answered, ...]
    """Every tool result with the call that it answers, oldest first."""
    uses: Mapping[str, Sequence[ToolUse]]
    """The tool calls of the history by id, oldest first."""
    history: frozenset[str]
    """The texts before the tail, from people and programs."""
    opening: tuple[str, ...]
    """The texts before the model's first message, and those of the tail, from people and programs."""
    closing: tuple[str, ...]
    """The texts of the tail and of its results, from people and programs."""
    task: str
    """The tail's texts, read as the message that starts a subagent."""
    beginning: str
    """Equal for conversations that begin with the same prompts."""


class _Side(Enum):
    """Who a request's item is from."""

    USER = auto()
    """A person or a program: texts and results of tools."""
    MODEL = auto()
    SUMMARY = auto()
    """A text that stands for all before it."""


def read_turn(call: ModelCall, agent: ReadsRequests, *, purpose: str) -> Turn:
    """Read a request's items by the agent's conventions."""
    runs = _without_resumption(_runs(call.items, agent), agent)
    marks: list[object] = [purpose, call.previous]
    context: list[object] = [call.previous]
    tail: Sequence[GivenPrompt] = ()
    fresh: Sequence[ToolReturn] = ()
    last_user: list[object] = []
    for side, run in runs:
        match side:
            case _Side.SUMMARY:
                context, tail, fresh, last_user = ["summary", _mark(run[-1])], (), (), []
                marks.extend(_mark(item) for item in run)
            case _Side.MODEL:
                context, tail, fresh = [*last_user, *(_mark(item) for item in run)], (), ()
                marks.extend(_mark(item) for item in run)
            case _Side.USER:
                tail, fresh, last_user = _user_run(run, agent)
                marks.extend(last_user if purpose == CallPurpose.WORK else (_mark(item) for item in run))
            case _:
                assert_never(side)
    first = _texts(runs[0][1]) if runs else []
    last = _texts(runs[-1][1]) if runs and runs[-1][0] is _Side.USER else []
    answers, uses = _answers(call.items, fresh)
    return Turn(
        fingerprint=_digest(marks),
        position=_digest(context),
        tail=tuple(tail),
        answers=answers,
        uses=uses,
        history=frozenset(item.text for _, run in runs[:-1] for item in _texts(run)),
        opening=tuple(item.text for item in (*first, *last)),
        closing=tuple(item.text for item in fresh) + tuple(item.text for item in last),
        task=agent.task(last),
        beginning=_digest([prompt.text for prompt in agent.prompts(first)]),
    )


def _answers(
    items: Sequence[Item], fresh: Sequence[ToolReturn]
) -> tuple[tuple[Answered, ...], dict[str, list[ToolUse]]]:
    """Each result with its call: the first call with its id in the preceding answer that has no result yet."""
    new = {id(result) for result in fresh}
    uses: dict[str, list[ToolUse]] = {}
    begins: dict[str, int] = {}
    """The index of an id's first call in the latest answer that contains the id."""
    given: dict[tuple[str, int], Answered] = {}
    turn, turns = 0, dict[str, int]()
    for item in items:
        if isinstance(item, ToolUse):
            same = uses.setdefault(item.id, [])
            if turns.get(item.id) != turn:
                begins[item.id], turns[item.id] = len(same), turn
            same.append(item)
            continue
        turn += isinstance(item, (ToolReturn, UserText))
        if isinstance(item, ToolReturn):
            same = uses.get(item.id, [])
            places = range(begins.get(item.id, 0), len(same))
            place = next((at for at in places if (item.id, at) not in given), len(same) - 1)
            use = same[place] if same else None
            given[item.id, place] = Answered(result=item, use=use, place=place, is_in_tail=id(item) in new)
    return tuple(given.values()), uses


def _runs(items: Sequence[Item], agent: ReadsRequests) -> list[tuple[_Side, list[Item]]]:
    def side(item: Item) -> _Side:
        if isinstance(item, Summary) or (isinstance(item, UserText) and agent.summarises(item)):
            return _Side.SUMMARY
        return _Side.MODEL if isinstance(item, (ToolUse, ModelText)) else _Side.USER

    return [(name, list(run)) for name, run in itertools.groupby(items, side)]


def _without_resumption(runs: list[tuple[_Side, list[Item]]], agent: ReadsRequests) -> list[tuple[_Side, list[Item]]]:
    """Remove a partial answer and the text that asks to continue it, so that such a request counts as a repetition."""
    while len(runs) > 2 and runs[-1][0] is _Side.USER and runs[-2][0] is _Side.MODEL:  # noqa: PLR2004 - question, answer, text
        texts = _texts(runs[-1][1])
        if len(texts) != len(runs[-1][1]) or agent.prompts(texts) or not any(map(agent.resumes, texts)):
            break
        runs = runs[:-2]
    return runs


def _texts(run: Sequence[Item]) -> list[UserText]:
    return [item for item in run if isinstance(item, UserText)]


def _user_run(
    run: Sequence[Item], agent: ReadsRequests
) -> tuple[Sequence[GivenPrompt], Sequence[ToolReturn], list[object]]:
    prompts = agent.prompts(_texts(run))
    results = [item for item in run if isinstance(item, ToolReturn)]
    marks: list[object] = [["result", name] for name in sorted({item.id for item in results})]
    return prompts, results, [*marks, *(["prompt", prompt.text, len(prompt.images)] for prompt in prompts)]


def _mark(item: Item) -> list[object]:
    match item:
        case ToolUse() | ToolReturn():
            return [type(item).__name__, item.id]
        case Summary():
            return ["Summary", item.key]
        case _:
            return [type(item).__name__, item.text]


def _digest(marks: Sequence[object]) -> str:
    return hashlib.sha256(json.dumps(marks).encode()).hexdigest()


@dataclass(kw_only=True)
class Asked:
    """One logical request with its attempts."""

    seq: int | None
    """The ``seq`` of its ``model_request``, if that was recorded."""
    attempts: int = 1
    """The number of attempts so far."""
    answered: int = 0
    """The highest attempt whose end is recorded."""
    complete: bool = False
    """Whether an attempt returned a whole answer."""
    position: str = ""
    """The position of its tail."""


@dataclass(kw_only=True)
class _Place:
    texts: list[str]
    answered: bool = False


@dataclass(kw_only=True)
class Conversation:
    """What is remembered of one lane: its latest requests, and the prompts at its latest positions."""

    lane: int
    """The lane's number."""
    _asked: OrderedDict[str, Asked] = field(default_factory=OrderedDict[str, Asked])
    _places: OrderedDict[str, _Place] = field(default_factory=OrderedDict[str, _Place])
    _latest: _Place | None = None

    def retried(self, fingerprint: str, request_sha256: str) -> Asked | None:
        """The unanswered request that this one repeats."""
        asked = self._asked.get(fingerprint) or self._asked.get(request_sha256)
        return asked if asked is not None and not asked.complete else None

    def remember(self, asked: Asked, *names: str) -> None:
        """Remember a request under its fingerprint and its body's hash."""
        for name in names:
            self._asked[name] = asked
            self._asked.move_to_end(name)
        while len(self._asked) > 2 * _REQUESTS_KEPT:
            self._asked.popitem(last=False)

    def new_prompts(self, turn: Turn) -> list[GivenPrompt]:
        """Return and remember the prompts of a request's tail that are new."""
        place = self._places.get(turn.position)
        texts = [prompt.text for prompt in turn.tail]
        if place is None:
            known = self._carried_over(turn)
            new = [prompt for prompt in turn.tail if not _take(known, prompt.text)]
        elif place.answered and texts == place.texts:
            new = list(turn.tail[-1:])
        else:
            known = Counter(place.texts)
            new = [prompt for prompt in turn.tail if not _take(known, prompt.text)]
        self._latest = self._places[turn.position] = _Place(texts=texts)
        self._places.move_to_end(turn.position)
        while len(self._places) > _POSITIONS_KEPT:
            self._places.popitem(last=False)
        return new

    def _carried_over(self, turn: Turn) -> Counter[str]:
        """The latest unanswered prompts, which an agent sends again after it shortened the history."""
        if self._latest is None or self._latest.answered:
            return Counter()
        return Counter(text for text in self._latest.texts if text not in turn.history)

    def typed_again(self, turn: Turn) -> None:
        """Note that a tail's prompts were withdrawn and typed again, so that the request is not a further attempt."""
        place = self._places.get(turn.position)
        if place is not None:
            place.answered = True

    def expect_again(self, texts: Sequence[str]) -> None:
        """Note prompts that were recorded without their request, which the agent will send again."""
        self._latest = _Place(texts=list(texts))

    def answer(self, asked: Asked, *, complete: bool, is_answered: bool) -> None:
        """Note the end of an attempt.

        Args:
            asked: the request.
            complete: whether the whole answer arrived.
            is_answered: whether the model finished its answer.
        """
        asked.complete = asked.complete or complete
        place = self._places.get(asked.position)
        if place is not None and complete and is_answered:
            place.answered = True


def _take(known: Counter[str], text: str) -> bool:
    if known[text] <= 0:
        return False
    known[text] -= 1
    return True
