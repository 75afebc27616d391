"""Everything that a person reads here is plain English: messages, help, documents, pages, docstrings and comments.

``wording.toml`` contains the rules and their exceptions. Run ``python -m tests.checks.wording`` for the findings.
"""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from functools import cache, cached_property
from pathlib import Path
from typing import Any, Final, NamedTuple

ROOT = Path(__file__).parents[2]
RULES: Final = Path(__file__).with_suffix(".toml")

MESSAGE, DOCSTRING, COMMENT, DOCUMENT = "message", "docstring", "comment", "document"
_CODE: Final = ("cli", "collector", "hooks", "tests")
_MARKDOWN: Final = ("*.md", "changes/*.md", "docs/**/*.md", "cli/**/*.md", "collector/**/*.md")
_PAGES: Final = ("cli/**/*.js", "cli/**/*.html", "collector/**/*.js", "collector/**/*.html")
_FENCED = re.compile(r"^(```|~~~).*?^\1", re.MULTILINE | re.DOTALL)
_QUOTED = re.compile(r"`[^`\n]*`|\]\([^)]*\)|https?://\S+")
_HASHES = re.compile(r"(?m)^[ \t]*#[^\n]*(?:\n[ \t]*#[^\n]*)*|(?<=  )# [^\n]*")
_EMPTY_DOCSTRING = re.compile(r"(?:Nothing|None|Cannot be told|Not known|Nobody)\.?")
_NAMES = (
    "Claude",
    "Codex",
    "Cursor",
    "Git",
    "Promptster",
    "Python",
    "Homebrew",
    "Windows",
    "Linux",
    "Amazon",
    "Google",
)

_SENTENCES = ("ChoiceError",)
"""Errors that are shown as a sentence, without ``error:``."""


class Passage(NamedTuple):
    """Some text that a person reads."""

    kind: str
    line: int
    """The line at which it begins."""
    text: str
    source: str
    """The lines of the file that hold it; the same as the text, unless the text is a string's value."""


class Finding(NamedTuple):
    """A phrase that a rule finds."""

    path: str
    line: int
    rule: str
    phrase: str
    better: str

    def __str__(self) -> str:
        """Show where it is, what it is, and what to write instead."""
        return f"{self.path}:{self.line}: {' '.join(self.phrase.split())!r}: {self.better} ({self.rule})"


@dataclass(frozen=True)
class Rule:
    """A phrase to avoid, and a better one."""

    name: str
    pattern: re.Pattern[str]
    raw: re.Pattern[str]
    """The same in source code, where quotes and comment signs may stand between two words."""
    better: str
    kinds: frozenset[str]


@dataclass(frozen=True)
class Wording:
    """What ``wording.toml`` says."""

    rules: tuple[Rule, ...]
    allowed: tuple[tuple[str, frozenset[str], frozenset[str]], ...]
    """File patterns, with the rules and the kinds of text that do not count there."""

    @cached_property
    def any_rule(self) -> re.Pattern[str]:
        """All rules at once, for the files in which none finds anything."""
        return re.compile("|".join(rule.raw.pattern for rule in self.rules), re.IGNORECASE)

    def allows(self, path: str, rule: str, kind: str) -> bool:
        """Return whether a rule does not count in this kind of text of this file."""
        return any(
            fnmatch(path, pattern) and (not rules or rule in rules) and (not kinds or kind in kinds)
            for pattern, rules, kinds in self.allowed
        )


@cache
def read_wording(path: Path = RULES) -> Wording:
    """Read the rules and the allowances."""
    data: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
    return Wording(
        rules=tuple(_rule(entry) for entry in data["rule"]),
        allowed=tuple(
            (entry["path"], frozenset(entry.get("rules", ())), frozenset(entry.get("kinds", ())))
            for entry in data["allow"]
        ),
    )


def _rule(entry: dict[str, Any]) -> Rule:
    pattern: str = entry["pattern"]
    flags = re.IGNORECASE
    return Rule(
        name=entry["name"],
        pattern=re.compile(pattern.replace(" ", r"[\s#]+"), flags),
        raw=re.compile(pattern.replace(" ", r"[\s#\"'f(){}]+"), flags),
        better=entry["better"],
        kinds=frozenset(entry.get("kinds", (MESSAGE, DOCSTRING, COMMENT, DOCUMENT))),
    )


def problems(root: Path) -> Iterator[str]:
    """Each phrase that a rule finds.

    Args:
        root: the repository.
    """
    wording = read_wording()
    for path in _files(root):
        name = path.relative_to(root).as_posix()
        for finding in findings(name, path.read_text(encoding="utf-8"), wording):
            yield str(finding)


