"""Gets the hashes of our hooks from the Codex program that will run them.

``codex app-server`` lists the hooks of a configuration with their keys and hashes. It runs in a temporary home folder,
so nothing of the user's is read or written. The answer depends only on Codex's version and the hooks, and is cached
under both.
"""

from __future__ import annotations

import hashlib
import json
import os
import select
import subprocess
import tempfile
import time
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, cast

from promptster.durable import write_private

if TYPE_CHECKING:
    from collections.abc import Mapping

PATIENCE_S = 15.0
"""How long Codex may take to print its version, and again to list its hooks."""
_CACHED = 16
"""How many answers are cached; a new session has new socket paths, so older answers become useless."""
_LINE_LIMIT = 1 << 20


class TrustError(Exception):
    """The hashes are not available, so Codex would skip the hooks silently."""

    def __init__(self, reason: str) -> None:
        """``reason``: what went wrong, as shown to the candidate."""
        super().__init__(reason)
        self.reason = reason


def trusted_hooks(
    program: Path,
    options: tuple[str, ...],
    environ: Mapping[str, str],
    state_folder: Path,
    *,
    patience_s: float = PATIENCE_S,
) -> Mapping[str, str]:
    """The hash of each hook, by its key.

    Args:
        program: Codex itself.
        options: the ``-c`` options that define the hooks.
        environ: the candidate's environment; only PATH is passed on.
        state_folder: the folder with cached answers.
        patience_s: how long Codex may take to answer.

    Raises:
        TrustError: Codex did not answer, or not as expected.
    """
    path = state_folder / "codex-hooks.json"
    known = _cached(path)
    name = hashlib.sha256("\0".join((_version(program, environ, patience_s), *options)).encode()).hexdigest()
    if name not in known:
        known[name] = _ask(program, options, environ, patience_s)
        kept = dict(list(known.items())[-_CACHED:])
        write_private(path, json.dumps(kept, indent=1).encode())
    return known[name]


def _cached(path: Path) -> dict[str, dict[str, str]]:
    try:
        value = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return cast("dict[str, dict[str, str]]", value) if isinstance(value, dict) else {}


def _version(program: Path, environ: Mapping[str, str], patience_s: float) -> str:
    try:
        done = subprocess.run(
            [str(program), "--version"],
            env=dict(environ),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=patience_s,
            check=True,
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise TrustError("codex --version failed") from error
    return f"{program.resolve()} {done.stdout.decode('utf-8', 'replace')}"


def _ask(program: Path, options: tuple[str, ...], environ: Mapping[str, str], patience_s: float) -> dict[str, str]:
    with tempfile.TemporaryDirectory(prefix="promptster-codex-") as scratch:
        process = subprocess.Popen(
            [str(program), "app-server", *options],
            env={"PATH": environ.get("PATH", ""), "HOME": scratch, "CODEX_HOME": scratch},
            cwd=scratch,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        try:
            return _converse(process, scratch, patience_s)
        except OSError as error:
            raise TrustError("codex app-server ended early") from error
        finally:
            process.kill()
            process.communicate()


def _converse(process: subprocess.Popen[bytes], scratch: str, patience_s: float) -> dict[str, str]:
    requests, answers = cast("IO[bytes]", process.stdin), cast("IO[bytes]", process.stdout)
    lines = _Lines(answers, time.monotonic() + patience_s)
    client = {"name": "promptster", "title": "promptster", "version": "1"}
    _send(requests, {"id": 1, "method": "initialize", "params": {"clientInfo": client}})
    lines.answer(1)
    _send(requests, {"method": "initialized"})
    _send(requests, {"id": 2, "method": "hooks/list", "params": {"cwds": [scratch]}})
    try:
        folders = cast("list[dict[str, Any]]", lines.answer(2)["data"])
        hooks = [hook for folder in folders for hook in folder["hooks"] if hook["source"] == "sessionFlags"]
        found = {str(hook["key"]): str(hook["currentHash"]) for hook in hooks}
    except (KeyError, TypeError) as error:
        raise TrustError("codex app-server lists hooks in an unknown format") from error
    if not found:
        raise TrustError("codex app-server lists no hooks")
    return found


def _send(stream: IO[bytes], message: Mapping[str, Any]) -> None:
    stream.write(json.dumps(message).encode() + b"\n")
    stream.flush()


class _Lines:
    """Reads answers line by line, until a time limit."""

    def __init__(self, stream: IO[bytes], until: float) -> None:
        self._stream = stream
        self._until = until
        self._rest = b""

    def answer(self, number: int) -> dict[str, Any]:
        """The result of the request with this number; notifications are skipped."""
        while True:
            try:
                message = json.loads(self._line())
            except ValueError as error:
                raise TrustError("codex app-server answers in an unknown format") from error
            if isinstance(message, dict) and cast("dict[str, Any]", message).get("id") == number:
                result = cast("dict[str, Any]", message).get("result")
                if not isinstance(result, dict):
                    raise TrustError("codex app-server refused to list its hooks")
                return cast("dict[str, Any]", result)

    def _line(self) -> bytes:
        while b"\n" not in self._rest:
            left = self._until - time.monotonic()
            if left <= 0 or not select.select([self._stream], [], [], left)[0]:
                raise TrustError("codex app-server did not answer in time")
            data = os.read(self._stream.fileno(), 65536)
            if not data or len(self._rest) > _LINE_LIMIT:
                raise TrustError("codex app-server ended early")
            self._rest += data
        line, _, self._rest = self._rest.partition(b"\n")
        return line
