"""What the engine records, and what it does not: prompts, attempts, order, pauses, restarts, the policy's kinds."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.helpers.capturing import (
    CLAUDE,
    JSON,
    SSE,
    CaptureBench,
    asks,
    exchange,
    messages_stream,
    result_block,
    sse,
    text_block,
    tool_block,
    values,
)

from promptster_hooks.frame import PAYLOAD_LIMIT

DONE = messages_stream(text_block("done"))


def attempts(bench: CaptureBench) -> list[tuple[Any, ...]]:
    """Each attempt with the request it belongs to."""
    return [
        (draft.refs, *row) for draft in bench.kinds("model_response") for row in values([draft], "attempt", "outcome")
    ]


@pytest.fixture
def bench() -> CaptureBench:
    """An engine that has seen nothing."""
    return CaptureBench()


def test_a_resent_history_gives_no_prompt_twice(bench: CaptureBench) -> None:
    """Every request resends everything; a prompt is recorded with the request that first brought it."""
    exchange(bench, asks(("user", "one")), DONE, agent=CLAUDE)
    exchange(bench, asks(("user", "one"), ("assistant", "done"), ("user", "two")), DONE, agent=CLAUDE)
    assert bench.texts("proxy") == ["one", "two"]
    assert [draft.refs for draft in bench.kinds("model_request")] == [(0,), (3,)]


def test_the_same_words_twice_are_two_prompts(bench: CaptureBench) -> None:
    """Prompts are distinguished by their place, even if each answer is the same."""
    history: list[tuple[str, Any]] = []
    for _ in range(5):
        history.append(("user", "continue"))
        exchange(bench, asks(*history), DONE, agent=CLAUDE)
        history.append(("assistant", [text_block("done")]))
    assert bench.texts("proxy") == ["continue"] * 5


def test_cache_control_and_reminders_move_freely(bench: CaptureBench) -> None:
    """Marks and reminders that move through the history are not prompts."""
    marked = [{**text_block("one"), "cache_control": {"type": "ephemeral"}}]
    reminder = text_block("<system-reminder>\nbe careful\n</system-reminder>")
    exchange(bench, asks(("user", [reminder, *marked])), DONE, agent=CLAUDE)
    use, result = tool_block("t1", command="ls"), result_block("t1", "out <system-reminder>x</system-reminder>")
    exchange(bench, asks(("user", "one"), ("assistant", [use]), ("user", [result, reminder])), DONE, agent=CLAUDE)
    assert bench.texts("proxy") == ["one"]


def test_words_around_a_reminder_stay(bench: CaptureBench) -> None:
    """A reminder inside a text is removed, and the words stay."""
    exchange(bench, asks(("user", "<system-reminder>a</system-reminder>fix it")), DONE, agent=CLAUDE)
    assert bench.texts("proxy") == ["fix it"]


def test_a_resumed_history_from_before_is_not_new(bench: CaptureBench) -> None:
    """Prompts that were answered before recording began are not prompts of this session."""
    exchange(bench, asks(("user", "old"), ("assistant", "done"), ("user", "new")), DONE, agent=CLAUDE)
    assert bench.texts("proxy") == ["new"]


def test_going_back_and_asking_the_same_is_a_new_prompt(bench: CaptureBench) -> None:
    """After an answer, the same words at the same place were typed again."""
    exchange(bench, asks(("user", "one")), DONE, agent=CLAUDE)
    exchange(bench, asks(("user", "one"), ("assistant", "done"), ("user", "two")), DONE, agent=CLAUDE)
    exchange(bench, asks(("user", "one")), DONE, agent=CLAUDE)
    assert bench.texts("proxy") == ["one", "two", "one"]
    assert len(bench.kinds("model_request")) == 3


def test_a_second_prompt_after_an_unanswered_one(bench: CaptureBench) -> None:
    """If the earlier words were never answered, only the new ones are recorded."""
    failed = b'{"type":"error","error":{"type":"api_error"}}'
    exchange(bench, asks(("user", "one")), failed, status=400, headers=JSON, agent=CLAUDE)
    exchange(bench, asks(("user", "one"), ("user", "one")), DONE, agent=CLAUDE)
    assert bench.texts("proxy") == ["one", "one"]


def test_unanswered_words_after_a_shortened_history_are_the_same(bench: CaptureBench) -> None:
    """An agent that shortens a history which was too long asks the same prompt again."""
    history = [("user", "one"), ("assistant", "a long answer"), ("user", "two")]
    exchange(bench, asks(("user", "one")), DONE, agent=CLAUDE)
    exchange(
        bench, asks(*history), b'{"error":{"type":"invalid_request_error"}}', status=400, headers=JSON, agent=CLAUDE
    )
    summary = "This session is being continued from a previous conversation that ran out of context."
    exchange(bench, asks(("user", summary), ("user", "two")), DONE, agent=CLAUDE)
    assert bench.texts("proxy") == ["one", "two"]


def test_each_conversation_has_its_lane(bench: CaptureBench) -> None:
    """Sessions and subagents are distinguished by their ids, unknown agents' conversations by how they begin."""
    exchange(bench, asks(("user", "one")), DONE, agent=CLAUDE)
    exchange(bench, asks(("user", "one")), DONE, agent={**CLAUDE, "X-Claude-Code-Session-Id": "session-2"})
    exchange(bench, asks(("user", "task")), DONE, agent={**CLAUDE, "x-claude-code-agent-id": "sub"})
    exchange(bench, asks(("user", "one")), DONE)
    exchange(bench, asks(("user", "other")), DONE)
    assert [draft.lane for draft in bench.kinds("model_request")] == [1, 2, 3, 4, 5]
    assert bench.texts("proxy") == ["one", "one", "one", "other"]


