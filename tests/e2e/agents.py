"""The real agents, installed from npm into a folder of the clone, in the versions that were measured."""

from __future__ import annotations

import fcntl
import platform
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

CLAUDE_VERSION = "2.1.330"
CODEX_VERSION = "0.169.0"
CACHE = Path(__file__).resolve().parents[2] / ".cache" / "agents"


@dataclass(frozen=True, kw_only=True)
class Agents:
    """Where the programs are."""

    claude: Path
    codex: Path


def install() -> Agents:
    """Install what is missing; two test runs may ask at once.

    npm no longer runs post-install steps by itself, so Claude Code's program is taken from its platform package.
    """
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        wanted = f"@anthropic-ai/claude-code@{CLAUDE_VERSION} @openai/codex@{CODEX_VERSION}"
        done = CACHE / "installed"
        if not done.exists() or done.read_text() != wanted:
            words = ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", str(CACHE)]
            subprocess.run([*words, *wanted.split()], check=True, stdout=subprocess.DEVNULL)
            done.write_text(wanted)
    machine = {"x86_64": "x64", "amd64": "x64", "aarch64": "arm64", "arm64": "arm64"}[platform.machine().lower()]
    system = "darwin" if sys.platform == "darwin" else "linux"
    modules = CACHE / "node_modules"
    claude = modules / "@anthropic-ai" / f"claude-code-{system}-{machine}" / "claude"
    (codex,) = (modules / "@openai" / f"codex-{system}-{machine}" / "vendor").glob("*/bin/codex")
    return Agents(claude=claude, codex=codex)
