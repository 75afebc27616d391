"""What every agent's plug-in must do, shown by the recordings in the agent's own folder of tests.

A plug-in is tested with its fixture folder, ``tests/agents/ID``: ``recordings/VERSION/*.jsonl`` (requests, answers and
hooks in order) or ``hooks.json`` (payloads alone), and ``program.py`` if starting the agent asks its program something.
"""

from __future__ import annotations

import ast
import json
import random
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.helpers.capturing import AGENTS, CaptureBench, pieces, play
from tests.helpers.launching import TICKET, TOKEN, request_for
from tests.helpers.served_calls import served_calls

import promptster
from promptster.agents.launching import EditorFileMissingError
from promptster.agents.registry import http_hooked, plugin, readers
from promptster.capture.providers import provider_of
from promptster.protocol.agents import BY_ID, BY_PROGRAM, CATALOGUE, IDS
from promptster.protocol.events.kinds import KINDS, SESSION_KINDS
from promptster.protocol.providers import USUAL_ADDRESSES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from promptster.agents.launching import Launch
    from promptster.agents.plugin import AgentPlugin

Step = dict[str, Any]
SOURCES = Path(promptster.__file__).parent


@dataclass(frozen=True)
class Recording:
    """One recording of one agent."""

    agent: str
    path: Path

    @property
    def steps(self) -> list[Step]:
        """Its steps; payloads alone come 20 milliseconds apart."""
        text = self.path.read_text(encoding="utf-8")
        if self.path.suffix == ".jsonl":
            return [json.loads(line) for line in text.splitlines()]
        return [
            {"ms": 20 * number, "hook": self.agent, "payload": payload}
            for number, payload in enumerate(json.loads(text))
        ]

    def __str__(self) -> str:
        """Its name in the list of tests."""
        return f"{self.agent}-{self.path.stem}"


RECORDINGS = [
    Recording(agent, path)
    for agent in IDS
    for path in sorted((AGENTS / agent / "recordings").glob("*/*"))
    if path.suffix == ".jsonl" or path.name == "hooks.json"
]
CONVERSATIONS = [each for each in RECORDINGS if each.path.suffix == ".jsonl"]
every_agent = pytest.mark.parametrize("agent", [plugin(agent) for agent in IDS], ids=IDS)
every_recording = pytest.mark.parametrize("recording", RECORDINGS, ids=str)
every_conversation = pytest.mark.parametrize("recording", CONVERSATIONS, ids=str)


def played(steps: Sequence[Step], **options: Any) -> CaptureBench:
    """An engine that has seen these steps."""
    bench = CaptureBench()
    play(bench, steps, **options)
    bench.capture.finish()
    return bench


def told(bench: CaptureBench) -> list[tuple[Any, ...]]:
    """Everything except the times."""
    clocks = {"first_byte_ms", "duration_ms"}
    return [
        (draft.src, draft.kind, draft.lane, draft.refs, {k: v for k, v in draft.fields.items() if k not in clocks})
        for draft in bench.drafts
    ]


def of_agent(agent: AgentPlugin) -> list[Step]:
    """All steps of all its recordings."""
    return [step for each in RECORDINGS if each.agent == agent.id for step in each.steps]


def model_calls(agent: AgentPlugin) -> list[Step]:
    """Its recorded requests that ask a model."""
    asked = [step["request"] for step in of_agent(agent) if "request" in step]
    return [each for each in asked if provider_of(each["method"], each["target"].partition("?")[0])]


def naming_field(agent: AgentPlugin) -> tuple[str, set[str]]:
    """The field in which its payloads name their event, and the events of its recordings."""
    payloads: list[dict[str, Any]] = [step["payload"] for step in of_agent(agent) if "hook" in step]
    if agent.hooks is None:
        return "hook_event_name", set()
    events = [agent.hooks().read(payload).event for payload in payloads]
    shared = set[str].intersection(
        *(
            {name for name, value in payload.items() if value == event}
            for payload, event in zip(payloads, events, strict=True)
        )
    )
    assert len(shared) == 1, "each recorded payload names its event in the same field"
    return shared.pop(), set(events)


