"""A small coding agent for machines without one: it takes the place of ``claude`` in tests and in the demonstration.

It speaks the Anthropic Messages API (streamed), runs the tools Read, Write, Edit and Bash for real, and fires the hooks
that its ``--settings`` file names, the way Claude Code does. It is for practice: it asks no permission, so run it only
on a script that you know. Standard library only.
"""

from __future__ import annotations

import http.client
import itertools
import json
import os
import shlex
import subprocess
import sys
import time
import urllib.parse
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

MODEL = "practice-1"
MAX_CALLS = 50
"""Calls to the provider in one run; a script that never ends its turn stops here."""

MAX_ATTEMPTS = 8
"""Tries of one call while the provider is busy."""
RETRIED = frozenset({429, 500, 502, 503, 529})
RETRY_SECONDS = 0.5
"""Pause before the next try if the provider names none."""

TOOLS: list[dict[str, Any]] = [
    {
        "name": name,
        "description": description,
        "input_schema": {"type": "object", "properties": {key: {"type": "string"} for key in keys}, "required": keys},
    }
    for name, description, keys in (
        ("Read", "Read a text file.", ["file_path"]),
        ("Write", "Write a text file.", ["file_path", "content"]),
        ("Edit", "Replace one occurrence of a text in a file.", ["file_path", "old_string", "new_string"]),
        ("Bash", "Run a shell command.", ["command"]),
    )
]


class ToolFailed(Exception):  # noqa: N818  (named for what a person reads)
    """The tool ran and failed; the text goes back to the model."""


@dataclass(kw_only=True)
class Hooks:
    """The hooks of a settings file, fired one after the other."""

    table: Mapping[str, Any]
    environment: Mapping[str, str]
    common: dict[str, Any] = field(default_factory=dict[str, Any])

    def fire(self, event: str, **fields: Any) -> None:
        """Send one event to every handler registered for it; a handler's failure is only printed on stderr."""
        payload = json.dumps({**self.common, "hook_event_name": event, **fields}).encode()
        for group in self.table.get(event, []):
            for handler in group.get("hooks", []):
                try:
                    self._hand_over(handler, payload)
                except (OSError, http.client.HTTPException, subprocess.SubprocessError) as error:
                    print(f"{event} hook failed: {error}", file=sys.stderr)

    def _hand_over(self, handler: Mapping[str, Any], payload: bytes) -> None:
        timeout = float(handler.get("timeout", 10))
        if handler["type"] == "http":
            headers = {"content-type": "application/json", **handler.get("headers", {})}
            post(handler["url"], headers, payload, timeout).read()
        elif handler["type"] == "command":
            subprocess.run(  # noqa: S602  (a hook's command is a shell line by definition)
                handler["command"],
                shell=True,
                input=payload,
                timeout=timeout,
                env=dict(self.environment),
                stdout=subprocess.DEVNULL,
                check=False,
            )


def post(url: str, headers: Mapping[str, str], body: bytes, timeout: float) -> http.client.HTTPResponse:
    """POST to an http URL without using any proxy of the environment."""
    parts = urllib.parse.urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "127.0.0.1", parts.port, timeout=timeout)
    connection.request("POST", parts.path + (f"?{parts.query}" if parts.query else ""), body, dict(headers))
    return connection.getresponse()


def server_events(response: http.client.HTTPResponse) -> Iterator[dict[str, Any]]:
    """The JSON of every ``data:`` line of a server-sent event stream."""
    for line in response:
        if line.startswith(b"data:"):
            yield json.loads(line[5:])


def read_message(response: http.client.HTTPResponse) -> dict[str, Any]:
    """Assemble one streamed message; text is printed as it comes."""
    blocks: list[dict[str, Any]] = []
    partial: dict[int, str] = {}
    stop_reason = "end_turn"
    for event in server_events(response):
        if event["type"] == "content_block_start":
            blocks.append(dict(event["content_block"]))
        elif event["type"] == "content_block_delta":
            delta: dict[str, str] = event["delta"]
            index: int = event["index"]
            if delta["type"] == "text_delta":
                blocks[index]["text"] = blocks[index].get("text", "") + delta["text"]
                print(delta["text"], end="", flush=True)
            elif delta["type"] == "thinking_delta":
                blocks[index]["thinking"] = blocks[index].get("thinking", "") + delta["thinking"]
            elif delta["type"] == "input_json_delta":
                partial[index] = partial.get(index, "") + delta["partial_json"]
        elif event["type"] == "message_delta":
            stop_reason = event["delta"].get("stop_reason") or stop_reason
    for index, text in partial.items():
        blocks[index]["input"] = json.loads(text or "{}")
    print(flush=True)
    return {"content": blocks, "stop_reason": stop_reason}


def run_tool(name: str, arguments: Mapping[str, str]) -> tuple[str, dict[str, Any]]:
    """Run one tool for real.

    Returns:
        The text for the model, and the structured response that hooks receive.

    Raises:
        ToolFailed: the tool could not do what was asked.
    """
    try:
        if name == "Read":
            text = Path(arguments["file_path"]).read_text()
            return text, {"type": "text", "file": {"filePath": arguments["file_path"], "content": text}}
        if name == "Write":
            return _write(Path(arguments["file_path"]), arguments["content"])
        if name == "Edit":
            return _edit(Path(arguments["file_path"]), arguments["old_string"], arguments["new_string"])
        if name == "Bash":
            return _bash(arguments["command"])
    except (OSError, KeyError) as error:
        raise ToolFailed(str(error)) from error
    raise ToolFailed(f"there is no tool {name}")


