"""Turns hook reports into drafts: without duplicates, in order, and after the response that caused them.

A hook may arrive before capture has read the call in the response stream. So a tool's first hook is held, for at most
two seconds, while a response of its conversation is streaming that has not contained the call yet. Later hooks of the
conversation are held until it is recorded.
"""

from __future__ import annotations

import hashlib
import re
from collections import OrderedDict, deque
from dataclasses import replace
from typing import TYPE_CHECKING

from msgspec import structs

from promptster.capture import actions
from promptster.capture.agent import SAME_WITHIN_MS, HookStage
from promptster.capture.hook_side.pairing import HookPairing
from promptster.capture.providers.interface import ToolUse, canonical
from promptster.capture.tool_calls import argument_digests
from promptster.protocol.events import Source, kinds
from promptster.protocol.events.base import fields_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from promptster.capture.agent import CommandEnd, HookReport, Identity
    from promptster.capture.draft_writer import DraftWriter, Stamp
    from promptster.capture.lanes import Lanes
    from promptster.capture.readers import AgentReaders
    from promptster.capture.tool_calls import CallGroup, ToolCalls
    from promptster.protocol.events.kinds import AgentEvent

HOLD_MS = 2000
"""Most milliseconds for which a hook is held until the response that caused it is read."""

_KEYS_KEPT = 20_000
_MAX_HELD = 1_000
_EVENT_NAME = re.compile(rb'"hook_event_name"\s*:\s*"([A-Za-z]{1,40})"')
_HEAD = 4096
"""The first bytes of a payload, in which an agent names its event."""


def event_name(beginning: bytes) -> str:
    """The event's name, from the beginning of a payload that cannot be read in full."""
    found = _EVENT_NAME.search(beginning[:_HEAD])
    return found[1].decode("ascii") if found is not None else "a hook"


