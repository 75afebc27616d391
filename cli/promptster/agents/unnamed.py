"""Whoever speaks a known API without being a known agent: nothing is assumed about what it adds to a prompt."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from promptster.agents.tagged_passages import images_once
from promptster.capture.agent import Finding, HookReport, Identity, Prompt, Purpose, raw_finding
from promptster.capture.providers.interface import text_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from promptster.capture.agent import Agent
    from promptster.capture.providers.interface import Json, ModelCall, ToolResult, ToolUse, UserText


class Generic:
    """An unknown agent."""

    name = ""
    tools: frozenset[str] = frozenset()
    hooks_every_prompt = False

    def recognises(self, headers: Mapping[str, str]) -> bool:
        """Any."""
        del headers
        return True

    def identify(self, headers: Mapping[str, str], body: Mapping[str, Json]) -> Identity:
        """Nothing in the request names a session."""
        del headers, body
        return Identity(agent="")

    def purpose(self, call: ModelCall, headers: Mapping[str, str], body: Mapping[str, Json]) -> Purpose:
        """Every call counts as work."""
        del call, headers, body
        return "work"

    def prompts(self, run: Sequence[UserText]) -> Sequence[Prompt]:
        """The whole texts."""
        texts = [item for item in run if item.text or item.images]
        return images_once(run, [Prompt(text=item.text, images=item.images) for item in texts])

    def resumes(self, item: UserText) -> bool:
        """Cannot be told."""
        del item
        return False

    def summarises(self, item: UserText) -> bool:
        """Cannot be told."""
        del item
        return False

    def spawns(self, call: ToolUse) -> str | None:
        """Cannot be told."""
        del call
        return None

    def task(self, run: Sequence[UserText]) -> str:
        """All of it."""
        return "\n\n".join(prompt.text for prompt in self.prompts(run))

    def subagent_name(self, body: Mapping[str, Json]) -> str:
        """It has none."""
        del body
        return ""

    def ended(self, text: str) -> tuple[str, str] | None:
        """Cannot be told."""
        del text
        return None

    def hooks_tell(self, call: ToolUse, result: ToolResult) -> bool:
        """It has none."""
        del call, result
        return False

    def actions(self, call: ToolUse, result: ToolResult) -> Sequence[Finding]:
        """Cannot be told."""
        del call, result
        return []

    def touches(self, call: ToolUse) -> Sequence[str]:
        """Cannot be told."""
        del call
        return []

    def hook(self, payload: Mapping[str, Json]) -> HookReport:
        """Kept raw."""
        event = text_of(payload.get("hook_event_name")) or "unknown"
        identity = Identity(agent="", session=text_of(payload.get("session_id")))
        return HookReport(event=event, identity=identity, findings=[raw_finding(event, payload)])


class Unnamed(Generic):
    """An unknown agent that may be a known one in disguise: its words and tools are read by the habits of that one."""

    def __init__(self, habits: Agent) -> None:
        self._habits = habits

    def identify(self, headers: Mapping[str, str], body: Mapping[str, Json]) -> Identity:
        """The ids that the known one would give; the name is not claimed."""
        return dataclasses.replace(self._habits.identify(headers, body), agent="")

    def prompts(self, run: Sequence[UserText]) -> Sequence[Prompt]:
        """Without what the known one adds."""
        return self._habits.prompts(run)

    def resumes(self, item: UserText) -> bool:
        """As the known one does."""
        return self._habits.resumes(item)

    def summarises(self, item: UserText) -> bool:
        """As the known one does."""
        return self._habits.summarises(item)

    def spawns(self, call: ToolUse) -> str | None:
        """As the known one does."""
        return self._habits.spawns(call)

    def touches(self, call: ToolUse) -> Sequence[str]:
        """What the known one's tools of these names do."""
        return self._habits.touches(call)

    def actions(self, call: ToolUse, result: ToolResult) -> Sequence[Finding]:
        """What the known one's tools of these names do."""
        return self._habits.actions(call, result)
