"""Tool calls by id, and which source has reported each, so that repetitions and silent hooks are noticed.

An id usually names one call. Some providers use the same id for the calls of every turn, or for two calls at once. The
id then names a group of calls, whose reports and results are matched by order and by arguments. Each conversation has
its own groups, because subagents that run in parallel may get the same ids.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from promptster.capture.providers.interface import canonical, is_object, mapping
from promptster.protocol.events import Source

if TYPE_CHECKING:
    from collections.abc import Sequence

    from promptster.capture.agent import Identity
    from promptster.capture.providers.interface import ToolUse

_CALLS_KEPT = 50_000
_SAME_KEPT = 256
"""Most calls that are remembered for one id."""

CallKey = tuple[str, str, str]
ArgumentDigests = frozenset[tuple[str, bytes]]


@dataclass(kw_only=True, eq=False)
class ReportedCall:
    """One call as one source reported it."""

    seq: int | None
    """The ``seq`` of its ``tool_call`` event, if there is one."""
    name: str
    """The tool's name."""
    arguments: ArgumentDigests
    """Its arguments, each as its name and a digest."""
    use: ToolUse | None = None
    """The call as the model made it, until its result is seen."""
    is_answered: bool = False
    """Whether the source has reported its result."""
    lacks_actions: bool = False
    """Whether the journal has the proxy's result but nothing that the tool did: those events may be lost."""
    partner: ReportedCall | None = None
    """The same call as the other source reported it."""

    def may_be(self, use: ToolUse) -> bool:
        """Whether a call in an agent's history may be this one; the agent may have added arguments."""
        return self.name == use.name and self.arguments <= argument_digests(use)

    def is_like(self, other: ReportedCall) -> bool:
        """Whether two reports have the same tool and arguments, though one of them may lack some arguments."""
        return self.name == other.name and (self.arguments <= other.arguments or other.arguments <= self.arguments)


def argument_digests(use: ToolUse | None) -> ArgumentDigests:
    """The arguments of a call, each as its name and a digest of its value; empty without a call."""
    if use is None:
        return frozenset()
    given = mapping(use.input) if is_object(use.input) else {"": use.input}
    return frozenset((name, hashlib.sha256(canonical(value).encode()).digest()) for name, value in given.items())


@dataclass(kw_only=True)
class CallGroup:
    """The calls of one conversation that have the same id."""

    identity: Identity
    """The conversation in which it was first seen."""
    name: str = ""
    """The tool's name."""
    by_proxy: list[ReportedCall] = field(default_factory=list[ReportedCall])
    """The calls that the proxy saw, in order."""
    by_hook: list[ReportedCall] = field(default_factory=list[ReportedCall])
    """The calls that hooks reported, in order."""
    permission_key: str = ""
    """Tool and arguments as a hook reported them, until the result; a permission prompt has the same ones."""
    is_asked: bool = False
    """Whether the candidate was asked for permission and has not answered."""
    response_seq: int | None = None
    """``seq`` of a response that was cut off after this call, so that only a later request shows whether it ran."""

    def add(self, src: Source, use: ToolUse, seq: int | None) -> ReportedCall:
        """Add a call that a source reports, and pair it with the other source's report of it."""
        own, others = (self.by_proxy, self.by_hook) if src == Source.PROXY else (self.by_hook, self.by_proxy)
        call = ReportedCall(
            seq=seq, name=use.name, arguments=argument_digests(use), use=use if src == Source.PROXY else None
        )
        alone = [other for other in others if other.partner is None]
        partner = next((other for other in alone if other.is_like(call)), alone[0] if alone else None)
        if partner is not None:
            call.partner, partner.partner = partner, call
        own.append(call)
        del own[:-_SAME_KEPT]
        return call

    def has_like(self, other: ReportedCall) -> bool:
        """Whether any source has reported such a call."""
        return any(call.is_like(other) for call in (*self.by_proxy, *self.by_hook))

    def waiting(self, src: Source) -> ReportedCall | None:
        """The oldest call whose result a source has not reported."""
        calls = self.by_proxy if src == Source.PROXY else self.by_hook
        return next((call for call in calls if not call.is_answered), None)

    def with_seq(self, seqs: Sequence[int]) -> ReportedCall | None:
        """The call that one of these events recorded."""
        return next((call for call in (*self.by_hook, *self.by_proxy) if call.seq in seqs), None)

    def repeated_call(self, use: ToolUse) -> ReportedCall | None:
        """The call that a hook's report repeats: one without a result, unless the proxy saw a further one like it."""
        new = ReportedCall(seq=None, name=use.name, arguments=argument_digests(use))
        if any(call.partner is None and call.is_like(new) for call in self.by_proxy):
            return None
        same = (call for call in self.by_hook if (call.name, call.arguments) == (new.name, new.arguments))
        return next((call for call in same if not call.is_answered), None)

    def call_of_result(self, use: ToolUse | None) -> ReportedCall | None:
        """The call whose result a hook reports; ``None`` if the result was already reported."""
        arguments = argument_digests(use)
        same = [call for call in self.by_hook if call.arguments == arguments]
        open_ = next((call for call in same if not call.is_answered), None)
        return open_ if open_ is not None or same else self.waiting(Source.HOOK)

    def in_history(self, uses: Sequence[ToolUse]) -> list[ReportedCall | None]:
        """For each call of a request's history, the call that the proxy saw.

        Agents that confuse calls with the same id leave some out of their history. If the numbers of calls differ, they
        are matched by tool and arguments; a call without a match is ``None``.
        """
        seen, count = self.by_proxy, len(uses)
        if count == len(seen):
            return list(seen)
        is_backwards = count > len(seen)
        rest = list(reversed(seen)) if is_backwards else list(seen)
        found: list[ReportedCall | None] = []
        for use in reversed(uses) if is_backwards else uses:
            at = next((at for at, call in enumerate(rest) if call.may_be(use)), None)
            found.append(None if at is None else rest[at])
            del rest[: 0 if at is None else at + 1]
        return found[::-1] if is_backwards else found


