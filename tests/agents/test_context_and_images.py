"""What agents put around a person's words and pictures, in requests and hooks, is marked and recorded once."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.helpers.capturing import (
    CLAUDE,
    CaptureBench,
    asks,
    exchange,
    messages_stream,
    result_block,
    text_block,
    values,
)

CODEX = {"originator": "codex_exec", "session-id": "s1", "thread-id": "s1"}
IMAGE = {"type": "input_image", "image_url": "data:image/png;base64,AA"}
PICTURE = {"type": "image", "source": {"type": "base64", "data": "AA"}}
DONE = json.dumps({"type": "response.completed", "response": {"id": "r", "output": [], "status": "completed"}})
Prompts = list[tuple[Any, Any, Any]]


def _text(text: str) -> dict[str, Any]:
    return {"type": "input_text", "text": text}


def _by_codex(*parts: dict[str, Any], kinds: list[str] | None = None, agent: dict[str, str] = CODEX) -> Prompts:
    """The prompts from a request with these parts of one message: text, images, whether a machine's."""
    bench = CaptureBench()
    message: dict[str, Any] = {"type": "message", "role": "user", "content": list(parts)}
    if kinds is not None:
        origins = [{"provenance": {"type": kind.partition(".")[0]}} for kind in kinds]
        told = {"content_item_kinds": kinds, "content_item_metadata": origins}
        message["internal_chat_message_metadata_passthrough"] = told
    stream = f"event: response.completed\ndata: {DONE}\n\n".encode()
    body = {"model": "m", "stream": True, "input": [message]}
    exchange(bench, body, stream, target="/openai/v1/responses", upstream="openai", agent=agent)
    return [
        (text, images, machine) for text, images, machine in values(bench.kinds("prompt"), "text", "images", "machine")
    ]


def _by_claude(*blocks: dict[str, Any], before: list[tuple[str, Any]] | None = None) -> Prompts:
    bench = CaptureBench()
    body = asks(*(before or []), ("user", list(blocks)))
    exchange(bench, body, messages_stream(text_block("ok")), agent=CLAUDE)
    return [
        (text, images, machine) for text, images, machine in values(bench.kinds("prompt"), "text", "images", "machine")
    ]


@pytest.mark.parametrize("kinds", [None, ["user.text", "user.image", "user.text", "user.text"]])
@pytest.mark.parametrize("agent", [CODEX, {}], ids=["codex", "unnamed"])
def test_an_image_for_codex(kinds: list[str] | None, agent: dict[str, str]) -> None:
    """The tags around an attached image are not prompts, though Codex calls them the user's; the image comes once."""
    parts = (_text('<image name=[Image #1] path="pic.png">'), IMAGE, _text("</image>"), _text("look"))
    assert _by_codex(*parts, kinds=kinds, agent=agent) == [("look", [IMAGE], None)]


def test_two_images_and_no_words() -> None:
    """Images alone are one prompt with all of them; a tag without an image is the person's words."""
    tags = _text("<image name=[Image #1]>"), _text("</image>")
    assert _by_codex(tags[0], IMAGE, tags[1], tags[0], IMAGE, tags[1]) == [("", [IMAGE, IMAGE], None)]
    assert _by_codex(_text("</image>")) == [("</image>", None, None)]


def test_an_image_for_claude_code() -> None:
    """Next to reminders and notes on where the image came from, the words have it, once."""
    reminder = text_block("<system-reminder>\nThe date is today.\n</system-reminder>")
    source = text_block("[Image: source: pic.png]")
    assert _by_claude(reminder, text_block("look"), PICTURE, source) == [("look", [PICTURE], None)]
    assert _by_claude(reminder, PICTURE) == [("", [PICTURE], None)]
    assert _by_claude(text_block("one"), text_block("two"), PICTURE) == [("one", None, None), ("two", [PICTURE], None)]