def fields_of(request: Mapping[str, Any]) -> dict[str, str]:
    """A request's header fields, names in lower case."""
    return {name.lower(): value for name, value in request["headers"]}


@every_agent
def test_its_line_and_its_folder_are_of_one_agent(agent: AgentPlugin) -> None:
    """The id is the same everywhere, no other agent has its name or program, and its providers exist."""
    assert agent.facts is BY_ID[agent.id] is BY_PROGRAM[agent.facts.program]
    assert (SOURCES / "agents" / agent.id / "__init__.py").is_file()
    assert len({each.id for each in CATALOGUE}) == len({each.name for each in CATALOGUE}) == len(BY_PROGRAM)
    assert set(agent.facts.upstreams) <= set(USUAL_ADDRESSES)
    assert (agent.editor is not None) == bool(agent.facts.editor_file)
    assert (agent.requests is not None) == bool(agent.facts.upstreams)
    assert (agent.hooks is not None) == (agent.hook_transport is not None)
    assert agent.requests is not None or agent.hooks is not None


def imported_by(node: ast.AST) -> list[str]:
    """The modules that a node imports; a name that is imported from a package may be one of them."""
    if isinstance(node, ast.ImportFrom):
        return [f"{node.module or ''}.{alias.name}" for alias in node.names]
    return [alias.name for alias in node.names] if isinstance(node, ast.Import) else []


def test_each_form_of_import_is_seen() -> None:
    """The search below finds an agent's folder however it is imported."""
    lines = ("import promptster.agents.x.y", "from promptster.agents.x.y import z", "from promptster.agents import x")
    found = [name for line in lines for node in ast.walk(ast.parse(line)) for name in imported_by(node)]
    assert len(found) == 3
    assert all(f"{name}.".startswith("promptster.agents.x.") for name in found)


@every_agent
def test_it_knows_no_other_agent(agent: AgentPlugin) -> None:
    """Its modules import none of another agent's, so that each can be changed alone."""
    others = {f"promptster.agents.{other}" for other in IDS if other != agent.id}
    for path in (SOURCES / "agents" / agent.id).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = imported_by(node)
            assert not [name for name in names if any(f"{name}.".startswith(f"{other}.") for other in others)], path


@every_agent
def test_it_comes_with_recordings(agent: AgentPlugin) -> None:
    """There are recordings for each source that it is read by; otherwise the tests below would show nothing."""
    steps = of_agent(agent)
    assert bool(model_calls(agent)) == (agent.requests is not None)
    assert any("hook" in step for step in steps) == (agent.hooks is not None)


@every_agent
def test_its_requests_are_recognised_as_its_own(agent: AgentPlugin) -> None:
    """They are recognised by this agent and by no other, in a conversation with a name, and with a purpose."""
    for request in model_calls(agent):
        headers = fields_of(request)
        body: dict[str, Any] = request["body"] or {}
        provider = provider_of(request["method"], request["target"].partition("?")[0])
        assert provider is not None
        owners = [each for each in IDS if readers().requests(each).recognises(headers)]
        assert owners == [agent.id]
        reader = readers().of_request(headers, provider.name)
        identity = reader.identify(headers, body)
        assert (identity.agent, bool(identity.session)) == (agent.id, True)
        assert reader.purpose(provider.read(body), headers, body) in {"work", "title", "classifier", "compaction"}


@every_agent
def test_its_hooks_name_it(agent: AgentPlugin) -> None:
    """Each payload belongs to a conversation of this agent, whichever hook delivered it if it has its own mark."""
    if agent.hooks is None:
        pytest.skip("it has no hooks")
    sessions = set[str]()
    for step in of_agent(agent):
        if "hook" in step:
            report = readers().read_hook(agent.id, json.dumps(step["payload"]).encode())
            assert report is not None
            assert report.identity.agent == agent.id
            assert report.event
            assert report.findings
            owned = [each for each in IDS if readers().hooks(each).owns(step["payload"])]
            assert owned in ([], [agent.id])
            sessions.add(report.identity.session)
    assert any(sessions)


