"""Tool calls and results as the proxy sees them: calls in responses, results in the requests after them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from promptster.capture import actions
from promptster.capture.providers.interface import ToolReturn, ToolUse
from promptster.protocol.events import Source

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from promptster.capture.agent import Identity, ReadsRequests
    from promptster.capture.draft_writer import DraftWriter
    from promptster.capture.edits_on_disk import Disk
    from promptster.capture.lanes import Lanes
    from promptster.capture.proxy_side.conversation import Answered, Turn
    from promptster.capture.proxy_side.subagents import Subagents
    from promptster.capture.silent_hooks import SilentHooks
    from promptster.capture.tool_calls import CallGroup, ReportedCall, ToolCalls
    from promptster.protocol.events.kinds import AgentEvent


class ProxyTools:
    """Records the calls and results that the proxy sees, each once."""

    def __init__(  # noqa: PLR0917 - one part of the engine each
        self,
        writer: DraftWriter,
        lanes: Lanes,
        tool_calls: ToolCalls,
        subagents: Subagents,
        silent_hooks: SilentHooks,
        disk: Disk,
    ) -> None:
        self.after_pause: set[Identity] = set()
        """Conversations without a request since a pause: unknown calls in their history may be from the pause."""
        self._writer = writer
        self._lanes = lanes
        self._tool_calls = tool_calls
        self._subagents = subagents
        self._silent_hooks = silent_hooks
        self._disk = disk
        self._latest: dict[Identity, list[tuple[str, ReportedCall]]] = {}
        """The calls of each conversation's latest answer, with the provider's ids."""

    def call(self, agent: ReadsRequests, identity: Identity, use: ToolUse, after: int | None) -> ReportedCall:
        """Record a call that the model made; calls without an id share one group."""
        known = self._tool_calls.own(identity, use.id)
        known.name, known.identity = use.name, identity
        self._disk.look(agent.touches(use))
        finding = actions.tool_call(tool_use_id=use.id, name=use.name, given=use.input)
        call = known.add(Source.PROXY, use, self._write(identity, finding, after))
        self._latest.setdefault(identity, []).append((use.id, call))
        if agent.tools and use.name not in agent.tools and not use.name.startswith("mcp__"):
            self._writer.counts["tool_unknown"] += 1
        spawned = agent.spawns(use)
        if spawned:
            self._subagents.expect(identity, spawned, use.id, call.seq)
        return call

    def ran_there(self, identity: Identity, ran: Sequence[ToolUse | ToolReturn], response: int | None) -> None:
        """Record the tools that the provider ran itself; calls and results refer to the response that has them."""
        for item in ran:
            known = self._tool_calls.own(identity, item.id)
            if isinstance(item, ToolUse):
                known.name = item.name
                finding = actions.tool_call(tool_use_id=item.id, name=item.name, given=item.input)
                known.add(Source.PROXY, item, self._write(identity, finding, response))
                continue
            call = known.waiting(Source.PROXY)
            if call is not None:
                call.is_answered, call.use = True, None
            result = actions.tool_result(
                tool_use_id=item.id, name=known.name, content=item.content, is_error=item.is_error
            )
            refs = (call.seq if call else None, response)
            self._write(identity, result, *refs)

    def results(self, agent: ReadsRequests, identity: Identity, turn: Turn, *, is_work: bool) -> None:
        """Record the results in a request; one that is not the candidate's work adds no unknown calls."""
        only_known = identity in self.after_pause or not is_work
        if is_work:
            self.after_pause.discard(identity)
        placed: dict[str, Sequence[ReportedCall | None]] = {}
        for answer in turn.answers:
            name, use = answer.result.id, answer.use
            known = self._tool_calls.find(identity, name, use) or self._renamed(identity, answer, turn.uses)
            if known is None:
                call = None
            elif use is None:
                call = known.waiting(Source.PROXY) or next(reversed(known.by_proxy), None)
            else:
                if name not in placed:
                    placed[name] = known.in_history(turn.uses[name])
                call = placed[name][answer.place]
            if call is None:
                if only_known or use is None or not answer.is_in_tail or not name:
                    continue
                call = self.call(agent, identity, use, known.response_seq if known else None)
            if call.is_answered:
                self._lost_actions(agent, identity, call, answer)
            else:
                self._result(agent, identity, call, answer)
        if is_work:
            self._latest.pop(identity, None)

    def _renamed(self, identity: Identity, answer: Answered, uses: Mapping[str, Sequence[ToolUse]]) -> CallGroup | None:
        """The group of a call that an agent sends back with its own id in place of the provider's."""
        use, name = answer.use, answer.result.id
        if use is None or not name or not answer.is_in_tail:
            return None
        for provider_id, call in self._latest.get(identity, ()):
            if provider_id not in uses and not call.is_answered and call.partner is None and call.may_be(use):
                known = self._tool_calls.own(identity, name)
                known.by_proxy.append(call)
                return known
        return None

    def _lost_actions(self, agent: ReadsRequests, identity: Identity, call: ReportedCall, answer: Answered) -> None:
        """Record what a tool did, if an earlier recorder recorded its result and died before the rest."""
        if call.lacks_actions and answer.use is not None:
            call.lacks_actions = False
            for action in agent.actions(answer.use, answer.result):
                self._write_action(identity, action, call.seq)

    def _result(self, agent: ReadsRequests, identity: Identity, call: ReportedCall, answer: Answered) -> None:
        result = answer.result
        use = call.use or answer.use or ToolUse(id=result.id, name=call.name, input=None)
        call.is_answered, call.use = True, None
        finding = actions.tool_result(
            tool_use_id=use.id, name=use.name, content=result.content, is_error=result.is_error
        )
        self._write(identity, finding, call.seq)
        for action in agent.actions(use, result):
            self._write_action(identity, action, call.seq)
        if agent.reported_by_hooks(use, result):
            self._silent_hooks.expect(identity, call, result.id)

    def _write_action(self, identity: Identity, action: AgentEvent, call: int | None) -> None:
        """Record what a tool did; edits with the line endings that they have on disk."""
        self._write(identity, self._disk.settle(action), call)

    def _write(self, identity: Identity, event: AgentEvent, *refs: int | None) -> int | None:
        return self._writer.write(Source.PROXY, identity.named_in(event), lane=self._lanes.number(identity), refs=refs)
