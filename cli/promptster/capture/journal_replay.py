"""What an earlier recorder process captured, learned again from the journal's events."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

from promptster.capture.agent import Identity
from promptster.capture.providers import ANSWERED_REASONS, provider_of
from promptster.capture.providers.interface import ToolUse, canonical, mapping, sequence, text_of
from promptster.capture.proxy_side.conversation import Asked, read_turn

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from promptster.capture.hook_side.hook_queue import HookQueue
    from promptster.capture.lanes import Lanes
    from promptster.capture.providers.interface import Json
    from promptster.capture.proxy_side.conversation import Turn
    from promptster.capture.proxy_side.conversations import Conversations
    from promptster.capture.proxy_side.subagents import Subagents
    from promptster.capture.readers import AgentReaders
    from promptster.capture.tool_calls import ToolCalls
    from promptster.protocol.events import OpenedEvent

_OPEN_KEPT = 256


class JournalReplay:
    """Fills lanes, ledger, hooks and subagents from events, in the order in which they were recorded."""

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
        self._requests: OrderedDict[int, tuple[Identity, Asked]] = OrderedDict()
        self._words: dict[Identity, list[str]] = {}
        """Prompts whose request did not reach the journal."""

    def learn(self, event: OpenedEvent) -> None:
        """Take over one event."""
        fields = event.fields
        identity = Identity(
            agent=text_of(fields.get("agent")),
            session=text_of(fields.get("agent_session")),
            agent_id=text_of(fields.get("agent_id")),
        )
        if event.lane:
            self._lanes.learn(identity, event.lane)
        if event.kind in {"tool_call", "tool_result"}:
            self._tool(event, identity)
        elif event.src == "proxy":
            self._by_proxy(event, identity)
        elif event.src == "hook":
            self._by_hook(event, identity)

    def _by_proxy(self, event: OpenedEvent, identity: Identity) -> None:
        fields = event.fields
        match event.kind:
            case "model_request":
                self._request(event, identity)
            case "model_response":
                self._response(event)
            case "prompt":
                self._words.setdefault(identity, []).append(text_of(fields.get("text")))
            case "subagent_started":
                self._subagents.learn_begun(identity, text_of(fields.get("tool_use_id")))
            case "subagent_stopped":
                self._subagents.learn_ended(identity, text_of(fields.get("text")))
            case "command" | "file_edit" | "permission":
                known = self._tool_calls.entry(identity, text_of(fields.get("tool_use_id")))
                if call := known.with_seq(event.refs):
                    call.lacks_actions = False
            case _:
                pass

    def _by_hook(self, event: OpenedEvent, identity: Identity) -> None:
        fields = event.fields
        if event.kind == "prompt":
            key = ("prompt", text_of(fields.get("prompt_id")), text_of(fields.get("text")))
            self._hooks.learn_key(identity, key, event.ms)
        elif event.kind in {"command", "file_edit"}:
            self._hooks.learn_end(identity, text_of(fields.get("tool_use_id")))
        elif event.kind == "permission" and fields.get("decision") == "asked":
            words = canonical([fields.get("name"), fields.get("input")])
            if known := self._tool_calls.in_question(identity, words):
                known.is_asked = True

    def orphans(self) -> Iterator[tuple[Identity, Asked]]:
        """Everything is learned; the attempts without an end."""
        for identity, texts in self._words.items():
            self._conversations.of(identity).expect_again(texts)
        self._words.clear()
        for identity, asked in self._requests.values():
            if asked.answered < asked.attempts:
                yield identity, asked
        self._requests.clear()

    def _request(self, event: OpenedEvent, identity: Identity) -> None:
        fields = event.fields
        self._words.pop(identity, None)
        asked = Asked(seq=event.seq)
        names = [text_of(fields.get("request_sha256"))]
        turn = self._turn(fields)
        if turn is not None:
            asked.position = turn.position
            names.append(turn.fingerprint)
            if fields.get("purpose") == "work":
                self._conversations.of(identity).new_prompts(turn)
                self._subagents.place(identity, turn)
                name = self._agents.requests(identity.agent).subagent_name(mapping(fields.get("body")))
                self._subagents.call(identity, name)
        self._conversations.of(identity).remember(asked, *filter(None, names))
        self._requests[event.seq] = (identity, asked)
        if len(self._requests) > _OPEN_KEPT:
            self._requests.popitem(last=False)

    def _turn(self, fields: Mapping[str, Json]) -> Turn | None:
        """The conversation of a recorded request, if its body is here and whole."""
        body = mapping(fields.get("body"))
        provider = provider_of("POST", text_of(fields.get("request_path")))
        if not body or provider is None:
            return None
        agent = self._agents.requests(text_of(fields.get("agent")), provider.name)
        return read_turn(provider.read(body), agent, purpose=text_of(fields.get("purpose")))

    def _response(self, event: OpenedEvent) -> None:
        found = self._requests.get(event.refs[0]) if event.refs else None
        if found is None:
            return
        identity, asked = found
        if event.fields.get("outcome") != "complete":
            for tool_use_id in sequence(event.fields.get("tool_use_ids")):
                self._tool_calls.own(identity, text_of(tool_use_id)).response_seq = event.seq
        attempt = event.fields.get("attempt")
        asked.answered = max(asked.answered, attempt if isinstance(attempt, int) else 1)
        asked.attempts = max(asked.attempts, asked.answered)
        reason = event.fields.get("stop_reason")
        self._conversations.of(identity).answer(
            asked,
            complete=event.fields.get("outcome") == "complete",
            is_answered=not isinstance(reason, str) or reason in ANSWERED_REASONS,
        )

    def _tool(self, event: OpenedEvent, identity: Identity) -> None:
        tool_use_id = text_of(event.fields.get("tool_use_id"))
        if not tool_use_id and event.src != "proxy":
            return
        name = text_of(event.fields.get("name"))
        use = ToolUse(id=tool_use_id, name=name, input=event.fields.get("input"))
        if event.kind == "tool_call":
            find = self._tool_calls.own if event.src == "proxy" else self._tool_calls.entry
            known = find(identity, tool_use_id, use)
        else:
            known = self._tool_calls.entry(identity, tool_use_id)
        known.name = known.name or name
        match event.src, event.kind:
            case "proxy", "tool_call":
                known.tell("proxy", use, event.seq)
                known.identity = identity
                spawned = self._agents.requests(identity.agent).spawns(use)
                if spawned:
                    self._subagents.expect(identity, spawned, tool_use_id, event.seq)
            case "proxy", _:
                call = known.with_seq(event.refs) or known.waiting("proxy") or known.tell("proxy", use, None)
                call.is_answered, call.use, call.lacks_actions = True, None, True
            case _, "tool_call":
                known.tell("hook", use, event.seq)
                known.identity = identity
                known.asks_as = canonical([name, event.fields.get("input")])
                self._hooks.learn_call(identity, use)
            case _:
                named = known.with_seq(event.refs)
                own = named if named in known.by_hook else known.waiting("hook")
                (own or known.tell("hook", use, None)).is_answered = True
                known.asks_as, known.is_asked = "", False
                self._hooks.learn_end(identity, tool_use_id)
