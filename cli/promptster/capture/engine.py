"""Capture: turns observed exchanges and hook payloads into drafts, each item once per source.

After a restart ``absorb`` restores from the journal what was already captured; there is no other stored state.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from promptster.capture.agent import HookStage, Identity
from promptster.capture.draft_writer import DraftWriter, Stamp
from promptster.capture.edits_on_disk import Disk
from promptster.capture.hook_side.hook_queue import HookQueue, event_name
from promptster.capture.journal_replay import JournalReplay
from promptster.capture.lanes import Lanes
from promptster.capture.providers import is_answered
from promptster.capture.providers.interface import ModelCall
from promptster.capture.proxy_side.conversation import Asked, Turn, read_turn
from promptster.capture.proxy_side.conversations import Conversations
from promptster.capture.proxy_side.observed_call import ObservedCall, ReadRequest, ReadResponse
from promptster.capture.proxy_side.subagents import Subagents
from promptster.capture.proxy_side.tool_traffic import ProxyTools
from promptster.capture.proxy_side.typed_prompts import TypedPrompts
from promptster.capture.silent_hooks import SilentHooks
from promptster.capture.tool_calls import ToolCalls
from promptster.protocol.events import KINDS, Source, kinds
from promptster.protocol.events.choices import CallPurpose, ResponseOutcome
from promptster_hooks.frame import PAYLOAD_LIMIT

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable, Collection, Sequence
    from pathlib import Path

    from promptster.capture.agent import GivenPrompt, HookReport, ReadsRequests
    from promptster.capture.proxy_side.observed_call import CallLimits
    from promptster.capture.readers import AgentReaders
    from promptster.clock import Clock
    from promptster.protocol.events import Draft, OpenedEvent
    from promptster.proxy.observation import Observer, RequestInfo


class Capture:
    """The capture engine; every method is fast and must be called from the same thread."""

    def __init__(
        self,
        append: Callable[[Draft], int],
        clock: Clock,
        *,
        agents: AgentReaders,
        allowed_kinds: Collection[str] = tuple(KINDS),
        hooked_agents: Collection[str] | None = None,
        workspace: Path | None = None,
        limits: CallLimits | None = None,
    ) -> None:
        """Send drafts to ``append``, which returns the event's ``seq`` at once.

        Args:
            append: the journal writer's function.
            clock: timestamps everything that has no arrival time.
            allowed_kinds: the policy's kinds; other findings are dropped and counted.
            agents: the agents that can be read.
            hooked_agents: agents whose silent hooks are recorded; all that have hooks if not given.
            workspace: the folder whose files are read for the line endings of edits; none are read without it.
            limits: how much of an exchange is kept; the defaults if not given.
        """
        self._agents, self._limits = agents, limits
        self._writer = DraftWriter(append, clock, allowed_kinds)
        self._lanes = Lanes()
        self._conversations = Conversations(self._lanes)
        self._tool_calls = ToolCalls()
        self._subagents = Subagents(self._writer, self._lanes)
        self._typed = TypedPrompts()
        self._silent_hooks = SilentHooks(self._writer, agents.hooked if hooked_agents is None else hooked_agents)
        self._disk = Disk(workspace)
        self._tools = ProxyTools(
            self._writer, self._lanes, self._tool_calls, self._subagents, self._silent_hooks, self._disk
        )
        self._hooks = HookQueue(self._writer, self._lanes, self._tool_calls, self._is_streaming, agents)
        self._journal_replay = JournalReplay(
            self._lanes, self._conversations, self._tool_calls, self._hooks, self._subagents, agents
        )
        self._open: dict[ObservedCall, Identity | None] = {}
        self._has_orphans = False
        self._faults = 0

    @property
    def counts(self) -> Counter[str]:
        """How much was written, by kind, and how much was left out, by reason."""
        return self._writer.counts

    @property
    def silent_agents(self) -> frozenset[str]:
        """Agents whose hooks have fallen silent."""
        return self._silent_hooks.silent_agents

    def absorb(self, event: OpenedEvent) -> None:
        """Restore state from an event that an earlier process recorded; call in order, before anything else."""
        self._journal_replay.restore(event)
        self._has_orphans = True

    def open_observer(self, info: RequestInfo) -> Observer:
        """Observe one exchange of the proxy."""
        self._end_orphans()
        self._writer.credentials.add(info.credentials)
        exchange = ObservedCall(self, self._writer, info, self._agents, self._limits)
        self._open[exchange] = None
        return exchange

    def hook(self, agent: str, payload: bytes, *, arrived: tuple[int, int] | None = None) -> None:
        """Take one hook payload.

        Args:
            agent: the id of the agent whose hook delivered it.
            payload: the bytes that the agent passed to the hook.
            arrived: wall and monotonic milliseconds of its arrival, if it did not arrive just now.
        """
        self._end_orphans()
        if self._writer.paused:
            self._writer.counts["while_paused"] += 1
            return
        at = Stamp(*arrived) if arrived else self._writer.now()
        report = self._agents.read_hook(agent, payload)
        if report is None:
            self._writer.counts["hook_unreadable"] += 1
            if len(payload) >= PAYLOAD_LIMIT:
                self.hook_refused(agent, len(payload), payload)
            return
        report = self._on_disk(report)
        self._silent_hooks.heard(report.identity)
        self._typed.report(report, at)
        self._hooks.take(report, at)

    @property
    def waiting_hooks(self) -> frozenset[tuple[int, int]]:
        """The arrival times, by both clocks, of the hooks that are not recorded yet and must be kept in the spool."""
        return self._hooks.waiting

    def _on_disk(self, report: HookReport) -> HookReport:
        """A report with its edits as they are on disk; read now, because the agent is waiting for its hook."""
        if report.stage == HookStage.CALL and report.call is not None:
            self._disk.look(self._agents.touches(report.identity.agent, report.call), report.folder)
        if not any(isinstance(finding, kinds.FileEdit) for finding in report.findings):
            return report
        return replace(report, findings=[self._disk.settle(finding, report.folder) for finding in report.findings])

    def hook_refused(self, agent: str, size: int, beginning: bytes) -> None:
        """Record a gap for a hook whose payload was too long to be read.

        Args:
            agent: the agent of the hook.
            size: the payload's size in bytes, as far as it is known.
            beginning: its first bytes, for the event's name.
        """
        if self._writer.paused:
            self._writer.counts["while_paused"] += 1
            return
        detail = f"{event_name(beginning)} of {agent}: a payload of {size} bytes or more is not read"
        now = self._writer.now().wall_ms
        gap = kinds.CaptureGap(source=Source.HOOK, detail=detail, lost=1, from_ms=now, to_ms=now)
        self._writer.write(Source.RECORDER, gap)

    def tick(self) -> None:
        """Do what is due by the clock; call this at least every half second."""
        self._end_orphans()
        if self._writer.paused:
            return
        self._record_faults()
        self._hooks.release_due()
        self._silent_hooks.tick()

    def pause(self) -> None:
        """Capture nothing until ``resume``; exchanges that are open end here with what has arrived."""
        self._hooks.flush()
        for exchange in list(self._open):
            exchange.abandon("paused")
        self._open.clear()
        self._writer.paused = True

    def resume(self) -> None:
        """Continue to capture, from the next request on."""
        self._writer.paused = False
        self._tools.after_pause = set(self._lanes.all())
        self._silent_hooks.forget()

    def finish(self) -> None:
        """Write everything that waits and end the open exchanges, at the end of the session."""
        self._end_orphans()
        self._hooks.flush()
        for exchange in list(self._open):
            exchange.abandon("the session ended")
        self._open.clear()
        self._record_faults()
        self._silent_hooks.tick(ending=True)

    def faulted(self) -> None:
        """Note that a fault of capture lost something; the next tick records a gap."""
        self._faults += 1

    def _record_faults(self) -> None:
        if self._faults:
            detail = "an internal error of the recorder: part of what the agent sent or received is not recorded"
            lost, self._faults = self._faults, 0
            self._writer.write(Source.RECORDER, kinds.CaptureGap(source=Source.RECORDER, detail=detail, lost=lost))

    def asked(self, exchange: ObservedCall, request: ReadRequest) -> None:
        """Record a request that was read, or count it as a further attempt."""
        if self._writer.paused:
            self._writer.counts["while_paused"] += 1
            self._open.pop(exchange, None)
            return
        agent = exchange.agent
        body = request.body or {}
        call = exchange.provider.read(body) if exchange.provider else ModelCall(model=None, stream=False, items=())
        purpose = agent.purpose(call, exchange.headers, body) if request.body else CallPurpose.OTHER
        turn = read_turn(call, agent, purpose=purpose)
        identity = agent.identify(exchange.headers, body)
        if purpose is CallPurpose.WORK:
            identity = self._subagents.place(identity, turn)
            self._subagents.call(identity, agent.subagent_name(body))
        exchange.identity, exchange.purpose = identity, purpose
        self._open[exchange] = identity
        conversation = self._conversations.of(identity)
        asked = conversation.retried(turn.fingerprint, request.sha256)
        if asked is not None and purpose is CallPurpose.WORK and self._typed.has(agent, identity, turn.tail):
            conversation.typed_again(turn)
            asked = None
        if asked is not None:
            asked.attempts += 1
        else:
            self._tools.results(agent, identity, turn, is_work=purpose is CallPurpose.WORK)
            self._subagents.ended(agent, identity, turn)
            refs = self._new_prompts(agent, identity, turn) if purpose is CallPurpose.WORK else ()
            asked = Asked(seq=self._request(exchange, call, request, refs), position=turn.position)
            conversation.remember(asked, turn.fingerprint, request.sha256)
        exchange.attempt = (asked, asked.attempts)

    def answered(self, exchange: ObservedCall, response: ReadResponse) -> None:
        """Record the end of a model call: its response and tool calls."""
        self._open.pop(exchange, None)
        identity, attempt = exchange.identity, exchange.attempt
        if identity is None or attempt is None:
            return
        asked, number = attempt
        complete = response.outcome is ResponseOutcome.COMPLETE
        self._conversations.of(identity).answer(
            asked, complete=complete, is_answered=is_answered(exchange.provider, response.answer.stop_reason)
        )
        asked.answered = max(asked.answered, number)
        seq = self._response(identity, asked, number, response)
        for use in response.answer.calls if exchange.purpose is CallPurpose.WORK else ():
            if complete:
                self._tools.call(exchange.agent, identity, use, seq)
            else:
                self._tool_calls.own(identity, use.id).response_seq = seq
        if exchange.purpose is CallPurpose.WORK:
            self._tools.ran_there(identity, response.answer.ran, seq)
        self._hooks.release(identity)

    def passed(self, exchange: ObservedCall, status: int | None) -> None:
        """Record that another request than a model call was made, without its content."""
        self._open.pop(exchange, None)
        identity = exchange.agent.identify(exchange.headers, {})
        lane = self._lanes.number(identity) if self._lanes.knows(identity) else 0
        info = exchange.info
        payload = {"upstream": info.upstream, "method": info.method, "path": exchange.path, "status": status}
        passed = kinds.AgentOther(raw_kind="http", payload=payload)
        self._writer.write(Source.PROXY, identity.named_in(passed), lane=lane)

    def lost(self, exchange: ObservedCall, detail: str, count: int) -> None:
        """Record a gap for bytes that were forwarded but could not be observed."""
        now = self._writer.now()
        began = exchange.began.wall_ms
        gap = kinds.CaptureGap(source=Source.PROXY, detail=detail, lost=count, from_ms=began, to_ms=now.wall_ms)
        self._writer.write(Source.PROXY, gap)

    def _is_streaming(self, identity: Identity) -> bool:
        return any(other == identity and exchange.purpose is CallPurpose.WORK for exchange, other in self._open.items())

    def _new_prompts(self, agent: ReadsRequests, identity: Identity, turn: Turn) -> tuple[int | None, ...]:
        """Write a request's new prompts, or the start of a subagent, and return the ``seq`` of each."""
        conversation, lane = self._conversations.of(identity), self._lanes.number(identity)
        prompts: Sequence[GivenPrompt] = conversation.new_prompts(turn)
        if identity.agent_id:
            return (self._subagents.began(identity, turn),)
        if not self._silent_hooks.is_silent(identity):
            prompts = self._typed.judge(agent, identity, prompts)
        return tuple(
            self._writer.write(
                Source.PROXY,
                identity.named_in(
                    kinds.Prompt(text=prompt.text, images=list(prompt.images) or None, machine=prompt.machine or None)
                ),
                lane=lane,
            )
            for prompt in prompts
        )

    def _request(
        self, exchange: ObservedCall, call: ModelCall, request: ReadRequest, refs: tuple[int | None, ...]
    ) -> int | None:
        identity = exchange.identity or Identity(agent="")
        asked = kinds.ModelRequest(
            provider=exchange.info.upstream,
            request_path=exchange.path,
            model=call.model,
            purpose=exchange.purpose.value,
            stream=call.stream,
            request_sha256=request.sha256,
            body=request.body,
            body_raw=(request.raw or None) if request.body is None else None,
        )
        if request.cut:
            self.lost(exchange, "a request was too long to keep, or could not be read in full", 0)
        lane = self._lanes.number(identity)
        return self._writer.write(Source.PROXY, identity.named_in(asked), lane=lane, refs=refs)

    def _response(self, identity: Identity, asked: Asked, number: int, response: ReadResponse) -> int | None:
        answer = response.answer
        answered = kinds.ModelResponse(
            attempt=number,
            outcome=response.outcome.value,
            status=response.status,
            text=answer.text or None,
            thinking=answer.thinking or None,
            tool_use_ids=[use.id for use in answer.calls] or None,
            stop_reason=answer.stop_reason,
            model=answer.model,
            response_id=answer.response_id,
            usage=answer.usage,
            error=response.error,
            retry_after=response.retry_after,
            first_byte_ms=response.first_byte_ms,
            duration_ms=response.duration_ms,
            content=answer.content or None,
        )
        lane = self._lanes.number(identity)
        return self._writer.write(Source.PROXY, identity.named_in(answered), lane=lane, refs=(asked.seq,))

    def _end_orphans(self) -> None:
        """Record the end of attempts that were open when an earlier recorder died; a retry is the next attempt."""
        if not self._has_orphans or self._writer.paused:
            return
        self._has_orphans = False
        for identity, asked in self._journal_replay.orphans():
            asked.answered = asked.attempts
            cut = kinds.ModelResponse(
                attempt=asked.attempts, outcome=ResponseOutcome.CUT.value, error={"type": "recorder_restarted"}
            )
            lane = self._lanes.number(identity)
            self._writer.write(Source.PROXY, identity.named_in(cut), lane=lane, refs=(asked.seq,))
