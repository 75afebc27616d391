"""What an agent did, in words: headlines and passages for the kinds that agents have."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, assert_never

from promptster.protocol.agents import EDIT_ANSWER
from promptster.protocol.events.choices import ResponseOutcome
from promptster.protocol.events.kinds import (
    AgentEvent,
    AgentOther,
    Command,
    Compaction,
    FileEdit,
    ModelRequest,
    ModelResponse,
    Permission,
    Prompt,
    SubagentStarted,
    SubagentStopped,
    ToolCall,
    ToolResult,
)
from promptster.replay.differences import UPDATED_FILE, count_changes, from_hunks
from promptster.replay.edits import edit_diff
from promptster.replay.formatting import counted
from promptster.replay.json_values import as_list, as_object
from promptster.replay.lane_names import AGENT_NAMES
from promptster.replay.model import REFUSED_ATTEMPT, Extent
from promptster.replay.narration_parts import (
    Narration,
    Passage,
    Style,
    as_recorded,
    facts_of,
    passage_of,
    passages_of,
    pretty,
    time_taken,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from promptster.replay.model import Entry

_TOOL_SUBJECTS = (
    "command", "cmd", "file_path", "notebook_path", "pattern", "query", "url", "path", "description", "skill", "prompt",
)  # fmt: skip
"""Input fields of tools that say best what a call is about, the best first."""
_CELL = re.compile(r"^@@ ((?:a new |a )?cell\b.*)$", re.MULTILINE)
"""What a hunk of one cell of a notebook begins with."""


def narrate_agent(entry: Entry, event: AgentEvent) -> Narration:  # noqa: C901, PLR0912 - one case for each kind
    """Put into words what an agent did."""
    match event:
        case Prompt():
            narration = _prompt(event)
        case ModelRequest():
            narration = _model_request(entry, event)
        case ModelResponse():
            narration = _model_response(event)
        case ToolCall():
            narration = _tool_call(event)
        case ToolResult():
            narration = _tool_result(event)
        case FileEdit():
            narration = _file_edit(entry, event)
        case Command():
            narration = _command(event)
        case SubagentStarted():
            narration = _subagent_started(event)
        case SubagentStopped():
            narration = _subagent_stopped(event)
        case Permission():
            narration = _permission(event)
        case Compaction():
            narration = _compaction(event)
        case AgentOther():
            narration = _agent_other(entry, event)
        case _:
            assert_never(event)
    return narration


def _prompt(event: Prompt) -> Narration:
    machine = event.machine is True
    images = as_list(event.images)
    note = counted(len(images), "image") if images else ""
    return Narration(
        label="Notification to the agent" if machine else "Prompt",
        note=note,
        passages=passages_of(
            passage_of(event.text, "", Style.PROSE, opened=not machine), passage_of(event.images, "images")
        ),
    )


def _model_request(entry: Entry, event: ModelRequest) -> Narration:
    facts = facts_of(
        "request",
        [
            ("provider", event.provider),
            ("request_path", event.request_path),
            ("model", event.model),
            ("purpose", event.purpose),
            ("stream", event.stream),
        ],
    )
    attempts = [_attempt(attempt) for attempt in entry.attempts or ()]
    return Narration(
        label="Asked the model",
        subject=event.model or "",
        passages=passages_of(facts, *(attempts if len(attempts) > 1 else ())),
    )


_ATTEMPT_HIDDEN = frozenset({"attempt", "outcome", "superseded", "ms", "status", "agent", "agent_session", "agent_id"})


def _attempt(attempt: Mapping[str, Any]) -> Passage:
    number, outcome = attempt.get("attempt"), attempt.get("outcome")
    status = attempt.get("status")
    label = f"attempt {number}: {outcome}" + (f", status {status}" if status else "")
    if not attempt.get("superseded"):
        return Passage(label=f"{label}, has its own entry", text=f"event {attempt.get('seq')}", style=Style.CODE)
    shown = {key: value for key, value in attempt.items() if key not in _ATTEMPT_HIDDEN}
    text = shown.pop("text", "")
    facts = "\n".join(f"{key}: {pretty(value)}" for key, value in shown.items())
    partial = f"\n\nreceived before it was cut off:\n{text}" if text else ""
    return Passage(label=label, text=facts + partial, style=Style.CODE)


_BEGUN_AGAIN = {"begun_again": "cut off, restarted"}
_ERROR_LABELS = {"begun_again": "cut off before the provider restarted the answer"}


def _model_response(event: ModelResponse) -> Narration:
    outcome = event.outcome or ""
    status = event.status
    notes = {
        ResponseOutcome.CUT.value: "cut off",
        ResponseOutcome.ERROR.value: f"error {status}" if status else "error",
    }
    count = len(as_list(event.tool_use_ids))
    called = f"called {counted(count, 'tool')}" if count else ""
    done = time_taken(event.duration_ms) if event.text else called
    return Narration(
        label="Answer",
        subject=event.model or "",
        note=notes.get(outcome) or _BEGUN_AGAIN.get(_error_type(event)) or done,
        bad=outcome in notes,
        passages=passages_of(
            passage_of(event.text, "", Style.PROSE, opened=True),
            passage_of(event.thinking, "thinking", Style.PROSE),
            passage_of(event.error, _ERROR_LABELS.get(_error_type(event), "error")),
            _details(event),
        ),
    )


def _details(event: ModelResponse) -> Passage:
    return facts_of(
        "details",
        [
            ("stop_reason", event.stop_reason),
            ("usage", event.usage),
            ("first_byte_ms", event.first_byte_ms),
            ("duration_ms", event.duration_ms),
            ("response_id", event.response_id),
            ("attempt", event.attempt),
            ("retry_after", event.retry_after),
        ],
    )


def _error_type(event: ModelResponse) -> str:
    return str((as_object(event.error) or {}).get("type"))


def _tool_call(event: ToolCall) -> Narration:
    tool_input = as_object(event.input)
    if tool_input is None:
        subject = _subject(event.input)
    else:
        subject = next((told for key in _TOOL_SUBJECTS if (told := _subject(tool_input.get(key)))), "")
    return Narration(
        label=(event.name or "").strip() or "Tool call", subject=subject, passages=passages_of(_input(event, "input"))
    )


def _subject(value: object) -> str:
    """A value on a line: a list is a command line's words, and an object has no line."""
    match value:
        case str():
            return value
        case bool() | int() | float():
            return pretty(value)
        case _:
            return " ".join(str(part) for part in as_list(value))


