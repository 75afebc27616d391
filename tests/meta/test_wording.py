"""The check of wording finds what its rules describe, and leaves everything else alone."""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING, Any

import pytest
from tests.checks.wording import RULES, findings, problems, read_wording

if TYPE_CHECKING:
    from pathlib import Path

ENTRIES: list[dict[str, Any]] = tomllib.loads(RULES.read_text(encoding="utf-8"))["rule"]
MODULE = "cli/promptster/made.py"


def found(text: str, name: str = MODULE) -> list[tuple[int, str]]:
    """The line and the rule of each finding in a file."""
    return [(one.line, one.rule) for one in findings(name, text, read_wording())]


@pytest.mark.parametrize(
    ("rule", "text"), [(entry["name"], text) for entry in ENTRIES for text in entry["catches"]], ids=str
)
def test_a_rule_catches_its_examples(rule: str, text: str) -> None:
    """It does so in a message, an f-string, a docstring and a document, as far as the rule is for these."""
    kinds = next(entry for entry in ENTRIES if entry["name"] == rule).get("kinds", ["message", "docstring", "document"])
    if "message" in kinds:
        assert (1, rule) in found(f"SAID = {text!r}\n")
        assert (1, rule) in found(f"SAID = f{'{ONE} ' + text!r}\n")
    if "docstring" in kinds:
        assert rule in {name for _, name in found(f'"""{text}"""\n')}
    if "document" in kinds:
        assert rule in {name for _, name in found(f"# Title\n\n{text}\n", "docs/made.md")}


@pytest.mark.parametrize(
    ("rule", "text"), [(entry["name"], text) for entry in ENTRIES for text in entry["passes"]], ids=str
)
def test_a_rule_passes_its_counterexamples(rule: str, text: str) -> None:
    """No rule finds words that only look alike."""
    assert found(f'"""{text}"""\nSAID = {text!r}\n') == [], rule
    assert found(f"# Title\n\n{text}\n", "docs/made.md") == [], rule


@pytest.mark.parametrize(
    ("statement", "rules"),
    [
        ('raise UsageError("No such option")', ["error-capital"]),
        ('raise UsageError("no such option.")', ["error-stop"]),
        ('raise UsageError(f"Option {name} is not known.") from None', ["error-capital", "error-stop"]),
        ('raise UsageError("no such option", hint="Run it again.")', []),
        ('raise UsageError("Codex is not installed")', []),
        ('raise UsageError(f"{name} is not installed")', []),
        ('raise UsageError("HTTP is refused for example.com")', []),
        ("raise UsageError(message)", []),
        ('raise ChoiceError("Nothing was changed.")', []),
    ],
)
def test_the_message_of_an_error_is_not_a_sentence(statement: str, rules: list[str]) -> None:
    """After ``error:`` there is neither a capital nor a full stop; names keep their capital."""
    assert [rule for _, rule in found(f"{statement}\n")] == rules


@pytest.mark.parametrize(
    ("text", "is_empty"), [("Nothing.", True), ("Cannot be told.", True), ("Nothing here.", False)]
)
def test_a_docstring_says_something(text: str, *, is_empty: bool) -> None:
    """A docstring without content is found, even in tests."""
    for name in (MODULE, "tests/test_made.py"):
        assert [rule for _, rule in found(f'def made() -> None:\n    """{text}"""\n', name)] == (
            ["empty-docstring"] if is_empty else []
        )


def test_each_finding_names_its_line() -> None:
    """This holds for docstrings of several lines, strings next to each other, and comments over two lines."""
    text = (
        '"""One.\n\nTwo is behind it.\n"""\n\n'
        'SAID = (\n    "a file "\n    "beside it"\n)\n'
        "# nothing is kept any\n# more, as before\n"
    )
    assert found(text) == [(3, "behind"), (8, "beside"), (10, "any-more")]


def test_quoted_code_is_left_alone_in_documents() -> None:
    """Code blocks, code in a line and addresses are not prose."""
    text = "# T\n\n```\nstands behind\n```\n\nUse `stands` or https://x.example/beside.\nIt stands.\n"
    assert found(text, "docs/made.md") == [(8, "stands")]


def test_strings_in_tests_are_data() -> None:
    """A test may hold an old message; its docstrings and comments are read."""
    test = 'def test_it() -> None:\n    """It stands."""\n    assert said == "it stands behind it"\n'
    text = f"{test}    " + "# beside it\n"
    assert found(text, "tests/test_made.py") == [(2, "stands"), (4, "beside")]


def test_what_is_allowed_is_left_alone() -> None:
    """Messages of released texts are data; their docstrings are not."""
    text = '"""It stands."""\nSAID = "it stands behind it"\n'
    assert found(text, "cli/promptster/protocol/policies/text_2.py") == [(1, "stands")]


def test_every_kind_of_file_is_read(tmp_path: Path) -> None:
    """Code, tests and documents are; the place of a finding is named."""
    for name in ("cli/promptster/a.py", "tests/test_b.py", "docs/c.md"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n\nIt stands.\n" if name.endswith(".md") else '"""It stands."""\n')
    expected = ["cli/promptster/a.py:1", "docs/c.md:3", "tests/test_b.py:1"]
    assert sorted(problems(tmp_path)) == [f"{place}: 'stands': is, or appears (stands)" for place in expected]


def test_every_allowance_gives_its_reason() -> None:
    """An exception without a reason is not one."""
    assert all(entry["reason"] for entry in tomllib.loads(RULES.read_text(encoding="utf-8"))["allow"])
