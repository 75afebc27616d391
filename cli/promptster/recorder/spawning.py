"""Starting supervisor and recorder from a command; both outlive it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

from promptster.errors import RecorderRunningError, SessionError
from promptster.recorder.supervisor import read_line

if TYPE_CHECKING:
    from collections.abc import Mapping

    from promptster.keys import SessionSecrets
    from promptster.session_folder.folder import SessionFolder

_SECRET_ENDINGS = ("_KEY", "_TOKEN", "_SECRET", "_PASSWORD", "_CREDENTIALS")


def spawn_recorder(
    folder: SessionFolder, secrets: SessionSecrets, *, token: str | None = None, timeout_s: float = 60.0
) -> int:
    """Start supervisor and recorder for a session; both outlive the caller and hold none of its files.

    ``token`` is that of the recorder before, for agents that still run; a new one is made without it.

    Returns:
        The port on which the proxy listens.

    Raises:
        RecorderRunningError: one runs already.
        SessionError: it did not start.
    """
    packet = {
        "folder": str(folder.path),
        "run": str(folder.run),
        "way_on": folder.way_on,
        "control": str(folder.control_socket),
        "hooks": str(folder.hook_socket),
        "port": folder.facts().port,
        "secrets": secrets.to_json(),
        "token": token,
    }
    told, tell = os.pipe()
    ready, say = os.pipe()
    log = os.open(folder.logs / "supervisor.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        child = subprocess.Popen(
            [sys.executable, "-P", "-m", "promptster.recorder.supervisor", str(told), str(say)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=log,
            pass_fds=(told, say),
            start_new_session=True,
            env=without_credentials(os.environ),
        )
        os.close(say)
        say = -1
        os.write(tell, json.dumps(packet).encode() + b"\n")
        os.close(tell)
        tell = -1
        child.wait()
        line = read_line(ready, timeout_s)
        if b'"port"' not in line:
            read_line(ready, timeout_s)
        port = _read_ready(line)
        folder.name_run()
        return port
    finally:
        for handle in (told, tell, ready, say, log):
            if handle >= 0:
                os.close(handle)


def without_credentials(environment: Mapping[str, str]) -> dict[str, str]:
    """What a background process may inherit: provider keys are the agent's business."""
    return {name: value for name, value in environment.items() if not name.upper().endswith(_SECRET_ENDINGS)}


def _read_ready(line: bytes) -> int:
    hint = "Run `promptster resume` to try again. For details, see logs/ in the session's folder."
    try:
        answer: dict[str, Any] = json.loads(line)
    except ValueError:
        raise SessionError("the recorder did not start", hint=hint, code="recorder_not_started") from None
    if "port" in answer:
        return int(answer["port"])
    message = str(answer.get("message", "the recorder did not start"))
    if answer.get("code") == RecorderRunningError.default_code:
        raise RecorderRunningError(message)
    raise SessionError(message, hint=answer.get("hint") or hint, code=str(answer.get("code", "recorder_not_started")))