class HookQueue:
    """Holds hook reports as long as necessary, and records each once."""

    def __init__(
        self,
        writer: DraftWriter,
        lanes: Lanes,
        tool_calls: ToolCalls,
        streaming: Callable[[Identity], bool],
        agents: AgentReaders,
    ) -> None:
        self._writer = writer
        self._lanes = lanes
        self._tool_calls = tool_calls
        self._streaming = streaming
        self._agents = agents
        self._held: dict[Identity, deque[tuple[HookReport, Stamp]]] = {}
        self._keys: OrderedDict[tuple[str, ...], int] = OrderedDict()
        self._pairing = HookPairing()
        self._ran: dict[tuple[Identity, str], tuple[HookReport, Stamp]] = {}

    @property
    def waiting(self) -> frozenset[Stamp]:
        """The arrival times of the reports that are not recorded yet."""
        held = [at for queue in self._held.values() for _, at in queue]
        return frozenset([*held, *(at for _, at in self._ran.values())])

    def take(self, report: HookReport, at: Stamp) -> None:
        """Record a report now, or hold it."""
        queue = self._held.setdefault(report.identity, deque())
        queue.append((report, at))
        self.release(report.identity)

    def release(self, identity: Identity) -> None:
        """Record the reports of one conversation that no longer have to wait."""
        queue = self._held.get(identity)
        while queue and not self._waits(*queue[0], crowded=len(queue) > _MAX_HELD):
            report, at = queue.popleft()
            self._record(report, at)
        if queue is not None and not queue:
            self._held.pop(identity, None)

    def release_due(self) -> None:
        """Record the reports of all conversations that no longer have to wait."""
        for identity in list(self._held):
            self.release(identity)
        for place, (_, at) in list(self._ran.items()):
            if self._writer.now().mono_ms - at.mono_ms >= HOLD_MS:
                self._write(*self._ran.pop(place))

    def flush(self) -> None:
        """Record all reports that wait."""
        held, self._held = self._held, {}
        for queue in held.values():
            for report, at in queue:
                self._record(report, at)
        ran, self._ran = self._ran, {}
        for report, at in ran.values():
            self._write(report, at)

    def restore_key(self, identity: Identity, key: tuple[str, ...], wall_ms: int) -> None:
        """Restore from the journal that a report with this key was recorded."""
        self._remember((*_place(identity), *key), wall_ms)

    def restore_call(self, identity: Identity, call: ToolUse) -> None:
        """Restore from the journal that a hook reported a call."""
        if pairing_key := self._agents.hooks(identity.agent).pairing_key(call):
            self._pairing.begin(_place(identity), pairing_key, call.id)

    def restore_end(self, identity: Identity, tool_use_id: str) -> None:
        """Restore from the journal that a hook reported what a call did."""
        self._pairing.end(_place(identity), tool_use_id)

    def _waits(self, report: HookReport, at: Stamp, *, crowded: bool) -> bool:
        if report.stage != HookStage.CALL or crowded or self._writer.now().mono_ms - at.mono_ms >= HOLD_MS:
            return False
        return not self._is_seen(report) and self._streaming(report.identity)

    def _is_seen(self, report: HookReport) -> bool:
        """Whether the proxy or another hook has already reported the call that is about to run."""
        known = self._tool_calls.find(report.identity, report.tool_use_id, report.call)
        if known is None or report.call is None:
            return False
        return any(call.partner is None for call in known.by_proxy) or known.repeated_call(report.call) is not None

    def _record(self, report: HookReport, at: Stamp) -> None:
        report = self._named(report)
        if self._is_repeated(report, at):
            self._writer.counts["hook_repeated"] += 1
            return
        place = (report.identity, report.tool_use_id)
        if report.awaits_end and report.tool_use_id:
            self._ran[place] = (report, at)
            return
        if report.ended is not None and place in self._ran:
            earlier, then = self._ran.pop(place)
            findings = [_ended(finding, report.ended) for finding in earlier.findings]
            self._write(replace(earlier, findings=findings), then)
        self._write(report, at)

    def _write(self, report: HookReport, at: Stamp) -> None:
        refs = self._question(report) if report.asks else self._refs(report)
        lane = self._lanes.number(report.identity)
        for finding in (*self._answer(report), *report.findings):
            seq = self._writer.write(Source.HOOK, report.identity.named_in(finding), lane=lane, refs=refs, at=at)
            if isinstance(finding, kinds.ToolCall) and report.tool_use_id:
                reported = self._tool_calls.entry(report.identity, report.tool_use_id, report.call).by_hook
                reported[-1].seq = seq if reported else None
            elif isinstance(finding, kinds.AgentOther):
                self._writer.counts["hook_raw"] += 1

    def _question(self, report: HookReport) -> tuple[int | None, ...]:
        """The call that a permission prompt is about, as references; the call is marked as asked about."""
        named = report.tool_use_id
        known = self._tool_calls.find(report.identity, named, report.call) if named else None
        known = known or self._tool_calls.in_question(report.identity, _permission_key(report))
        if known is None:
            return ()
        known.is_asked = True
        return (known.by_hook[-1].seq if known.by_hook else None,)

    def _answer(self, report: HookReport) -> Sequence[AgentEvent]:
        """The permission that follows from a tool that ran after a permission prompt."""
        if report.stage == HookStage.OTHER or not report.tool_use_id:
            return ()
        known = self._tool_calls.entry(report.identity, report.tool_use_id, report.call)
        if report.stage == HookStage.CALL:
            known.permission_key, known.identity = _permission_key(report), report.identity
            return ()
        was_asked, known.is_asked, known.permission_key = known.is_asked, False, ""
        return (actions.permission(decision="allowed", call=report.call),) if was_asked and report.call else ()

    def _named(self, report: HookReport) -> HookReport:
        """A report of what a call did, with the call's id, if only the report of the call itself names it."""
        place = _place(report.identity)
        if report.stage == HookStage.RESULT and report.tool_use_id:
            self._pairing.end(place, report.tool_use_id)
        if not report.pairing_key or report.stage == HookStage.CALL or report.tool_use_id:
            return report
        identifier = self._pairing.take(place, report.pairing_key)
        if not identifier:
            return report
        findings = [_of_call(finding, identifier) for finding in report.findings]
        return replace(report, tool_use_id=identifier, findings=findings)

    def _refs(self, report: HookReport) -> tuple[int | None, ...]:
        if not report.tool_use_id:
            return ()
        known = self._tool_calls.entry(report.identity, report.tool_use_id, report.call)
        known.name = known.name or (report.call.name if report.call else "")
        if report.stage != HookStage.CALL:
            return (_seq_of(known, report),)
        partner = known.by_hook[-1].partner if known.by_hook else None
        if partner is not None:
            return (partner.seq,)
        outer = self._tool_calls.running(report.identity, "exec") if report.tool_use_id.startswith("exec-") else None
        return (outer.seq,) if outer else ()

    def _is_repeated(self, report: HookReport, at: Stamp) -> bool:
        if report.tool_use_id and report.pairing_key and report.stage == HookStage.OTHER:
            return False
        if report.tool_use_id and report.stage != HookStage.OTHER:
            known = self._tool_calls.entry(report.identity, report.tool_use_id, report.call)
            is_repeated = _repeats_call(known, report)
        else:
            is_repeated = self._repeats_other(report, at)
        if report.pairing_key and report.stage == HookStage.CALL and not is_repeated:
            self._pairing.begin(_place(report.identity), report.pairing_key, report.tool_use_id)
        return is_repeated

    def _repeats_other(self, report: HookReport, at: Stamp) -> bool:
        """Whether a report that names no call repeats another one; it is remembered."""
        place = _place(report.identity)
        if report.pairing_key and report.stage == HookStage.CALL and self._pairing.confirm(place, report.pairing_key):
            return True
        key = (*place, *(report.key or (report.event, _digest(report))))
        last = self._keys.get(key)
        self._remember(key, at.wall_ms)
        is_lasting = bool(report.key) and not report.is_short_lived
        return last is not None and (is_lasting or abs(at.wall_ms - last) < SAME_WITHIN_MS)

    def _remember(self, key: tuple[str, ...], wall_ms: int) -> None:
        self._keys[key] = wall_ms
        self._keys.move_to_end(key)
        if len(self._keys) > _KEYS_KEPT:
            self._keys.popitem(last=False)


