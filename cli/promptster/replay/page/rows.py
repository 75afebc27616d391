"""The timeline as data for the page: one row per action, in order, compact.

Full request bodies are not here: the bundle and the JSON lines have them. A very long text is cut in its middle, and
the cut says how much it left out.
"""

from __future__ import annotations

import json
from collections import defaultdict, deque
from typing import TYPE_CHECKING, Any, NamedTuple

from promptster.protocol.events.kinds import Kind, Prompt
from promptster.protocol.verdict import GapKind
from promptster.replay.differences import LineKind, classify
from promptster.replay.model import EntryRole, SessionGap
from promptster.replay.narration import Style, narrate
from promptster.replay.page.markup import island
from promptster.times import duration

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from promptster.replay.model import Entry, Timeline
    from promptster.replay.narration import Passage

ROWS_PER_ISLAND = 100
_TEXT_LIMIT = 48 << 10
"""Characters of one passage that the page carries."""
_PAGE_LIMIT = 48 << 20
"""Characters of all passages together; beyond, every further passage keeps only ``_TIGHT_LIMIT``."""
_TIGHT_LIMIT = 2 << 10

GROUPS: dict[str, tuple[str, ...]] = {
    "Prompts": (Kind.PROMPT,),
    "Answers": (Kind.MODEL_REQUEST, Kind.MODEL_RESPONSE, Kind.COMPACTION),
    "Tools": (Kind.TOOL_CALL, Kind.TOOL_RESULT, Kind.PERMISSION),
    "Edits": (Kind.FILE_EDIT,),
    "Commands": (Kind.COMMAND,),
    "Subagents": (Kind.SUBAGENT_STARTED, Kind.SUBAGENT_STOPPED, "notification"),
    "Session": (
        Kind.OPENED,
        Kind.PAUSED,
        Kind.RESUMED,
        Kind.CLOSED,
        Kind.CONSENT,
        Kind.NOTE,
        Kind.SUBMISSION_BASELINE,
        Kind.SUBMISSION_FINAL,
        Kind.REDACTION,
    ),
    "Capture": (
        Kind.AGENT_OTHER,
        Kind.CAPTURE_HEARTBEAT,
        Kind.CAPTURE_HOOK_SILENT,
        Kind.CAPTURE_BYPASS_SUSPECTED,
        Kind.CAPTURE_CONFIG_CHANGED,
        Kind.CAPTURE_DEGRADED,
        Kind.CAPTURE_GAP,
        Kind.CAPTURE_CLOCK_JUMP,
        Kind.CAPTURE_UPSTREAM_OVERRIDDEN,
        Kind.CAPTURE_RECOVERED,
    ),
}
"""What the filter offers, and the kinds that each word covers; a ``notification`` is a prompt that no one typed."""

_TONES: dict[str, str] = {
    Kind.PROMPT: "prompt",
    Kind.MODEL_REQUEST: "request",
    Kind.MODEL_RESPONSE: "answer",
    Kind.TOOL_CALL: "tool",
    Kind.TOOL_RESULT: "tool",
    Kind.PERMISSION: "tool",
    Kind.FILE_EDIT: "edit",
    Kind.COMMAND: "command",
    Kind.SUBAGENT_STARTED: "lane",
    Kind.SUBAGENT_STOPPED: "lane",
    Kind.NOTE: "note",
}
_LETTERS = {
    LineKind.HEAD: "h", LineKind.HUNK: "h", LineKind.CONTEXT: "c", LineKind.ADDED: "a", LineKind.REMOVED: "d",
    LineKind.NOTE: "n",
}  # fmt: skip
_BIT = {kind: 1 << index for index, kinds in enumerate(GROUPS.values()) for kind in kinds}
_ROLES = {EntryRole.STORY: 0, EntryRole.ROUTINE: 1, EntryRole.NOT_CANDIDATE: 2}
_SPANS = frozenset({
    GapKind.PAUSED, GapKind.CAPTURE_GAP, GapKind.RECOVERED, GapKind.SILENCE, GapKind.ABSENT, GapKind.UNTIMED,
    GapKind.MISSING,
})  # fmt: skip
"""Gaps that are drawn as bands across the timeline."""
_DRAWN_AS_BAND: frozenset[str] = frozenset({Kind.PAUSED, Kind.CAPTURE_GAP, Kind.CAPTURE_RECOVERED})
"""Entries that their band takes the place of."""


class Row(NamedTuple):
    """One row: what the filter needs to know, and the rest."""

    mask: int
    """Which groups are in it."""
    lane: int
    """Its lane."""
    role: int
    """0 story, 1 routine, 2 not the candidate's work."""
    seqs: tuple[int, ...]
    """Every wire event that it shows, so that any of them can be linked to."""
    data: dict[str, Any]
    """What is shown."""


