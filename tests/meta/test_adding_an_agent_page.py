"""docs/adding-an-agent.md names every document that lists agents, so that a new one is not missing from any."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from promptster.protocol.agents import CATALOGUE

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "adding-an-agent.md").read_text(encoding="utf-8")
PAST = ("CHANGELOG.md", "changes/", "docs/adr/")
"""What says how things were; a new agent changes nothing there."""
TEXTS = {".md", ".yml", ".yaml"}
_NAME = rf"`?(?:{'|'.join(re.escape(word) for agent in CATALOGUE for word in {agent.name, agent.id, agent.program})})`?"
LISTED = re.compile(rf"(?<!\w){_NAME}(?:, | and | or ){_NAME}(?!\w)")
"""Two agents in a row."""


def named() -> set[str]:
    """The documents in the page's table."""
    section = PAGE.partition("\n## 5. What people read\n")[2]
    return set(re.findall(r"^\| `([^`]+)` \|", section, re.MULTILINE)) - set(PAST)


def test_every_document_that_lists_agents_is_on_the_page() -> None:
    """A document that lists agents is named, so that the author of a new agent finds it; each one names an agent."""
    done = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False, text=True)
    if done.returncode:
        pytest.skip("not a git checkout")
    paths = [name for name in done.stdout.split("\0") if Path(name).suffix in TEXTS and not name.startswith(PAST)]
    listing = {name for name in paths if LISTED.search((ROOT / name).read_text(encoding="utf-8").replace("\n", " "))}
    assert {"README.md"} <= listing <= named()
    assert [name for name in named() if not re.search(_NAME, (ROOT / name).read_text(encoding="utf-8"))] == []


@pytest.mark.parametrize("text", ["from Claude Code, Codex and Cursor.", "any of `claude`, `codex`", "claude or codex"])
def test_a_list_of_agents_would_be_found(text: str) -> None:
    """Names for people, ids and programs count, in any order and with any word between them."""
    assert LISTED.search(text)
