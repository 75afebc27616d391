"""The OpenAPI description: what the framework reads from the routes, completed from their access rules.

Every refusal is a problem document; the possible ones follow from a route's access rule, path and body.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final, cast

from litestar.openapi.plugins import JsonRenderPlugin
from litestar.routes import HTTPRoute

from promptster.protocol.policy import POLICY_HEADER
from promptster_collector.access.guard import ACCESS
from promptster_collector.access.principal import Access, Credential
from promptster_collector.errors import PROBLEM_TYPE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from litestar import Litestar, Request

_PROBLEM: Final = {
    "type": "object",
    "title": "Problem",
    "description": "Why a request was refused (RFC 9457), with a stable code; some codes come with more members.",
    "required": ["type", "title", "status", "detail", "code"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "code": {"type": "string", "description": "stable; programs should use this"},
        "hint": {"type": "string", "description": "what to do next"},
    },
}
_MEANINGS: Final[Mapping[int, str]] = {
    400: "the request does not have the expected form",
    401: "missing or invalid credential",
    403: "the caller's role does not allow this",
    404: "there is no such object, or it belongs to someone else",
    409: "the object's state does not allow this",
    410: "the object no longer exists; for an erased session, the tombstone is included",
    413: "the body or the session would exceed its size limit",
    422: "the content is not acceptable",
    426: "the client is too old; it states the newest policy version that it reads in Promptster-Policy",
    429: "too many requests; Retry-After says when to try again",
    503: "temporarily unavailable; Retry-After says when to try again",
}
_BINARY: Final = {"type": "string", "format": "binary"}
_BATCHES: Final = "/v1/sessions/{session}/batches/{n}"
_INVITE: Final = "/v1/invites/{invite}"
_EXTRA: Final[Mapping[tuple[str, str], tuple[int, ...]]] = {
    ("PUT", _BATCHES): (409, 413, 422, 429),
    ("DELETE", "/v1/tokens/{token}"): (409,),
    ("POST", "/v1/assessments/{assessment}/invites"): (409, 429),
    ("GET", _INVITE): (426, 429),
    ("POST", f"{_INVITE}/redeem"): (429,),
    ("POST", "/v1/sessions/{session}/withdraw"): (429,),
    ("POST", "/v1/log/checkpoint"): (429,),
    ("GET", "/v1/sessions/{session}/events"): (422,),
    ("GET", "/v1/sessions/{session}/export"): (422,),
    ("GET", "/v1/log/checkpoint"): (404,),
}
"""Refusals that only the route itself can give."""
_EXPORTS: Final = ("application/vnd.promptster.bundle", "text/html", "application/x-ndjson")
_SCHEMES: Final = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "a team token or a candidate's access token"},
    "invite": {"type": "http", "scheme": "bearer", "description": "the invite's secret, base64url"},
}


def refusals(method: str, path: str, access: Access, *, takes_json: bool) -> set[int]:
    """The statuses with which a route can refuse, without faults of the collector."""
    found = {400, 503} | set(_EXTRA.get((method, path), ()))
    if access.credential is Credential.BEARER:
        found |= {401, 403}
    if access.credential is Credential.INVITE:
        found |= {401, 404, 409, 410}
    if access.credential is not Credential.NOTHING and "{" in path:
        found |= {404}
    if "{session}" in path:
        found |= {410}
    if takes_json:
        found |= {413, 422}
    return found


def _problem(meaning: str) -> dict[str, Any]:
    return {"description": meaning, "content": {PROBLEM_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}}


def _rules(app: Litestar) -> dict[tuple[str, str], Access]:
    found: dict[tuple[str, str], Access] = {}
    for route in app.routes:
        for handler in route.route_handlers if isinstance(route, HTTPRoute) else []:
            rule = handler.opt.get(ACCESS)
            if isinstance(rule, Access):
                found |= {(str(method), route.path_format): rule for method in handler.http_methods}
    return found


def _describe(operation: dict[str, Any], method: str, path: str, access: Access) -> None:
    responses = cast("dict[str, Any]", operation["responses"])
    takes_json = "requestBody" in operation
    for status in sorted(refusals(method, path, access, takes_json=takes_json)):
        responses[str(status)] = _problem(_MEANINGS[status])
    responses["default"] = _problem("any other refusal")
    if access.credential is Credential.BEARER:
        operation["security"] = [{"bearer": []}]
    elif access.credential is Credential.INVITE:
        operation["security"] = [{"invite": []}]


def _describe_bytes(paths: dict[str, Any]) -> None:
    """Describe raw bodies and headers, for which the framework has no types."""
    put = paths[_BATCHES]["put"]
    put["requestBody"] = {"required": True, "content": {"application/octet-stream": {"schema": _BINARY}}}
    put["parameters"] += [
        {
            "name": "promptster-receipt",
            "in": "header",
            "required": False,
            "description": "an earlier receipt's exact bytes in base64url, if the collector was restored since",
            "schema": {"type": "string"},
        }
    ]
    put["responses"]["200"]["headers"] = {
        "promptster-checked": {
            "description": "highest batch number that was opened and checked; absent if there is none",
            "schema": {"type": "string"},
        }
    }
    paths[_INVITE]["get"]["parameters"] += [
        {
            "name": POLICY_HEADER,
            "in": "header",
            "required": False,
            "description": "the newest policy version that the client reads; 1 if absent",
            "schema": {"type": "string"},
        }
    ]
    export = paths["/v1/sessions/{session}/export"]["get"]
    export["responses"]["200"]["content"] = {kind: {"schema": _BINARY} for kind in _EXPORTS}
    bundle = paths["/v1/sessions/{session}/bundle"]["get"]
    bundle["responses"]["200"]["content"] = {_EXPORTS[0]: {"schema": _BINARY}}
    note = paths["/v1/log/checkpoint"]["get"]["responses"]["200"]
    note["content"] = {"text/plain": {"schema": {"type": "string", "description": "a C2SP signed note"}}}
    for path, method in ((_BATCHES, "put"), ("/v1/keys", "get")):
        paths[path][method]["responses"]["200"]["content"] = {"application/json": {"schema": {"type": "object"}}}


def completed(schema: dict[str, Any], app: Litestar) -> dict[str, Any]:
    """The framework's description, completed."""
    components = schema.setdefault("components", {})
    components.setdefault("schemas", {})["Problem"] = _PROBLEM
    components["securitySchemes"] = _SCHEMES
    paths = cast("dict[str, Any]", schema["paths"])
    for (method, path), access in _rules(app).items():
        operation = paths.get(path, {}).get(method.lower())
        if operation is not None:
            _describe(operation, method, path, access)
    _describe_bytes(paths)
    return schema


class OpenApiDocument(JsonRenderPlugin):
    """Serves the description, which is made on the first request."""

    _made: bytes | None = None

    def render(self, request: Request[Any, Any, Any], openapi_schema: dict[str, Any]) -> bytes:
        """The description as JSON."""
        if self._made is None:
            self._made = json.dumps(completed(openapi_schema, request.app), separators=(",", ":")).encode()
        return self._made
