"""Words that hooks have reported as typed, against which the proxy's view is held.

Claude Code reports everything that a person types before it sends it. So while its hooks are heard, words in the user's
role that no hook has reported were written by the program itself, in whatever wording the next version chooses.
"""

from __future__ import annotations

import dataclasses
from collections import deque
from typing import TYPE_CHECKING

from promptster.capture.agent import SAME_WITHIN_MS
from promptster.protocol.events import kinds

if TYPE_CHECKING:
    from collections.abc import Sequence

    from promptster.capture.agent import HookReport, Identity, Prompt, ReadsRequests
    from promptster.capture.draft_writer import Stamp

_WAITING_KEPT = 256


class TypedPrompts:
    """Reported words by session that the proxy has not seen yet."""

    def __init__(self) -> None:
        self._waiting: dict[tuple[str, str], deque[str]] = {}
        self._last: dict[Identity, tuple[tuple[str, ...], int]] = {}

    def report(self, report: HookReport, at: Stamp) -> None:
        """A hook told of a prompt that a person typed; two layers of settings that tell of the same tell once."""
        last, self._last[report.identity] = self._last.get(report.identity), (report.key, at.wall_ms)
        if last is not None and last[0] == report.key and abs(at.wall_ms - last[1]) < SAME_WITHIN_MS:
            return
        for finding in report.findings:
            if isinstance(finding, kinds.Prompt) and not finding.machine:
                place = (report.identity.agent, report.identity.session)
                waiting = self._waiting.setdefault(place, deque(maxlen=_WAITING_KEPT))
                waiting.append((finding.text or "").strip())

    def has(self, agent: ReadsRequests, identity: Identity, prompts: Sequence[Prompt]) -> bool:
        """Whether the last of these words was typed, and has not been seen in a request since."""
        waiting = self._waiting.get((identity.agent, identity.session), ())
        is_judged = agent.hooks_every_prompt and not identity.agent_id and bool(prompts)
        return is_judged and prompts[-1].text.strip() in waiting

    def judge(self, agent: ReadsRequests, identity: Identity, prompts: Sequence[Prompt]) -> list[Prompt]:
        """The prompts, those that nobody typed marked as a machine's, and none that only looks like one's."""
        waiting = self._waiting.get((identity.agent, identity.session))
        if waiting is None:
            return list(prompts)
        told = [
            dataclasses.replace(prompt, machine=prompt.machine and prompt.text.strip() not in waiting)
            if prompt.is_guessed
            else prompt
            for prompt in prompts
        ]
        return [self._judge(waiting, prompt) for prompt in told] if agent.hooks_every_prompt else told

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