def _repeats_call(known: CallGroup, report: HookReport) -> bool:
    """Whether a report of a call, or of its result, repeats another one; it is remembered."""
    use = report.call or ToolUse(id=report.tool_use_id, name=known.name, input=None)
    if report.stage == HookStage.CALL:
        if known.repeated_call(use) is not None:
            return True
        known.add(Source.HOOK, use, None)
        return False
    call = known.call_of_result(use)
    if call is None and known.by_hook:
        return True
    call = call or known.add(Source.HOOK, use, None)
    call.is_answered = True
    return False


def _seq_of(known: CallGroup, report: HookReport) -> int | None:
    """The event of the call whose result is reported: the hook's own, else the proxy's."""
    arguments = argument_digests(report.call)
    same = [call for call in known.by_hook if call.arguments == arguments] or known.by_hook
    answered = [call for call in same if call.is_answered]
    call = next(reversed(answered or same), None)
    if call is None:
        return known.by_proxy[-1].seq if known.by_proxy else None
    return call.seq if call.seq is not None or call.partner is None else call.partner.seq


def _ended(finding: AgentEvent, end: CommandEnd) -> AgentEvent:
    """A command, completed with what only the report of its end contains; any other event unchanged."""
    if not isinstance(finding, kinds.Command):
        return finding
    return structs.replace(
        finding,
        cwd=end.cwd if finding.cwd is None else finding.cwd,
        exit_code=end.exit_code if finding.exit_code is None else finding.exit_code,
        is_error=end.is_error if finding.is_error is None else finding.is_error,
    )


def _of_call(finding: AgentEvent, tool_use_id: str) -> AgentEvent:
    """An event about a call, with the call's id unless it has one; any other event unchanged."""
    if not isinstance(finding, (kinds.ToolResult, kinds.FileEdit, kinds.Command, kinds.Permission)):
        return finding
    return structs.replace(finding, tool_use_id=finding.tool_use_id or tool_use_id)


def _permission_key(report: HookReport) -> str:
    """A report's tool and arguments without the call's id, as a permission prompt contains them."""
    return canonical([report.call.name, report.call.input]) if report.call else ""


def _place(identity: Identity) -> tuple[str, str, str]:
    return identity.agent, identity.session, identity.agent_id


def _digest(report: HookReport) -> str:
    content = canonical([[finding.kind, fields_of(finding)] for finding in report.findings])
    return hashlib.sha256(content.encode()).hexdigest()
