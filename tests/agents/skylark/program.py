"""Skylark itself: asks Anthropic's API, writes the files that the model asks for, and fires its hooks.

``program.py [--resume SESSION] -p PROMPT``. Standard library only.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import urllib.request
import uuid
from pathlib import Path
from typing import Any

CONTEXT = "<skylark-context>\nThis folder holds a task.\n</skylark-context>"
TOOL = {
    "name": "write_file",
    "description": "Write a text file.",
    "input_schema": {"type": "object", "properties": {"path": {"type": "string"}, "content": {"type": "string"}}},
}
MOST_CALLS = 20


def fire(event: str, session: str, **fields: Any) -> None:
    """Run the hook's command with a payload on its standard input."""
    command = os.environ.get("SKYLARK_HOOK")
    payload = {"hook_event_name": event, "session_id": session, "cwd": str(Path.cwd()), **fields}
    if command:
        subprocess.run(shlex.split(command), input=json.dumps(payload).encode(), check=False)


def ask(session: str, messages: list[dict[str, Any]]) -> dict[str, Any]:
    """The model's answer."""
    base = os.environ.get("SKYLARK_BASE_URL", "https://api.anthropic.com")
    body = {"model": "skylark-1", "max_tokens": 1000, "stream": False, "tools": [TOOL], "messages": messages}
    headers = {
        "content-type": "application/json",
        "user-agent": "skylark/1.0",
        "x-skylark-session": session,
        "x-api-key": os.environ.get("ANTHROPIC_API_KEY", ""),
        "x-promptster-token": os.environ.get("SKYLARK_PROXY_TOKEN", ""),
    }
    request = urllib.request.Request(f"{base}/v1/messages", json.dumps(body).encode(), headers)  # noqa: S310 - http
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=60) as answer:
        answered: dict[str, Any] = json.load(answer)
        return answered


def run(session: str, call: dict[str, Any]) -> dict[str, Any]:
    """Run one tool call and return its result for the model."""
    told = {"tool": call["name"], "arguments": call["input"], "call_id": call["id"]}
    fire("before_tool", session, **told)
    path, failed, result = Path(call["input"]["path"]), False, "written"
    try:
        path.write_text(call["input"]["content"], encoding="utf-8")
    except OSError as error:
        failed, result = True, str(error)
    fire("after_tool", session, **told, result=result, failed=failed)
    return {"type": "tool_result", "tool_use_id": call["id"], "content": result, "is_error": failed}


def work(session: str, prompt: str) -> None:
    """One turn."""
    fire("prompt", session, prompt=prompt, turn_id=str(uuid.uuid4()))
    messages: list[dict[str, Any]] = [
        {"role": "user", "content": [{"type": "text", "text": CONTEXT}, {"type": "text", "text": prompt}]}
    ]
    for _ in range(MOST_CALLS):
        answer = ask(session, messages)
        messages.append({"role": "assistant", "content": answer["content"]})
        for block in answer["content"]:
            if block["type"] == "text":
                sys.stdout.write(f"{block['text']}\n")
        calls = [block for block in answer["content"] if block["type"] == "tool_use"]
        if not calls:
            return
        messages.append({"role": "user", "content": [run(session, call) for call in calls]})


if __name__ == "__main__":
    words = sys.argv[1:]
    options = dict(zip(words[::2], words[1::2], strict=True))
    work(options.get("--resume") or str(uuid.uuid4()), options["-p"])
