"""The responses that the proxy generates itself: JSON in the shape in which providers report errors."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import Final

_HOOK_RESPONSE: Final = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n%s\r\n"
"""Without a body, because Claude Code shows its user any body that a compaction hook returns, even ``{}``."""
_KINDS: Final = {502: "api_error", 503: "overloaded_error"}


def hook_response(*, close: bool) -> bytes:
    """The response to every hook: it gives the agent nothing to do."""
    return _HOOK_RESPONSE % (b"Connection: close\r\n" if close else b"")


def error_response(status: int, code: str, reason: str, *, to_head: bool = False) -> bytes:
    """A complete response that names promptster as its author, and closes the connection.

    Args:
        status: HTTP status code.
        code: stable identifier for scripts.
        reason: what happened, for people.
        to_head: whether the method of the request is HEAD: then the response has no body.
    """
    kind = _KINDS.get(status, "invalid_request_error")
    error = {"type": kind, "code": code, "message": f"promptster: {reason}"}
    body = json.dumps({"type": "error", "error": error}).encode()
    upgrade = "Upgrade: HTTP/1.1\r\n" if status == HTTPStatus.UPGRADE_REQUIRED else ""
    head = (
        f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\nCache-Control: no-store\r\n{upgrade}Connection: close\r\n\r\n"
    )
    return head.encode() + (b"" if to_head else body)