@every_agent
def test_a_hook_that_it_does_not_know_is_kept_as_it_came(agent: AgentPlugin) -> None:
    """An event of a later version is neither lost nor an exception."""
    bench = CaptureBench()
    naming, known = naming_field(agent)
    payload = {naming: "somethingNew", "session_id": "s", "conversation_id": "s", "told": {"a": [1]}}
    bench.hook(agent.id, **payload)
    for broken in (7, "PreToolUse", "preToolUse", *sorted(known)):
        bench.hook(agent.id, **{naming: broken})
    (kept,) = [draft for draft in bench.kinds("agent_other") if "told" in str(draft.fields)]
    assert kept.fields["raw_kind"] == "somethingNew"


@every_agent
def test_its_turns_are_recorded(agent: AgentPlugin) -> None:
    """Prompts, tool calls with their results, and what the tools did to files or ran, are recorded under its own id."""
    drafts = [draft for each in RECORDINGS if each.agent == agent.id for draft in played(each.steps).drafts]
    kinds = Counter(draft.kind for draft in drafts)
    assert {"prompt", "tool_call", "tool_result", "model_response"} <= set(kinds)
    assert kinds["file_edit"] + kinds["command"] > 0
    assert {draft.fields["agent"] for draft in drafts if "agent" in draft.fields} == {agent.id}
    assert set(kinds) <= set(KINDS)


@every_conversation
def test_both_sources_saw_the_same_words(recording: Recording) -> None:
    """The candidate's prompts are the same from both sides; a line for the shell is the agent's own and has no hook."""
    bench = played(recording.steps)
    sent = [text for text in bench.texts("proxy") if not text.startswith("! ")]
    assert sent
    assert bench.texts("hook") == (sent if plugin(recording.agent).is_hooked else [])


@every_recording
def test_nothing_is_told_twice_by_one_source(recording: Recording) -> None:
    """A tool call, its result, its command and each file's edit appear once per source."""
    bench = played(recording.steps)
    seen = Counter(
        (draft.src, draft.kind, draft.fields["tool_use_id"], draft.fields.get("path"))
        for draft in bench.kinds("tool_call", "tool_result", "command", "file_edit")
    )
    assert set(seen.values()) == {1}


@every_recording
def test_refs_point_backwards(recording: Recording) -> None:
    """Every reference names an earlier event."""
    bench = played(recording.steps)
    assert all(ref < seq for seq, draft in enumerate(bench.drafts) for ref in draft.refs)


@every_conversation
def test_every_served_answer_is_an_attempt(recording: Recording) -> None:
    """Each answer of the provider is one model_response, and every model_request has attempts from 1 without a gap."""
    bench = played(recording.steps)
    calls = [step for step in recording.steps if step.get("request", {}).get("method") == "POST"]
    responses = bench.kinds("model_response")
    assert len(responses) == len(calls)
    attempts: dict[int, list[int]] = {}
    for draft in responses:
        attempts.setdefault(draft.refs[0], []).append(int(str(draft.fields["attempt"])))
    assert {seq for seq, draft in enumerate(bench.drafts) if draft.kind == "model_request"} == set(attempts)
    assert all(numbers == list(range(1, len(numbers) + 1)) for numbers in attempts.values())


@every_conversation
def test_every_served_tool_call_is_recorded_unchanged(recording: Recording) -> None:
    """The tool calls of complete answers are in the order of the script, with the provider's ids."""
    expected = [call for step in recording.steps if "response_to" in step for call in _served(recording, step)]
    recorded = [draft.fields["tool_use_id"] for draft in played(recording.steps).kinds("tool_call", src="proxy")]
    assert set(expected) <= set(recorded)
    assert [call for call in recorded if call in expected] == expected