def _tool_result(event: ToolResult) -> Narration:
    failed = event.is_error is True
    return Narration(
        label="Result",
        subject=event.name or "",
        note="failed" if failed else time_taken(event.duration_ms),
        bad=failed,
        passages=passages_of(_content(event)),
    )


def _content(event: ToolResult) -> Passage | None:
    found = with_patch(event.content)
    return passage_of(event.content, "") if found is None else Passage(label="", text=found, style=Style.CODE)


def with_patch(value: object) -> str | None:
    """What an agent reports of its edit, the hunks of its patch as a difference; ``None`` if there are none."""
    found = as_object(value) or {}
    for name in EDIT_ANSWER.hunks:
        lines = from_hunks(as_list(found.get(name)))
        if lines:
            return facts_of("", [*((n, v) for n, v in found.items() if n != name), ("patch", "\n".join(lines))]).text
    return None


_OPERATIONS = {"create": "Created", "modify": "Edited", "delete": "Deleted", "rename": "Renamed"}


_PART_OF_FILE = "part of the file"
_AS_WRITTEN = "as written; what was there before is not recorded"


def _file_edit(entry: Entry, event: FileEdit) -> Narration:
    diff, in_part = edit_diff(entry), entry.extent is Extent.PASSAGES
    passage: Passage | None
    if diff:
        added, removed = count_changes(diff)
        note = f"+{added} −{removed}"  # noqa: RUF001 - a minus sign, as wide as the plus sign
        passage = Passage(label=_PART_OF_FILE if in_part else "", text=diff, style=Style.DIFF)
    else:
        note, is_lone = "", entry.extent is not None and event.before is None and "before" not in entry.withheld
        label = f"{_PART_OF_FILE}, {_AS_WRITTEN}" if in_part else f"the whole file, {_AS_WRITTEN}"
        passage = passage_of(event.after, label) if is_lone else None
    return Narration(
        label=_OPERATIONS.get(event.operation or "", "Edited"),
        subject=_path(event),
        note=note,
        passages=passages_of(passage),
    )


