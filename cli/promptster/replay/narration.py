"""Entries in words: one headline and the passages below it, the same for the terminal, the page and every reader.

Texts stand here as they were captured; whoever shows them escapes them for the place where they are shown.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from promptster.protocol.events.sources import OWN_SOURCES, is_own
from promptster.replay.differences import count_changes, from_hunks, unplaced
from promptster.replay.edits import TEXTS, edit_diff, shown_diff
from promptster.replay.formatting import counted, one_line
from promptster.replay.json_values import as_list, as_object
from promptster.replay.lane_names import AGENT_NAMES
from promptster.replay.model import REFUSED_ATTEMPT, Extent
from promptster.replay.narration_parts import (
    Narration,
    Passage,
    Style,
    fact_of,
    facts_of,
    field_of,
    int_of,
    jump_in_words,
    passages_of,
    pretty,
    text_of,
    time_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from promptster.replay.model import Entry

__all__ = ["Narration", "Passage", "Style", "narrate", "pretty"]

_TOOL_SUBJECTS = (
    "command", "cmd", "file_path", "notebook_path", "pattern", "query", "url", "path", "description", "skill", "prompt",
)  # fmt: skip
"""Input fields of tools that say best what a call is about, the best first."""
_CELL = re.compile(r"^@@ ((?:a new |a )?cell\b.*)$", re.MULTILINE)
"""What a hunk begins with that tells of one cell of a notebook."""
_PATCHED_FILE = "*** Update File: "
"""How a section of an ``apply_patch`` patch begins that changes or moves a file."""


def narrate(entry: Entry) -> Narration:
    """Tell one entry; label, subject and note are one line each."""
    told = (_foreign if _is_foreign(entry) else _TELLERS.get(entry.kind, _other))(entry)
    diff = next((passage.text for passage in told.passages if passage.style is Style.DIFF), "")
    seen = ((source, _view(entry, view, diff)) for source, view in entry.views.items())
    views = tuple(
        Passage(label=f"as the {source} saw it", text=text, style=Style.CODE) for source, text in seen if text
    )
    return replace(
        told,
        label=one_line(told.label),
        subject=one_line(told.subject),
        note=one_line(told.note),
        passages=told.passages + views,
    )


def _view(entry: Entry, view: Mapping[str, Any], shown: str) -> str:
    """What a source said differently; of an edit the difference that it knows, without a place in the file.

    Empty where that is the difference that is ``shown`` anyway.
    """
    diff = shown_diff(view, Extent.PASSAGES, entry.cut) if entry.kind == "file_edit" else None
    if diff is None:
        return (_with_patch(view.get("content")) if len(view) == 1 else None) or pretty(dict(view))
    rest = [f"{name}: {fact_of(value)}" for name, value in view.items() if name not in TEXTS]
    is_shown = unplaced(shown.split("\n")) == diff.split("\n")
    return "\n".join([*rest, *([] if is_shown else [diff])])


def _prompt(entry: Entry) -> Narration:
    machine = entry.fields.get("machine") is True
    images = as_list(entry.fields.get("images"))
    note = counted(len(images), "image") if images else ""
    return Narration(
        label="Notification to the agent" if machine else "Prompt",
        note=note,
        passages=passages_of(
            field_of(entry, "text", "", Style.PROSE, opened=not machine), field_of(entry, "images", "images")
        ),
    )


def _model_request(entry: Entry) -> Narration:
    attempts = [as_object(attempt) or {} for attempt in as_list(entry.fields.get("attempts"))]
    count = len(attempts)
    facts = facts_of(
        "request",
        [(name, entry.fields.get(name)) for name in ("provider", "request_path", "model", "purpose", "stream")],
    )
    told = [_attempt(attempt) for attempt in attempts]
    return Narration(
        label="Asked the model",
        subject=text_of(entry, "model"),
        passages=passages_of(facts, *(told if count > 1 else ())),
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


_BEGUN_AGAIN = {"begun_again": "broke off, begun again"}
_ERROR_LABELS = {"begun_again": "broke off before the provider began the answer again"}


def _model_response(entry: Entry) -> Narration:
    outcome = text_of(entry, "outcome")
    status = int_of(entry, "status")
    notes = {"cut": "broke off", "error": f"error {status}" if status else "error"}
    text = text_of(entry, "text")
    count = len(as_list(entry.fields.get("tool_use_ids")))
    called = f"called {counted(count, 'tool')}" if count else ""
    return Narration(
        label="Answer",
        subject=text_of(entry, "model"),
        note=notes.get(outcome) or _BEGUN_AGAIN.get(_error_type(entry)) or (called if not text else time_of(entry)),
        bad=outcome in notes,
        passages=passages_of(
            field_of(entry, "text", "", Style.PROSE, opened=True),
            field_of(entry, "thinking", "thinking", Style.PROSE),
            field_of(entry, "error", _ERROR_LABELS.get(_error_type(entry), "error")),
            facts_of("details", [(name, entry.fields.get(name)) for name in _RESPONSE_FACTS]),
        ),
    )


def _error_type(entry: Entry) -> str:
    return str((as_object(entry.fields.get("error")) or {}).get("type"))


def _tool_call(entry: Entry) -> Narration:
    tool_input = as_object(entry.fields.get("input"))
    if tool_input is None:
        subject = text_of(entry, "input")
    else:
        subject = next((told for key in _TOOL_SUBJECTS if (told := _subject(tool_input.get(key)))), "")
    return Narration(
        label=text_of(entry, "name") or "Tool call", subject=subject, passages=passages_of(_input(entry, "input"))
    )


def _subject(value: object) -> str:
    return value if isinstance(value, str) else " ".join(str(part) for part in as_list(value))


def _tool_result(entry: Entry) -> Narration:
    failed = entry.fields.get("is_error") is True
    return Narration(
        label="Result",
        subject=text_of(entry, "name"),
        note="failed" if failed else time_of(entry),
        bad=failed,
        passages=passages_of(_content(entry)),
    )


def _content(entry: Entry) -> Passage | None:
    found = _with_patch(entry.fields.get("content"))
    return field_of(entry, "content", "") if found is None else Passage(label="", text=found, style=Style.CODE)


def _with_patch(value: object) -> str | None:
    """What an agent reports of its edit, the hunks of its patch as a difference; ``None`` where there are none."""
    found = as_object(value)
    lines = from_hunks(as_list(found.get("structuredPatch"))) if found is not None else None
    if found is None or not lines:
        return None
    return facts_of(
        "", [*((n, v) for n, v in found.items() if n != "structuredPatch"), ("patch", "\n".join(lines))]
    ).text


_OPERATIONS = {"create": "Created", "modify": "Edited", "delete": "Deleted", "rename": "Renamed"}


_PART_OF_FILE = "part of the file"
_AS_WRITTEN = "as written; what stood there before is not recorded"


def _file_edit(entry: Entry) -> Narration:
    diff, in_part = edit_diff(entry), entry.extent is Extent.PASSAGES
    passage: Passage | None
    if diff:
        added, removed = count_changes(diff)
        note = f"+{added} −{removed}"  # noqa: RUF001 - a minus sign beside a plus sign
        passage = Passage(label=_PART_OF_FILE if in_part else "", text=diff, style=Style.DIFF)
    else:
        note, is_lone = "", entry.extent is not None and "before" not in {*entry.fields, *entry.withheld}
        label = f"{_PART_OF_FILE}, {_AS_WRITTEN}" if in_part else f"the whole file, {_AS_WRITTEN}"
        passage = field_of(entry, "after", label) if is_lone else None
    return Narration(
        label=_OPERATIONS.get(text_of(entry, "operation"), "Edited"),
        subject=_path(entry),
        note=note,
        passages=passages_of(passage),
    )


def _path(entry: Entry) -> str:
    """A file's path; of one that was moved, from where to where; of a notebook, which cell."""
    path, patch = text_of(entry, "path"), text_of(entry, "patch")
    if path.endswith(".ipynb") and (cell := _CELL.search(patch)):
        return f"{path}, {cell[1]}"
    if text_of(entry, "operation") != "rename" or not patch.startswith(_PATCHED_FILE):
        return path
    head, _, _ = patch.partition("\n")
    return f"{head.removeprefix(_PATCHED_FILE).strip()} → {path}"


