"""What holds for the repository as a whole."""

from __future__ import annotations

import ast
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def _tracked() -> list[Path]:
    listing = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False, text=True)
    if listing.returncode:
        pytest.skip("not a git checkout")
    return [ROOT / name for name in listing.stdout.split("\0") if name]


def _texts() -> list[tuple[Path, str]]:
    texts: list[tuple[Path, str]] = []
    for path in _tracked():
        if path.is_file():
            data = path.read_bytes()
            if b"\0" not in data:
                texts.append((path, data.decode()))
    return texts


def test_no_file_carries_a_machine_path_or_a_registry_host() -> None:
    """The repository has no path of a home folder and no package registry's host name."""
    forbidden = re.compile("|".join(["/ro" + "ot/", "/wo" + "rk/", "py" + "pi[.]org", "registry[.]np" + "mjs"]))
    found = [
        f"{path.relative_to(ROOT)}: {match.group()}" for path, text in _texts() for match in forbidden.finditer(text)
    ]
    assert found == []


def test_readme_gives_each_command_alone_on_its_line() -> None:
    """The demonstration and the tests are one line each, complete after a clone."""
    lines = (ROOT / "README.md").read_text().splitlines()
    for session in ("demo", "tests"):
        command = (
            f"python3 -m venv .venv && .venv/bin/python -m pip install nox && .venv/bin/python -m nox -s {session}"
        )
        assert lines.count(command) == 1


def test_ci_runs_the_readme_test_command() -> None:
    """CI reads the test command from the README instead of repeating it."""
    script = (ROOT / ".ci" / "run").read_text()
    assert "README.md" in script
    for session in ("lint", "types", "docs", "e2e", "demo"):
        assert f"nox -s {session}" in script


def test_every_link_between_documents_leads_somewhere() -> None:
    """A relative link in a Markdown file names an existing file."""
    link = re.compile(r"\]\((?!https?://|#|mailto:)([^)#\s]+)")
    broken = [
        f"{path.relative_to(ROOT)} -> {target}"
        for path, text in _texts()
        if path.suffix == ".md"
        for target in link.findall(text)
        if not (path.parent / target).exists()
    ]
    assert broken == []


_IN_A_SESSION = {"agents/PID"}
"""Paths in a session's folder that begin like one of the tree."""


def test_every_path_that_a_document_names_exists() -> None:
    """A file or folder of the tree that a Markdown file names in backticks is there; a word in capitals is any name.

    What ends in ``/`` and a number is no path, but names a form of the wire.
    """
    roots = [
        ROOT / each for each in ("", "cli", "collector", "hooks", "cli/promptster", "collector/promptster_collector")
    ]
    known = {part.name for root in roots for part in root.iterdir() if part.is_dir() and part.name[0] != "."}
    path_of = re.compile(r"`((?:\w[\w-]*)(?:/[\w.*-]+)+/?)`")
    broken: list[str] = []
    seen = 0
    for document, text in _texts():
        if document.suffix != ".md":
            continue
        for name in path_of.findall(text):
            if name.split("/")[0] in known and not name.split("/")[-1].isdigit() and name not in _IN_A_SESSION:
                seen += 1
                pattern = re.sub(r"\b(?:ID|N|NAME|TYPE|VERSION)\b", "*", name)
                if not any(any(root.glob(pattern)) for root in (*roots, document.parent)):
                    broken.append(f"{document.relative_to(ROOT)}: {name}")
    assert seen > 100
    assert broken == []


_RECORDED = re.compile(
    r"tests/(?:vectors/(?:good|hostile)|recordings|agents/\w+/recordings|transcripts|protocol/policies|\w+/made_by_[\w]+)/"
)


def test_recorded_bytes_are_left_alone() -> None:
    """Git converts no line end of what was recorded or made by an earlier version, and editors are told to keep it."""
    names = [name for path in _tracked() if _RECORDED.match(name := path.relative_to(ROOT).as_posix())]
    told = subprocess.run(
        ["git", "check-attr", "-z", "--stdin", "text"],
        cwd=ROOT,
        input="\0".join(names),
        capture_output=True,
        check=True,
        text=True,
    ).stdout.split("\0")
    kept = {name for name, value in zip(told[::3], told[2::3], strict=False) if value == "unset"}
    assert sorted(set(names) - kept) == []
    (section,) = re.findall(r"^\[tests/\{(.+)\}/\*\*\]$", (ROOT / ".editorconfig").read_text(), re.MULTILINE)
    patterns = [f"tests/{part}/**/*" for part in section.split(",")]
    covered = {path.relative_to(ROOT).as_posix() for pattern in patterns for path in ROOT.glob(pattern)}
    assert sorted(set(names) - covered) == []


_A_SENTENCE = re.compile(r"(?:[A-Z`~]|--[a-z]|promptster)")


def _hints(path: Path) -> list[tuple[int, str]]:
    """What a module gives as ``hint``, with a brace for every value; each with its line."""
    found: list[tuple[int, str]] = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        texts = [part.value for part in node.keywords if part.arg == "hint"] if isinstance(node, ast.Call) else []
        for text in texts:
            if isinstance(text, ast.Constant) and isinstance(text.value, str):
                found.append((text.lineno, text.value))
            elif isinstance(text, ast.JoinedStr):
                words = [str(part.value) if isinstance(part, ast.Constant) else "{}" for part in text.values]
                found.append((text.lineno, "".join(words)))
    return found


def test_every_hint_is_a_sentence_or_a_command() -> None:
    """The next step begins like a sentence, and ends like one or with a command."""
    modules = [path for name in ("cli", "collector", "hooks") for path in (ROOT / name).rglob("*.py")]
    hints = [(path.name, line, hint) for path in modules for line, hint in _hints(path)]
    assert len(hints) > 100
    wrong = [
        hint
        for hint in hints
        if not ((_A_SENTENCE.match(hint[2]) or hint[2].startswith("{}")) and re.search(r"[.}]$|promptster|--", hint[2]))
    ]
    assert wrong == []


def test_no_message_speaks_in_the_systems_own_words() -> None:
    """One module translates the system's errors, with number or in its C library's words, into our own."""
    modules = [path for name in ("cli", "collector") for path in (ROOT / name).rglob("*.py")]
    speaking = [path.name for path in modules if "strerror" in path.read_text(encoding="utf-8")]
    assert speaking == ["errors.py"]