def test_a_known_agent_without_its_name_is_read_all_the_same(bench: CaptureBench) -> None:
    """An unnamed client that speaks like Claude Code is read the same: what it adds is not taken for typed words."""
    use, metadata = tool_block("t1", command="ls"), {"user_id": "user_x_account__session_7"}
    reminded = [text_block("<system-reminder>x</system-reminder>"), text_block("one")]
    exchange(bench, asks(("user", reminded), metadata=metadata), messages_stream(use))
    bench.restart()
    history = (("user", reminded), ("assistant", [use]), ("user", [result_block("t1")]))
    exchange(bench, asks(*history, metadata=metadata), DONE)
    assert bench.texts("proxy") == ["one"]
    assert len(bench.kinds("command")) == 1
    assert values(bench.kinds("model_request"), "agent", "agent_session") == [(None, "7")] * 2


def test_attempts_are_numbered(bench: CaptureBench) -> None:
    """Refused, cut, failed, unanswered and answered calls are five attempts of one request; their content is kept."""
    body = asks(("user", "one"), max_tokens=5)
    again = asks(("user", "one"), stream=False, max_tokens=9, metadata={"user_id": "x"}, model="m-2")
    exchange(bench, body, b"{}", status=429, headers=(*JSON, (b"Retry-After", b"7")), agent=CLAUDE)
    cut = messages_stream(text_block("par"), whole=False)
    exchange(bench, body, cut, outcome="cut_by_provider", agent=CLAUDE)
    exchange(bench, body, cut + sse([{"type": "error", "error": {"type": "overloaded_error"}}]), agent=CLAUDE)
    exchange(bench, body, None, outcome="failed", agent=CLAUDE)
    whole = {"type": "message", "id": "m", "content": [text_block("all")], "stop_reason": "end_turn"}
    exchange(bench, again, json.dumps(whole).encode(), headers=JSON, agent=CLAUDE)
    assert len(bench.kinds("model_request")) == len(bench.kinds("prompt")) == 1
    assert attempts(bench) == [
        ((1,), 1, "error"),
        ((1,), 2, "cut"),
        ((1,), 3, "error"),
        ((1,), 4, "error"),
        ((1,), 5, "complete"),
    ]
    told = values(bench.kinds("model_response"), "status", "text", "retry_after")
    assert told == [(429, None, "7"), (200, "par", None), (200, "par", None), (None, None, None), (200, "all", None)]


