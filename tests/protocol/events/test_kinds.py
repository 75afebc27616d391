"""Kinds and fields: what is derived from the classes is what the wire has always had."""

from __future__ import annotations

from typing import get_args

import pytest
from msgspec import structs

from promptster.protocol.errors import EventError
from promptster.protocol.events.base import Json, OfAgent, Recorded, field_types, fields_of
from promptster.protocol.events.kinds import (
    AGENT_KINDS,
    FIELD_TYPES,
    KINDS,
    SESSION_KINDS,
    TYPES,
    CaptureHookSilent,
    Closed,
    Event,
    FileEdit,
    Kind,
    Prompt,
    agent_of,
    event_of,
)

FIELDS_OF_KINDS = {
    "opened": "cli_version platform choices continues path_check brief brief_sha256",
    "paused": "reason",
    "resumed": "reason",
    "closed": "totals batches",
    "consent": "policy_sha256 choices locale decided_ms",
    "prompt": "text prompt_id images machine",
    "model_request": "provider request_path model purpose body body_raw stream request_sha256",
    "model_response": (
        "attempt outcome status text thinking tool_use_ids stop_reason model response_id usage error retry_after "
        "first_byte_ms duration_ms content"
    ),
    "tool_call": "tool_use_id name input",
    "tool_result": "tool_use_id name content is_error duration_ms",
    "file_edit": "tool_use_id path operation before after patch",
    "command": "tool_use_id command cwd exit_code output error_output is_error duration_ms",
    "subagent_started": "agent_type prompt tool_use_id",
    "subagent_stopped": "agent_type text",
    "permission": "tool_use_id name input decision mode",
    "compaction": "trigger text",
    "note": "text",
    "submission_baseline": "commit tree manifest repository",
    "submission_final": "commit tree manifest diff",
    "redaction": "target_seq target_field reason",
    "agent_other": "raw_kind payload",
    "capture_heartbeat": "counts",
    "capture_hook_silent": "tool_use_id name agent",
    "capture_bypass_suspected": "detail",
    "capture_config_changed": "path_name detail",
    "capture_degraded": "detail",
    "capture_gap": "source detail lost from_ms to_ms",
    "capture_clock_jump": "delta_ms",
    "capture_upstream_overridden": "upstream url",
    "capture_recovered": "detail lost",
}
"""The wire's fields by kind, those of ``OfAgent`` apart; written out, for the classes must not decide it."""

TYPES_OF_FIELDS = {
    "after": "text",
    "agent": "text",
    "agent_id": "text",
    "agent_session": "text",
    "agent_type": "text",
    "attempt": "int",
    "batches": "int",
    "before": "text",
    "body": "json",
    "body_raw": "bytes",
    "brief": "text",
    "brief_sha256": "text",
    "choices": "json",
    "cli_version": "text",
    "command": "text",
    "commit": "text",
    "content": "json",
    "continues": "text",
    "counts": "json",
    "cwd": "text",
    "decided_ms": "int",
    "decision": "text",
    "delta_ms": "int",
    "detail": "text",
    "diff": "text",
    "duration_ms": "int",
    "error": "json",
    "error_output": "text",
    "exit_code": "int",
    "first_byte_ms": "int",
    "from_ms": "int",
    "images": "json",
    "input": "json",
    "is_error": "bool",
    "locale": "text",
    "lost": "int",
    "machine": "bool",
    "manifest": "json",
    "mode": "text",
    "model": "text",
    "name": "text",
    "operation": "text",
    "outcome": "text",
    "output": "text",
    "patch": "text",
    "path": "text",
    "path_check": "json",
    "path_name": "text",
    "payload": "json",
    "platform": "text",
    "policy_sha256": "text",
    "prompt": "text",
    "prompt_id": "text",
    "provider": "text",
    "purpose": "text",
    "raw_kind": "text",
    "reason": "text",
    "repository": "text",
    "request_path": "text",
    "request_sha256": "text",
    "response_id": "text",
    "retry_after": "text",
    "source": "text",
    "status": "int",
    "stop_reason": "text",
    "stream": "bool",
    "target_field": "text",
    "target_seq": "int",
    "text": "text",
    "thinking": "text",
    "to_ms": "int",
    "tool_use_id": "text",
    "tool_use_ids": "json",
    "totals": "json",
    "tree": "text",
    "trigger": "text",
    "upstream": "text",
    "url": "text",
    "usage": "json",
}
"""The wire's types by field."""