def _command(entry: Entry) -> Narration:
    code = int_of(entry, "exit_code")
    failed = bool(code) or entry.fields.get("is_error") is True
    notes = [f"exit {code}" if code is not None else "failed" if failed else "", time_of(entry)]
    command = text_of(entry, "command")
    whole = Passage(label="command", text=command, style=Style.CODE) if "\n" in command.strip() else None
    return Narration(
        label="Ran",
        subject=command,
        note=", ".join(note for note in notes if note),
        bad=failed,
        passages=passages_of(
            whole,
            field_of(entry, "output", "output"),
            field_of(entry, "error_output", "error output"),
            field_of(entry, "cwd", "folder"),
        ),
    )


def _subagent_started(entry: Entry) -> Narration:
    return Narration(
        label="Subagent started",
        subject=text_of(entry, "agent_type"),
        passages=passages_of(field_of(entry, "prompt", "its task, written by the agent", Style.PROSE)),
    )


def _subagent_stopped(entry: Entry) -> Narration:
    return Narration(
        label="Subagent finished",
        subject=text_of(entry, "agent_type"),
        passages=passages_of(field_of(entry, "text", "its answer", Style.PROSE)),
    )


def _permission(entry: Entry) -> Narration:
    decision = text_of(entry, "decision")
    return Narration(
        label="Permission",
        subject=text_of(entry, "name"),
        note=decision,
        bad=decision in {"deny", "denied", "reject", "rejected"},
        passages=passages_of(_input(entry, "asked for"), field_of(entry, "mode", "mode")),
    )


