"""Tool calls by id: who has told of each, so that nothing is told twice by one source and silence is noticed.

An id names one call, as a rule. Some providers give one id to the calls of every turn, or to two calls at once: then it
names a row of calls, and what belongs to which is told by their order and by what was asked for. Each conversation has
rows of its own, since subagents that run side by side may be given the same ids.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from promptster.capture.providers.interface import canonical, is_object, mapping

if TYPE_CHECKING:
    from collections.abc import Sequence

    from promptster.capture.agent import Identity
    from promptster.capture.providers.interface import ToolUse

_CALLS_KEPT = 50_000
_SAME_KEPT = 256
"""Calls of one id that are remembered."""

Key = tuple[str, str, str]
Marks = frozenset[tuple[str, bytes]]


@dataclass(kw_only=True, eq=False)
class ReportedCall:
    """One call as one source told it."""

    seq: int | None
    """Of its tool_call, if there is one."""
    name: str
    """The tool."""
    marks: Marks
    """What it was given, argument by argument."""
    use: ToolUse | None = None
    """The call as the model made it, until its result was seen."""
    is_answered: bool = False
    """Whether the source has told its result."""
    lacks_actions: bool = False
    """Whether the proxy's result is in the journal and nothing behind it that the tool did: the rest may be lost."""
    partner: ReportedCall | None = None
    """The same call as the other source told it."""

    def may_be(self, use: ToolUse) -> bool:
        """Whether this is a call that an agent sends back in its history: it may have added arguments of its own."""
        return self.name == use.name and self.marks <= marks_of(use)

    def is_like(self, other: ReportedCall) -> bool:
        """Whether two sources tell of the same tool and arguments, as far as one of them knows more."""
        return self.name == other.name and (self.marks <= other.marks or other.marks <= self.marks)


def marks_of(use: ToolUse | None) -> Marks:
    """The arguments of a call, each as its name and a digest of its value."""
    if use is None:
        return frozenset()
    given = mapping(use.input) if is_object(use.input) else {"": use.input}
    return frozenset((name, hashlib.sha256(canonical(value).encode()).digest()) for name, value in given.items())


@dataclass(kw_only=True)
class KnownCall:
    """What is known of the calls with one id."""

    identity: Identity
    """The conversation in which it was first seen."""
    name: str = ""
    """The tool."""
    by_proxy: list[ReportedCall] = field(default_factory=list[ReportedCall])
    """The calls that the proxy saw, in order."""
    by_hook: list[ReportedCall] = field(default_factory=list[ReportedCall])
    """The calls that hooks told of, in order."""
    asks_as: str = ""
    """The call as a hook told it, until its result; a question for permission tells it in the same words."""
    is_asked: bool = False
    """Whether the person at the keyboard was asked and has not answered."""
    response_seq: int | None = None
    """``seq`` of a response that broke off behind this call, so that only a later request shows whether it was run."""

    def tell(self, src: str, use: ToolUse, seq: int | None) -> ReportedCall:
        """A source tells of a further call."""
        own, others = (self.by_proxy, self.by_hook) if src == "proxy" else (self.by_hook, self.by_proxy)
        call = ReportedCall(seq=seq, name=use.name, marks=marks_of(use), use=use if src == "proxy" else None)
        alone = [other for other in others if other.partner is None]
        partner = next((other for other in alone if other.is_like(call)), alone[0] if alone else None)
        if partner is not None:
            call.partner, partner.partner = partner, call
        own.append(call)
        del own[:-_SAME_KEPT]
        return call

    def has_like(self, told: ReportedCall) -> bool:
        """Whether any source tells of such a call."""
        return any(call.is_like(told) for call in (*self.by_proxy, *self.by_hook))

    def waiting(self, src: str) -> ReportedCall | None:
        """The oldest call whose result a source has not told."""
        calls = self.by_proxy if src == "proxy" else self.by_hook
        return next((call for call in calls if not call.is_answered), None)

    def with_seq(self, seqs: Sequence[int]) -> ReportedCall | None:
        """The call that one of these events told."""
        return next((call for call in (*self.by_hook, *self.by_proxy) if call.seq in seqs), None)

    def hooks_call(self, use: ToolUse) -> ReportedCall | None:
        """The call that a hook's report only repeats: one without a result, unless the proxy saw one more like it."""
        told = ReportedCall(seq=None, name=use.name, marks=marks_of(use))
        if any(call.partner is None and call.is_like(told) for call in self.by_proxy):
            return None
        same = (call for call in self.by_hook if (call.name, call.marks) == (told.name, told.marks))
        return next((call for call in same if not call.is_answered), None)

    def hooks_result(self, use: ToolUse | None) -> ReportedCall | None:
        """The call whose result a hook tells; ``None`` if it was told already."""
        marks = marks_of(use)
        same = [call for call in self.by_hook if call.marks == marks]
        open_ = next((call for call in same if not call.is_answered), None)
        return open_ if open_ is not None or same else self.waiting("hook")

    def in_history(self, uses: Sequence[ToolUse]) -> list[ReportedCall | None]:
        """Which of the calls that the proxy saw each call of a request's history is.

        Agents leave out calls and results that their own id confuses them about. So where the numbers differ, a call is
        one that was given the same; ``None`` where there is none.
        """
        told, count = self.by_proxy, len(uses)
        if count == len(told):
            return list(told)
        is_backwards = count > len(told)
        rest = list(reversed(told)) if is_backwards else list(told)
        found: list[ReportedCall | None] = []
        for use in reversed(uses) if is_backwards else uses:
            at = next((at for at, call in enumerate(rest) if call.may_be(use)), None)
            found.append(None if at is None else rest[at])
            del rest[: 0 if at is None else at + 1]
        return found[::-1] if is_backwards else found