def _served(recording: Recording, answer: Step) -> list[str]:
    """The tool calls in a recorded answer; none if it is not a model's."""
    asked: int = answer["response_to"]
    request = recording.steps[asked]["request"]
    api = provider_of(request["method"], request["target"].partition("?")[0])
    return served_calls(answer["body"], api) if api is not None else []


@every_conversation
def test_cuts_of_the_bytes_change_nothing(recording: Recording) -> None:
    """However the bytes arrive, the drafts are the same."""
    chance = random.Random(7)  # noqa: S311 - a reproducible choice of cuts

    def cut(data: bytes) -> Sequence[bytes]:
        return pieces(data, [chance.randrange(1 << 30) for _ in range(min(len(data), 40))])

    assert told(played(recording.steps, cut=cut)) == told(played(recording.steps))


@every_conversation
def test_silent_hooks_are_noticed(recording: Recording) -> None:
    """If the proxy sees tools run and no hook reports them, there is one event; an agent without hooks has none."""
    assert not played(recording.steps).kinds("capture_hook_silent")
    silent = played(recording.steps, without_hooks=True)
    if any(draft.kind in {"command", "file_edit"} for draft in silent.drafts):
        is_expected = plugin(recording.agent).is_hooked
        assert [draft.kind for draft in silent.kinds("capture_hook_silent")] == ["capture_hook_silent"] * is_expected


@every_conversation
def test_pausing_anywhere_drafts_nothing_until_resumed(recording: Recording) -> None:
    """While paused nothing is recorded, and afterwards no unseen call is invented."""
    steps = recording.steps
    place = len(steps) // 2
    bench = CaptureBench()
    play(bench, [step for step in steps[:place] if step not in _open_at(steps, place)])
    bench.capture.pause()
    before = len(bench.drafts)
    sent = fields_of(next(step["request"] for step in steps if "request" in step))
    bench.hook(recording.agent, hook_event_name="UserPromptSubmit", session_id="s", prompt="secret words")
    observer = bench.observer(agent=sent)
    observer.request_body(b'{"messages":[{"role":"user","content":"secret words"}]}')
    observer.request_end()
    observer.finished("complete", "")
    bench.capture.tick()
    assert len(bench.drafts) == before
    bench.capture.resume()
    assert bench.capture.counts["while_paused"] == 2


@every_recording
def test_a_restart_between_any_two_steps_doubles_nothing(recording: Recording) -> None:
    """An engine that was restored from the journal records the same as one that was never restarted.

    Only what a hook reported and what waited for another hook may be missing: it was not recorded.
    """
    steps = recording.steps
    whole = told(played(steps))
    chance = random.Random(11)  # noqa: S311 - a reproducible choice of places
    for place in sorted(chance.sample(range(1, len(steps)), min(12, len(steps) - 1))):
        if _open_at(steps, place):
            continue
        bench = CaptureBench()
        play(bench, steps[:place])
        bench.restart()
        play(bench, [_shifted(step, place) for step in steps[place:]])
        bench.capture.finish()
        if recording in CONVERSATIONS:
            assert told(bench) == whole, f"restarted before step {place}"
        again, once = ([(kind, fields) for _, kind, _, _, fields in each] for each in (told(bench), whole))
        assert all(again.count(each) <= once.count(each) for each in again), f"restarted before step {place}"


def _shifted(step: Step, place: int) -> Step:
    return {**step, "response_to": step["response_to"] - place} if "response_to" in step else step


def _open_at(steps: list[Step], place: int) -> list[Step]:
    """Requests that are not answered before this step."""
    answered = {step["response_to"] for step in steps[:place] if "response_to" in step}
    return [step for index, step in enumerate(steps[:place]) if "request" in step and index not in answered]