def test_what_a_tool_attached_is_not_typed() -> None:
    """A document that comes with a tool's result is the tool's."""
    before: list[tuple[str, Any]] = [
        ("user", "go"),
        ("assistant", [{"type": "tool_use", "id": "t", "name": "Read", "input": {}}]),
    ]
    document = {"type": "document", "source": {"type": "base64", "data": "AA"}}
    assert _by_claude(result_block("t"), document, before=before) == [("", [document], True)]


INTERNAL = [
    '<codex_internal_context source="goal">\nContinue towards the goal.\n</codex_internal_context>',
    "<recommended_plugins>\n- one\n</recommended_plugins>",
    "<context_window_reminder>Half is used.</context_window_reminder>",
    "<rollout_budget>3</rollout_budget>",
    "<some_new_instructions>Be brief.</some_new_instructions>\n",
]


@pytest.mark.parametrize("text", INTERNAL)
@pytest.mark.parametrize("agent", [CODEX, {}], ids=["codex", "unnamed"])
def test_context_of_codex(text: str, agent: dict[str, str]) -> None:
    """Codex's own messages to the model are marked as a machine's; in the hook, only if the name is unambiguous."""
    assert _by_codex(_text(text), agent=agent) == [(text, None, True)]
    bench = CaptureBench()
    bench.hook("codex", hook_event_name="UserPromptSubmit", session_id="s1", turn_id="t", prompt=text)
    is_sure = text.startswith(("<codex_", "<rollout_"))
    assert values(bench.kinds("prompt"), "machine") == [(True if is_sure else None,)]


@pytest.mark.parametrize(
    "text", ["<my_context>\nour rules\n</my_context>", "<task-instructions>Go</task-instructions>"]
)
@pytest.mark.parametrize("agent", ["claude", "codex"])
def test_a_prompt_in_tags_of_ones_own(text: str, agent: str) -> None:
    """What the agent's hook reports as submitted is the person's, in the request too, though it looks like context."""
    bench = CaptureBench()
    bench.hook(
        agent, hook_event_name="UserPromptSubmit", session_id="session-1", prompt_id="p", turn_id="t", prompt=text
    )
    if agent == "claude":
        exchange(bench, asks(("user", [text_block(text)])), messages_stream(text_block("ok")), agent=CLAUDE)
    else:
        body = {"model": "m", "stream": True, "input": [{"type": "message", "role": "user", "content": [_text(text)]}]}
        named = {"originator": "codex_exec", "session-id": "session-1"}
        exchange(bench, body, b"", target="/v1/responses", upstream="openai", agent=named)
    assert [(draft.src, draft.fields.get("machine")) for draft in bench.kinds("prompt")] == [
        ("hook", None),
        ("proxy", None),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "<system-note>\nnews\n</system-note>",
        "<memory_updates>x</memory_updates>",
        "<artifact-room-event>y</artifact-room-event>",
    ],
)
def test_context_of_claude_code(text: str) -> None:
    """Claude Code's own messages to the model are marked in the same way."""
    assert _by_claude(text_block(text)) == [(text, None, True)]
    bench = CaptureBench()
    bench.hook("claude", hook_event_name="UserPromptSubmit", session_id="session-1", prompt_id="p", prompt=text)
    assert values(bench.kinds("prompt"), "machine") == [(True,)]


@pytest.mark.parametrize(
    "text",
    [
        "<div>make this blue</div>",
        "<goal_context> is what you wrote, explain it",
        "see <system-note>x</system-note>",
        "<context>\nour rules\n</context>",
        "<script>alert(1)</script>",
    ],
)
def test_words_that_look_like_it(text: str) -> None:
    """What a person may well have typed stays a person's."""
    assert _by_claude(text_block(text)) == [(text, None, None)]


def test_codex_says_who_wrote_it() -> None:
    """If Codex itself calls a text the user's, it is, whatever it looks like."""
    assert _by_codex(_text(INTERNAL[1]), kinds=["user.text"]) == [(INTERNAL[1], None, None)]
