"""Removes what differs between two runs of the same agent anyway, which is its own ids, times and ports."""

from __future__ import annotations

import contextlib
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

HOP_BY_HOP = frozenset(
    {"host", "connection", "keep-alive", "transfer-encoding", "te", "trailer", "upgrade", "proxy-connection"}
)
OUR_HEADER = "x-promptster-token"
_TIMED = frozenset({"x-claude-code-prev-tool-durations"})
"""Headers in which an agent reports how long something took, as ``Bash=169``."""

_PATTERNS = tuple(
    (re.compile(pattern), mark)
    for pattern, mark in (
        (r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "<uuid>"),
        (r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}\b", "<uuid>"),
        (r"\d{4}-\d\d-\d\d[T_-]\d\d[:-]\d\d[:-]\d\d(\.\d+)?(Z|\+00:00)?", "<time>"),
        (r"\b(19|20)\d\d[-/](0\d|1[0-2])[-/]([0-2]\d|3[01])\b", "<date>"),
        (r"\b1[789]\d{11}(\.\d+)?\b", "<ms>"),
        (r"\b1[789]\d{8}(\.\d+)?\b", "<seconds>"),
        (r"127\.0\.0\.1:\d+", "127.0.0.1:<port>"),
        (r"\b(agent-|agentId: |\"agentId\":\"|agent_id\":\")?a[0-9a-f]{16}\b", "<agent>"),
        (r"(Chunk ID: )[0-9a-f]+", r"\1<chunk>"),
        (r"(Wall time:? )[\d.]+( seconds)", r"\1<n>\2"),
        (r"(duration_ms: |duration_ms\":|\"duration_ms\\\":|duration_seconds\\?\":|<duration_ms>)[\d.]+", r"\1<n>"),
        (r"(cc_version=[\d.]+\.)[0-9a-f]+", r"\1<n>"),
        (r"(cch=)[0-9a-f]+", r"\1<n>"),
        (r"(cc_prev_req=)\w+", r"\1<request>"),
        (r"(snapshot-(?:bash|zsh|sh)-)<ms>-[a-z0-9]+", r"\1<id>"),
        (r"(ctc_|fc_|msg_|at_|rs_|itm_|item_|lsh_)<uuid>", r"\1<uuid>"),
        (r"\b(exec-|call-)<uuid>", r"\1<uuid>"),
        (r"session_[0-9a-zA-Z]{20,}", "<session>"),
    )
)
_PASSING = (".sqlite-shm", ".sqlite-wal")
"""Ends of names of files that a database removes at its end, if it gets the time."""
_PASSING_LOCK = re.compile(r"(.+/)?\.codex/thread-writer-locks/<uuid>\.lock")
"""The path, without its id, of a file that Codex removes at its end, if it gets the time.

Each of its threads has such a file while Codex works. Run without us and with one subagent, Codex 0.169.0 left one of
them in 15 of 131 runs (the subagent's, both times that its name was looked at); without a subagent in none of 99.
``.coordination.lock`` next to them always stays, so it is compared.
"""
_VOLATILE = frozenset(
    [
        "uuid",
        "session_id",
        "thread_id",
        "parent_uuid",
        "timestamp",
        "duration_ms",
        "duration_api_ms",
        "ttft_ms",
        "ttft_stream_ms",
        "time_to_request_ms",
        "first_content_frame_ms",
        "request_id",
        "totalDurationMs",
        "durationMs",
        "total_cost_usd",
        "task_id",
        "runId",
        "costUSD",
        "agentId",
        "tool_use_result",
        "workflow_id",
        "elapsed_ms",
        "memory_paths",
        "thinking_duration_ms",
        "device_id",
        "messaging_socket_path",
        "run_id",
        "end_time",
        "start_time",
        "create_time",
        "turn_started_at_unix_ms",
        "chunk_id",
        "retry_delay_ms",
        "wall_time_seconds",
    ]
)


def text(value: str) -> str:
    """A text without ids and times."""
    for pattern, mark in _PATTERNS:
        value = pattern.sub(mark, value)
    return value


def document(value: Any) -> Any:
    """A JSON value without ids and times."""
    if isinstance(value, dict):
        fields = cast("dict[str, Any]", value)
        return {text(name): "<volatile>" if name in _VOLATILE else document(item) for name, item in fields.items()}
    if isinstance(value, list):
        return [document(item) for item in cast("Sequence[Any]", value)]
    if isinstance(value, str) and value.startswith(("{", "[")):
        with contextlib.suppress(ValueError):
            return document(json.loads(value))
    return text(value) if isinstance(value, str) else value


def output(data: bytes, *, ordered: bool = True) -> list[Any]:
    """An agent's standard output: each line as a JSON value if it is one, else as text.

    Without ``ordered``, as a sorted list without item numbers: an agent that does several things at once reports them
    in any order.
    """
    lines: list[Any] = []
    for line in data.decode("utf-8", "replace").splitlines():
        try:
            lines.append(document(json.loads(line)))
        except ValueError:
            lines.append(text(line))
    return lines if ordered else sorted(re.sub(r"item_\d+", "item_<n>", json.dumps(line)) for line in lines)


def headers(pairs: Iterable[tuple[str, str]], *, keep_values: bool = False) -> list[tuple[str, str]]:
    """Header fields in their order, without Host, hop-by-hop ones, our own, and the body's length."""
    left_out = HOP_BY_HOP | {OUR_HEADER}
    kept = [(name, value) for name, value in pairs if name.lower() not in left_out]
    if keep_values:
        return kept
    return [
        (name, re.sub(r"=\d+", "=<ms>", value) if name.lower() in _TIMED else _json_or_text(value))
        for name, value in kept
        if name.lower() != "content-length"
    ]


def _json_or_text(value: str) -> str:
    try:
        return json.dumps(document(json.loads(value)))
    except ValueError:
        return text(value)


def paths(root: Path, *, without: Iterable[Path] = ()) -> set[str]:
    """The paths below a folder, without ids and times in their names, the given folders and temporary files."""
    aside = set(without)
    found: set[str] = set()
    for path in root.rglob("*"):
        if aside & {path, *path.parents} or path.name.endswith(_PASSING):
            continue
        name = text(str(path.relative_to(root)))
        if not _PASSING_LOCK.fullmatch(name):
            found.add(name)
    return found
