"""Connects a real agent to a tap: ``tapped_agent.py NAME PROGRAM TAP_PORT TARGET_FILE ARGUMENTS``.

Only the port in the base URL changes; the port that the recorder gave is written to the target file.
"""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path

_BASE = re.compile(r"http://127\.0\.0\.1:(\d+)/")


def _tapped(text: str, port: str, target: Path) -> str:
    found = _BASE.match(text)
    if found is None:
        return text
    target.write_text(found.group(1))
    return f"http://127.0.0.1:{port}/" + text[found.end() :]


def _claude(arguments: list[str], port: str, target: Path) -> list[str]:
    if arguments[:1] != ["--settings"]:
        return arguments
    path = Path(arguments[1])
    settings = json.loads(path.read_text())
    settings["env"]["ANTHROPIC_BASE_URL"] = _tapped(settings["env"]["ANTHROPIC_BASE_URL"], port, target)
    own = path.with_name(f"tapped-{path.name}")
    own.write_text(json.dumps(settings))
    return ["--settings", str(own), *arguments[2:]]


def _codex(arguments: list[str], port: str, target: Path) -> list[str]:
    start = 'base_url="'
    return [
        word.replace(url, _tapped(url, port, target))
        if word.startswith("model_providers.") and (url := word.split(start)[1].split('"')[0])
        else word
        for word in arguments
    ]


def main() -> None:
    """Become the agent."""
    name, program, port, target, *arguments = sys.argv[1:]
    change = _claude if name == "claude" else _codex
    os.execv(program, [name, *change(arguments, port, Path(target))])  # noqa: S606 - no shell is wanted


main()
