"""A stand-in for Codex that answers what its launch asks, for the conformance suite."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

FAKE = Path(__file__).resolve().parents[2] / "helpers" / "fake_codex.py"

if __name__ == "__main__":
    words = [sys.executable, str(FAKE), "answers", tempfile.gettempdir(), *sys.argv[1:]]
    sys.exit(subprocess.run(words, check=False).returncode)
