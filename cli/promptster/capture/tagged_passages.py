"""Finds passages between an opening and a closing tag in one pass over the text.

The text may be hostile: a command's output can contain a tag a hundred thousand times. A regular expression with a lazy
middle would scan the rest of the text again for each of them.
"""

from __future__ import annotations

import dataclasses
import re
from typing import TYPE_CHECKING

from promptster.capture.agent import GivenPrompt
from promptster.protocol.agents import IDS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from promptster.capture.providers.interface import UserText

_OPENING = re.compile(r"\s*<([A-Za-z][\w.-]*)(?:\s[^<>]*)?>")
_OWN = re.compile(
    rf"(?:{'|'.join(IDS)}|internal|system|memory|artifact|subagent|routine|skill|mcp|multi_agent|rollout)[_-].*"
)
"""Names of tags that only agents put around their own messages to the model; some begin with the agent's name."""
_LIKE_OWN = re.compile(
    r".*[_-](?:context|instructions|reminder|notification|notice|caveat|budget|event|delegation|plugins|note)"
)
"""Names of such tags that a person may also use in a prompt."""


def passage(text: str, tag: str) -> str | None:
    """The text inside the first ``<tag>`` that is closed."""
    inside, _ = passages(text, tag, most=1)
    return inside[0] if inside else None


def passages(text: str, tag: str, *, most: int | None = None) -> tuple[list[str], str]:
    """The texts inside every ``<tag>``, up to ``most`` of them, and the rest of the text without them."""
    opening, closing = f"<{tag}>", f"</{tag}>"
    inside: list[str] = []
    around: list[str] = []
    at = 0
    while most is None or len(inside) < most:
        begin = text.find(opening, at)
        end = text.find(closing, begin + len(opening)) if begin >= 0 else -1
        if end < 0:
            break
        around.append(text[at:begin])
        inside.append(text[begin + len(opening) : end])
        at = end + len(closing)
    return inside, "".join([*around, text[at:]])


def widest(text: str, tag: str) -> str | None:
    """The text from the first ``<tag>`` to the last ``</tag>``, both included."""
    begin, end = text.find(f"<{tag}>"), text.rfind(f"</{tag}>")
    return text[begin : end + len(tag) + 3] if 0 <= begin < end else None


def is_internal(text: str, *, is_submitted: bool = False) -> bool:
    """Whether a whole text is inside one tag of the kind that agents put around their own messages.

    Args:
        text: the text.
        is_submitted: whether the agent calls it a submitted prompt; then only names that people do not use count.
    """
    opening = _OPENING.match(text)
    if opening is None or not text.rstrip().endswith(f"</{opening[1]}>"):
        return False
    name = opening[1].lower()
    return _OWN.fullmatch(name) is not None or (not is_submitted and _LIKE_OWN.fullmatch(name) is not None)


def alone(item: UserText) -> GivenPrompt:
    """The prompt for images without text; images that a tool attached are not the candidate's."""
    return GivenPrompt(text="", images=item.images, machine=item.typed is False, is_hooked=False)


def images_once(run: Sequence[UserText], found: Sequence[GivenPrompt]) -> list[GivenPrompt]:
    """The prompts of a run, with each message's images in one of them only: the last that a person may have typed.

    Images without a typed text become a separate prompt.
    """
    beside: dict[int, Sequence[UserText]] = {}
    for item in run:
        if item.images:
            beside[id(item.images)] = [*beside.get(id(item.images), ()), item]
    bearers: dict[int, int] = {}
    for at, prompt in enumerate(found):
        if prompt.images and not prompt.machine:
            bearers[id(prompt.images)] = at
    kept = [
        prompt if bearers.get(id(prompt.images), at) == at else dataclasses.replace(prompt, images=())
        for at, prompt in enumerate(found)
    ]
    for name, items in beside.items():
        if name not in bearers and not any(prompt.images is items[0].images for prompt in found):
            kept.append(dataclasses.replace(alone(items[0]), machine=all(item.typed is False for item in items)))
    return kept
