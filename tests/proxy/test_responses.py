"""The responses that the proxy generates itself."""

from __future__ import annotations

import json

import h11
import pytest

from promptster.proxy.responses import error_response, hook_response


def _read(response: bytes, method: str = "POST") -> tuple[h11.Response, bytes]:
    """A response as a client reads it, which must be complete."""
    client = h11.Connection(h11.CLIENT)
    client.send(h11.Request(method=method, target="/", headers=[("Host", "x")]))
    client.receive_data(response)
    head = client.next_event()
    assert isinstance(head, h11.Response)
    body = b""
    while isinstance(event := client.next_event(), h11.Data):
        body += bytes(event.data)
    assert isinstance(event, h11.EndOfMessage)
    return head, body


@pytest.mark.parametrize(
    ("status", "kind"),
    [(400, "invalid_request_error"), (421, "invalid_request_error"), (502, "api_error"), (503, "overloaded_error")],
)
def test_an_error_has_the_shape_of_a_providers(status: int, kind: str) -> None:
    """An agent finds type, code and message where providers have them, and the message names promptster."""
    head, body = _read(error_response(status, "some_code", "something happened"))
    assert head.status_code == status
    assert (b"connection", b"close") in list(head.headers)
    error = {"type": kind, "code": "some_code", "message": "promptster: something happened"}
    assert json.loads(body) == {"type": "error", "error": error}


def test_a_response_to_head_has_no_body() -> None:
    """Its head is that of the response to another method."""
    whole = error_response(403, "wrong_token", "no")
    assert error_response(403, "wrong_token", "no", to_head=True) == whole[: whole.index(b"\r\n\r\n") + 4]


def test_426_names_the_protocol_to_use() -> None:
    """RFC 9110, section 15.5.22: the response must have an Upgrade field."""
    head, _ = _read(error_response(426, "upgrade", "no"))
    assert (b"upgrade", b"HTTP/1.1") in list(head.headers)


@pytest.mark.parametrize("close", [False, True])
def test_a_hook_is_answered_without_a_body(*, close: bool) -> None:
    """The connection stays open unless the agent asked to close it."""
    head, body = _read(hook_response(close=close))
    assert (head.status_code, body) == (200, b"")
    assert ((b"connection", b"close") in list(head.headers)) == close