class ToolCalls:
    """The latest tool calls of all conversations."""

    def __init__(self) -> None:
        self._calls: OrderedDict[tuple[Key, str], KnownCall] = OrderedDict()
        self._told_by: dict[Key, list[str]] = {}
        """The conversations of a session, by their agents' ids, that have a row for an id."""

    def find(self, identity: Identity, tool_use_id: str, use: ToolUse | None = None) -> KnownCall | None:
        """The row of a conversation, if anyone told of it, else one that another source tells of in its place.

        Not every source names the subagent, and some subagents begin with what their session has done. So the row may
        be the session's own, or, for what names no subagent, one of any subagent.

        Args:
            identity: the conversation.
            tool_use_id: the id.
            use: the call; a row of another conversation must hold one like it.
        """
        key = (identity.agent, identity.session, tool_use_id)
        exact = self._calls.get((key, identity.agent_id))
        if exact is not None:
            return exact
        told = None if use is None else ReportedCall(seq=None, name=use.name, marks=marks_of(use))
        for agent_id in reversed(self._told_by.get(key, ())):
            known = self._calls[key, agent_id]
            if not (agent_id and identity.agent_id) and (told is None or known.has_like(told)):
                return known
        return None

    def own(self, identity: Identity, tool_use_id: str, use: ToolUse | None = None) -> KnownCall:
        """The row of just this conversation, known or new, whatever ``use`` is."""
        del use
        key = (identity.agent, identity.session, tool_use_id)
        known = self._calls.get((key, identity.agent_id))
        if known is None:
            known = self._calls[key, identity.agent_id] = KnownCall(identity=identity)
            self._told_by.setdefault(key, []).append(identity.agent_id)
            if len(self._calls) > _CALLS_KEPT:
                (gone, agent_id), _ = self._calls.popitem(last=False)
                self._told_by[gone].remove(agent_id)
                if not self._told_by[gone]:
                    del self._told_by[gone]
        return known

    def entry(self, identity: Identity, tool_use_id: str, use: ToolUse | None = None) -> KnownCall:
        """The row that ``find`` finds, else a new one."""
        return self.find(identity, tool_use_id, use) or self.own(identity, tool_use_id)

    def in_question(self, identity: Identity, asks_as: str) -> KnownCall | None:
        """The oldest call of a conversation that a hook told in these words and that has not been asked for."""
        return next(
            (
                known
                for known in self._calls.values()
                if known.asks_as == asks_as and known.identity == identity and not known.is_asked
            ),
            None,
        )

    def running(self, identity: Identity, name: str) -> ReportedCall | None:
        """The latest call of a tool in a conversation that the proxy saw begin and not end."""
        return next(
            (
                known.by_proxy[-1]
                for known in reversed(self._calls.values())
                if known.identity == identity
                and known.name == name
                and known.by_proxy
                and not known.by_proxy[-1].is_answered
            ),
            None,
        )
