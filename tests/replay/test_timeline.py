"""The timeline as a whole: roles, actions, gaps, conversations, who saw what, and the submission."""

from __future__ import annotations

from typing import Any

from tests.helpers.plausible import plausible
from tests.helpers.sessions import CLAUDE, START_MS, Script

from promptster.protocol.events.kinds import Kind
from promptster.protocol.verdict import GapKind
from promptster.replay.model import EntryRole
from promptster.replay.timeline import build


def test_a_whole_session_is_told_once() -> None:
    """Every wire event of a realistic session is in exactly one entry."""
    events = plausible()
    timeline = build(events)
    assert sorted(seq for entry in timeline.entries for seq in entry.seqs) == [event.seq for event in events]
    assert timeline.wire_events == len(events)
    assert timeline.count(Kind.PROMPT) == 5
    assert timeline.count(Kind.TOOL_CALL) == 8
    assert all(entry.role is not EntryRole.NOT_CANDIDATE for entry in timeline.story)


def test_an_empty_session_has_an_empty_timeline() -> None:
    """A session without events has no entries."""
    timeline = build([])
    assert not any((timeline.entries, timeline.gaps, timeline.lanes, timeline.sources, timeline.coverage))
    assert timeline.started_ms is None
    assert timeline.ended_ms is None
    assert timeline.submission is None


def test_results_edits_and_commands_belong_to_their_call() -> None:
    """An action's parts refer to the call that opened it; the call refers to nothing."""
    script = Script()
    script.add("hook", "permission", tool_use_id="t1", name="Bash", decision="allow", **CLAUDE)
    script.tool("t1", "Bash", {"command": "ls"}, "a b", extra=("command", {"command": "ls"}))
    script.tool("t1", "Bash", {"command": "ls"}, "c", hook=False)
    entries = build(script.events).entries
    calls = [entry.seq for entry in entries if entry.kind == "tool_call"]
    owners = [(entry.kind, entry.action) for entry in entries if entry.kind != "tool_call"]
    assert owners == [
        ("permission", calls[0]),
        ("tool_result", calls[0]),
        ("command", calls[0]),
        ("tool_result", calls[1]),
    ]
    assert all(entry.action is None for entry in entries if entry.kind == "tool_call")


def test_what_belongs_to_a_call_stays_in_its_conversation() -> None:
    """If two conversations' providers number calls alike, each result belongs to the call of its own lane."""
    script = Script()
    for lane in (1, 2):
        script.add("proxy", "tool_call", lane=lane, tool_use_id="call_1", name="Bash", agent_session=str(lane))
    for lane in (1, 2):
        script.add("hook", "tool_result", lane=lane, tool_use_id="call_1", content=str(lane), agent_session=str(lane))
    script.add("hook", "command", tool_use_id="call_1", command="in no lane", agent_session="3")
    assert [entry.action for entry in build(script.events).entries] == [None, None, 0, 1, 1]


def test_marks_say_what_is_special() -> None:
    """Machine prompts, values recorded in part, and values that are gone, with a record or without, are marked."""
    script = Script()
    script.add("hook", "prompt", text="a task ended", machine=True)
    script.add("hook", "tool_result", content="long", cut={"content": (9_000_000, "ab" * 32)})
    script.add("hook", "prompt", withheld=frozenset({"text", "images"}))
    script.add("recorder", "capture_heartbeat", counts={})
    script.add("hook", "prompt", withheld=frozenset({"text"}))
    script.add("candidate", "redaction", target_seq=2, target_field="text", reason="a name")
    script.add("hook", "redaction", target_seq=4, target_field="text", reason="not the candidate's word")
    script.add("hook", "command", withheld=frozenset({"output"}))
    entries = build(script.events, redacted=[(7, "output")]).entries
    assert [entry.marks for entry in entries] == [
        ("not typed by the candidate",),
        ("recorded in part",),
        ("redacted: text", "not in this record: images"),
        (),
        ("not in this record: text",),
        (),
        (),
        ("redacted: output",),
    ]
    assert entries[3].role is EntryRole.ROUTINE


def test_pauses_are_drawn_from_pause_to_resume() -> None:
    """A pause ends at resume or at the session's end; one without an end is open."""
    script = Script()
    script.add("candidate", "paused", reason="lunch")
    script.add("candidate", "paused", reason="again")
    script.add("candidate", "resumed", after_ms=60_000)
    script.add("candidate", "paused")
    script.add("recorder", "closed", after_ms=1000)
    script.add("candidate", "paused")
    gaps = build(script.events).gaps
    assert [(gap.kind, gap.seq, gap.to_ms) for gap in gaps] == [
        (GapKind.PAUSED, 0, script.events[2].ms),
        (GapKind.PAUSED, 3, script.events[4].ms),
        (GapKind.PAUSED, 5, None),
    ]
    assert gaps[0].text == "recording was paused: lunch"
    assert gaps[2].text == "recording was paused and not resumed"