OF_AGENTS = {
    "prompt",
    "model_request",
    "model_response",
    "tool_call",
    "tool_result",
    "file_edit",
    "command",
    "subagent_started",
    "subagent_stopped",
    "permission",
    "compaction",
    "agent_other",
}
"""The kinds that say what an agent did."""


def test_the_derived_tables_are_the_wires() -> None:
    """The order counts too: a policy asks for the kinds in this order."""
    assert list(TYPES) == list(FIELDS_OF_KINDS)
    of_agent = {"agent", "agent_session", "agent_id"}
    for kind, names in FIELDS_OF_KINDS.items():
        assert KINDS[kind] == set(names.split()) | (of_agent if kind in OF_AGENTS else set())
    assert dict(FIELD_TYPES) == TYPES_OF_FIELDS
    assert of_agent == set(OfAgent.__struct_fields__)
    assert AGENT_KINDS == OF_AGENTS
    assert FIELDS_OF_KINDS.keys() - OF_AGENTS == SESSION_KINDS
    assert list(Kind) == list(TYPES)


def test_every_class_of_the_union_is_a_kind_of_its_own() -> None:
    """A class that is missing from the union, or that takes another one's name, fails."""
    below = [*Recorded.__subclasses__(), *OfAgent.__subclasses__()]
    written = {each for each in below if each.__module__ == Prompt.__module__}
    assert set(TYPES.values()) == set(get_args(Event)) == written
    assert all(event_type().kind == kind for kind, event_type in TYPES.items())


def test_an_event_does_not_change() -> None:
    """A value is replaced in a copy; an absent value is not written as a field."""
    event = Prompt(text="yes", agent="claude")
    with pytest.raises(AttributeError):
        event.text = "no"  # pyright: ignore[reportAttributeAccessIssue]
    assert fields_of(structs.replace(event, text=None)) == {"agent": "claude"}
    assert list(fields_of(FileEdit(path="a", after="", agent="codex"))) == ["after", "agent", "path"]


def test_a_misspelled_field_is_an_error_at_once() -> None:
    """It is the writer's error, both in the constructor and by name."""
    with pytest.raises(TypeError):
        Prompt(txt="yes")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    for kind, fields, code in (("prompt", {"txt": "yes"}, "event_field"), ("keystroke", {}, "event_kind")):
        with pytest.raises(EventError) as caught:
            event_of(kind, fields)
        assert (caught.value.code, caught.value.fault) == (code, "local")
    assert event_of("prompt", {"text": "yes", "images": None}) == Prompt(text="yes")


def test_a_field_has_one_type_of_those_that_can_be_written() -> None:
    """The table cannot be derived from classes that contradict each other."""

    class One(Recorded, tag="one"):
        """A field of one type."""

        value: str | None = None

    class Other(Recorded, tag="other"):
        """The same field of another type."""

        value: int | None = None

    class Unwritable(Recorded, tag="unwritable"):
        """A field that has no form on the wire."""

        value: float | None = None
        other: Json = None

    assert field_types({"one": One}) == {"value": "text"}
    with pytest.raises(TypeError):
        field_types({"one": One, "other": Other})
    with pytest.raises(TypeError):
        field_types({"unwritable": Unwritable})


def test_an_event_names_its_agent_or_none() -> None:
    """The recorder's own event about an agent's hooks names the agent too; other events about the session name none."""
    assert agent_of(Prompt(agent="claude")) == agent_of(CaptureHookSilent(agent="claude")) == "claude"
    assert agent_of(Prompt()) is agent_of(Closed()) is None