def test_a_retry_may_come_before_the_old_exchange_is_known_to_be_over(bench: CaptureBench) -> None:
    """An agent that stopped waiting asks again while the proxy still reads the old answer."""
    first = bench.observer(agent=CLAUDE)
    first.request_body(json.dumps(asks(("user", "one"))).encode())
    first.request_end()
    exchange(bench, asks(("user", "one")), DONE, agent=CLAUDE)
    first.finished("cut_by_agent", "")
    assert attempts(bench) == [((1,), 2, "complete"), ((1,), 1, "cut")]


def test_a_complete_answer_ends_the_request(bench: CaptureBench) -> None:
    """A call after an answer is a new request, even if it is the same."""
    exchange(bench, asks(("user", "one")), DONE, agent=CLAUDE)
    exchange(bench, asks(("user", "one")), DONE, agent=CLAUDE)
    assert attempts(bench) == [((1,), 1, "complete"), ((4,), 1, "complete")]


def test_an_answer_is_told_before_the_connection_ends(bench: CaptureBench) -> None:
    """The stream's own end is enough, so that hooks need not wait for the connection."""
    observer = bench.observer(agent=CLAUDE)
    observer.request_body(json.dumps(asks(("user", "one"))).encode())
    observer.request_end()
    observer.response_head(200, ((b"Content-Type", b"text/event-stream"),))
    observer.response_body(messages_stream(tool_block("t1", command="ls")))
    assert [draft.kind for draft in bench.drafts[-2:]] == ["model_response", "tool_call"]
    observer.finished("cut_by_agent", "")
    assert attempts(bench) == [((1,), 1, "complete")]


def test_timing(bench: CaptureBench) -> None:
    """First byte and duration count from the request's beginning."""
    observer = bench.observer(agent=CLAUDE)
    observer.request_body(json.dumps(asks(("user", "one"))).encode())
    bench.clock.now_ms += 30
    observer.request_end()
    bench.clock.now_ms += 200
    observer.response_head(200, ((b"content-type", b"text/event-stream"),))
    bench.clock.now_ms += 5
    observer.response_body(DONE[:20])
    bench.clock.now_ms += 65
    observer.response_body(DONE[20:])
    observer.finished("complete", "")
    assert values(bench.kinds("model_response"), "first_byte_ms", "duration_ms") == [(235, 300)]


def test_the_calls_of_a_broken_answer_are_told_only_if_they_ran(bench: CaptureBench) -> None:
    """A call in a cut answer is part of the answer; it becomes an event once its result shows that it ran."""
    cut = messages_stream(tool_block("t1", command="ls"), whole=False)
    exchange(bench, asks(("user", "one")), cut, outcome="cut_by_provider", agent=CLAUDE)
    assert not bench.kinds("tool_call")
    history = (("user", "one"), ("assistant", [tool_block("t1", command="ls")]), ("user", [result_block("t1")]))
    exchange(bench, asks(*history), DONE, agent=CLAUDE)
    assert [draft.kind for draft in bench.drafts[3:6]] == ["tool_call", "tool_result", "command"]
    assert bench.kinds("tool_call")[0].refs == (2,)


