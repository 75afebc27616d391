"""Claude Code's habits beyond what the recordings show."""

from __future__ import annotations

from typing import Any

import pytest
from tests.helpers.capturing import CaptureBench, asks, text_block

from promptster.agents.claude.requests import ClaudeRequests
from promptster.capture.providers.anthropic import AnthropicMessages
from promptster.capture.providers.interface import ToolReturn, ToolUse, UserText
from promptster.protocol.events.kinds import Command

CLAUDE = ClaudeRequests()
NOTIFICATION = "<task-notification>\n<task-id>1</task-id>\n</task-notification>"
QUEUED = "The user sent a new message while you were working:\nhurry\n\nIMPORTANT: do it"


def words(*texts: str) -> list[tuple[str, bool]]:
    """The prompts in a run of texts."""
    return [(prompt.text, prompt.machine) for prompt in CLAUDE.prompts([UserText(text=text) for text in texts])]


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["<system-reminder>\nx\n</system-reminder>"], []),
        (["[Request interrupted by user for tool use]", "try this"], [("try this", False)]),
        (["<local-command-stdout>Set model</local-command-stdout>"], []),
        (["<command-name>/m</command-name>", "<local-command-stdout>ok</local-command-stdout>", "go"], [("go", False)]),
        (["<command-name>/x</command-name><command-args>a b</command-args>", "expanded"], [("/x a b", False)]),
        (["<command-message>x is running</command-message>\n<command-name>x</command-name>"], [("/x", False)]),
        (["what is <command-name>/x</command-name>?"], [("what is <command-name>/x</command-name>?", False)]),
        ([NOTIFICATION], [(NOTIFICATION, True)]),
        ([f"<system-reminder>\nNot the user.\n{NOTIFICATION}\n</system-reminder>"], [(NOTIFICATION, True)]),
        ([f"<system-reminder>\n{QUEUED}\n</system-reminder>"], [("hurry", False)]),
        ([QUEUED], [("hurry", False)]),
        (["<div> does not centre"], [("<div> does not centre", False)]),
        (["  \n"], []),
        (["Output token limit hit. Resume directly"], []),
        (["Base directory for this skill: /x\n\n# Skill"], []),
    ],
)
def test_words(texts: list[str], expected: list[tuple[str, bool]]) -> None:
    """A candidate's words are found whatever surrounds them, and no other text is taken for them."""
    assert words(*texts) == expected


def test_a_side_question_is_typed_though_no_hook_tells_it() -> None:
    """The candidate's words follow ``/btw``; Claude Code runs no hook for them."""
    reminder = "<system-reminder>This is a side question from the user. You must answer directly.</system-reminder>"
    (prompt,) = CLAUDE.prompts([UserText(text=reminder), UserText(text="why?")])
    assert (prompt.text, prompt.is_hooked, prompt.machine) == ("why?", False, False)
    assert [prompt.is_hooked for prompt in CLAUDE.prompts([UserText(text="why?")])] == [True]


def test_an_image_without_words_is_a_prompt() -> None:
    """An attached image comes with the words, or alone."""
    image = {"type": "image", "source": {"type": "base64", "data": "AA"}}
    call = AnthropicMessages().read(asks(("user", [image]), ("assistant", "a"), ("user", [text_block("see"), image])))
    runs = [item for item in call.items if isinstance(item, UserText)]
    assert [(prompt.text, prompt.images) for prompt in CLAUDE.prompts(runs)] == [("", (image,)), ("see", (image,))]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (asks(("user", "x")), "work"),
        (asks(("user", "CRITICAL: Respond with TEXT ONLY. Do NOT call any tools.")), "compaction"),
        (asks(("user", "[SUGGESTION MODE: Suggest what")), "other"),
        ({"messages": [{"role": "user", "content": "quota"}], "max_tokens": 1}, "other"),
        (
            {
                "messages": [{"role": "user", "content": "x"}],
                "output_config": {"format": {"schema": {"properties": {"title": {}}}}},
            },
            "title",
        ),
        ({"messages": [], "system": "You are a security monitor for agents"}, "classifier"),
    ],
)
def test_purposes(body: dict[str, Any], expected: str) -> None:
    """What Claude Code asks for itself is distinguished from the candidate's work."""
    assert CLAUDE.purpose(AnthropicMessages().read(body), {}, body) == expected


