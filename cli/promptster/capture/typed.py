"""Words that hooks have reported as typed, against which the proxy's view is held.

Claude Code reports everything that a person types before it sends it. So while its hooks are heard, words in the user's
role that no hook has reported were written by the program itself, in whatever wording the next version chooses.
"""

from __future__ import annotations

import dataclasses
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from promptster.capture.agents.interface import Agent, HookReport, Identity, Prompt

_WAITING_KEPT = 256


class TypedWords:
    """Reported words by session that the proxy has not seen yet."""

    def __init__(self) -> None:
        self._waiting: dict[tuple[str, str], deque[str]] = {}

    def report(self, report: HookReport) -> None:
        """A hook told of a prompt that a person typed."""
        for finding in report.findings:
            if finding.kind == "prompt" and not finding.fields.get("machine"):
                place = (report.identity.agent, report.identity.session)
                waiting = self._waiting.setdefault(place, deque(maxlen=_WAITING_KEPT))
                waiting.append(str(finding.fields.get("text")).strip())

    def judge(self, agent: Agent, identity: Identity, prompts: Sequence[Prompt]) -> list[Prompt]:
        """The prompts, those that nobody typed marked as a machine's."""
        waiting = self._waiting.get((identity.agent, identity.session))
        if waiting is None or not agent.hooks_every_prompt:
            return list(prompts)
        return [self._judge(waiting, prompt) for prompt in prompts]

    @staticmethod
    def _judge(waiting: deque[str], prompt: Prompt) -> Prompt:
        if prompt.machine or not prompt.is_hooked:
            return prompt
        if prompt.text.strip() in waiting:
            waiting.remove(prompt.text.strip())
        elif waiting:
            waiting.popleft()
        else:
            return dataclasses.replace(prompt, machine=True)
        return prompt