def test_hooks_wait_for_the_answer_that_caused_them(bench: CaptureBench) -> None:
    """A hook that arrives before its stream was read is recorded after it, with the time of its arrival."""
    observer = bench.observer(agent=CLAUDE)
    observer.request_body(json.dumps(asks(("user", "one"))).encode())
    observer.request_end()
    observer.response_head(200, ((b"content-type", b"text/event-stream"),))
    stream = messages_stream(tool_block("t1", command="ls"))
    observer.response_body(stream[:400])
    arrived = bench.clock.wall_ms()
    for event in ("PreToolUse", "PostToolUse"):
        bench.hook(
            "claude", hook_event_name=event, session_id="session-1", tool_name="Bash", tool_use_id="t1", tool_input={}
        )
    bench.clock.now_ms += 1500
    bench.capture.tick()
    assert not bench.kinds("tool_call")
    observer.response_body(stream[400:])
    kinds = [(draft.src, draft.kind) for draft in bench.drafts[2:]]
    assert kinds == [
        ("proxy", "model_response"),
        ("proxy", "tool_call"),
        ("hook", "tool_call"),
        ("hook", "tool_result"),
        ("hook", "command"),
    ]
    assert {draft.ms for draft in bench.drafts[4:]} == {arrived}


def test_hooks_wait_no_longer_than_two_seconds(bench: CaptureBench) -> None:
    """A long stream does not keep a hook from being recorded."""
    observer = bench.observer(agent=CLAUDE)
    observer.request_body(json.dumps(asks(("user", "one"))).encode())
    observer.request_end()
    hook = {"session_id": "session-1", "tool_name": "Bash", "tool_use_id": "t1", "tool_input": {"command": "ls"}}
    bench.hook("claude", hook_event_name="PreToolUse", **hook)
    bench.clock.now_ms += 1999
    bench.capture.tick()
    assert not bench.kinds("tool_call")
    bench.clock.now_ms += 1
    bench.capture.tick()
    assert [draft.src for draft in bench.kinds("tool_call")] == ["hook"]


def test_hooks_without_a_stream_do_not_wait(bench: CaptureBench) -> None:
    """If nothing streams in that conversation, a hook is recorded at once."""
    hook = {"session_id": "session-1", "tool_name": "Bash", "tool_use_id": "t1", "tool_input": {"command": "ls"}}
    bench.hook("claude", hook_event_name="PreToolUse", **hook)
    assert len(bench.kinds("tool_call")) == 1


def test_a_killed_recorder_goes_on_with_the_next_attempt(bench: CaptureBench) -> None:
    """The attempt that died with the recorder is cut; the agent's retry is the next attempt of the same request."""
    observer = bench.observer(agent=CLAUDE)
    observer.request_body(json.dumps(asks(("user", "one"))).encode())
    observer.request_end()
    bench.restart()
    exchange(bench, asks(("user", "one")), DONE, agent=CLAUDE)
    assert bench.texts("proxy") == ["one"]
    assert attempts(bench) == [((1,), 1, "cut"), ((1,), 2, "complete")]
    assert bench.kinds("model_response")[0].fields["error"] == {"type": "recorder_restarted"}


def test_a_killed_recorder_knows_what_it_told(bench: CaptureBench) -> None:
    """Lanes, prompts, calls and results are learned again, and new ones continue after them."""
    call = asks(("user", "one"), ("assistant", [tool_block("t1", command="ls")]), ("user", [result_block("t1")]))
    exchange(bench, asks(("user", "one")), messages_stream(tool_block("t1", command="ls")), agent=CLAUDE)
    bench.restart()
    exchange(bench, call, DONE, agent=CLAUDE)
    bench.restart()
    exchange(bench, call, DONE, agent=CLAUDE)
    exchange(bench, asks(("user", "two")), DONE, agent={**CLAUDE, "X-Claude-Code-Session-Id": "session-2"})
    assert bench.texts("proxy") == ["one", "two"]
    assert len(bench.kinds("tool_call")) == len(bench.kinds("tool_result")) == 1
    assert [draft.lane for draft in bench.kinds("model_request")] == [1, 1, 1, 2]


