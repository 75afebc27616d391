"""Joining: each action once, in order, however its reports interleave."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.helpers.sessions import CLAUDE, Script

from promptster.replay.correlation import clusters
from promptster.replay.timeline import build

if TYPE_CHECKING:
    from promptster.protocol.events import OpenedEvent

KINDS = ("tool_call", "tool_result", "command", "permission")


@st.composite
def two_views(draw: st.DrawFn) -> tuple[list[OpenedEvent], int]:
    """Actions reported by proxy and hook in the same order, interleaved at random, and their number."""
    actions: list[tuple[str, dict[str, Any]]] = []
    for number in range(draw(st.integers(0, 12))):
        kind = draw(st.sampled_from((*KINDS, "prompt", "file_edit", "subagent_started")))
        if kind == "prompt":
            fields: dict[str, Any] = {"text": draw(st.sampled_from(["go on", "yes", "now the tests"]))}
        elif kind == "subagent_started":
            fields = {"agent_id": f"agent-{number}"}
        else:
            fields = {"tool_use_id": f"toolu_{number if draw(st.booleans()) else number // 2}"}
        if kind == "file_edit":
            fields["path"] = f"/home/ada/src/{number}.py"
        actions.append((kind, fields))
    order = draw(st.permutations(["proxy", "hook"] * len(actions)))
    script, positions = Script(), {"proxy": 0, "hook": 0}
    for source in order:
        kind, fields = actions[positions[source]]
        positions[source] += 1
        script.add(source, kind, lane=1, **fields, **CLAUDE)
    return script.events, len(actions)


@settings(deadline=None)
@given(two_views())
def test_any_interleaving_gives_each_action_once_in_order(views: tuple[list[OpenedEvent], int]) -> None:
    """If both sources see everything, every entry has both, none is lost or doubled, in the order of first reports."""
    events, count = views
    entries = build(events).entries
    assert len(entries) == count
    assert all(set(entry.sources) == {"proxy", "hook"} for entry in entries)
    assert [entry.seq for entry in entries] == sorted(entry.seq for entry in entries)
    assert sorted(seq for entry in entries for seq in entry.seqs) == [event.seq for event in events]
    assert all(entry.seq == min(entry.seqs) for entry in entries)


@settings(deadline=None)
@given(two_views(), st.sets(st.integers(0, 23)))
def test_no_report_is_lost_or_used_twice_when_some_are_missing(
    views: tuple[list[OpenedEvent], int], missing: set[int]
) -> None:
    """Whatever a source failed to report, every existing report is in exactly one entry."""
    events = [event for event in views[0] if event.seq not in missing]
    entries = build(events).entries
    assert sorted(seq for entry in entries for seq in entry.seqs) == [event.seq for event in events]
    assert all(len(entry.seqs) == len(set(entry.sources)) for entry in entries)


@settings(deadline=None)
@given(st.permutations(range(12)))
def test_the_order_in_which_events_are_handed_in_does_not_matter(order: list[int]) -> None:
    """Clusters depend on the events' own numbers only."""
    script = Script()
    for number in range(6):
        script.tool(f"toolu_{number}", "Read", {}, "text")
    events = script.events[:12]
    assert clusters([events[index] for index in order]) == clusters(events)


def test_a_source_that_missed_one_of_equal_prompts_is_matched_by_time() -> None:
    """Of three equal prompts the hook saw the second and third: the first stays the proxy's alone."""
    script = Script()
    for number in range(3):
        script.wait(60_000)
        if number:
            script.add("hook", "prompt", lane=1, text="go on", **CLAUDE)
        script.add("proxy", "prompt", lane=1, text="go on", **CLAUDE)
    assert [entry.sources for entry in build(script.events).entries] == [
        ("proxy",),
        ("hook", "proxy"),
        ("hook", "proxy"),
    ]


def test_equal_prompts_of_two_conversations_stay_apart() -> None:
    """The same words in another agent session are another prompt."""
    script = Script()
    for session in ("one", "two"):
        script.add("proxy", "prompt", lane=1, text="go on", agent="claude", agent_session=session)
    for session in ("two", "one"):
        script.add("hook", "prompt", lane=1, text="go on ", agent="claude", agent_session=session)
    entries = build(script.events).entries
    assert [entry.seqs for entry in entries] == [(0, 3), (1, 2)]


def test_a_source_without_the_session_is_joined_while_only_one_session_has_the_prompt() -> None:
    """A hook that does not know the agent's session still counts as the same prompt."""
    script = Script()
    script.add("hook", "prompt", text="hello", agent="codex")
    script.add("proxy", "prompt", text="hello", agent="codex", agent_session="t-1")
    assert [entry.sources for entry in build(script.events).entries] == [("hook", "proxy")]


def test_an_action_reported_by_two_hook_layers_is_one() -> None:
    """Cursor may load Claude-format hooks too: two viewpoints of one source, one entry, one source named."""
    script = Script()
    script.add("hook", "command", tool_use_id="t1", command="make", agent="cursor")
    script.add("hook", "command", tool_use_id="t1", command="make", exit_code=0, agent="claude")
    (entry,) = build(script.events).entries
    assert entry.sources == ("hook",)
    assert entry.fields["exit_code"] == 0
    assert entry.views == {"hook:claude": {"agent": "claude"}}


