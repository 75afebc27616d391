"""What two agents sent and reported, played to the engine, and exactly what is recorded of it.

What holds for the recordings of every agent is in ``tests/agents/test_conformance.py``.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from tests.helpers.capturing import CaptureBench, play, recording, values

if TYPE_CHECKING:
    pass


def played(name: str, **options: Any) -> CaptureBench:
    """An engine that has seen a whole recording."""
    bench = CaptureBench()
    play(bench, recording(name), **options)
    bench.capture.finish()
    return bench


@pytest.mark.parametrize(
    ("name", "words"),
    [
        (
            "claude/2.1.330/same_words_compact_clear",
            ["hello there", "hello there", "run the tool", *["hello there"] * 2],
        ),
        (
            "claude/2.1.330/queue_interrupt_slash",
            [
                "slow one please",
                "queued words",
                "slow again",
                "slow again",
                "other words",
                "! ls",
                "hello",
                "/foo bar baz",
                "sleepy now",
                "queued in tool",
            ],
        ),
        ("claude/2.1.330/faults_and_subagent", ["Please change two to TWO"]),
        ("codex/0.169.0/compaction_resume", ["first prompt words", "first prompt words"]),
        ("codex/0.169.0/code_mode_subagent", ["Please change two to TWO"]),
    ],
)
@pytest.mark.parametrize("without_hooks", [False, True])
def test_the_candidates_words(name: str, words: list[str], without_hooks: bool) -> None:  # noqa: FBT001 - a parameter
    """Each prompt is recorded once, repeated ones too, through compaction, /clear, resume, queues and interruptions."""
    assert played(name, without_hooks=without_hooks).texts("proxy") == words


def test_permissions() -> None:
    """The question is recorded, and the answer if the agent shows it: a tool that ran, or words about a refusal."""
    names = ("decision", "tool_use_id", "mode")
    allowed = played("claude/2.1.330/permission_allowed").kinds("permission")
    assert values(allowed, *names) == [
        ("asked", None, "default"),
        ("allowed", "toolu_001T", None),
        ("asked", None, "default"),
        ("allowed", "toolu_003T", None),
    ]
    bench = played("claude/2.1.330/permission_denied")
    denied = bench.kinds("permission")
    assert values(denied, *names) == [("asked", None, "default"), ("denied", "toolu_001T", None)]
    assert bench.drafts[denied[0].refs[0]].fields["tool_use_id"] == "toolu_001T"
    assert not bench.kinds("command")
    assert bench.texts("proxy") == ["run the tool", "run tool more", "no thanks do it otherwise"]


def test_notifications_are_a_machines_words() -> None:
    """Claude Code's own notes about a finished task are marked by both sources, with the same text."""
    bench = played("claude/2.1.330/faults_and_subagent")
    machine = [draft for draft in bench.kinds("prompt") if draft.fields.get("machine")]
    assert [draft.src for draft in machine] == ["hook", "proxy"]
    assert machine[0].fields["text"] == machine[1].fields["text"]


def test_purposes() -> None:
    """Title and compaction requests are marked, and give no prompts and no tool calls."""
    asked = played("claude/2.1.330/queue_interrupt_slash").kinds("model_request")
    assert Counter(draft.fields["purpose"] for draft in asked) == {"title": 1, "work": 10}
    asked = played("claude/2.1.330/same_words_compact_clear").kinds("model_request")
    assert Counter(draft.fields["purpose"] for draft in asked) == {"compaction": 1, "work": 6}
    asked = played("codex/0.169.0/compaction_resume").kinds("model_request")
    assert Counter(draft.fields["purpose"] for draft in asked) == {"compaction": 2, "work": 4}


def test_attempts_of_claude_code() -> None:
    """429, an error in a stream that Claude Code resumes, a cut and 529 are attempts of one request."""
    bench = played("claude/2.1.330/faults_and_subagent")
    outcomes: dict[int, list[tuple[Any, ...]]] = {}
    for draft in bench.kinds("model_response"):
        outcomes.setdefault(draft.refs[0], []).append((draft.fields["outcome"], draft.fields["status"]))
    assert sorted(outcomes.values(), key=len)[-3:] == [
        [("error", 429), ("complete", 200)],
        [("error", 200), ("complete", 200)],
        [("cut", 200), ("error", 529), ("complete", 200)],
    ]
    texts = [
        draft.fields.get("text") for draft in bench.kinds("model_response") if draft.fields["outcome"] != "complete"
    ]
    assert texts == [None, "half of a sentence that", "cut here", None]
    assert bench.kinds("model_response")[1].fields["retry_after"] == "1"