@pytest.mark.parametrize("lost", range(7))
def test_events_that_did_not_reach_the_disk_are_told_again(bench: CaptureBench, lost: int) -> None:
    """Whatever end of the journal is lost, the agent's next request brings words, call and result once."""
    exchange(bench, asks(("user", "one")), messages_stream(tool_block("t1", command="ls")), agent=CLAUDE)
    history = (("user", "one"), ("assistant", [tool_block("t1", command="ls")]), ("user", [result_block("t1")]))
    observer = bench.observer(agent=CLAUDE)
    observer.request_body(json.dumps(asks(*history)).encode())
    observer.request_end()
    bench.restart(lost=lost)
    if lost >= 6:
        exchange(bench, asks(("user", "one")), messages_stream(tool_block("t1", command="ls")), agent=CLAUDE)
    exchange(bench, asks(*history), DONE, agent=CLAUDE)
    assert bench.texts("proxy") == ["one"]
    for kind in ("tool_call", "tool_result", "command"):
        assert len(bench.kinds(kind)) == 1
    assert bench.kinds("model_response")[-1].fields["outcome"] == "complete"


def test_a_pause_ends_what_is_under_way(bench: CaptureBench) -> None:
    """What came before the pause is kept as a cut attempt; calls made during the pause are not recorded afterwards."""
    observer = bench.observer(agent=CLAUDE)
    observer.request_body(json.dumps(asks(("user", "one"))).encode())
    observer.request_end()
    observer.response_head(200, ((b"content-type", b"text/event-stream"),))
    observer.response_body(messages_stream(text_block("before"), whole=False))
    bench.capture.pause()
    count = len(bench.drafts)
    observer.response_body(messages_stream(text_block("during")))
    observer.finished("complete", "")
    exchange(bench, asks(("user", "during")), messages_stream(tool_block("t9", command="ls")), agent=CLAUDE)
    assert len(bench.drafts) == count
    bench.capture.resume()
    history = (("user", "during"), ("assistant", [tool_block("t9", command="ls")]), ("user", [result_block("t9")]))
    exchange(bench, asks(*history), DONE, agent=CLAUDE)
    assert bench.kinds("model_response")[0].fields["text"] == "before"
    assert attempts(bench)[0] == ((1,), 1, "cut")
    assert not bench.kinds("tool_call", "tool_result")
    assert bench.texts("proxy") == ["one"]


def test_kinds_outside_the_policy_are_dropped_and_counted() -> None:
    """Only what the candidate agreed to is drafted."""
    bench = CaptureBench({"allowed_kinds": {"prompt", "model_request"}})
    exchange(bench, asks(("user", "one")), messages_stream(tool_block("t1", command="ls")), agent=CLAUDE)
    assert [draft.kind for draft in bench.drafts] == ["prompt", "model_request"]
    assert bench.capture.counts["outside_policy"] == 2


def test_other_requests_are_told_without_their_bodies(bench: CaptureBench) -> None:
    """The request is recorded without its body and without the answer's."""
    for method, target in (
        ("HEAD", "/api/hello"),
        ("POST", "/v1/messages/count_tokens?beta=true"),
        ("GET", "/v1/models"),
    ):
        observer = bench.observer(target, method=method, agent=CLAUDE)
        observer.request_body(b'{"messages":[{"role":"user","content":"private"}]}')
        observer.request_end()
        observer.response_head(200, ())
        observer.response_body(b'{"input_tokens":7}')
        observer.finished("complete", "")
    assert values(bench.drafts, "raw_kind", "payload") == [
        ("http", {"upstream": "anthropic", "method": "HEAD", "path": "/api/hello", "status": 200}),
        ("http", {"upstream": "anthropic", "method": "POST", "path": "/v1/messages/count_tokens", "status": 200}),
        ("http", {"upstream": "anthropic", "method": "GET", "path": "/v1/models", "status": 200}),
    ]


