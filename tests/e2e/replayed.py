"""What a replay must show: everything that the script served, once, in order, seen by the right sources."""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import TYPE_CHECKING, Any

from tests.e2e.scenarios import PROMPT, SUB_PROMPT

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.e2e.scenarios import Scenario
    from tests.helpers.provider.script import Conversation, ToolUse

BOTH = {"proxy", "hook"}
_EDITS = frozenset({"Write", "Edit", "apply_patch"})
_COMMANDS = frozenset({"Bash", "exec_command"})

Line = dict[str, Any]


def of_kind(lines: Iterable[Line], *kinds: str) -> list[Line]:
    """The lines of these kinds, in order."""
    return [line for line in lines if line["kind"] in kinds]


def check_everything(scenario: Scenario, lines: list[Line], *, sources: bool = True) -> None:
    """Compare a replay with its script.

    Args:
        scenario: what was served.
        lines: the exported replay.
        sources: whether each action must have been seen by proxy and hook both.

    Raises:
        AssertionError: something is missing, doubled, out of order, or seen by the wrong ones.
    """
    assert [line["seq"] for line in lines] == sorted(line["seq"] for line in lines)
    _check_prompts(lines, sources=sources)
    prefix = "toolu_" if scenario.agent == "claude" else "call_"
    for conversation in scenario.script.conversations:
        _check_story(conversation, lines, prefix)
        for turn, spoken in enumerate(conversation.turns):
            for index, tool in enumerate(spoken.tools):
                identity = conversation.tool_id(turn, index, prefix)
                _check_tool(tool, identity, lines, sources=sources)
    _check_attempts(scenario, lines)
    if len(scenario.script.conversations) > 1:
        _check_subagent(scenario, lines)
    if scenario.name == "scripted-calls":
        _check_scripted_calls(lines)


def check_shown_edit(scenario: Scenario, lines: list[Line], page: str, story: str) -> None:
    """Compare what a reader sees of the change of ``app.py`` with what was done to it.

    Claude Code's hooks report the whole file; Codex's patch has no place in it.

    Raises:
        AssertionError: the difference on the page or in the terminal is another one, or claims more than is known.
    """
    claude = scenario.agent == "claude"
    (edit,) = [line for line in of_kind(lines, "file_edit") if str(line["path"]).endswith("app.py")]
    assert edit["extent"] == ("file" if claude else "passages")
    if claude:
        changed = ("def greet():\n    return 'hello'\n", "def greet():\n    return 'good day'\n")
        assert (edit["before"], edit["after"]) == changed
    removed, added = "-    return 'hello'", "+    return 'good day'"
    shown = ["@@ -1,2 +1,2 @@", " def greet():", removed, added] if claude else ["@@", removed, added]
    parts = [part for part in _parts_of(page) if part.get("k") == "edit" and part["s"].endswith("app.py")]
    ((label, text, _, _, kinds),) = [passage for part in parts for passage in part["p"] if passage[2] == "diff"]
    assert label == ("" if claude else "part of the file")
    assert [line for line in text.split("\n") if not line.startswith("*** ")] == shown
    assert kinds.lstrip("h").endswith("da")
    told = [line.strip() for line in story.splitlines()]
    assert {removed, added} <= {*told}
    assert "No newline" not in text + story
    assert claude or "@@ -" not in text


def _parts_of(page: str) -> list[dict[str, Any]]:
    """The parts of a page's rows."""
    islands = re.findall(r'<script type="application/json" class="rows">(.*?)</script>', page, re.DOTALL)
    rows = [row for island in islands for row in json.loads(island)]
    return rows + [part for row in rows for part in row.get("c", [])]


def _check_prompts(lines: list[Line], *, sources: bool) -> None:
    prompts = of_kind(lines, "prompt")
    assert [line["text"] for line in prompts if not line.get("machine")] == [PROMPT]
    if sources:
        assert {source for line in prompts for source in line["sources"]} == BOTH


def _check_story(conversation: Conversation, lines: list[Line], prefix: str) -> None:
    """Answers and tool calls of one conversation are in the order in which the script served them."""
    expected: list[tuple[str, str]] = []
    for turn, spoken in enumerate(conversation.turns):
        expected.append(("model_response", spoken.text))
        expected += [("tool_call", conversation.tool_id(turn, index, prefix)) for index in range(len(spoken.tools))]
    wanted = set(expected)
    found: list[tuple[str, str]] = []
    lanes: set[int] = set()
    for line in of_kind(lines, "model_response", "tool_call"):
        name = str(line.get("text", "") if line["kind"] == "model_response" else line["tool_use_id"])
        item = (line["kind"], name)
        mine = conversation.prompt == PROMPT or not lanes or line["lane"] in lanes or name
        if item in wanted and mine and _belongs(line, conversation, lines):
            found.append(item)
            lanes.add(line["lane"])
    assert found == expected
    assert len(lanes) == 1
    thinking = [spoken.thinking for spoken in conversation.turns if spoken.thinking]
    told = [
        line["thinking"] for line in of_kind(lines, "model_response") if line.get("thinking") and line["lane"] in lanes
    ]
    assert told == thinking