@pytest.mark.parametrize(
    ("named", "body", "expected"),
    [
        ("main", asks(("user", "CRITICAL: Respond with TEXT ONLY, please")), "work"),
        ("main", {"messages": [{"role": "user", "content": "no tools given"}]}, "work"),
        ("subagent", asks(("user", "x")), "work"),
        ("compaction", asks(("user", "Sum it up")), "compaction"),
        ("auxiliary", asks(("user", "x")), "other"),
        ("auxiliary", {"messages": [], "system": "You are a security monitor for agents"}, "classifier"),
        ("side_reply", asks(("user", "x")), "work"),
        ("something_new", {"messages": [{"role": "user", "content": "quota"}], "max_tokens": 1}, "other"),
    ],
)
def test_purposes_that_the_agent_names(named: str, body: dict[str, Any], expected: str) -> None:
    """If Claude Code says what a request is for, that counts, whatever the candidate typed."""
    headers = {"x-claude-code-request-class": named}
    assert CLAUDE.purpose(AnthropicMessages().read(body), headers, body) == expected


def test_identities_of_older_versions() -> None:
    """The session is in the metadata if no header names it."""
    for user in ("user_ab_account__session_5e0", '{"device_id":"d","session_id":"5e0"}'):
        assert CLAUDE.identify({}, {"metadata": {"user_id": user}}).session == "5e0"
    assert CLAUDE.identify({}, {}).session == ""


@pytest.mark.parametrize(
    ("command", "text", "is_error", "exit_code"),
    [
        ("make", "built", False, 0),
        ("make | tail -1 && grep x y", "found", False, None),
        ("git diff", "", False, None),
        ("git status", "clean", False, 0),
        ("x", "Exit code 2\nbad", True, 2),
        ("x", "Command timed out after 2m", True, None),
        ("x &", "Command running in background with ID: 1. Output", False, None),
    ],
)
def test_exit_codes(command: str, text: str, is_error: bool, exit_code: int | None) -> None:  # noqa: FBT001 - a parameter
    """There is an exit code only if what the model was shown leaves no doubt."""
    use = ToolUse(id="t", name="Bash", input={"command": command})
    (finding,) = CLAUDE.actions(use, ToolReturn(id="t", text=text, is_error=is_error))
    assert isinstance(finding, Command)
    assert finding.exit_code == exit_code


@pytest.mark.parametrize(
    "text",
    [
        "<tool_use_error>InputValidationError</tool_use_error>",
        "The user doesn't want to proceed with this tool use. The tool use was rejected",
        "Permission to use Bash with command rm has been denied.",
    ],
)
@pytest.mark.parametrize("name", ["Bash", "Write"])
def test_what_was_refused_did_not_happen(name: str, text: str) -> None:
    """A refused call has neither command nor edit; the refusal by a person or a rule is an event."""
    use = ToolUse(id="t", name=name, input={"command": "rm", "file_path": "/x", "content": "y"})
    told = [finding.kind for finding in CLAUDE.actions(use, ToolReturn(id="t", text=text, is_error=True))]
    assert told == ([] if text.startswith("<") else ["permission"])


def test_the_same_event_from_two_layers_is_one() -> None:
    """A hook in two settings files fires twice; it is recorded once, and again when it happens again."""
    bench = CaptureBench()
    for _ in range(2):
        bench.hook("claude", hook_event_name="UserPromptSubmit", session_id="s", prompt="yes", prompt_id="p")
        bench.hook("claude", hook_event_name="UserPromptSubmit", session_id="s", prompt="yes", prompt_id="p")
        bench.hook("claude", hook_event_name="Stop", session_id="s")
        bench.hook("claude", hook_event_name="Stop", session_id="s")
        bench.clock.now_ms += 4000
    assert [draft.kind for draft in bench.drafts] == ["prompt", "agent_other"] * 2
    assert bench.capture.counts["hook_repeated"] == 4