def test_missed_bytes_are_a_gap(bench: CaptureBench) -> None:
    """If the proxy could not keep bytes, that is an event, and the answer is not called cut."""
    observer = bench.observer(agent=CLAUDE)
    observer.request_body(json.dumps(asks(("user", "one"))).encode())
    observer.request_end()
    observer.response_head(200, ((b"content-type", b"text/event-stream"),))
    observer.response_body(messages_stream(text_block("some"), whole=False))
    observer.missed(4711)
    observer.finished("complete", "")
    assert values(bench.kinds("capture_gap"), "source", "lost") == [("proxy", 4711)]
    assert attempts(bench) == [((1,), 1, "complete")]
    assert bench.kinds("model_response")[0].fields["error"] == {"type": "not_observed", "detail": "missed"}


def test_an_answer_with_a_hole_says_so(bench: CaptureBench) -> None:
    """This also holds if its end was seen; missing bytes of a request that is not a model call are not a gap."""
    observer = bench.observer(agent=CLAUDE)
    observer.request_body(json.dumps(asks(("user", "one"))).encode())
    observer.request_end()
    observer.response_head(200, SSE)
    observer.missed(4711)
    observer.response_body(DONE)
    observer.finished("complete", "")
    other = bench.observer("/v1/messages/count_tokens", agent=CLAUDE)
    other.missed(99)
    other.finished("complete", "")
    assert values(bench.kinds("model_response"), "outcome", "error") == [
        ("complete", {"type": "not_observed", "detail": "missed"})
    ]
    assert values(bench.kinds("capture_gap"), "lost") == [(4711,)]


def test_a_request_that_never_ended_is_no_request(bench: CaptureBench) -> None:
    """An agent that hangs up before its request is sent leaves a line, but no model_request."""
    observer = bench.observer(agent=CLAUDE)
    observer.finished("cut_by_agent", "")
    assert [draft.kind for draft in bench.drafts] == ["agent_other"]


def test_a_finished_session_leaves_nothing_behind(bench: CaptureBench) -> None:
    """At the end held hooks are written, open attempts end, and silence is reported without waiting."""
    history = (("user", "one"), ("assistant", [tool_block("t1", command="ls")]), ("user", [result_block("t1")]))
    exchange(bench, asks(("user", "one")), messages_stream(tool_block("t1", command="ls")), agent=CLAUDE)
    observer = bench.observer(agent=CLAUDE)
    observer.request_body(json.dumps(asks(*history)).encode())
    observer.request_end()
    bench.hook("claude", hook_event_name="PreToolUse", session_id="session-1", tool_name="X", tool_use_id="t2")
    bench.capture.finish()
    tail = [(draft.src, draft.kind) for draft in bench.drafts[-3:]]
    assert tail == [("hook", "tool_call"), ("proxy", "model_response"), ("recorder", "capture_hook_silent")]


def test_machine_words_that_no_pattern_knows(bench: CaptureBench) -> None:
    """While Claude Code's hooks report what is typed, words that they did not report are a machine's."""
    bench.hook("claude", hook_event_name="UserPromptSubmit", session_id="session-1", prompt="one", prompt_id="p")
    exchange(bench, asks(("user", "one")), DONE, agent=CLAUDE)
    exchange(bench, asks(("user", "one"), ("assistant", "done"), ("user", "Recap what you did.")), DONE, agent=CLAUDE)
    assert values(bench.kinds("prompt", src="proxy"), "text", "machine") == [
        ("one", None),
        ("Recap what you did.", True),
    ]


def typed(bench: CaptureBench, text: str, prompt_id: str) -> None:
    """Claude Code's hook reports that a person typed something."""
    fields = {"hook_event_name": "UserPromptSubmit", "session_id": "session-1"}
    bench.hook("claude", **fields, prompt=text, prompt_id=prompt_id)


def test_two_layers_that_report_the_same_words_report_them_once(bench: CaptureBench) -> None:
    """If two settings files have our hook, the program's own words are still distinguished from typed ones."""
    typed(bench, "one", "p1")
    typed(bench, "one", "p1")
    exchange(bench, asks(("user", "one")), DONE, agent=CLAUDE)
    exchange(bench, asks(("user", "one"), ("assistant", "done"), ("user", "Recap what you did.")), DONE, agent=CLAUDE)
    assert values(bench.kinds("prompt", src="proxy"), "text", "machine") == [
        ("one", None),
        ("Recap what you did.", True),
    ]


