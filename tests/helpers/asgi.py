"""An ASGI application for tests of what is below the collector's own."""

from __future__ import annotations

from typing import Any


async def read_and_answer(scope: Any, receive: Any, send: Any) -> None:
    """Read the whole body and answer 204."""
    if scope["type"] != "http":
        return
    while (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body", "body": b""})