def launched(agent: AgentPlugin, folder: Path, *arguments: str) -> Launch:
    """The launch in a workspace whose editor file, if the agent reads one, is prepared."""
    script = AGENTS / agent.id / "program.py"
    runs = f'exec "{sys.executable}" "{script}" "$@"' if script.is_file() else "exit 0"
    program = folder / agent.facts.program
    program.write_text(f"#!/bin/sh\n{runs}\n")
    program.chmod(0o755)
    if agent.editor is not None:
        file = folder / "workspace" / agent.facts.editor_file
        file.parent.mkdir(parents=True)
        file.write_text(json.dumps(agent.editor().entries(TICKET)))
    environ = {"HOME": str(folder / "home"), "PATH": "/usr/local/bin:/usr/bin:/bin"}
    return agent.launch().prepare(request_for(folder, *arguments, program=program, environ=environ))


def given_to(launch: Launch, folder: Path) -> str:
    """Everything of ours that the agent is given or can read: arguments, environment and our files."""
    files = [path.read_text() for path in folder.rglob("*") if path.is_file() and path.stat().st_size < 1 << 20]
    return "\n".join([*launch.arguments, *launch.environ.values(), *files])


@every_agent
def test_it_is_started_with_the_way_to_the_recorder(agent: AgentPlugin, tmp_path: Path) -> None:
    """Its own arguments come last and unchanged; it gets base URL and hooks, and no argument has the token."""
    launch = launched(agent, tmp_path, "-p", "do it")
    assert launch.converses
    assert launch.arguments[-2:] == ("-p", "do it")
    assert not any(TOKEN in word for word in launch.arguments)
    given = given_to(launch, tmp_path)
    if agent.requests is not None:
        assert TICKET.base_urls[agent.id] in given
        assert TOKEN in given
    if agent.id in http_hooked():
        assert TICKET.hook_url(agent.id) in given
    elif agent.hooks is not None:
        assert TICKET.hook_socket in given.replace("\\", "")
    assert {event.kind for event in launch.events} <= SESSION_KINDS


@every_agent
def test_it_is_not_started_unrecorded(agent: AgentPlugin, tmp_path: Path) -> None:
    """If only its workspace file records it, it is not started without our entries there, and says how to continue."""
    if agent.requests is not None or agent.editor is None:
        pytest.skip("it can be recorded without a workspace file")
    file = tmp_path / "workspace" / agent.facts.editor_file
    for content in (None, "{}", json.dumps({**agent.editor().empty}), "not JSON"):
        if content is not None:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(content)
        with pytest.raises(EditorFileMissingError) as raised:
            agent.launch().prepare(request_for(tmp_path, program=tmp_path / agent.facts.program, environ={}))
        assert raised.value.agent == agent.id
        assert agent.facts.editor_file in raised.value.question
        assert f"--ide {agent.id}" in (raised.value.hint or "")


@every_agent
def test_its_own_words_for_going_on_are_known(agent: AgentPlugin) -> None:
    """The person who ends it reads how to continue the conversation, recorded."""
    assert agent.launch().resume_words


@every_agent
def test_its_editor_file_is_accepted(agent: AgentPlugin) -> None:
    """Our entries are in the form that the agent accepts, and the plug-in says truly whether the file has the token."""
    if agent.editor is None:
        pytest.skip("it reads no workspace file")
    file = agent.editor()
    entries = file.entries(TICKET)
    assert file.refusal({**file.empty}) is None
    assert file.refusal({**file.empty, **entries}) is None
    assert any(file.refusal({**file.empty, **entries, name: 7}) for name in entries)
    assert (TOKEN in json.dumps(entries)) == file.holds_token


@every_agent
def test_a_clean_computer_has_no_company_provider(agent: AgentPlugin, tmp_path: Path) -> None:
    """An agent whose calls pass the proxy is checked, and there is no finding if nothing is set."""
    assert (agent.company is None) or agent.requests is not None
    if agent.company is not None:
        assert agent.company().find(tmp_path, {"HOME": str(tmp_path)}, set()) == []