def test_one_viewpoint_is_never_joined_with_itself() -> None:
    """An agent that used one id twice acted twice."""
    script = Script()
    script.add("proxy", "tool_call", tool_use_id="t1", name="Bash", input={}, **CLAUDE)
    script.add("proxy", "tool_call", tool_use_id="t1", name="Bash", input={}, **CLAUDE)
    assert [entry.seqs for entry in build(script.events).entries] == [(0,), (1,)]


def test_edits_of_one_call_are_joined_file_by_file() -> None:
    """A patch over three files is three edits; relative paths match the absolute ones that end with them."""
    script = Script()
    for path in ("/home/ada/a.py", "/home/ada/lib/a.py", "/home/ada/b.py"):
        script.add("hook", "file_edit", tool_use_id="t1", path=path, agent="codex")
    for path in ("./lib/a.py", "b.py"):
        script.add("proxy", "file_edit", tool_use_id="t1", path=path, agent="codex")
    found = {entry.fields["path"]: entry.sources for entry in build(script.events).entries}
    assert found == {
        "/home/ada/a.py": ("hook",),
        "/home/ada/lib/a.py": ("hook", "proxy"),
        "/home/ada/b.py": ("hook", "proxy"),
    }


def test_files_of_one_name_in_several_folders_are_not_mixed_up() -> None:
    """With a file at the top and others of its name below, each relative path matches its own absolute one."""
    names = ("__init__.py", "lib/__init__.py", "lib/deep/__init__.py")
    for order in ((0, 1, 2), (2, 1, 0), (1, 2, 0)):
        script = Script()
        for index in order:
            script.add("proxy", "file_edit", tool_use_id="t1", path=names[index], after=names[index], agent="codex")
        for name in names:
            script.add("hook", "file_edit", tool_use_id="t1", path="/home/ada/" + name, after=name, agent="codex")
        entries = build(script.events).entries
        assert {entry.fields["path"]: entry.fields["after"] for entry in entries} == {
            "/home/ada/" + name: name for name in names
        }
        assert all(set(entry.sources) == {"proxy", "hook"} and set(entry.views) <= {"proxy"} for entry in entries)


def test_a_namesake_that_one_source_missed_stays_alone() -> None:
    """The hook saw only the file below: the one at the top is the proxy's alone, and not merged with it."""
    script = Script()
    for path in ("a.py", "lib/a.py"):
        script.add("proxy", "file_edit", tool_use_id="t1", path=path, agent="codex")
    script.add("hook", "file_edit", tool_use_id="t1", path="/home/ada/lib/a.py", agent="codex")
    found = {entry.fields["path"]: entry.sources for entry in build(script.events).entries}
    assert found == {"a.py": ("proxy",), "/home/ada/lib/a.py": ("proxy", "hook")}


def test_one_id_in_two_agent_sessions_is_two_actions() -> None:
    """If a provider restarts its numbering of calls in each conversation, nothing is merged across conversations."""
    script = Script()
    who: list[dict[str, Any]] = [
        {"agent": agent, "agent_session": session} for agent, session in (("claude", "one"), ("codex", "two"))
    ]
    script.add("proxy", "command", tool_use_id="call_1", command="make", **who[0])
    script.add("proxy", "command", tool_use_id="call_1", command="ls", **who[1])
    script.add("hook", "command", tool_use_id="call_1", command="ls", **who[1])
    entries = build(script.events).entries
    assert [(entry.fields["command"], entry.sources, entry.views) for entry in entries] == [
        ("make", ("proxy",), {}),
        ("ls", ("proxy", "hook"), {}),
    ]


def test_one_id_in_two_subagents_is_two_actions() -> None:
    """This also holds for subagents of one session, in whatever order their sources report them."""
    script = Script()
    for source, subagents in (("proxy", ("x", "y")), ("hook", ("y", "x"))):
        for subagent in subagents:
            named: dict[str, Any] = {"agent": "claude", "agent_session": "s", "agent_id": subagent}
            script.add(source, "tool_call", tool_use_id="t1", name="Bash", input={}, **named)
    assert sorted([event.seq for event in cluster] for cluster in clusters(script.events)) == [[0, 3], [1, 2]]


def test_sources_that_name_one_session_differently_are_still_joined() -> None:
    """If no two viewpoints agree on a session, the shared id decides."""
    script = Script()
    script.add("proxy", "tool_call", tool_use_id="t1", name="Bash", input={}, agent="claude", agent_session="old")
    script.add("hook", "tool_call", tool_use_id="t1", name="Bash", input={}, agent="claude", agent_session="new")
    assert [entry.sources for entry in build(script.events).entries] == [("proxy", "hook")]


def test_what_has_no_id_stands_alone() -> None:
    """Reports without anything in common are never joined."""
    script = Script()
    script.add("proxy", "tool_call", name="Bash", input={"command": "ls"})
    script.add("hook", "tool_call", name="Bash", input={"command": "ls"}, withheld=frozenset({"tool_use_id"}))
    entries = build(script.events).entries
    assert [entry.sources for entry in entries] == [("proxy",), ("hook",)]
    assert entries[1].withheld == ("tool_use_id",)
