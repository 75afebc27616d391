"""What the text of an entry is made of: passages and their style, and values written for people.

Texts are kept as they were captured; whoever shows them escapes them for the terminal or the page.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from promptster.times import duration

if TYPE_CHECKING:
    from collections.abc import Iterable

    from promptster.replay.model import Entry

_FACT_LIMIT = 160
"""Characters of a structure that stays on the line of its name."""


class Style(StrEnum):
    """How a passage is set."""

    PROSE = "prose"
    CODE = "code"
    DIFF = "diff"


@dataclass(frozen=True, kw_only=True, slots=True)
class Passage:
    """One text below a headline."""

    label: str
    """What it is; empty where the headline says so already."""
    text: str
    """The text as captured."""
    style: Style
    """How it is set."""
    open: bool = False
    """Whether it belongs to the story at first sight."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Narration:
    """One entry in words."""

    label: str
    """What happened, such as ``Edited``."""
    subject: str = ""
    """To what: captured text on one line."""
    note: str = ""
    """A result shown next to it, such as ``exit 1``."""
    bad: bool = False
    """Whether the note reports a failure."""
    passages: tuple[Passage, ...] = ()
    """The texts below."""


def pretty(value: Any) -> str:
    """A JSON value for people; a text stays a text, bytes become a note of their length."""
    if isinstance(value, str):
        return value
    return json.dumps(value, indent=2, ensure_ascii=False, default=_bytes)


def _bytes(value: object) -> str:
    return f"{len(value)} bytes" if isinstance(value, bytes) else repr(value)


def passages_of(*parts: Passage | None) -> tuple[Passage, ...]:
    """Those passages that have a text."""
    return tuple(part for part in parts if part is not None and part.text)


def passage_of(value: Any, label: str, style: Style = Style.CODE, *, opened: bool = False) -> Passage | None:
    """A field's value as a passage; ``None`` if it has none."""
    if value is None or value in ("", [], {}):
        return None
    return Passage(label=label, text=pretty(value), style=style, open=opened)


def facts_of(label: str, facts: Iterable[tuple[str, object]]) -> Passage:
    """Names and values, one a line; a text of several lines begins below its name."""
    lines = [f"{name}: {fact_of(value)}" for name, value in facts if value not in (None, "", [], {})]
    return Passage(label=label, text="\n".join(lines), style=Style.CODE)


def fact_of(value: object) -> str:
    """A value as it follows its name."""
    if isinstance(value, str):
        return f"\n{value}" if "\n" in value else value
    short = json.dumps(value, ensure_ascii=False, default=_bytes)
    return short if len(short) <= _FACT_LIMIT else "\n" + pretty(value)


def as_recorded(entry: Entry, *without: str) -> Passage:
    """All fields of an entry by name, but for some."""
    return facts_of("as recorded", [(name, value) for name, value in entry.fields.items() if name not in without])


def time_taken(milliseconds: int | None) -> str:
    """How long something took, in words."""
    return duration(milliseconds) if milliseconds is not None else ""