def _belongs(line: Line, conversation: Conversation, lines: list[Line]) -> bool:
    """Whether a line is in the conversation's lane: the main one has the prompt, a subagent its start."""
    main = next(other["lane"] for other in lines if other["kind"] == "prompt" and other["text"] == PROMPT)
    return bool(line["lane"] == main) == (conversation.prompt == PROMPT)


def _check_tool(tool: ToolUse, identity: str, lines: list[Line], *, sources: bool) -> None:
    (call,) = [line for line in of_kind(lines, "tool_call") if line["tool_use_id"] == identity]
    (result,) = [line for line in of_kind(lines, "tool_result") if line["tool_use_id"] == identity]
    assert call["seq"] < result["seq"]
    if tool.name == "exec":  # Codex reports what such a script calls, not the script itself
        assert call["sources"] == ["proxy"]
        return
    seen = [call, result]
    if tool.name in _EDITS:
        (edit,) = [line for line in of_kind(lines, "file_edit") if line["tool_use_id"] == identity]
        _check_edit(tool, edit)
        seen.append(edit)
    if tool.name in _COMMANDS:
        (command,) = [line for line in of_kind(lines, "command") if line["tool_use_id"] == identity]
        _check_command(tool, command)
        seen.append(command)
    if sources:
        for line in seen:
            assert set(line["sources"]) == BOTH, line


def _check_edit(tool: ToolUse, edit: Line) -> None:
    text = str(tool.input.get("input", ""))
    if tool.name == "Write":
        assert edit["path"] == tool.input["file_path"]
        assert edit["after"] == tool.input["content"]
        assert edit["operation"] == "create"
    elif tool.name == "Edit":
        assert edit["path"] == tool.input["file_path"]
        assert tool.input["new_string"] in edit["after"]
        assert tool.input["old_string"] in edit["before"]
        assert edit["operation"] == "modify"
    elif "Add File" in text:
        assert edit["path"].endswith("new.txt")
        assert edit["after"] == "one\ntwo — ünï\n"
        assert edit["operation"] == "create"
    else:
        assert edit["path"].endswith("app.py")
        assert "'good day'" in edit["after"]
        assert "'hello'" in edit["before"]
        assert edit["operation"] == "modify"


def _check_command(tool: ToolUse, command: Line) -> None:
    words = str(tool.input.get("command", tool.input.get("cmd")))
    assert command["command"] == words
    if "exit 3" in words:
        assert command["exit_code"] == 3
        assert "oops" in str(command.get("output", "")) + str(command.get("error_output", ""))
    else:
        assert command["exit_code"] == 0
        expected = "good day" if "greet" in words else words.rpartition("echo ")[2]
        if words != "ls | wc -l":
            assert expected in command["output"]


def _check_attempts(scenario: Scenario, lines: list[Line]) -> None:
    """Each turn is one request; a retried one has numbered attempts, the failed ones kept and marked."""
    requests = [line for line in of_kind(lines, "model_request") if line["purpose"] == "work"]
    expected: Counter[int] = Counter()
    for conversation in scenario.script.conversations:
        for turn in conversation.turns:
            expected[len(turn.faults) + 1] += 1
    assert Counter(len(line["attempts"]) for line in requests) == expected
    kinds = {"status": "error", "cut": "cut", "error_event": "error"}
    for conversation in scenario.script.conversations:
        for turn in conversation.turns:
            if turn.faults:
                wanted = [kinds[fault.kind] for fault in turn.faults] + ["complete"]
                (line,) = [line for line in requests if len(line["attempts"]) == len(wanted)]
                assert [attempt["outcome"] for attempt in line["attempts"]] == wanted
                assert [attempt["attempt"] for attempt in line["attempts"]] == list(range(1, len(wanted) + 1))


def _check_subagent(scenario: Scenario, lines: list[Line]) -> None:
    (started,) = of_kind(lines, "subagent_started")
    (stopped,) = of_kind(lines, "subagent_stopped")
    assert started["prompt"] == SUB_PROMPT
    assert stopped["text"] == scenario.script.conversations[1].turns[-1].text
    assert started["lane"] == stopped["lane"]
    assert started["lane"] not in {line["lane"] for line in of_kind(lines, "prompt")}


def _check_scripted_calls(lines: list[Line]) -> None:
    """What a script of calls did is known from the hooks: every edit and command, each once."""
    commands = of_kind(lines, "command")
    assert sorted(line["command"] for line in commands) == ["echo number 0", "echo number 1", "echo number 2", "exit 3"]
    (edit,) = of_kind(lines, "file_edit")
    assert edit["path"].endswith("app.py")
    inner = [line for line in of_kind(lines, "tool_call") if line["name"] != "exec"]
    assert len(inner) == 5
    assert all(line["sources"] == ["hook"] for line in inner)