def _compaction(entry: Entry) -> Narration:
    return Narration(
        label="Conversation compacted",
        subject=text_of(entry, "trigger"),
        passages=passages_of(field_of(entry, "text", "summary", Style.PROSE)),
    )


def _note(entry: Entry) -> Narration:
    return Narration(
        label="Note by the candidate", passages=passages_of(field_of(entry, "text", "", Style.PROSE, opened=True))
    )


def _submission_final(entry: Entry) -> Narration:
    count = len(as_list(entry.fields.get("manifest")))
    return Narration(
        label="Work submitted",
        subject=f"{counted(count, 'file')} changed",
        passages=passages_of(
            field_of(entry, "diff", "difference against the baseline", Style.DIFF), _rest(entry, "diff")
        ),
    )


def _rest(entry: Entry, *without: str) -> Passage:
    return facts_of("as recorded", [(name, value) for name, value in entry.fields.items() if name not in without])


def _input(entry: Entry, label: str) -> Passage | None:
    found = as_object(entry.fields.get("input"))
    return field_of(entry, "input", label) if found is None else facts_of(label, found.items())


def _agent_other(entry: Entry) -> Narration:
    agent = AGENT_NAMES.get(text_of(entry, "agent"), "The agent")
    if text_of(entry, "raw_kind") == REFUSED_ATTEMPT:
        return _refused_attempt(entry, agent)
    return Narration(
        label=f"{agent} reported",
        subject=text_of(entry, "raw_kind"),
        passages=passages_of(field_of(entry, "payload", "as reported")),
    )


def _refused_attempt(entry: Entry, agent: str) -> Narration:
    asked = as_object(entry.fields.get("payload")) or {}
    command = f"promptster {pretty(asked['command'])}" if "command" in asked else pretty(asked.get("request", ""))
    return Narration(
        label=f"{agent} tried", subject=command, note="refused", bad=True, passages=passages_of(_rest(entry))
    )


def _worded(
    label: str, subject: str = "", *, bad: bool = False, say: Callable[[Any], str] = pretty
) -> Callable[[Entry], Narration]:
    """A kind that needs no words beyond a label and one of its fields."""

    def tell(entry: Entry) -> Narration:
        return Narration(
            label=label,
            subject=say(entry.fields.get(subject, "")) if subject else "",
            bad=bad,
            passages=passages_of(_rest(entry)),
        )

    return tell


def _is_foreign(entry: Entry) -> bool:
    """Whether it says how the session went, and none of its sources can say that."""
    return entry.kind in OWN_SOURCES and not any(is_own(entry.kind, source) for source in entry.sources)


def _foreign(entry: Entry) -> Narration:
    kind = entry.kind.replace("_", " ")
    note = "not this source's word"
    return Narration(label="Claimed", subject=kind, note=note, bad=True, passages=passages_of(_rest(entry)))


def _other(entry: Entry) -> Narration:
    return Narration(label=entry.kind.replace("_", " "), passages=passages_of(_rest(entry)))


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
    "closed": _worded("Session ended"),
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
    "capture_clock_jump": _worded("The computer's clock jumped", "delta_ms", bad=True, say=jump_in_words),
    "capture_upstream_overridden": _worded("Traffic sent to another address", "url", bad=True),
    "capture_recovered": _worded("The recorder was restarted", "detail"),
}
