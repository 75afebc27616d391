"""Prompts that hooks have reported as typed, which the prompts that the proxy sees are compared with.

Claude Code's hooks report everything that a person types before it is sent. So while its hooks arrive, a text in the
user's role that no hook has reported was written by the program itself, whatever its wording.
"""

from __future__ import annotations

import dataclasses
from collections import deque
from typing import TYPE_CHECKING

from promptster.capture.agent import SAME_WITHIN_MS
from promptster.protocol.events import kinds

if TYPE_CHECKING:
    from collections.abc import Sequence

    from promptster.capture.agent import GivenPrompt, HookReport, Identity, ReadsRequests
    from promptster.capture.draft_writer import Stamp

_WAITING_KEPT = 256


class TypedPrompts:
    """The reported prompts of each session that the proxy has not seen yet."""

    def __init__(self) -> None:
        self._waiting: dict[tuple[str, str], deque[str]] = {}
        self._last: dict[Identity, tuple[tuple[str, ...], int]] = {}

    def report(self, report: HookReport, at: Stamp) -> None:
        """Remember a prompt that a hook reported as typed; the same report from two layers of settings counts once."""
        last, self._last[report.identity] = self._last.get(report.identity), (report.key, at.wall_ms)
        if last is not None and last[0] == report.key and abs(at.wall_ms - last[1]) < SAME_WITHIN_MS:
            return
        for finding in report.findings:
            if isinstance(finding, kinds.Prompt) and not finding.machine:
                place = (report.identity.agent, report.identity.session)
                waiting = self._waiting.setdefault(place, deque(maxlen=_WAITING_KEPT))
                waiting.append((finding.text or "").strip())

    def has(self, agent: ReadsRequests, identity: Identity, prompts: Sequence[GivenPrompt]) -> bool:
        """Whether the last of these prompts was typed and has not been seen in a request since."""
        waiting = self._waiting.get((identity.agent, identity.session), ())
        is_judged = agent.hooks_every_prompt and not identity.agent_id and bool(prompts)
        return is_judged and prompts[-1].text.strip() in waiting

    def judge(self, agent: ReadsRequests, identity: Identity, prompts: Sequence[GivenPrompt]) -> list[GivenPrompt]:
        """The prompts, with ``machine`` corrected by what hooks reported as typed."""
        waiting = self._waiting.get((identity.agent, identity.session))
        if waiting is None:
            return list(prompts)
        corrected = [
            dataclasses.replace(prompt, machine=prompt.machine and prompt.text.strip() not in waiting)
            if prompt.is_guessed
            else prompt
            for prompt in prompts
        ]
        return [self._judge(waiting, prompt) for prompt in corrected] if agent.hooks_every_prompt else corrected

    @staticmethod
    def _judge(waiting: deque[str], prompt: GivenPrompt) -> GivenPrompt:
        if prompt.machine or not prompt.is_hooked:
            return prompt
        if prompt.text.strip() in waiting:
            waiting.remove(prompt.text.strip())
        elif waiting:
            waiting.popleft()
        else:
            return dataclasses.replace(prompt, machine=True)
        return prompt