def findings(name: str, text: str, wording: Wording) -> list[Finding]:
    """Check one file, given by its path in the repository and its text."""
    tests = name.startswith("tests/")
    rules = [rule for rule in wording.rules if rule.raw.search(text)] if wording.any_rule.search(text) else []
    found: list[Finding] = []
    if name.endswith(".py"):
        if tests and not rules and not _EMPTY_DOCSTRING.search(text):
            return []
        module = ast.parse(text)
        passages = [*_strings(module, text.splitlines()), *_comments(text)]
        if not tests:
            found += _raised(name, module)
        found += [
            Finding(name, passage.line, "empty-docstring", passage.text, "say what it is or does")
            for passage in passages
            if passage.kind == DOCSTRING and _EMPTY_DOCSTRING.fullmatch(passage.text)
        ]
    else:
        passages = [Passage(DOCUMENT, 1, *(2 * (_prose(text) if name.endswith(".md") else text,)))]
    for passage in passages:
        if tests and passage.kind == MESSAGE:  # what a program said once, or what a file of data holds
            continue
        for rule in rules:
            if passage.kind in rule.kinds and not wording.allows(name, rule.name, passage.kind):
                for match in rule.pattern.finditer(passage.text):
                    line = _line(passage, match)
                    found.append(Finding(name, line, rule.name, match.group(), rule.better))
    return sorted(found)


def _line(passage: Passage, match: re.Match[str]) -> int:
    """Return the line of a match: in a string's source, the one with the words that are next to each other there."""
    if passage.source == passage.text:
        return passage.line + passage.text.count("\n", 0, match.start())
    at = passage.source.find(match.group())
    if at < 0:
        word = match.group().split()[0]
        at = max(passage.source.find(word), 0)
    return passage.line + passage.source.count("\n", 0, at)


def _prose(text: str) -> str:
    """Return a Markdown text with its code and addresses blanked, so that lines stay where they are."""
    text = _FENCED.sub(lambda match: "\n" * match.group().count("\n"), text)
    return _QUOTED.sub(lambda match: "_" * len(match.group()), text)


def _files(root: Path) -> Iterator[Path]:
    for folder in _CODE:
        yield from sorted((root / folder).rglob("*.py"))
    for pattern in (*_MARKDOWN, *_PAGES):
        found = {path for path in root.glob(pattern) if "_build" not in path.parts}
        yield from sorted(found)


def _strings(module: ast.Module, lines: list[str]) -> Iterator[Passage]:
    """Yield every docstring, and every other string that has words in it."""
    docstrings = {id(node.value) for node in ast.walk(module) if isinstance(node, ast.Expr)}
    inside: set[int] = set()
    for node in ast.walk(module):
        match node:
            case ast.JoinedStr():
                inside |= {id(part) for part in node.values if isinstance(part, ast.Constant)}
                parts = (str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values)
                yield _passage(MESSAGE, node, "".join(parts), lines)
            case ast.Constant(value=str(text)) if id(node) in docstrings:
                yield _passage(DOCSTRING, node, text, lines)
            case ast.Constant(value=str(text)) if id(node) not in inside and " " in text:
                yield _passage(MESSAGE, node, text, lines)
            case _:
                pass


def _passage(kind: str, node: ast.expr, text: str, lines: list[str]) -> Passage:
    return Passage(kind, node.lineno, text, "\n".join(lines[node.lineno - 1 : node.end_lineno]))


def _comments(text: str) -> Iterator[Passage]:
    for match in _HASHES.finditer(text):
        yield Passage(COMMENT, text.count("\n", 0, match.start()) + 1, *(2 * (match.group(),)))


def _raised(name: str, module: ast.Module) -> Iterator[Finding]:
    """Yield messages of exceptions that begin with a capital or end with a full stop: both follow ``error:``."""
    for node in ast.walk(module):
        if not (isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call) and node.exc.args):
            continue
        if isinstance(node.exc.func, ast.Name) and node.exc.func.id in _SENTENCES:
            continue
        match node.exc.args[0]:
            case ast.Constant(value=str(message)) if " " in message:
                pass
            case ast.JoinedStr(values=values):
                message = "".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in values)
            case _:
                continue
        first = message.split(maxsplit=1)[0] if message.split() else ""
        if re.match(r"[A-Z][a-z]+$", first) and not first.startswith(_NAMES):
            yield Finding(name, node.lineno, "error-capital", first, "begin in lower case after 'error:'")
        if re.search(r"[a-z)]\.$", message):
            yield Finding(name, node.lineno, "error-stop", message[-20:], "no full stop after 'error:'")


def main() -> int:
    """Print the findings; returns the exit code."""
    found = list(problems(ROOT))
    sys.stdout.write("".join(f"{one}\n" for one in found))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
