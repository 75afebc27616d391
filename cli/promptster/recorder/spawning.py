"""Starts the supervisor and the recorder from a command; both outlive it."""

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
    from pathlib import Path

    from promptster.secret_store import SessionSecrets
    from promptster.session_folder.folder import SessionFolder

_SECRET_ENDINGS = ("_KEY", "_TOKEN", "_SECRET", "_PASSWORD", "_CREDENTIALS")


def spawn_recorder(
    folder: SessionFolder, secrets: SessionSecrets, *, token: str | None = None, timeout_s: float = 60.0
) -> int:
    """Start the supervisor and the recorder of a session; both outlive the caller and hold none of its files.

    ``token`` is the previous recorder's, so that agents that still run can continue; a new one is made if not given.

    Returns:
        The port on which the proxy listens.

    Raises:
        RecorderRunningError: this session's recorder is already running.
        SessionError: the recorder did not start.
    """
    packet = {
        "folder": str(folder.path),
        "run": str(folder.run),
        "way_on": folder.private_hint,
        "control": str(folder.control_socket),
        "hooks": str(folder.hook_socket),
        "port": folder.facts().port,
        "secrets": secrets.to_json(),
        "token": token,
    }
    packet_read, packet_write = os.pipe()
    ready_read, ready_write = os.pipe()
    log = os.open(folder.logs / "supervisor.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        child = subprocess.Popen(
            [sys.executable, "-P", "-m", "promptster.recorder.supervisor", str(packet_read), str(ready_write)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=log,
            pass_fds=(packet_read, ready_write),
            start_new_session=True,
            env=without_credentials(os.environ),
        )
        os.close(ready_write)
        ready_write = -1
        os.write(packet_write, json.dumps(packet).encode() + b"\n")
        os.close(packet_write)
        packet_write = -1
        child.wait()
        line = read_line(ready_read, timeout_s)
        if b'"port"' not in line:
            read_line(ready_read, timeout_s)
        port = _read_ready(line, folder.logs)
        folder.name_run()
        return port
    finally:
        for handle in (packet_read, packet_write, ready_read, ready_write, log):
            if handle >= 0:
                os.close(handle)


def without_credentials(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment for a background process, without variables that may hold a provider's keys."""
    return {name: value for name, value in environment.items() if not name.upper().endswith(_SECRET_ENDINGS)}


def _read_ready(line: bytes, logs: Path) -> int:
    hint = f"Run `promptster resume` to try again. For details, see {logs}."
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