class Budget:
    """How much text the page still takes."""

    def __init__(self, characters: int = _PAGE_LIMIT) -> None:
        """Start with ``characters``."""
        self._left = characters

    def fit(self, text: str) -> str:
        """The text, or its beginning and end with a word on what is between."""
        head, told, tail = self._parts(text)
        return head + told + tail

    def fit_diff(self, text: str) -> tuple[str, str]:
        """The same for a difference, and a letter for each line: what it was before anything was left out."""
        kinds = "".join(_LETTERS[kind] for kind in classify(text.split("\n")))
        head, told, tail = self._parts(text)
        if told:
            kinds = kinds[: head.count("\n") + 1] + "n" * (told.count("\n") - 1) + kinds[-tail.count("\n") - 1 :]
        return head + told + tail, kinds

    def _parts(self, text: str) -> tuple[str, str, str]:
        limit = _TEXT_LIMIT if self._left > 0 else _TIGHT_LIMIT
        head, told, tail = text, "", ""
        if len(text) > limit:
            head, tail = text[: limit * 3 // 4], text[-(limit // 4) :]
            left_out = f"{len(text) - len(head) - len(tail):,}"
            told = f"\n\n[{left_out} characters are left out on this page; the JSON Lines export has them]\n\n"
        self._left -= len(head) + len(told) + len(tail)
        return head, told, tail


def rows(timeline: Timeline) -> Iterator[Row]:
    """The rows in order, gap bands among them."""
    start = timeline.started_ms or 0
    members: dict[int, list[Entry]] = defaultdict(list)
    for entry in timeline.entries:
        if entry.action is not None:
            members[entry.action].append(entry)
    bands = deque(gap for gap in timeline.gaps_by_seq if gap.kind in _SPANS)
    drawn = {gap.seq for gap in bands}
    budget = Budget()
    for entry in timeline.entries:
        while bands and bands[0].seq <= entry.seq:
            yield _band(bands.popleft(), start)
        if entry.action is not None or (entry.kind in _DRAWN_AS_BAND and entry.seq in drawn):
            continue
        yield _row(entry, members.get(entry.seq, ()), start, budget)
    for gap in bands:
        yield _band(gap, start)


def _band(gap: SessionGap, start: int) -> Row:
    length = duration(gap.to_ms - gap.from_ms) if gap.to_ms is not None and gap.to_ms > gap.from_ms else ""
    data = {
        "q": gap.seq,
        "t": gap.from_ms - start,
        "k": "gap",
        "w": gap.kind.value,
        "h": gap.text,
        "n": length,
    }
    bit = _BIT["paused"] if gap.kind is GapKind.PAUSED else _BIT["capture_gap"]
    return Row(bit, 0, 0, (gap.seq,), data)


def _row(entry: Entry, members: Sequence[Entry], start: int, budget: Budget) -> Row:
    data = _shown(entry, start, budget)
    if members:
        data["c"] = [_shown(member, start, budget) for member in members]
    mask = 0
    for each in (entry, *members):
        mask |= _BIT.get("notification" if isinstance(each.event, Prompt) and not each.counts else each.kind, 0)
    seqs = tuple(seq for each in (entry, *members) for seq in each.seqs or (each.seq,))
    return Row(mask, entry.lane, _ROLES[entry.role], seqs, data)


def _shown(entry: Entry, start: int, budget: Budget) -> dict[str, Any]:
    told = narrate(entry)
    data: dict[str, Any] = {
        "q": entry.seq,
        "t": entry.ms - start,
        "k": "session" if isinstance(entry.event, Prompt) and not entry.counts else _TONES.get(entry.kind, "session"),
        "h": told.label,
        "s": told.subject,
        "n": told.note,
        "b": int(told.bad),
        "m": list(entry.marks),
        "o": list(entry.sources),
        "p": [_passage(passage, budget) for passage in told.passages],
    }
    return {key: value for key, value in data.items() if value not in ("", 0, [], None) or key in {"q", "t"}}


def _passage(passage: Passage, budget: Budget) -> list[Any]:
    if passage.style is Style.DIFF:
        text, kinds = budget.fit_diff(passage.text)
        return [passage.label, text, passage.style.value, int(passage.open), kinds]
    return [passage.label, budget.fit(passage.text), passage.style.value, int(passage.open)]


def islands(found: Sequence[Row]) -> Iterator[str]:
    """The rows' data as texts of JSON, ``ROWS_PER_ISLAND`` rows each."""
    for first in range(0, len(found), ROWS_PER_ISLAND):
        yield compact([row.data for row in found[first : first + ROWS_PER_ISLAND]])


def compact(value: object) -> str:
    """JSON for a data island; a lone surrogate becomes its escape."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return island(text.encode("utf-8", "backslashreplace").decode())