class ToolCalls:
    """The latest tool calls of all conversations."""

    def __init__(self) -> None:
        self._calls: OrderedDict[tuple[CallKey, str], CallGroup] = OrderedDict()
        self._agent_ids: dict[CallKey, list[str]] = {}
        """The subagents of a session (empty: the main conversation) that have a group for an id."""

    def find(self, identity: Identity, tool_use_id: str, use: ToolUse | None = None) -> CallGroup | None:
        """The group of a conversation, else one that another source reported under a related conversation.

        Not every source names the subagent, and some subagents begin with their session's history. So the group may be
        the main conversation's, or, for a report without a subagent, any subagent's.

        Args:
            identity: the conversation.
            tool_use_id: the id.
            use: the call; a group of another conversation must contain one like it.
        """
        key = (identity.agent, identity.session, tool_use_id)
        exact = self._calls.get((key, identity.agent_id))
        if exact is not None:
            return exact
        wanted = None if use is None else ReportedCall(seq=None, name=use.name, arguments=argument_digests(use))
        for agent_id in reversed(self._agent_ids.get(key, ())):
            known = self._calls[key, agent_id]
            if not (agent_id and identity.agent_id) and (wanted is None or known.has_like(wanted)):
                return known
        return None

    def own(self, identity: Identity, tool_use_id: str, use: ToolUse | None = None) -> CallGroup:
        """The group of exactly this conversation, created if missing; ``use`` is ignored."""
        del use
        key = (identity.agent, identity.session, tool_use_id)
        known = self._calls.get((key, identity.agent_id))
        if known is None:
            known = self._calls[key, identity.agent_id] = CallGroup(identity=identity)
            self._agent_ids.setdefault(key, []).append(identity.agent_id)
            if len(self._calls) > _CALLS_KEPT:
                (gone, agent_id), _ = self._calls.popitem(last=False)
                self._agent_ids[gone].remove(agent_id)
                if not self._agent_ids[gone]:
                    del self._agent_ids[gone]
        return known

    def entry(self, identity: Identity, tool_use_id: str, use: ToolUse | None = None) -> CallGroup:
        """The group that ``find`` returns, else a new one."""
        return self.find(identity, tool_use_id, use) or self.own(identity, tool_use_id)

    def in_question(self, identity: Identity, permission_key: str) -> CallGroup | None:
        """The oldest group of a conversation whose call matches a permission prompt and was not asked about yet."""
        return next(
            (
                known
                for known in self._calls.values()
                if known.permission_key == permission_key and known.identity == identity and not known.is_asked
            ),
            None,
        )

    def running(self, identity: Identity, name: str) -> ReportedCall | None:
        """The latest call of a tool in a conversation whose result the proxy has not seen."""
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
