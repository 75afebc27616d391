"""What is new in a request that resends its whole history: which prompts, which tool results, or nothing at all.

A conversation is read as turns. The texts behind the model's last word are the *tail*; only there can a new prompt
stand, since everything before it was answered. The *position* of a tail is told by the turn before it, so that the
same words typed at two places are two prompts, and the same words sent twice at one place are one.
"""

from __future__ import annotations

import hashlib
import itertools
import json
from collections import Counter, OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from promptster.capture.agent import Prompt
from promptster.capture.providers.interface import Item, ModelCall, Reply, Summary, ToolResult, ToolUse, UserText

if TYPE_CHECKING:
    from collections.abc import Mapping

    from promptster.capture.agent import ReadsRequests

_POSITIONS_KEPT = 128
_REQUESTS_KEPT = 32


@dataclass(frozen=True, kw_only=True)
class Answered:
    """One tool result of a conversation."""

    result: ToolResult
    """It."""
    use: ToolUse | None
    """The call before it with its id; ``None`` where the history holds none."""
    place: int
    """Which of the history's calls with this id that is."""
    is_fresh: bool
    """Whether it stands in the tail."""


@dataclass(frozen=True, kw_only=True)
class Turn:
    """One request's conversation, read."""

    fingerprint: str
    """Equal for requests that ask the same again."""
    position: str
    """Where the tail stands."""
    tail: tuple[Prompt, ...]
    """The words behind the model's last one."""
    answers: tuple[Answered, ...]
    """Every tool result with the call that it answers, oldest first."""
    uses: Mapping[str, Sequence[ToolUse]]
    """The tool calls of the history by id, oldest first."""
    history: frozenset[str]
    """The words before the tail, whoever wrote them."""
    opening: tuple[str, ...]
    """The texts before the model's first word, and those of the tail, whoever wrote them."""
    closing: tuple[str, ...]
    """The texts of the tail and of its results, whoever wrote them."""
    task: str
    """The tail's texts as the message that starts a subagent."""
    beginning: str
    """Equal for conversations that begin with the same words."""


def read_turn(call: ModelCall, agent: ReadsRequests, *, purpose: str) -> Turn:
    """Read a request's items with the agent's habits."""
    runs = _without_resumption(_runs(call.items, agent), agent)
    marks: list[object] = [purpose, call.previous]
    context: list[object] = [call.previous]
    tail: Sequence[Prompt] = ()
    fresh: Sequence[ToolResult] = ()
    last_user: list[object] = []
    for side, run in runs:
        if side == "summary":
            context, tail, fresh, last_user = ["summary", _mark(run[-1])], (), (), []
            marks.extend(_mark(item) for item in run)
        elif side == "model":
            context, tail, fresh = [*last_user, *(_mark(item) for item in run)], (), ()
            marks.extend(_mark(item) for item in run)
        else:
            tail, fresh, last_user = _user_run(run, agent)
            marks.extend(last_user if purpose == "work" else (_mark(item) for item in run))
    first = _texts(runs[0][1]) if runs else []
    last = _texts(runs[-1][1]) if runs and runs[-1][0] == "user" else []
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
    items: Sequence[Item], fresh: Sequence[ToolResult]
) -> tuple[tuple[Answered, ...], dict[str, list[ToolUse]]]:
    """Each result with its call: the first one of its id in the answer before it that has none yet."""
    new = {id(result) for result in fresh}
    uses: dict[str, list[ToolUse]] = {}
    begins: dict[str, int] = {}
    """The first call of an id in the latest answer that has one."""
    given: dict[tuple[str, int], Answered] = {}
    turn, turns = 0, dict[str, int]()
    for item in items:
        if isinstance(item, ToolUse):
            same = uses.setdefault(item.id, [])
            if turns.get(item.id) != turn:
                begins[item.id], turns[item.id] = len(same), turn
            same.append(item)
            continue
        turn += isinstance(item, (ToolResult, UserText))
        if isinstance(item, ToolResult):
            same = uses.get(item.id, [])
            places = range(begins.get(item.id, 0), len(same))
            place = next((at for at in places if (item.id, at) not in given), len(same) - 1)
            use = same[place] if same else None
            given[item.id, place] = Answered(result=item, use=use, place=place, is_fresh=id(item) in new)
    return tuple(given.values()), uses


def _runs(items: Sequence[Item], agent: ReadsRequests) -> list[tuple[str, list[Item]]]:
    def side(item: Item) -> str:
        if isinstance(item, Summary) or (isinstance(item, UserText) and agent.summarises(item)):
            return "summary"
        return "model" if isinstance(item, (ToolUse, Reply)) else "user"

    return [(name, list(run)) for name, run in itertools.groupby(items, side)]


