"""docs/hooks.md shows what every hook event becomes, and the real capture engine agrees with it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from tests.helpers.capturing import CaptureBench
from tests.helpers.hook_payloads import PAYLOADS

from promptster.agents.claude import hook_events as claude
from promptster.agents.codex import hook_events as codex
from promptster.agents.cursor import hook_events as cursor

PAGE = (Path(__file__).parents[2] / "docs" / "hooks.md").read_text()
TITLES = {"claude": "Claude Code", "codex": "Codex", "cursor": "Cursor"}
_IDENTITY = {"agent", "agent_session", "agent_id"}
_LATER = 5000
"""Milliseconds after which no report waits for another one."""


def row(agent: str, event: str, tool: str) -> str:
    """The table's row for one event, from what the engine records of it."""
    bench = CaptureBench()
    bench.hook(agent, **PAYLOADS[agent][event, tool])
    bench.clock.now_ms += _LATER
    bench.capture.tick()
    assert {draft.src for draft in bench.drafts} == {"hook"}
    assert all(draft.fields["agent"] == agent for draft in bench.drafts)
    name = f"`{event}`" + (f", `{tool}`" if tool and " " not in tool else f", {tool}" if tool else "")
    told: list[str] = []
    for draft in bench.drafts:
        fields = sorted(draft.fields.keys() - _IDENTITY)
        told.append(f"`{draft.kind}`: {', '.join(f'`{field}`' for field in fields)}")
    return f"| {name} | {'; '.join(told)} |"


@pytest.mark.parametrize("agent", TITLES)
def test_the_table_is_what_the_engine_records(agent: str) -> None:
    """Each row has the kinds and fields that a complete payload leads to, and no row is missing."""
    section = PAGE.partition(f"\n## {TITLES[agent]}\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| `.*$", section, re.MULTILINE)
    assert rows == [row(agent, event, tool) for event, tool in PAYLOADS[agent]]


@pytest.mark.parametrize(
    ("agent", "asked_for"),
    [("claude", tuple(claude.EVENTS)), ("codex", tuple(codex.EVENTS)), ("cursor", tuple(cursor.EVENTS))],
)
def test_every_event_that_is_asked_for_has_a_row(agent: str, asked_for: tuple[str, ...]) -> None:
    """The events that the launcher registers with an agent are those in the table, in that order."""
    assert tuple(dict.fromkeys(event for event, _ in PAYLOADS[agent])) == asked_for
