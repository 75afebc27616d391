"""Made-up sessions as opened events, for everything that shows a session.

``Script`` numbers and stamps events as a recorder would; ``plausible`` builds a whole session with it.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from promptster.protocol.events import OpenedEvent, Source
from promptster.protocol.events.kinds import event_of

START_MS = 1_795_600_000_000
CLAUDE: dict[str, Any] = {"agent": "claude", "agent_session": "5b1c7a52-9d0e-4a53-8f0b-2f6f0c8c1d11"}


@dataclass
class Script:
    """Events in the order in which they are added."""

    events: list[OpenedEvent] = field(default_factory=list[OpenedEvent])
    now_ms: int = START_MS
    numbers: Counter[str] = field(default_factory=Counter[str])

    def wait(self, milliseconds: int) -> None:
        """Let time pass."""
        self.now_ms += milliseconds

    def add(
        self,
        src: str,
        kind: str,
        *,
        lane: int = 0,
        refs: tuple[int, ...] = (),
        withheld: frozenset[str] = frozenset(),
        cut: dict[str, tuple[int, str]] | None = None,
        after_ms: int = 40,
        **fields: Any,
    ) -> int:
        """Add one event and return its ``seq``."""
        self.now_ms += after_ms
        event = OpenedEvent(
            seq=len(self.events),
            src=Source(src),
            src_seq=self.numbers[src],
            event=event_of(kind, dict(fields)),
            ms=self.now_ms,
            mono_ms=self.now_ms - START_MS,
            lane=lane,
            refs=refs,
            withheld=withheld,
            cut=cut or {},
        )
        self.numbers[src] += 1
        self.events.append(event)
        return event.seq

    def prompt(self, text: str, *, lane: int = 1, after_ms: int = 20_000, **more: Any) -> None:
        """A prompt that the hook and then the proxy saw."""
        self.add("hook", "prompt", lane=lane, after_ms=after_ms, text=text, **CLAUDE, **more)
        self.add("proxy", "prompt", lane=lane, after_ms=60, text=text, **CLAUDE, **more)

    def turn(
        self,
        text: str,
        *,
        lane: int = 1,
        tools: tuple[str, ...] = (),
        after_ms: int = 300,
        faults: tuple[dict[str, Any], ...] = (),
        **more: Any,
    ) -> None:
        """A request and its answer, after the given failed attempts."""
        request = self.add(
            "proxy", "model_request", lane=lane, after_ms=after_ms, provider="anthropic", request_path="/v1/messages",
            model="claude-sonnet-4-5", purpose=more.pop("purpose", "work"), stream=True,
            body={"messages": [{"role": "user", "content": "the whole conversation so far"}]}, **CLAUDE,
        )  # fmt: skip
        for number, fault in enumerate(faults, 1):
            self.add(
                "proxy", "model_response", lane=lane, refs=(request,), after_ms=900, attempt=number, **fault, **CLAUDE
            )
        length = 400 + 9 * len(text)
        self.add(
            "proxy", "model_response", lane=lane, refs=(request,), after_ms=length, attempt=len(faults) + 1,
            outcome="complete", status=200, text=text, tool_use_ids=list(tools), model="claude-sonnet-4-5",
            stop_reason="tool_use" if tools else "end_turn",
            usage={"input_tokens": 11_802, "output_tokens": len(text) // 4 + 31},
            first_byte_ms=640, duration_ms=length, **more, **CLAUDE,
        )  # fmt: skip

    def tool(
        self,
        tool_use_id: str,
        name: str,
        tool_input: dict[str, Any],
        content: str,
        *,
        lane: int = 1,
        hook: bool = True,
        takes_ms: int = 180,
        is_error: bool = False,
        agent_id: str | None = None,
        extra: tuple[str, dict[str, Any]] | None = None,
    ) -> None:
        """A tool call and its result as the proxy saw them, and the hooks too unless they were silent."""
        who: dict[str, Any] = {**CLAUDE, **({"agent_id": agent_id} if agent_id else {})}
        same: dict[str, Any] = {"lane": lane, "tool_use_id": tool_use_id, "name": name}
        self.add("proxy", "tool_call", input=tool_input, after_ms=15, **same, **who)
        if hook:
            self.add("hook", "tool_call", input=tool_input, after_ms=25, **same, **who)
            self.add(
                "hook", "tool_result", content=content, is_error=is_error, duration_ms=takes_ms, after_ms=takes_ms,
                **same, **who,
            )  # fmt: skip
            if extra:
                kind, fields = extra
                self.add("hook", kind, lane=lane, tool_use_id=tool_use_id, after_ms=1, **fields, **who)
        self.add("proxy", "tool_result", content=content, is_error=is_error, after_ms=90, **same, **who)


def frozen() -> Script:
    """A session without consent: its recorder was stopped for five minutes, and its clock ran backwards."""
    script = Script()
    script.add("recorder", "opened")
    script.add("workspace", "submission_baseline")
    script.add("recorder", "capture_heartbeat", after_ms=60_000, counts={})
    script.add("candidate", "note", text="written while nothing was recorded", after_ms=290_000)
    script.add("recorder", "capture_heartbeat", after_ms=10_000, counts={})
    script.add("workspace", "submission_final", after_ms=-90_000)
    script.add("recorder", "closed", totals=dict(script.numbers), batches=1)
    return script
