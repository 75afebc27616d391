"""Readers for callers of a known API that are not known agents."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from typing_extensions import override

from promptster.capture.agent import ReadsHooks, ReadsRequests
from promptster.capture.tagged_passages import images_once
from promptster.protocol.events.kinds import AgentEvent

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from promptster.capture.agent import GivenPrompt, Identity
    from promptster.capture.providers.interface import ToolReturn, ToolUse, UserText
    from promptster.protocol.events.base import Json


class UnknownRequests(ReadsRequests):
    """Reads the requests of an unknown agent, without assumptions about what it adds to a prompt."""

    @override
    def prompts(self, run: Sequence[UserText]) -> Sequence[GivenPrompt]:
        return images_once(run, [*super().prompts(run)])


class UnknownHooks(ReadsHooks):
    """Reads the hooks of an unknown agent: every payload is recorded unchanged."""


class DisguisedRequests(UnknownRequests):
    """Reads the requests of an unknown agent that may be a known one in disguise, as that one's reader does."""

    def __init__(self, habits: ReadsRequests) -> None:
        self._habits = habits

    @override
    def identify(self, headers: Mapping[str, str], body: Mapping[str, Json]) -> Identity:
        return dataclasses.replace(self._habits.identify(headers, body), agent="")

    @override
    def prompts(self, run: Sequence[UserText]) -> Sequence[GivenPrompt]:
        return self._habits.prompts(run)

    @override
    def resumes(self, item: UserText) -> bool:
        return self._habits.resumes(item)

    @override
    def summarises(self, item: UserText) -> bool:
        return self._habits.summarises(item)

    @override
    def spawns(self, call: ToolUse) -> str | None:
        return self._habits.spawns(call)

    @override
    def touches(self, call: ToolUse) -> Sequence[str]:
        return self._habits.touches(call)

    @override
    def actions(self, call: ToolUse, result: ToolReturn) -> Sequence[AgentEvent]:
        return self._habits.actions(call, result)