def test_an_error_after_a_tool_call() -> None:
    """Claude Code runs a tool whose stream breaks off after it; the call is recorded and refers to that response."""
    bench = played("claude/2.1.330/errors_mid_stream")
    call = next(draft for draft in bench.kinds("tool_call", src="proxy") if draft.fields["tool_use_id"] == "toolu_1B")
    assert bench.drafts[call.refs[0]].fields["outcome"] == "error"


def test_exit_codes_of_claude_code() -> None:
    """The code is 0 if it must be 0, the stated code if there is one, and absent if only the hook or no one knows."""
    bench = played("claude/2.1.330/shell_outcomes")
    names = ("tool_use_id", "exit_code", "is_error")
    assert values(bench.kinds("command", src="proxy"), *names) == [
        ("toolu_1A", None, False),
        ("toolu_1B", None, False),
        ("toolu_1C", None, False),
        ("toolu_1D", None, False),
        ("toolu_1E", 0, False),
        ("toolu_1F", 130, True),
        ("toolu_1G", 127, True),
        ("toolu_1H", 1, True),
        ("toolu_1P", 0, False),
    ]
    assert [code for (code,) in values(bench.kinds("command", src="hook"), "exit_code")] == [
        1,
        1,
        None,
        None,
        0,
        130,
        127,
        1,
        0,
    ]


def test_edits_of_claude_code() -> None:
    """The hook knows the whole file, the proxy the passages; refused edits are not recorded."""
    bench = played("claude/2.1.330/shell_outcomes")
    names = ("path", "operation", "before", "after")
    assert values(bench.kinds("file_edit", src="hook"), *names) == [
        ("/workspace/a.txt", "modify", "one\ntwo\nthree\n", "1\ntwo\nthree\n"),
        ("/workspace/c.txt", "create", None, "created\n"),
        ("/workspace/sub/d.txt", "create", None, "x"),
    ]
    assert values(bench.kinds("file_edit", src="proxy"), *names) == [
        ("/workspace/a.txt", "modify", "one", "1"),
        ("/workspace/c.txt", "create", None, "created\n"),
        ("/workspace/sub/d.txt", "create", None, "x"),
    ]


def test_commands_and_edits_of_codex() -> None:
    """Exit codes come from what the model is shown; a patch is one edit per file, even if a shell applies it."""
    bench = played("codex/0.169.0/direct_tools")
    assert values(bench.kinds("command", src="proxy"), "tool_use_id", "exit_code", "output") == [
        ("call_1B", 3, "err\n"),
        ("call_3A", 127, "cat: a.txt: No such file or directory\n/bin/bash: line 1: apply_patch: command not found\n"),
    ]
    edits = [
        ("a.txt", "modify", "one\ntwo\nthree\n", "one\nTWO\nthree\n"),
        ("new.txt", "create", None, "hello\nworld\n"),
    ]
    names = ("path", "operation", "before", "after")
    assert values(bench.kinds("file_edit", src="hook"), *names) == edits
    assert values(bench.kinds("file_edit", src="proxy"), *names) == [*edits, ("c.txt", "rename", "one\n", "ONE\n")]


@pytest.mark.parametrize("name", ["claude/2.1.330/faults_and_subagent", "codex/0.169.0/code_mode_subagent"])
def test_subagents_have_a_lane_of_their_own(name: str) -> None:
    """Both sources put a subagent into one lane; its first message is its task, and not a prompt of the candidate."""
    bench = played(name)
    started = bench.kinds("subagent_started")
    assert {draft.src for draft in started} == {"proxy", "hook"}
    assert {draft.lane for draft in started} == {2}
    by_proxy = next(draft for draft in started if draft.src == "proxy")
    assert by_proxy.fields["prompt"] == "find the thing please"
    call = bench.drafts[by_proxy.refs[0]]
    assert call.kind == "tool_call"
    assert call.fields["tool_use_id"] == by_proxy.fields["tool_use_id"]
    inner = [draft for draft in bench.kinds("tool_call") if draft.lane == 2]
    assert {draft.src for draft in inner} == {"proxy", "hook"}
    stopped = bench.kinds("subagent_stopped")
    assert {draft.src for draft in stopped} == {"proxy", "hook"}
    assert {draft.lane for draft in stopped} == {2}
    assert len({draft.fields["text"] for draft in stopped}) == 1


def test_inner_calls_of_codex_point_to_the_script() -> None:
    """In code mode hooks report calls that the proxy cannot see; they belong to the script that made them."""
    bench = played("codex/0.169.0/code_mode_subagent")
    inner = [
        draft for draft in bench.kinds("tool_call", src="hook") if str(draft.fields["tool_use_id"]).startswith("exec-")
    ]
    assert len(inner) == 5
    assert {bench.drafts[draft.refs[0]].fields["name"] for draft in inner} == {"exec"}
