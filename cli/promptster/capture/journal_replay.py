"""Restores the state of capture from the journal's events after a restart of the recorder."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

from promptster.capture.agent import Identity
from promptster.capture.providers import is_answered, provider_of
from promptster.capture.providers.interface import ToolUse, canonical, mapping, sequence, text_of
from promptster.capture.proxy_side.conversation import Asked, read_turn
from promptster.protocol.events import Source, kinds
from promptster.protocol.events.base import OfAgent
from promptster.protocol.events.choices import CallPurpose, ResponseOutcome
from promptster.protocol.events.kinds import agent_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from promptster.capture.hook_side.hook_queue import HookQueue
    from promptster.capture.lanes import Lanes
    from promptster.capture.providers.interface import Provider
    from promptster.capture.proxy_side.conversation import Turn
    from promptster.capture.proxy_side.conversations import Conversations
    from promptster.capture.proxy_side.subagents import Subagents
    from promptster.capture.readers import AgentReaders
    from promptster.capture.tool_calls import ToolCalls
    from promptster.protocol.events import Event, OpenedEvent

_OPEN_KEPT = 256


class JournalReplay:
    """Restores lanes, tool calls, hooks and subagents from events in the order in which they were recorded."""

    def __init__(  # noqa: PLR0917 - one part of the engine each
        self,
        lanes: Lanes,
        conversations: Conversations,
        tool_calls: ToolCalls,
        hooks: HookQueue,
        subagents: Subagents,
        agents: AgentReaders,
    ) -> None:
        self._lanes = lanes
        self._conversations = conversations
        self._tool_calls = tool_calls
        self._hooks = hooks
        self._subagents = subagents
        self._agents = agents
        self._requests: OrderedDict[int, tuple[Identity, Asked, Provider | None]] = OrderedDict()
        self._prompts: dict[Identity, list[str]] = {}
        """Prompts whose request is not in the journal."""

    def restore(self, event: OpenedEvent) -> None:
        """Restore state from one event."""
        said = event.event
        identity = identity_of(said)
        if event.lane:
            self._lanes.restore(identity, event.lane)
        if isinstance(said, (kinds.ToolCall, kinds.ToolResult)):
            self._tool(event, said, identity)
        elif event.src == Source.PROXY:
            self._by_proxy(event, identity)
        elif event.src == Source.HOOK:
            self._by_hook(event, identity)

    def _by_proxy(self, event: OpenedEvent, identity: Identity) -> None:
        match event.event:
            case kinds.ModelRequest() as request:
                self._request(event, request, identity)
            case kinds.ModelResponse() as response:
                self._response(event, response)
            case kinds.Prompt(text=text):
                self._prompts.setdefault(identity, []).append(text or "")
            case kinds.SubagentStarted(tool_use_id=tool_use_id):
                self._subagents.restore_start(identity, tool_use_id or "")
            case kinds.SubagentStopped(text=text):
                self._subagents.restore_end(identity, text or "")
            case kinds.Command() | kinds.FileEdit() | kinds.Permission() as done:
                known = self._tool_calls.entry(identity, done.tool_use_id or "")
                if call := known.with_seq(event.refs):
                    call.lacks_actions = False
            case _:
                pass

    def _by_hook(self, event: OpenedEvent, identity: Identity) -> None:
        match event.event:
            case kinds.Prompt(prompt_id=prompt_id, text=text):
                self._hooks.restore_key(identity, ("prompt", prompt_id or "", text or ""), event.ms)
            case kinds.Command() | kinds.FileEdit() as done:
                self._hooks.restore_end(identity, done.tool_use_id or "")
            case kinds.Permission(decision="asked", name=name, input=given):
                if known := self._tool_calls.in_question(identity, canonical([name, given])):
                    known.is_asked = True
            case _:
                pass

    def orphans(self) -> Iterator[tuple[Identity, Asked]]:
        """Finish the replay, and yield the attempts that have no recorded end."""
        for identity, texts in self._prompts.items():
            self._conversations.of(identity).expect_again(texts)
        self._prompts.clear()
        for identity, asked, _ in self._requests.values():
            if asked.answered < asked.attempts:
                yield identity, asked
        self._requests.clear()

    def _request(self, event: OpenedEvent, request: kinds.ModelRequest, identity: Identity) -> None:
        self._prompts.pop(identity, None)
        asked = Asked(seq=event.seq)
        names = [request.request_sha256 or ""]
        turn = self._turn(request)
        if turn is not None:
            asked.position = turn.position
            names.append(turn.fingerprint)
            if request.purpose == CallPurpose.WORK:
                self._conversations.of(identity).new_prompts(turn)
                self._subagents.place(identity, turn)
                name = self._agents.requests(identity.agent).subagent_name(mapping(request.body))
                self._subagents.call(identity, name)
        self._conversations.of(identity).remember(asked, *filter(None, names))
        provider = provider_of("POST", request.request_path or "")
        self._requests[event.seq] = (identity, asked, provider)
        if len(self._requests) > _OPEN_KEPT:
            self._requests.popitem(last=False)

    def _turn(self, request: kinds.ModelRequest) -> Turn | None:
        """The turn of a recorded request, if its body was recorded in full."""
        body = mapping(request.body)
        provider = provider_of("POST", request.request_path or "")
        if not body or provider is None:
            return None
        agent = self._agents.requests(request.agent or "", provider.name)
        return read_turn(provider.read(body), agent, purpose=request.purpose or "")

    def _response(self, event: OpenedEvent, response: kinds.ModelResponse) -> None:
        found = self._requests.get(event.refs[0]) if event.refs else None
        if found is None:
            return
        identity, asked, provider = found
        if response.outcome != ResponseOutcome.COMPLETE:
            for tool_use_id in sequence(response.tool_use_ids):
                self._tool_calls.own(identity, text_of(tool_use_id)).response_seq = event.seq
        asked.answered = max(asked.answered, 1 if response.attempt is None else response.attempt)
        asked.attempts = max(asked.attempts, asked.answered)
        self._conversations.of(identity).answer(
            asked,
            complete=response.outcome == ResponseOutcome.COMPLETE,
            is_answered=is_answered(provider, response.stop_reason),
        )

    def _tool(self, event: OpenedEvent, said: kinds.ToolCall | kinds.ToolResult, identity: Identity) -> None:
        tool_use_id, name = said.tool_use_id or "", said.name or ""
        if not tool_use_id and event.src != Source.PROXY:
            return
        use = ToolUse(id=tool_use_id, name=name, input=said.input if isinstance(said, kinds.ToolCall) else None)
        if isinstance(said, kinds.ToolCall):
            find = self._tool_calls.own if event.src == Source.PROXY else self._tool_calls.entry
            known = find(identity, tool_use_id, use)
        else:
            known = self._tool_calls.entry(identity, tool_use_id)
        known.name = known.name or name
        match event.src, said:
            case Source.PROXY, kinds.ToolCall():
                known.add(Source.PROXY, use, event.seq)
                known.identity = identity
                spawned = self._agents.requests(identity.agent).spawns(use)
                if spawned:
                    self._subagents.expect(identity, spawned, tool_use_id, event.seq)
            case Source.PROXY, _:
                call = known.with_seq(event.refs) or known.waiting(Source.PROXY) or known.add(Source.PROXY, use, None)
                call.is_answered, call.use, call.lacks_actions = True, None, True
            case _, kinds.ToolCall():
                known.add(Source.HOOK, use, event.seq)
                known.identity = identity
                known.permission_key = canonical([name, use.input])
                self._hooks.restore_call(identity, use)
            case _:
                named = known.with_seq(event.refs)
                own = named if named in known.by_hook else known.waiting(Source.HOOK)
                (own or known.add(Source.HOOK, use, None)).is_answered = True
                known.permission_key, known.is_asked = "", False
                self._hooks.restore_end(identity, tool_use_id)


def identity_of(event: Event) -> Identity:
    """The conversation that an event names."""
    if not isinstance(event, OfAgent):
        return Identity(agent=agent_of(event) or "")
    return Identity(agent=event.agent or "", session=event.agent_session or "", agent_id=event.agent_id or "")