def _without_resumption(runs: list[tuple[str, list[Item]]], agent: ReadsRequests) -> list[tuple[str, list[Item]]]:
    """To go on where an answer was cut off is to ask the same again: the partial answer and the added text go."""
    while len(runs) > 2 and runs[-1][0] == "user" and runs[-2][0] == "model":  # noqa: PLR2004 - question, answer, text
        texts = _texts(runs[-1][1])
        if len(texts) != len(runs[-1][1]) or agent.prompts(texts) or not any(map(agent.resumes, texts)):
            break
        runs = runs[:-2]
    return runs


def _texts(run: Sequence[Item]) -> list[UserText]:
    return [item for item in run if isinstance(item, UserText)]


def _user_run(run: Sequence[Item], agent: ReadsRequests) -> tuple[Sequence[Prompt], Sequence[ToolResult], list[object]]:
    prompts = agent.prompts(_texts(run))
    results = [item for item in run if isinstance(item, ToolResult)]
    marks: list[object] = [["result", name] for name in sorted({item.id for item in results})]
    return prompts, results, [*marks, *(["prompt", prompt.text, len(prompt.images)] for prompt in prompts)]


def _mark(item: Item) -> list[object]:
    match item:
        case ToolUse() | ToolResult():
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
    """Of its model_request, if that was recorded."""
    attempts: int = 1
    """How many were begun."""
    answered: int = 0
    """The highest attempt whose end is recorded."""
    complete: bool = False
    """Whether an attempt brought a whole answer."""
    position: str = ""
    """Where its tail stands."""


@dataclass(kw_only=True)
class _Place:
    texts: list[str]
    answered: bool = False


@dataclass(kw_only=True)
class Conversation:
    """One lane's memory, bounded: its latest requests and the prompts seen at its latest positions."""

    lane: int
    """The lane's number."""
    _asked: OrderedDict[str, Asked] = field(default_factory=OrderedDict[str, Asked])
    _places: OrderedDict[str, _Place] = field(default_factory=OrderedDict[str, _Place])
    _latest: _Place | None = None

    def retried(self, fingerprint: str, request_sha256: str) -> Asked | None:
        """The unanswered request that this one asks again."""
        asked = self._asked.get(fingerprint) or self._asked.get(request_sha256)
        return asked if asked is not None and not asked.complete else None

    def remember(self, asked: Asked, *names: str) -> None:
        """Keep a request under its fingerprint and its body's hash."""
        for name in names:
            self._asked[name] = asked
            self._asked.move_to_end(name)
        while len(self._asked) > 2 * _REQUESTS_KEPT:
            self._asked.popitem(last=False)

    def new_prompts(self, turn: Turn) -> list[Prompt]:
        """The prompts of a request's tail that were not there before; they are remembered."""
        place = self._places.get(turn.position)
        texts = [prompt.text for prompt in turn.tail]
        if place is None:
            known = self._carried_over(turn)
            fresh = [prompt for prompt in turn.tail if not _take(known, prompt.text)]
        elif place.answered and texts == place.texts:
            fresh = list(turn.tail[-1:])
        else:
            known = Counter(place.texts)
            fresh = [prompt for prompt in turn.tail if not _take(known, prompt.text)]
        self._latest = self._places[turn.position] = _Place(texts=texts)
        self._places.move_to_end(turn.position)
        while len(self._places) > _POSITIONS_KEPT:
            self._places.popitem(last=False)
        return fresh

    def _carried_over(self, turn: Turn) -> Counter[str]:
        """Words that nobody answered and that come again behind another history, shortened by the agent."""
        if self._latest is None or self._latest.answered:
            return Counter()
        return Counter(text for text in self._latest.texts if text not in turn.history)

    def typed_again(self, turn: Turn) -> None:
        """The words of a tail were taken back and typed anew: what comes is no further attempt."""
        place = self._places.get(turn.position)
        if place is not None:
            place.answered = True

    def expect_again(self, texts: Sequence[str]) -> None:
        """Words that were recorded without the request that brought them; the agent will send it again."""
        self._latest = _Place(texts=list(texts))

    def answer(self, asked: Asked, *, complete: bool, is_answered: bool) -> None:
        """An attempt ended.

        Args:
            asked: the request.
            complete: whether all of the answer arrived.
            is_answered: whether the model said all that it wanted to say.
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
