"""Entries in words: one headline and the passages below it, the same for the terminal, the page and every reader.

Texts stand here as they were captured; whoever shows them escapes them for the place where they are shown.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from promptster.replay.differences import count_changes, edit_diff
from promptster.replay.lanes import AGENT_NAMES
from promptster.replay.model import REFUSED_ATTEMPT
from promptster.replay.shapes import items, table
from promptster.replay.wording import counted, duration, one_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from promptster.replay.model import Entry


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
    """A result beside it, such as ``exit 1``."""
    bad: bool = False
    """Whether the note tells of a failure."""
    passages: tuple[Passage, ...] = ()
    """The texts below."""


_FACT_LIMIT = 160
"""Characters of a structure that stays on the line of its name."""
_TOOL_SUBJECTS = (
    "command", "cmd", "file_path", "notebook_path", "pattern", "query", "url", "path", "description", "skill", "prompt",
)  # fmt: skip
"""Input fields of tools that say best what a call is about, the best first."""


def narrate(entry: Entry) -> Narration:
    """Tell one entry; label, subject and note are one line each."""
    told = _TELLERS.get(entry.kind, _other)(entry)
    views = tuple(
        Passage(label=f"as the {source} saw it", text=pretty(dict(view)), style=Style.CODE)
        for source, view in entry.views.items()
    )
    return replace(
        told,
        label=one_line(told.label),
        subject=one_line(told.subject),
        note=one_line(told.note),
        passages=told.passages + views,
    )


def pretty(value: Any) -> str:
    """A JSON value for people; a text stays a text, bytes become a note of their length."""
    if isinstance(value, str):
        return value
    return json.dumps(value, indent=2, ensure_ascii=False, default=_bytes)


def _bytes(value: object) -> str:
    return f"{len(value)} bytes" if isinstance(value, bytes) else repr(value)


def _text(entry: Entry, name: str) -> str:
    value = entry.fields.get(name)
    return value if isinstance(value, str) else ""


def _int(entry: Entry, name: str) -> int | None:
    value = entry.fields.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _passages(*parts: Passage | None) -> tuple[Passage, ...]:
    return tuple(part for part in parts if part is not None and part.text)


def _field(entry: Entry, name: str, label: str, style: Style = Style.CODE, *, opened: bool = False) -> Passage | None:
    value = entry.fields.get(name)
    if value is None or value in ("", [], {}):
        return None
    return Passage(label=label, text=pretty(value), style=style, open=opened)


def _facts(label: str, facts: Iterable[tuple[str, object]]) -> Passage:
    lines = [f"{name}: {_fact(value)}" for name, value in facts if value not in (None, "", [], {})]
    return Passage(label=label, text="\n".join(lines), style=Style.CODE)


def _fact(value: object) -> str:
    if isinstance(value, str):
        return f"\n{value}" if "\n" in value else value
    short = json.dumps(value, ensure_ascii=False, default=_bytes)
    return short if len(short) <= _FACT_LIMIT else "\n" + pretty(value)


def _time(entry: Entry) -> str:
    length = _int(entry, "duration_ms")
    return duration(length) if length is not None else ""


def _prompt(entry: Entry) -> Narration:
    machine = entry.fields.get("machine") is True
    images = items(entry.fields.get("images"))
    note = counted(len(images), "image") if images else ""
    return Narration(
        label="Notification to the agent" if machine else "Prompt",
        note=note,
        passages=_passages(
            _field(entry, "text", "", Style.PROSE, opened=not machine), _field(entry, "images", "images")
        ),
    )


def _model_request(entry: Entry) -> Narration:
    attempts = [table(attempt) or {} for attempt in items(entry.fields.get("attempts"))]
    count = len(attempts)
    facts = _facts(
        "request",
        [(name, entry.fields.get(name)) for name in ("provider", "request_path", "model", "purpose", "stream")],
    )
    told = [_attempt(attempt) for attempt in attempts]
    return Narration(
        label="Asked the model",
        subject=_text(entry, "model"),
        passages=_passages(facts, *(told if count > 1 else ())),
    )


_ATTEMPT_HIDDEN = frozenset({"attempt", "outcome", "superseded", "ms", "status", "agent", "agent_session", "agent_id"})


def _attempt(attempt: dict[str, Any]) -> Passage:
    number, outcome = attempt.get("attempt"), attempt.get("outcome")
    status = attempt.get("status")
    label = f"attempt {number}: {outcome}" + (f", status {status}" if status else "")
    if not attempt.get("superseded"):
        return Passage(label=f"{label}, see its own entry", text=f"at seq {attempt.get('seq')}", style=Style.CODE)
    shown = {key: value for key, value in attempt.items() if key not in _ATTEMPT_HIDDEN}
    text = shown.pop("text", "")
    facts = "\n".join(f"{key}: {pretty(value)}" for key, value in shown.items())
    partial = f"\n\nreceived before it broke off:\n{text}" if text else ""
    return Passage(label=label, text=facts + partial, style=Style.CODE)


_RESPONSE_FACTS = (
    "stop_reason", "usage", "first_byte_ms", "duration_ms", "response_id", "attempt", "retry_after",
)  # fmt: skip


def _model_response(entry: Entry) -> Narration:
    outcome = _text(entry, "outcome")
    status = _int(entry, "status")
    notes = {"cut": "broke off", "error": f"error {status}" if status else "error"}
    text = _text(entry, "text")
    count = len(items(entry.fields.get("tool_use_ids")))
    called = f"called {counted(count, 'tool')}" if count else ""
    return Narration(
        label="Answer",
        subject=_text(entry, "model"),
        note=notes.get(outcome) or (called if not text else _time(entry)),
        bad=outcome in notes,
        passages=_passages(
            _field(entry, "text", "", Style.PROSE, opened=True),
            _field(entry, "thinking", "thinking", Style.PROSE),
            _field(entry, "error", "error"),
            _facts("details", [(name, entry.fields.get(name)) for name in _RESPONSE_FACTS]),
        ),
    )


def _tool_call(entry: Entry) -> Narration:
    tool_input = table(entry.fields.get("input"))
    if tool_input is None:
        subject = _text(entry, "input")
    else:
        subject = next((told for key in _TOOL_SUBJECTS if (told := _subject(tool_input.get(key)))), "")
    return Narration(
        label=_text(entry, "name") or "Tool call", subject=subject, passages=_passages(_input(entry, "input"))
    )


def _subject(value: object) -> str:
    return value if isinstance(value, str) else " ".join(str(part) for part in items(value))


def _tool_result(entry: Entry) -> Narration:
    failed = entry.fields.get("is_error") is True
    return Narration(
        label="Result",
        subject=_text(entry, "name"),
        note="failed" if failed else _time(entry),
        bad=failed,
        passages=_passages(_field(entry, "content", "")),
    )


_OPERATIONS = {"create": "Created", "modify": "Edited", "delete": "Deleted", "rename": "Renamed"}


def _file_edit(entry: Entry) -> Narration:
    diff = edit_diff(entry)
    added, removed = count_changes(diff) if diff else (0, 0)
    passage = Passage(label="", text=diff, style=Style.DIFF) if diff else None
    return Narration(
        label=_OPERATIONS.get(_text(entry, "operation"), "Edited"),
        subject=_text(entry, "path"),
        note=f"+{added} −{removed}" if diff else "",  # noqa: RUF001 - a minus sign beside a plus sign
        passages=_passages(passage),
    )


def _command(entry: Entry) -> Narration:
    code = _int(entry, "exit_code")
    failed = bool(code) or entry.fields.get("is_error") is True
    notes = [f"exit {code}" if code is not None else "failed" if failed else "", _time(entry)]
    command = _text(entry, "command")
    whole = Passage(label="command", text=command, style=Style.CODE) if "\n" in command.strip() else None
    return Narration(
        label="Ran",
        subject=command,
        note=", ".join(note for note in notes if note),
        bad=failed,
        passages=_passages(
            whole,
            _field(entry, "output", "output"),
            _field(entry, "error_output", "error output"),
            _field(entry, "cwd", "folder"),
        ),
    )


def _subagent_started(entry: Entry) -> Narration:
    return Narration(
        label="Subagent started",
        subject=_text(entry, "agent_type"),
        passages=_passages(_field(entry, "prompt", "its task, written by the agent", Style.PROSE)),
    )


def _subagent_stopped(entry: Entry) -> Narration:
    return Narration(
        label="Subagent finished",
        subject=_text(entry, "agent_type"),
        passages=_passages(_field(entry, "text", "its answer", Style.PROSE)),
    )


def _permission(entry: Entry) -> Narration:
    decision = _text(entry, "decision")
    return Narration(
        label="Permission",
        subject=_text(entry, "name"),
        note=decision,
        bad=decision in {"deny", "denied", "reject", "rejected"},
        passages=_passages(_input(entry, "asked for"), _field(entry, "mode", "mode")),
    )


def _compaction(entry: Entry) -> Narration:
    return Narration(
        label="Conversation compacted",
        subject=_text(entry, "trigger"),
        passages=_passages(_field(entry, "text", "summary", Style.PROSE)),
    )


def _note(entry: Entry) -> Narration:
    return Narration(
        label="Note by the candidate", passages=_passages(_field(entry, "text", "", Style.PROSE, opened=True))
    )


def _submission_final(entry: Entry) -> Narration:
    count = len(items(entry.fields.get("manifest")))
    return Narration(
        label="Work handed in",
        subject=f"{counted(count, 'file')} changed",
        passages=_passages(_field(entry, "diff", "difference against the baseline", Style.DIFF), _rest(entry, "diff")),
    )


def _rest(entry: Entry, *without: str) -> Passage:
    return _facts("as recorded", [(name, value) for name, value in entry.fields.items() if name not in without])


def _input(entry: Entry, label: str) -> Passage | None:
    found = table(entry.fields.get("input"))
    return _field(entry, "input", label) if found is None else _facts(label, found.items())


def _agent_other(entry: Entry) -> Narration:
    agent = AGENT_NAMES.get(_text(entry, "agent"), "The agent")
    if _text(entry, "raw_kind") == REFUSED_ATTEMPT:
        return _refused_attempt(entry, agent)
    return Narration(
        label=f"{agent} reported",
        subject=_text(entry, "raw_kind"),
        passages=_passages(_field(entry, "payload", "as reported")),
    )


def _refused_attempt(entry: Entry, agent: str) -> Narration:
    asked = table(entry.fields.get("payload")) or {}
    command = f"promptster {pretty(asked['command'])}" if "command" in asked else pretty(asked.get("request", ""))
    return Narration(
        label=f"{agent} tried", subject=command, note="refused", bad=True, passages=_passages(_rest(entry))
    )


def _worded(label: str, subject: str = "", *, bad: bool = False) -> Callable[[Entry], Narration]:
    """A kind that needs no words beyond a label and one of its fields."""

    def tell(entry: Entry) -> Narration:
        return Narration(
            label=label,
            subject=pretty(entry.fields.get(subject, "")) if subject else "",
            bad=bad,
            passages=_passages(_rest(entry)),
        )

    return tell


def _other(entry: Entry) -> Narration:
    return Narration(label=entry.kind.replace("_", " "), passages=_passages(_rest(entry)))


_TELLERS: dict[str, Callable[[Entry], Narration]] = {
    "prompt": _prompt,
    "model_request": _model_request,
    "model_response": _model_response,
    "tool_call": _tool_call,
    "tool_result": _tool_result,
    "file_edit": _file_edit,
    "command": _command,
    "subagent_started": _subagent_started,
    "subagent_stopped": _subagent_stopped,
    "permission": _permission,
    "compaction": _compaction,
    "note": _note,
    "agent_other": _agent_other,
    "submission_final": _submission_final,
    "submission_baseline": _worded("Starting point recorded", "commit"),
    "opened": _worded("Session opened"),
    "closed": _worded("Session closed"),
    "paused": _worded("Recording paused", "reason"),
    "resumed": _worded("Recording resumed", "reason"),
    "consent": _worded("The candidate agreed to the policy"),
    "redaction": _worded("The candidate redacted a field", "reason"),
    "capture_heartbeat": _worded("Recorder is running"),
    "capture_hook_silent": _worded("A tool call that no hook reported", "name", bad=True),
    "capture_bypass_suspected": _worded("The agent may have gone around the recorder", "detail", bad=True),
    "capture_config_changed": _worded("A setting that capture relies on changed", "path_name", bad=True),
    "capture_degraded": _worded("How much is captured changed", "detail", bad=True),
    "capture_gap": _worded("Capture was incomplete", "detail", bad=True),
    "capture_clock_jump": _worded("The computer's clock jumped", "delta_ms", bad=True),
    "capture_upstream_overridden": _worded("Traffic sent to another address", "url", bad=True),
    "capture_recovered": _worded("The recorder was restarted", "detail"),
}