def test_what_capture_says_about_itself_becomes_gaps_in_order_of_time() -> None:
    """Every capture_* report of loss is a gap with its span, source and count if they are known."""
    script = Script()
    script.add("recorder", "capture_recovered")
    script.add("recorder", "capture_recovered", detail="a torn record", lost=1)
    script.add("recorder", "capture_hook_silent", tool_use_id="t", name="Bash", agent="claude")
    script.add("recorder", "capture_degraded", detail="disk nearly full")
    script.add("recorder", "capture_clock_jump", delta_ms=-3_600_000)
    script.add("recorder", "capture_bypass_suspected", detail="lines nobody explains")
    script.add("recorder", "capture_upstream_overridden", upstream="anthropic", url="http://127.0.0.1:9")
    script.add("recorder", "capture_config_changed", path_name=".claude/settings.local.json", detail="missing")
    script.add("recorder", "capture_heartbeat", counts={})
    script.add(
        "recorder", "capture_gap", source="proxy", detail="queue full", lost=3, from_ms=START_MS, to_ms=START_MS + 5
    )
    gaps = build(script.events).gaps
    assert [gap.kind for gap in gaps] == [
        GapKind.CAPTURE_GAP,
        GapKind.RECOVERED,
        GapKind.RECOVERED,
        GapKind.HOOK_SILENT,
        GapKind.DEGRADED,
        GapKind.CLOCK_JUMP,
        GapKind.BYPASS_SUSPECTED,
        GapKind.UPSTREAM_OVERRIDDEN,
        GapKind.CONFIG_CHANGED,
    ]
    assert (gaps[0].source, gaps[0].from_ms, gaps[0].to_ms) == ("proxy", START_MS, START_MS + 5)
    assert gaps[1].text == "the recorder was restarted; nothing is known to be lost"
    assert gaps[2].text == "the recorder was restarted: a torn record"
    assert gaps[5].text == "the computer's clock jumped 1 h backwards"


def test_conversations_have_names_and_parents() -> None:
    """Lanes are named after their agent; a subagent names its type and its parent; equal names are numbered."""
    script = Script()
    script.add("candidate", "note", text="x")
    for lane, session in ((1, "one"), (3, "two")):
        script.add("proxy", "prompt", lane=lane, text=session, agent="claude", agent_session=session)
    who: dict[str, Any] = {"agent": "claude", "agent_session": "one", "agent_id": "a1"}
    script.add("hook", "subagent_started", lane=2, agent_type="Explore", **who)
    script.add("proxy", "tool_call", lane=2, tool_use_id="t", name="Grep", input={}, **who)
    script.add("proxy", "prompt", lane=4, text="x", agent="other-agent", agent_session="four")
    lanes = {lane.number: lane for lane in build(script.events).lanes}
    assert [lane.name for lane in lanes.values()] == [
        "Session",
        "Claude Code 1",
        "Claude Code, subagent Explore",
        "Claude Code 2",
        "other-agent",
    ]
    assert lanes[2].parent == 1
    assert lanes[1].parent is None
    assert lanes[0].agent is None


def test_coverage_counts_who_saw_what() -> None:
    """Per kind, how many entries each set of sources saw; per source, what is missing of its own numbers."""
    script = Script()
    script.tool("t1", "Read", {}, "x")
    script.tool("t2", "Read", {}, "x", hook=False)
    events = [event for event in script.events if event.seq != 1]
    timeline = build(events)
    calls = next(coverage for coverage in timeline.coverage if coverage.kind == "tool_call")
    assert calls.total == 2
    assert calls.by_sources == {("proxy",): 2}
    results = next(coverage for coverage in timeline.coverage if coverage.kind == "tool_result")
    assert results.by_sources == {("hook", "proxy"): 1, ("proxy",): 1}
    assert [(source.source, source.events, source.missing) for source in timeline.sources] == [
        ("proxy", 4, 0),
        ("hook", 1, 1),
    ]


def test_the_submission_shows_each_file_with_its_part_of_the_difference() -> None:
    """Files whose content is not shown say why; the last submission counts."""
    script = Script()
    script.add("workspace", "submission_final", manifest=[], diff="")
    diff = (
        "diff --git a/old.py b/new.py\nsimilarity index 90%\nrename from old.py\nrename to new.py\n"
        "--- a/old.py\n+++ b/new.py\n@@ -1 +1 @@\n-a\n+b\n"
        "diff --git a/gone.py b/gone.py\ndeleted file mode 100644\n--- a/gone.py\n+++ /dev/null\n@@ -1 +0,0 @@\n-x\n"
        'diff --git "a/\\303\\244 \\"q\\".py" "b/\\303\\244 \\"q\\".py"\n--- "a/\\303\\244 \\"q\\".py"\n'
        '+++ "b/\\303\\244 \\"q\\".py"\n@@ -1 +1 @@\n-a\n+b\n'
        "diff --git a/empty b/empty\nnew file mode 100644\n"
    )
    manifest = [
        {"path": path, "status": "modified", "size": 3, "sha256": "00" * 32, "shown": True}
        for path in ("new.py", "gone.py", 'ä "q".py', "empty")
    ]
    manifest.append(
        {"path": "big.bin", "status": "added", "size": 9, "sha256": "11" * 32, "shown": False, "reason": "binary"}
    )
    script.add("workspace", "submission_final", manifest=manifest, diff=diff)
    submission = build(script.events).submission
    assert submission is not None
    assert submission.seq == 1
    parts = {file.path: (file.diff or "").split("\n")[0][:15] for file in submission.files}
    assert parts == {
        "new.py": "diff --git a/ol",
        "gone.py": "diff --git a/go",
        'ä "q".py': 'diff --git "a/\\',
        "empty": "diff --git a/em",
        "big.bin": "",
    }
    assert (submission.files[-1].shown, submission.files[-1].reason) == (False, "binary")


def test_a_withheld_submission_has_no_files() -> None:
    """With redacted manifest and difference it only shows that there was a submission."""
    script = Script()
    script.add("workspace", "submission_final", withheld=frozenset({"manifest", "diff"}))
    submission = build(script.events).submission
    assert submission is not None
    assert (submission.files, submission.diff) == ((), None)
