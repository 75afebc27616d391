"""Documents that must not drift away from the code."""

from __future__ import annotations

import re
from pathlib import Path

from promptster.protocol.kinds import KINDS

DOCS = Path(__file__).parents[2] / "docs"


def test_what_is_recorded_names_every_kind_with_every_field() -> None:
    """The table for people and the closed lists of the wire say the same, neither more nor less."""
    text = (DOCS / "what-is-recorded.md").read_text()
    common = {"agent", "agent_session", "agent_id"}
    told: dict[str, set[str]] = {}
    for kinds, fields in re.findall(r"^\| (`.*?`) \|[^|]*\|([^|]*)\|$", text, re.MULTILINE):
        for kind in re.findall(r"`(\w+)`", kinds):
            told[kind] = set(re.findall(r"`(\w+)`", fields))
    assert told.keys() == set(KINDS)
    paired = [{"subagent_started", "subagent_stopped"}, {"submission_baseline", "submission_final"}]
    for kind, fields in KINDS.items():
        together = next((pair for pair in paired if kind in pair), {kind})
        expected = set[str]().union(*(KINDS[name] for name in together)) - common
        assert told[kind] | common == expected | common, kind
        assert fields <= told[kind] | common, kind