def _write(path: Path, content: str) -> tuple[str, dict[str, Any]]:
    before = path.read_text() if path.exists() else None
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    kind = "create" if before is None else "update"
    return f"File written: {path}", {
        "type": kind,
        "filePath": str(path),
        "content": content,
        "originalFile": before,
        "structuredPatch": [],
    }


def _edit(path: Path, old: str, new: str) -> tuple[str, dict[str, Any]]:
    before = path.read_text()
    if before.count(old) != 1:
        raise ToolFailed(f"the text to replace occurs {before.count(old)} times in {path}")
    path.write_text(before.replace(old, new))
    return f"The file {path} has been updated.", {
        "filePath": str(path),
        "oldString": old,
        "newString": new,
        "originalFile": before,
        "structuredPatch": [],
    }


def _bash(command: str) -> tuple[str, dict[str, Any]]:
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=120, check=False)
    if done.returncode:
        raise ToolFailed(f"Exit code {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout or done.stderr, {"stdout": done.stdout, "stderr": done.stderr, "interrupted": False}


@dataclass(kw_only=True)
class Agent:
    """One conversation with the provider."""

    base_url: str
    key: str
    hooks: Hooks
    session: str

    def work(self, prompt: str) -> None:
        """Ask, run what the model asks for, and ask again until it ends its turn."""
        self.hooks.fire("UserPromptSubmit", prompt=prompt)
        messages: list[dict[str, Any]] = [{"role": "user", "content": [{"type": "text", "text": prompt}]}]
        for _ in range(MAX_CALLS):
            answer = self._ask(messages)
            messages.append({"role": "assistant", "content": answer["content"]})
            calls = [block for block in answer["content"] if block["type"] == "tool_use"]
            if not calls:
                break
            messages.append({"role": "user", "content": [self._call(block) for block in calls]})
        self.hooks.fire("Stop", stop_hook_active=False)

    def _ask(self, messages: list[dict[str, Any]]) -> dict[str, Any]:
        body = {"model": MODEL, "max_tokens": 4096, "stream": True, "tools": TOOLS, "messages": messages}
        headers = {
            "content-type": "application/json",
            "x-api-key": self.key,
            "anthropic-version": "2023-06-01",
            "X-Claude-Code-Session-Id": self.session,
        }
        data = json.dumps(body).encode()
        answer = "nothing"
        for _ in range(MAX_ATTEMPTS):
            response = post(f"{self.base_url}/v1/messages?beta=true", headers, data, 60)
            if response.status == http.client.OK:
                return read_message(response)
            answer = f"{response.status}: {response.read(500).decode(errors='replace')}"
            if response.status not in RETRIED:
                break
            time.sleep(float(response.headers.get("retry-after", RETRY_SECONDS)))
        sys.exit(f"the provider answered {answer}")

    def _call(self, block: Mapping[str, Any]) -> dict[str, Any]:
        name, arguments, call = block["name"], block["input"], block["id"]
        print(f"  [{name}] {shlex.join(str(value)[:60] for value in arguments.values())}", flush=True)
        self.hooks.fire("PreToolUse", tool_name=name, tool_input=arguments, tool_use_id=call)
        result: dict[str, Any] = {"type": "tool_result", "tool_use_id": call}
        try:
            text, structured = run_tool(name, arguments)
        except ToolFailed as failure:
            self.hooks.fire(
                "PostToolUseFailure", tool_name=name, tool_input=arguments, tool_use_id=call, error=str(failure)
            )
            return {**result, "content": str(failure), "is_error": True}
        self.hooks.fire("PostToolUse", tool_name=name, tool_input=arguments, tool_use_id=call, tool_response=structured)
        return {**result, "content": text, "is_error": False}


def install(folder: Path) -> Path:
    """Install this agent in ``folder`` as the program ``claude`` and return its path."""
    program = folder / "claude"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{Path(__file__).resolve()}" "$@"\n')
    program.chmod(0o755)
    return program


def main(arguments: list[str]) -> None:
    """Parse ``-p PROMPT`` and ``--settings FILE``; every other flag of Claude Code is accepted and ignored."""
    options = dict(itertools.pairwise(arguments))
    settings: dict[str, Any] = json.loads(Path(options["--settings"]).read_text()) if "--settings" in options else {}
    environment: dict[str, str] = {**os.environ, **settings.get("env", {})}
    session = str(uuid.uuid4())
    hooks = Hooks(
        table=settings.get("hooks", {}),
        environment=environment,
        common={"session_id": session, "cwd": str(Path.cwd()), "permission_mode": "bypassPermissions"},
    )
    hooks.fire("SessionStart", source="startup")
    agent = Agent(
        base_url=environment.get("ANTHROPIC_BASE_URL", "https://api.anthropic.com"),
        key=environment.get("ANTHROPIC_API_KEY", ""),
        hooks=hooks,
        session=session,
    )
    agent.work(options.get("-p", ""))
    hooks.fire("SessionEnd", reason="other")


if __name__ == "__main__":
    main(sys.argv[1:])