def test_the_same_words_typed_again_before_any_answer_are_a_new_prompt(bench: CaptureBench) -> None:
    """A prompt taken back with Esc and typed again equals a retry byte for byte; the hooks distinguish them."""
    for prompt_id in ("p1", "p2"):
        typed(bench, "one", prompt_id)
        for _ in range(2):
            exchange(bench, asks(("user", "one")), None, outcome="cut_by_agent", agent=CLAUDE)
        bench.clock.now_ms += 2_000
    exchange(bench, asks(("user", "one")), DONE, agent=CLAUDE)
    assert values(bench.kinds("prompt", src="proxy"), "text", "machine") == [("one", None), ("one", None)]
    first, second = (bench.drafts.index(draft) for draft in bench.kinds("model_request"))
    assert [(refs, number) for refs, number, _ in attempts(bench)] == [
        ((first,), 1),
        ((first,), 2),
        ((second,), 1),
        ((second,), 2),
        ((second,), 3),
    ]


def test_subagents_with_the_same_task_belong_to_their_own_calls(bench: CaptureBench) -> None:
    """Parallel subagents with the same task begin in the order of the calls that start them."""
    calls = [{"type": "tool_use", "id": name, "name": "Agent", "input": {"prompt": "look"}} for name in ("t1", "t2")]
    exchange(bench, asks(("user", "one")), messages_stream(*calls), agent=CLAUDE)
    for name in ("a", "b"):
        for _ in range(2):
            exchange(bench, asks(("user", "look")), DONE, agent={**CLAUDE, "x-claude-code-agent-id": name})
    begun = bench.kinds("subagent_started")
    assert values(begun, "agent_id", "tool_use_id") == [("a", "t1"), ("b", "t2")]
    assert [bench.drafts[draft.refs[0]].fields["tool_use_id"] for draft in begun] == ["t1", "t2"]


def test_a_subagents_words_do_not_stand_for_those_that_a_person_typed(bench: CaptureBench) -> None:
    """What a person typed while a subagent asks its model is still theirs when it is sent."""
    subagent = {**CLAUDE, "x-claude-code-agent-id": "sub"}
    bench.hook("claude", hook_event_name="UserPromptSubmit", session_id="session-1", prompt="mine", prompt_id="p")
    exchange(bench, asks(("user", "a task")), DONE, agent=subagent)
    exchange(bench, asks(("user", "mine")), DONE, agent=CLAUDE)
    assert values(bench.kinds("prompt", src="proxy"), "text", "machine") == [("mine", None)]


def test_hooks_that_fell_silent_take_no_words_from_anybody(bench: CaptureBench) -> None:
    """Once hooks are known to be silent, their silence about words says nothing about who typed them."""
    bench.hook("claude", hook_event_name="UserPromptSubmit", session_id="session-1", prompt="one", prompt_id="p")
    history: list[tuple[str, Any]] = [("user", "one")]
    exchange(bench, asks(*history), messages_stream(tool_block("t1", command="ls")), agent=CLAUDE)
    history += [("assistant", [tool_block("t1", command="ls")]), ("user", [result_block("t1")])]
    exchange(bench, asks(*history), DONE, agent=CLAUDE)
    bench.clock.now_ms += 5_000
    bench.capture.tick()
    assert len(bench.kinds("capture_hook_silent")) == 1
    exchange(bench, asks(*history, ("assistant", "done"), ("user", "two")), DONE, agent=CLAUDE)
    assert values(bench.kinds("prompt", src="proxy"), "text", "machine") == [("one", None), ("two", None)]


KEY = "sk-ant-api03-AbCdEfGh_0123456789"


