"""A stand-in for ``codex`` that answers about hooks and login: ``fake_codex.py MODE FOLDER ARGUMENTS...``."""

from __future__ import annotations

import hashlib
import json
import os
import sys
import time
import tomllib
from pathlib import Path
from typing import Any


def _hooks(arguments: list[str]) -> list[dict[str, str]]:
    found: list[dict[str, str]] = []
    for word in arguments:
        key, _, value = word.partition("=")
        if key.startswith("hooks."):
            tomllib.loads(f"x={value}")
            event = key.removeprefix("hooks.")
            hashed = "sha256:" + hashlib.sha256(word.encode()).hexdigest()
            found.append(
                {"key": f"/<session-flags>/config.toml:{event}:0:0", "currentHash": hashed, "source": "sessionFlags"}
            )
    return found


def _serve(mode: str, arguments: list[str]) -> None:
    for line in sys.stdin:
        message = json.loads(line)
        if mode == "dies":
            return
        if "id" not in message:
            continue
        answer: dict[str, Any] = {"id": message["id"], "result": {"codexHome": os.environ["CODEX_HOME"]}}
        if message["method"] == "hooks/list":
            _say(json.dumps({"method": "a/notification", "params": {}}))
            hooks = [] if mode == "empty" else _hooks(arguments)
            answer["result"] = {"data": [{"cwd": message["params"]["cwds"][0], "hooks": hooks}]}
            if mode == "refuses":
                answer = {"id": message["id"], "error": {"code": -32601, "message": "no such method"}}
        if mode == "silent":
            time.sleep(30)
        _say("not json" if mode == "garbles" else json.dumps(answer))


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main() -> None:
    """Answer one call."""
    mode, folder, *arguments = sys.argv[1:]
    if arguments == ["--version"]:
        _say("codex-cli 0.0.1")
    elif arguments[:2] == ["login", "status"]:
        sys.stderr.write("Logged in using ChatGPT\n" if mode == "chatgpt" else "Not logged in\n")
    elif arguments[0] == "app-server":
        with (Path(folder) / "asked").open("a") as file:
            file.write(f"{os.environ['HOME']} {os.environ['CODEX_HOME']}\n")
        _serve(mode, arguments[1:])


main()