def _path(event: FileEdit) -> str:
    """A file's path; of one that was moved, from where to where; of a notebook, which cell."""
    path, patch = event.path or "", event.patch or ""
    if path.endswith(".ipynb") and (cell := _CELL.search(patch)):
        return f"{path}, {cell[1]}"
    if event.operation != "rename" or not patch.startswith(UPDATED_FILE):
        return path
    head, _, _ = patch.partition("\n")
    return f"{head.removeprefix(UPDATED_FILE).strip()} → {path}"


def _command(event: Command) -> Narration:
    code = event.exit_code
    failed = bool(code) or event.is_error is True
    notes = [f"exit {code}" if code is not None else "failed" if failed else "", time_taken(event.duration_ms)]
    command = event.command or ""
    whole = Passage(label="command", text=command, style=Style.CODE) if "\n" in command.strip() else None
    return Narration(
        label="Ran",
        subject=command,
        note=", ".join(note for note in notes if note),
        bad=failed,
        passages=passages_of(
            whole,
            passage_of(event.output, "output"),
            passage_of(event.error_output, "error output"),
            passage_of(event.cwd, "folder"),
        ),
    )


def _subagent_started(event: SubagentStarted) -> Narration:
    return Narration(
        label="Subagent started",
        subject=event.agent_type or "",
        passages=passages_of(passage_of(event.prompt, "its task, written by the agent", Style.PROSE)),
    )


def _subagent_stopped(event: SubagentStopped) -> Narration:
    return Narration(
        label="Subagent finished",
        subject=event.agent_type or "",
        passages=passages_of(passage_of(event.text, "its answer", Style.PROSE)),
    )


def _permission(event: Permission) -> Narration:
    decision = event.decision or ""
    return Narration(
        label="Permission",
        subject=event.name or "",
        note=decision,
        bad=decision in {"deny", "denied", "reject", "rejected"},
        passages=passages_of(_input(event, "asked for"), passage_of(event.mode, "mode")),
    )


def _compaction(event: Compaction) -> Narration:
    return Narration(
        label="Conversation compacted",
        subject=event.trigger or "",
        passages=passages_of(passage_of(event.text, "summary", Style.PROSE)),
    )


def _input(event: ToolCall | Permission, label: str) -> Passage | None:
    found = as_object(event.input)
    return passage_of(event.input, label) if found is None else facts_of(label, found.items())


def _agent_other(entry: Entry, event: AgentOther) -> Narration:
    agent = AGENT_NAMES.get(event.agent or "", "The agent")
    if event.raw_kind == REFUSED_ATTEMPT:
        return _refused_attempt(entry, event, agent)
    return Narration(
        label=f"{agent} reported",
        subject=event.raw_kind or "",
        passages=passages_of(passage_of(event.payload, "as reported")),
    )


def _refused_attempt(entry: Entry, event: AgentOther, agent: str) -> Narration:
    asked = as_object(event.payload) or {}
    command = f"promptster {pretty(asked['command'])}" if "command" in asked else pretty(asked.get("request", ""))
    return Narration(
        label=f"{agent} tried", subject=command, note="refused", bad=True, passages=passages_of(as_recorded(entry))
    )