def test_no_credential_reaches_a_draft(bench: CaptureBench) -> None:
    """A credential in a header, an echoing error, an answer, a printed environment or a hook's report is removed."""
    agent = {**CLAUDE, "authorization": f"Bearer {KEY}"}
    refused = json.dumps({"error": {"type": "authentication_error", "message": f"{KEY} is no key"}}).encode()
    exchange(bench, asks(("user", f"my key is {KEY}")), refused, status=401, headers=JSON, agent=agent)
    history: list[tuple[str, Any]] = [("user", f"my key is {KEY}")]
    told = [text_block(f"so it is {KEY}"), tool_block("t1", command=f"export ANTHROPIC_API_KEY={KEY}")]
    exchange(bench, asks(*history), messages_stream(*told), agent=agent)
    result = result_block("t1", f"ANTHROPIC_API_KEY={KEY}\n")
    exchange(bench, asks(*history, ("assistant", told), ("user", [result])), b"<html>" + KEY.encode(), agent=agent)
    bench.hook(
        "claude",
        hook_event_name="PostToolUse",
        session_id="session-1",
        tool_use_id="t1",
        tool_name="Bash",
        tool_input={"command": "env"},
        tool_response={"stdout": f"ANTHROPIC_API_KEY={KEY}\n", "stderr": ""},
    )
    exchange(bench, asks(("user", "x")), refused, target=f"/v1/{KEY}/models", agent=agent)
    observer = bench.observer(agent=agent)
    observer.request_body(b"no json: " + KEY.encode())
    observer.finished("cut_by_agent", "")
    assert KEY not in repr(bench.drafts)
    assert bench.texts("proxy") == ["my key is [credential removed]"]
    assert values(bench.kinds("tool_call"), "input")[0] == (
        {"command": "export ANTHROPIC_API_KEY=[credential removed]"},
    )
    assert [draft.fields["output"] for draft in bench.kinds("command", src="hook")] == [
        "ANTHROPIC_API_KEY=[credential removed]\n"
    ]


def test_short_words_are_not_taken_for_credentials(bench: CaptureBench) -> None:
    """A placeholder that a local provider accepts as a key is kept."""
    exchange(bench, asks(("user", "a dummy test")), DONE, agent={**CLAUDE, "x-api-key": "dummy"})
    assert bench.texts("proxy") == ["a dummy test"]


def test_a_fault_of_ours_is_told_as_a_gap(bench: CaptureBench) -> None:
    """What could not be read is missing, and one gap says so for all since the last tick."""
    bench.capture.faulted()
    bench.capture.faulted()
    bench.capture.tick()
    bench.capture.tick()
    gaps = [draft for draft in bench.drafts if draft.kind == "capture_gap"]
    assert [gap.fields["lost"] for gap in gaps] == [2]


def test_a_hook_that_is_too_large_is_told(bench: CaptureBench) -> None:
    """A gap has agent, event and size, but no content; during a pause it is only counted."""
    bench.capture.hook_refused(
        "claude", 20_000_000, b'{"session_id":"s","hook_event_name":"UserPromptSubmit","prompt":"X'
    )
    bench.capture.hook("codex", b"{" + b"x" * PAYLOAD_LIMIT)
    bench.capture.pause()
    bench.capture.hook_refused("claude", 20_000_000, b"")
    first, second = values(bench.kinds("capture_gap"), "source", "detail", "lost")
    assert first == ("hook", "UserPromptSubmit of claude: a payload of 20000000 bytes or more is not read", 1)
    assert second[1] == f"a hook of codex: a payload of {PAYLOAD_LIMIT + 1} bytes or more is not read"


def test_a_long_prompt_of_a_hook_is_read(bench: CaptureBench) -> None:
    """Nine million characters become an event, for the recorder to cut and mark."""
    bench.hook("claude", hook_event_name="UserPromptSubmit", session_id="s", prompt="p" * 9_000_000)
    bench.capture.finish()
    assert [len(text) for text in bench.texts("hook")] == [9_000_000]
