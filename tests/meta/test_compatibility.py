"""docs/compatibility.md says what this version and version 0.1 read and write, and the code agrees with it."""

# pyright: reportPrivateUsage=false

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from promptster.protocol import documents, policy
from promptster.protocol.bundle import FORMAT, read_bundle
from promptster.protocol.policies import settings, text_first
from promptster.protocol.policies.settings import Policy

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "compatibility.md").read_text(encoding="utf-8")
MADE_BY_0_1 = ROOT / "tests" / "commands" / "made_by_0_1" / "session.promptster"


def rows(heading: str) -> list[list[str]]:
    """The cells of the table with this heading, without the heading."""
    below = TEXT.partition(f"{heading}\n")[2].partition("\n\n")[0].splitlines()[1:]
    assert below, heading
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in below]


def version() -> str:
    """The first two numbers of the version in pyproject.toml."""
    whole: str = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    return ".".join(whole.split(".")[:2])


def test_the_newest_version_is_this_one() -> None:
    """A new version gets a column and rows of its own."""
    newest = version()
    assert f"| | 0.1 | {newest} |" in TEXT
    pairs = [tuple(row[:2]) for row in rows("| client | collector | result |")]
    assert pairs == [(client, collector) for client in ("0.1", newest) for collector in ("0.1", newest)]


def test_what_this_version_reads_and_writes_is_what_the_code_does() -> None:
    """The last column has the versions that are constants in the code."""
    told = {row[0]: row[2] for row in rows(f"| | 0.1 | {version()} |")}
    texts = ["first", "1", *map(str, sorted(policy._TEXTS))]
    paths = set(re.findall(r'"(/v\d+)/', "".join(path.read_text() for path in (ROOT / "cli").rglob("client/*.py"))))
    assert told == {
        "`v` of documents and events": str(documents.VERSION),
        "collector's API": f"`{', '.join(paths)}`",
        "policies read": ", ".join(map(str, range(1, settings.NEWEST + 1))),
        "policy of a new assessment": str(settings.NEWEST),
        "policy texts read": ", ".join(texts),
        "policy text of a new assessment": str(policy.NEWEST_TEXT),
        "bundle formats read": ", ".join(map(str, range(1, FORMAT + 1))),
    }
    assert int(told["policy text of a new assessment"]) == max(policy._TEXTS)


def test_what_0_1_made_is_what_its_column_says() -> None:
    """A bundle that version 0.1 wrote has the policy, text and format in the column, and this version reads it."""
    told = {row[0]: row[1] for row in rows(f"| | 0.1 | {version()} |")}
    data = MADE_BY_0_1.read_bytes()
    parts = read_bundle(data)
    agreed = Policy.parse(parts.policy)
    assert b"format.json" not in data
    assert told["bundle formats read"] == "1"
    assert told["policies read"] == told["policy of a new assessment"] == str(agreed.V)
    assert agreed.text == text_first.render(agreed) != policy.render_text(agreed)
    assert told["policy text of a new assessment"] == "first"


def test_an_older_client_is_told_to_update() -> None:
    """The page says 426 for it; the answer's own test is in tests/collector/assessments/test_policies.py."""
    results = {tuple(row[:2]): row[2] for row in rows("| client | collector | result |")}
    assert "426" in results["0.1", version()]
    assert settings.NEWEST > 1
