"""A reverse proxy in front of a loopback server; a test can replace its answers, one kind of request at a time."""

from __future__ import annotations

import http.client
import json
import re
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any

from tests.helpers.threaded import ThreadedServer

if TYPE_CHECKING:
    from collections.abc import Callable

_PASSED_ON = ("authorization", "content-type", "promptster-receipt", "accept", "promptster-policy")
_PASSED_BACK = ("content-type", "promptster-checked", "retry-after")


@dataclass(frozen=True, kw_only=True)
class Reply:
    """An answer as it goes to the client."""

    status: int
    body: bytes

    @classmethod
    def problem(cls, status: int, code: str, detail: str) -> Reply:
        """A refusal in the collector's own form."""
        return cls(status=status, body=json.dumps({"status": status, "code": code, "detail": detail}).encode())

    @property
    def document(self) -> dict[str, Any]:
        """The JSON object in it."""
        document: dict[str, Any] = json.loads(self.body)
        return document

    def with_members(self, **members: Any) -> Reply:
        """The same answer with other members in its JSON object."""
        return Reply(status=self.status, body=json.dumps({**self.document, **members}).encode())


class Gateway(ThreadedServer):
    """Forwards every request except those that ``exchange`` names."""

    def __init__(self, target: str) -> None:
        """Forward to ``http://127.0.0.1:PORT``."""
        self._target = target.removeprefix("http://")
        self._rules: dict[str, Callable[[Reply], Reply]] = {}
        self.refused = 0
        """Requests whose answer was exchanged."""
        outer = self

        class Handler(BaseHTTPRequestHandler):
            """One connection."""

            protocol_version = "HTTP/1.1"

            def _any(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length") or 0))
                headers, reply = outer.ask(self.command, self.path, dict(self.headers.items()), body)
                self.send_response(reply.status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("content-length", str(len(reply.body)))
                self.end_headers()
                self.wfile.write(reply.body)

            do_GET = do_POST = do_PUT = do_DELETE = _any  # noqa: N815 - names of the standard library

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its own name
                """Say nothing."""

        super().__init__(Handler)

    def exchange(self, requests: str, change: Callable[[Reply], Reply]) -> None:
        """Change the answers to requests whose ``METHOD PATH`` the pattern finds."""
        self._rules[requests] = change

    def behave(self) -> None:
        """Forward every request again."""
        self._rules.clear()

    def ask(self, method: str, path: str, headers: dict[str, str], body: bytes) -> tuple[dict[str, str], Reply]:
        """Forward a request and return the headers and the answer that the client gets."""
        connection = http.client.HTTPConnection(self._target, timeout=60)
        kept = {name: value for name, value in headers.items() if name.lower() in _PASSED_ON}
        changes = [change for pattern, change in tuple(self._rules.items()) if re.search(pattern, f"{method} {path}")]
        refuses = method == "PUT" and bool(changes)  # a refused batch never reaches the collector
        try:
            if refuses:
                reply, back = Reply(status=200, body=b"{}"), {}
            else:
                connection.request(method, path, body=body or None, headers=kept)
                answer = connection.getresponse()
                reply = Reply(status=answer.status, body=answer.read())
                back = {name: answer.headers[name] for name in _PASSED_BACK if name in answer.headers}
        finally:
            connection.close()
        for change in changes:
            reply = change(reply)
            self.refused += 1
        return back, reply
