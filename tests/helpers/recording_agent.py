"""An agent that works with a running recorder: it fires hooks, calls models, and waits until the recorder shows it."""

from __future__ import annotations

import http.client
import json
import subprocess
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from promptster.agents.hook_command import hook_command

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from tests.helpers.running import Running

    from promptster.session_folder.control_messages import RecorderStatus

PROMPT = {
    "hook_event_name": "UserPromptSubmit",
    "session_id": "5b1c7a52-9d0e-4a53-8f0b-2f6f0c8c1d11",
    "prompt": "write a test",
    "cwd": "/w",
    "transcript_path": "/t",
}


def until(running: Running, holds: Callable[[RecorderStatus], bool]) -> RecorderStatus:
    """Ask until the status is as wanted; each question waits for the recorder, none for the clock."""
    status = running.control.status()
    for _ in range(2000):
        if holds(status):
            return status
        threading.Event().wait(0.01)
        status = running.control.status()
    raise AssertionError(f"never came about: {status}")


def hook(running: Running, payload: dict[str, Any]) -> None:
    """Run the real hook process."""
    ticket = running.control.launch()
    command = [*hook_command(), "claude", ticket.hook_socket, ticket.spool]
    done = subprocess.run(command, input=json.dumps(payload).encode(), capture_output=True, check=False, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


class _Provider(BaseHTTPRequestHandler):
    """A provider that answers every request with one message."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        """One model call."""
        self.rfile.read(int(self.headers["content-length"]))
        message = {
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "model": "claude-x",
            "content": [{"type": "text", "text": "done"}],
            "stop_reason": "end_turn",
            "usage": {"input_tokens": 1, "output_tokens": 1},
        }
        body = json.dumps(message).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the library's name
        """Tests keep their output clean."""


@contextmanager
def provider() -> Generator[str]:
    """A running provider; yields its base URL."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Provider)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def ask_model(port: int, token: str) -> str:
    """Call the model through the recorder's proxy, as an agent does, and return the answer's id."""
    request: dict[str, Any] = {
        "model": "claude-x",
        "max_tokens": 9,
        "tools": [{"name": "Bash", "input_schema": {}}],
        "messages": [{"role": "user", "content": "please"}],
    }
    agent = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    agent.request("POST", f"/{token}/anthropic/v1/messages", json.dumps(request), {"x-api-key": "sk-plant-1"})
    answer = agent.getresponse()
    assert answer.status == 200
    found = str(json.loads(answer.read())["id"])
    agent.close()
    return found
