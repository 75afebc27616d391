"""Codex's habits beyond what the recordings show."""

from __future__ import annotations

import json

import pytest
from tests.helpers.capturing import CaptureBench, exchange, sse, values

from promptster.agents.codex.requests import CodexRequests
from promptster.capture.providers.interface import ToolReturn, ToolUse, UserText
from promptster.capture.providers.openai import OpenAIResponses
from promptster.protocol.events.kinds import Command

CODEX = CodexRequests()
AGENT = {"originator": "codex_exec", "session-id": "s-1", "thread-id": "s-1"}


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        (UserText(text="fix it"), ["fix it"]),
        (UserText(text="<environment_context>\n<cwd>/x</cwd>"), []),
        (UserText(text="<user_instructions>be kind</user_instructions>"), []),
        (UserText(text="# AGENTS.md instructions for /x\n\n<INSTRUCTIONS>"), []),
        (UserText(text="anything", typed=False), []),
        (UserText(text="<turn_aborted>\n</turn_aborted>"), []),
        (UserText(text="<user_shell_command>\n<command>\nls -l\n</command>"), ["! ls -l"]),
        (UserText(text="<b>bold</b> is broken"), ["<b>bold</b> is broken"]),
    ],
)
def test_words(item: UserText, expected: list[str]) -> None:
    """The candidate's words are found by what Codex says about them, or by the marks of its own texts."""
    assert [prompt.text for prompt in CODEX.prompts([item])] == expected


@pytest.mark.parametrize(
    ("text", "exit_code", "output", "duration_ms"),
    [
        ("Chunk ID: 1\nWall time: 1.5 seconds\nProcess exited with code 0\nOutput:\nok", 0, "ok", 1500),
        ("Wall time: 0.1 seconds\nProcess running with session ID 7\nOutput:\nso far", None, "so far", 100),
        ("Exit code: 2\nWall time: 0 seconds\nTotal output lines: 3\nOutput:\nbad", 2, "bad", 0),
        ('{"output":"x","metadata":{"exit_code":1,"duration_seconds":0.5}}', 1, "x", 500),
        ("something new", None, "something new", None),
    ],
)
def test_outcomes(text: str, exit_code: int | None, output: str, duration_ms: int | None) -> None:
    """Every form in which Codex reports a command's end to the model is read."""
    use = ToolUse(id="c", name="shell", input={"command": ["bash", "-lc", "make all"], "workdir": "/w"})
    (finding,) = CODEX.actions(use, ToolReturn(id="c", text=text))
    assert isinstance(finding, Command)
    assert (finding.command, finding.cwd, finding.exit_code) == ("make all", "/w", exit_code)
    assert (finding.output, finding.duration_ms) == (output, duration_ms)


@pytest.mark.parametrize("text", ["unsupported call: shell", "exec_command failed: rejected by user"])
def test_what_was_refused_did_not_happen(text: str) -> None:
    """A refused call has no command; the refusal by a person is an event."""
    told = [
        finding.kind
        for finding in CODEX.actions(
            ToolUse(id="c", name="shell", input={"command": ["ls"]}), ToolReturn(id="c", text=text)
        )
    ]
    assert told == (["permission"] if "rejected" in text else [])


def test_a_failed_patch_is_no_edit() -> None:
    """Only a patch that is reported as applied changed files."""
    use = ToolUse(id="c", name="apply_patch", input="*** Begin Patch\n*** Add File: a\n+x\n*** End Patch")
    assert CODEX.actions(use, ToolReturn(id="c", text="Exit code: 0\nOutput:\nSuccess."))
    assert not CODEX.actions(use, ToolReturn(id="c", text="apply_patch verification failed: no such file"))


def test_identities() -> None:
    """The root thread is the session; others are subagents, even if only the parent is named."""
    root = CODEX.identify({"session-id": "a", "thread-id": "a"}, {})
    child = CODEX.identify({"session-id": "a", "thread-id": "b", "x-codex-parent-thread-id": "a"}, {})
    older = CODEX.identify({"session_id": "b", "x-codex-parent-thread-id": "a"}, {})
    assert (root.session, root.agent_id) == ("a", "")
    assert (child.session, child.agent_id) == (older.session, older.agent_id) == ("a", "b")
    assert CODEX.identify({}, {"prompt_cache_key": "k"}).session == "k"


@pytest.mark.parametrize(
    ("headers", "body", "expected"),
    [
        ({}, {}, "work"),
        ({"x-codex-turn-metadata": json.dumps({"request_kind": "turn"})}, {}, "work"),
        ({"x-codex-turn-metadata": json.dumps({"request_kind": "prewarm"})}, {}, "other"),
        ({"x-openai-subagent": "compact"}, {}, "compaction"),
        ({"x-openai-subagent": "guardian"}, {}, "classifier"),
        ({}, {"input": [{"type": "compaction_trigger"}]}, "compaction"),
        ({}, {"input": "You are performing a CONTEXT CHECKPOINT COMPACTION. Create"}, "compaction"),
        (
            {"x-codex-turn-metadata": '{"request_kind":"turn","thread_source":"thread_title"}'},
            {"input": "Generate a concise, single-line task title"},
            "title",
        ),
        ({"x-codex-turn-metadata": '{"request_kind":"turn","thread_source":"user"}'}, {"input": "x"}, "work"),
    ],
)
def test_purposes(headers: dict[str, str], body: dict[str, object], expected: str) -> None:
    """What Codex asks for itself is distinguished from the candidate's work."""
    assert CODEX.purpose(OpenAIResponses().read(body), headers, body) == expected


def test_a_provider_that_keeps_the_history() -> None:
    """With a previous response only what is new is sent: the same words after two responses are two prompts."""
    bench = CaptureBench()
    for number in range(3):
        body = {"model": "m", "input": "continue", **({"previous_response_id": f"resp_{number}"} if number else {})}
        done = {"type": "response.completed", "response": {"id": f"resp_{number + 1}", "status": "completed"}}
        exchange(bench, body, sse([done]), target="/responses", upstream="openai", agent=AGENT)
        bench.restart()
    assert bench.texts("proxy") == ["continue"] * 3
    assert values(bench.kinds("model_response"), "outcome", "stop_reason") == [("complete", "completed")] * 3


def test_hooks_of_the_session_itself() -> None:
    """Compaction is an event; other events of the session are kept raw."""
    bench = CaptureBench()
    bench.hook("codex", hook_event_name="PostCompact", session_id="s", trigger="auto")
    bench.hook("codex", hook_event_name="Interrupt", session_id="s")
    bench.hook(
        "codex", hook_event_name="PermissionRequest", session_id="s", tool_name="Bash", tool_input={"command": "x"}
    )
    assert [draft.kind for draft in bench.drafts] == ["compaction", "agent_other", "permission"]
    assert bench.drafts[1].fields["raw_kind"] == "Interrupt"


def test_unknown_tools_are_recorded_and_counted() -> None:
    """An unknown tool is a tool call like any other."""
    bench = CaptureBench()
    item = {"type": "function_call", "call_id": "c1", "name": "levitate", "arguments": "{}"}
    done = {"type": "response.completed", "response": {"id": "r", "output": [item]}}
    exchange(bench, {"input": "x"}, sse([done]), target="/responses", upstream="openai", agent=AGENT)
    assert values(bench.kinds("tool_call"), "name", "tool_use_id") == [("levitate", "c1")]
    assert bench.capture.counts["tool_unknown"] == 1
