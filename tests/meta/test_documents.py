"""Documents that must agree with the code."""

from __future__ import annotations

import re
from pathlib import Path

from promptster.protocol.events.kinds import KINDS
from promptster.protocol.policy import NOT_YET_RECORDED, RECORDED_KINDS

DOCS = Path(__file__).parents[2] / "docs"


def test_what_is_recorded_names_every_kind_with_every_field() -> None:
    """The table for people has what a policy asks for, with the fields of the wire; the rest is named below it."""
    text = (DOCS / "what-is-recorded.md").read_text()
    common = {"agent", "agent_session", "agent_id"}
    told: dict[str, set[str]] = {}
    for kinds, fields in re.findall(r"^\| (`.*?`) \|[^|]*\|([^|]*)\|$", text, re.MULTILINE):
        for kind in re.findall(r"`(\w+)`", kinds):
            told[kind] = set(re.findall(r"`(\w+)`", fields))
    assert told.keys() == set(RECORDED_KINDS)
    assert all(f"`{kind}`" in text for kind in NOT_YET_RECORDED)
    paired = [{"subagent_started", "subagent_stopped"}, {"submission_baseline", "submission_final"}]
    for kind, fields in ((kind, KINDS[kind]) for kind in RECORDED_KINDS):
        together = next((pair for pair in paired if kind in pair), {kind})
        expected = set[str]().union(*(KINDS[name] for name in together)) - common
        assert told[kind] | common == expected | common, kind
        assert fields <= told[kind] | common, kind
