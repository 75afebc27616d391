"""Turns errors into HTTP problem documents (RFC 9457)."""

from __future__ import annotations

import json
import logging
import traceback
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, cast

from litestar import Response
from litestar.exceptions import HTTPException, SerializationException, ValidationException
from sqlalchemy.exc import OperationalError

from promptster.protocol.errors import LimitError, ProtocolError
from promptster_collector.errors import PROBLEM_TYPE, Refusal
from promptster_collector.store.at_rest import UnsealError
from promptster_collector.store.disk_reserve import StorageFullError, is_full

if TYPE_CHECKING:
    from collections.abc import Mapping

    from litestar import Request

log = logging.getLogger("promptster_collector")

_AFTER_FAULT = "60"
"""Seconds after which to try again if the disk failed."""

_TITLES: Mapping[int, str] = {
    400: "Bad request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not found",
    405: "Method not allowed",
    408: "Request timeout",
    409: "Conflict",
    410: "Gone",
    413: "Content too large",
    415: "Unsupported media type",
    422: "Unprocessable content",
    426: "Upgrade required",
    429: "Too many requests",
    431: "Request header fields too large",
    500: "Internal error",
    503: "Service unavailable",
}
_HTTP_CODES: Mapping[int, str] = {
    400: "invalid_request",
    404: "not_found",
    405: "method_not_allowed",
    413: "too_large",
    415: "unsupported_media_type",
}


def problem_bytes(
    status: int, code: str, detail: str, *, hint: str | None = None, extra: Mapping[str, Any] | None = None
) -> bytes:
    """A problem document's bytes."""
    document: dict[str, Any] = {
        "type": "about:blank",
        "title": _TITLES.get(status, "Error"),
        "status": status,
        "detail": detail,
        "code": code,
        **(extra or {}),
    }
    if hint is not None:
        document["hint"] = hint
    return json.dumps(document, ensure_ascii=True).encode()


def problem(
    status: int,
    code: str,
    detail: str,
    *,
    hint: str | None = None,
    extra: Mapping[str, Any] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response[bytes]:
    """A problem document as an answer."""
    content = problem_bytes(status, code, detail, hint=hint, extra=extra)
    return Response(content, status_code=status, media_type=PROBLEM_TYPE, headers=dict(headers or {}))


def problem_for_missing(response: Response[Any]) -> Response[Any]:
    """Replaces the framework's own "not found" answer with a problem document."""
    if response.status_code != HTTPStatus.NOT_FOUND:
        return response
    return problem(HTTPStatus.NOT_FOUND, "not_found", "not found")


def _on_refusal(_: Request[Any, Any, Any], error: Refusal) -> Response[bytes]:
    return problem(error.status, error.code, error.message, hint=error.hint, extra=error.extra, headers=error.headers)


def _on_protocol(_: Request[Any, Any, Any], error: ProtocolError) -> Response[bytes]:
    if error.fault == "local":
        return _on_anything(_, error)
    return problem(413 if isinstance(error, LimitError) else 422, error.code, error.message, hint=error.hint)


def _on_validation(_: Request[Any, Any, Any], error: ValidationException) -> Response[bytes]:
    """Names the invalid members and never repeats their values."""
    found = cast("list[object]", error.extra) if isinstance(error.extra, list) else []
    items = [cast("dict[str, object]", item) for item in found if isinstance(item, dict)]
    keys = sorted({str(item["key"]) for item in items if item.get("key")})
    detail = (
        f"the request does not have the expected form: {', '.join(keys)}"
        if keys
        else "the request does not have the expected form"
    )
    return problem(400, "invalid_request", detail)


def _offered(methods: str) -> str:
    """The methods without OPTIONS, which the framework adds and the guard refuses."""
    return ", ".join(sorted(method for method in methods.split(", ") if method != "OPTIONS"))


def _on_http(_: Request[Any, Any, Any], error: HTTPException) -> Response[bytes]:
    status = error.status_code
    if status >= 500:  # noqa: PLR2004 - the server's own errors
        return _on_anything(_, error)
    headers = {name: _offered(value) for name, value in (error.headers or {}).items() if name.lower() == "allow"}
    title = _TITLES.get(status, "Error").lower()
    return problem(status, _HTTP_CODES.get(status, "invalid_request"), title, headers=headers)


def _on_serialization(_: Request[Any, Any, Any], __: SerializationException) -> Response[bytes]:
    return problem(400, "invalid_request", "the request body cannot be read")


def _on_recursion(_: Request[Any, Any, Any], __: RecursionError) -> Response[bytes]:
    """Only a request body can be nested that deeply: our own documents have at most 32 levels."""
    return problem(400, "invalid_request", "the request body is nested too deeply")


def _on_unseal(_: Request[Any, Any, Any], __: UnsealError) -> Response[bytes]:
    log.error("a stored value cannot be decrypted")
    return problem(503, "storage_damaged", "stored data cannot be decrypted", headers={"retry-after": "60"})


def _on_anything(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    """A fault of the collector: the log gets type and place, and no content."""
    if is_full(error):
        return _on_refusal(request, StorageFullError())
    frames = traceback.extract_tb(error.__traceback__)
    place = f"{frames[-1].name}:{frames[-1].lineno}" if frames else "?"
    if isinstance(error, (OSError, OperationalError)):  # the disk fails, or was remounted read-only
        log.error("the data folder cannot be used: %s at %s", type(error).__name__, place)
        detail = "the collector's storage is not available"
        return problem(503, "storage_unavailable", detail, headers={"retry-after": _AFTER_FAULT})
    log.error("internal error %s at %s", type(error).__name__, place)
    return problem(500, "internal", "internal error in the collector")


HANDLERS: dict[type[Exception] | int, Any] = {
    Refusal: _on_refusal,
    ProtocolError: _on_protocol,
    ValidationException: _on_validation,
    SerializationException: _on_serialization,
    RecursionError: _on_recursion,
    UnsealError: _on_unseal,
    HTTPException: _on_http,
    Exception: _on_anything,
}
