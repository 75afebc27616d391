"""Transcripts: ``$ command``, then what a person sees, then the next command.

In the expected text ``[...]`` stands for anything within a line, a line ``...`` for any number of lines. A command that
does not end with 0 is followed by ``(exit N)``. Both outputs appear together, as in a terminal.
"""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Step:
    """One command and what it should show."""

    command: str
    expected: str


def read(text: str) -> list[Step]:
    """The steps of a transcript; lines before the first command are a comment."""
    steps: list[Step] = []
    for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        command, _, expected = part.partition("\n")
        while command.endswith("\\"):
            more, _, expected = expected.partition("\n")
            command = f"{command[:-1]}{more}"
        steps.append(Step(command=command, expected=expected.rstrip("\n")))
    return steps


def matches(expected: str, shown: str) -> bool:
    """Whether the output matches the transcript."""
    lines = [
        r"(?:.*\n)*?" if line == "..." else r".*?".join(re.escape(part) for part in line.split("[...]")) + r"\n"
        for line in expected.splitlines()
    ]
    return re.fullmatch("".join(lines), shown + "\n" if shown else "") is not None


def play(path: Path, *, cwd: Path, environ: Mapping[str, str]) -> None:
    """Run a transcript's commands and compare.

    Raises:
        AssertionError: a command showed something else; both texts are in the message.
    """
    steps = read(path.read_text(encoding="utf-8"))
    assert steps, f"{path.name} has no commands"
    for step in steps:
        done = subprocess.run(
            ["sh", "-c", step.command],
            cwd=cwd,
            env=dict(environ),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        shown = done.stdout.rstrip("\n")
        if done.returncode:
            shown = f"{shown}\n(exit {done.returncode})".lstrip("\n")
        assert matches(step.expected, shown), (
            f"{path.name}: $ {step.command}\n--- expected\n{step.expected}\n--- shown\n{shown}"
        )
