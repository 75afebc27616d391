"""The users of a test or of the demonstration: each has a home folder and runs the real program in it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

BIN = Path(sys.executable).parent
"""The folder of this environment's ``promptster`` and ``promptster-collector``."""

_KEPT = (
    "LANG",
    "TERM",
    "TMPDIR",
    "SSL_CERT_FILE",
    "COVERAGE_PROCESS_CONFIG",
    "COVERAGE_PROCESS_START",
    "COVERAGE_FILE",
)


@dataclass(frozen=True, kw_only=True)
class Answer:
    """How one command ended."""

    code: int
    stdout: str
    stderr: str

    @property
    def document(self) -> dict[str, Any]:
        """The one JSON document on stdout."""
        document: dict[str, Any] = json.loads(self.stdout)
        return document


@dataclass(frozen=True, kw_only=True)
class Person:
    """One user with a home folder of their own; nothing of the person who runs the tests is read or written."""

    name: str
    home: Path
    extra: Mapping[str, str] = field(default_factory=dict[str, str])
    """Environment variables in addition to the clean ones."""
    tools: Path | None = None
    """A folder of programs that is first on PATH."""

    def environment(self) -> dict[str, str]:
        """A clean environment with this person's HOME."""
        kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
        folders = [str(folder) for folder in (self.tools, BIN) if folder is not None]
        return {
            **kept,
            "PATH": os.pathsep.join([*folders, os.environ.get("PATH", os.defpath)]),
            "HOME": str(self.home),
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_CONFIG_SYSTEM": os.devnull,
            **self.extra,
        }

    def call(self, *words: str, given: str = "", cwd: Path | None = None) -> Answer:
        """Run ``promptster WORDS`` to its end."""
        done = subprocess.run(
            [str(BIN / "promptster"), *words],
            env=self.environment(),
            input=given,
            capture_output=True,
            text=True,
            cwd=cwd or self.home,
            check=False,
        )
        return Answer(code=done.returncode, stdout=done.stdout, stderr=done.stderr)

    def result(self, *words: str, given: str = "", cwd: Path | None = None, ok: Sequence[int] = (0,)) -> dict[str, Any]:
        """Run ``promptster WORDS --json`` and return its document.

        Raises:
            AssertionError: it ended with a code that is not in ``ok``.
        """
        answer = self.call(*words, "--json", given=given, cwd=cwd)
        if answer.code not in ok:
            raise AssertionError(
                f"{self.name}: promptster {' '.join(words)} ended with {answer.code}\n{answer.stdout}\n{answer.stderr}"
            )
        return answer.document
