"""What docs/wire-api.md says of each route in lists, computed from the collector's routes and their description."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from promptster_collector.access.guard import ACCESS
from promptster_collector.access.principal import (
    ANYONE,
    ERASERS,
    INVITED,
    INVITERS,
    OWNERS,
    READERS,
    SIGNED,
    TEAM,
    Access,
)
from promptster_collector.app import ROUTES

if TYPE_CHECKING:
    from collections.abc import Iterator

CALLERS = {
    ANYONE: "anyone",
    INVITED: "anyone who has the invite's secret",
    SIGNED: "anyone with a valid signature in the body",
    TEAM: "owner, recruiter, reviewer",
    OWNERS: "owner",
    INVITERS: "owner, recruiter",
    READERS: "owner, reviewer, and the candidate for their own session",
    ERASERS: "owner, and the candidate for their own session",
}
"""Every access rule in the page's words."""


def rules() -> dict[str, Access]:
    """The access rule of each route, by method and path."""
    found: dict[str, Access] = {}
    for handler in ROUTES:
        for path in handler.paths:
            plain = re.sub(r"\{(\w+):\w+\}", r"{\1}", path)
            found |= {
                f"{method} {plain}": handler.opt[ACCESS] for method in handler.http_methods if method != "OPTIONS"
            }
    return found


def lists(description: dict[str, Any]) -> dict[str, list[str]]:
    """The list below each route's heading, by method and path, in the order of the routes."""
    operations = {
        f"{method.upper()} {path}": operation
        for path, methods in description["paths"].items()
        for method, operation in methods.items()
    }
    schemas = description["components"]["schemas"]
    return {name: list(_lines(rule, operations[name], schemas)) for name, rule in rules().items()}


def _lines(rule: Access, operation: dict[str, Any], schemas: dict[str, Any]) -> Iterator[str]:
    yield f"Who: {CALLERS[rule]}"
    for place, title in (("query", "Query"), ("header", "Headers")):
        named = [each["name"] for each in operation.get("parameters", []) if each["in"] == place]
        if named:
            yield f"{title}: {_quoted(named)}"
    if "requestBody" in operation:
        yield f"Request: {_content(operation['requestBody']['content'], schemas)}"
    for status, answer in operation["responses"].items():
        if status.startswith("2"):
            yield f"Answer: {status}, {_content(answer.get('content', {}), schemas)}"
    refused = sorted(status for status in operation["responses"] if status.isdigit() and not status.startswith("2"))
    yield f"Refused with: {', '.join(refused)}"


def _quoted(names: list[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _content(content: dict[str, Any], schemas: dict[str, Any]) -> str:
    """Media types, or the fields of a JSON object; optional ones, and those in the objects of a list, are marked."""
    if not content:
        return "no content"
    (media, each), *others = content.items()
    name = each.get("schema", {}).get("$ref", "").rpartition("/")[2]
    if name not in schemas or others or media != "application/json":
        return _quoted(list(content))
    return _fields(schemas[name], schemas)


def _fields(schema: dict[str, Any], schemas: dict[str, Any]) -> str:
    told: list[str] = []
    required = schema.get("required", [])
    for name, each in schema["properties"].items():
        below = each.get("items", {}).get("$ref") or each.get("$ref")
        text = f"`{name}`" if name in required else f"`{name}` (optional)"
        if below:
            word = "each" if "items" in each else "with"
            text += f" ({word}: {_fields(schemas[below.rpartition('/')[2]], schemas)})"
        told.append(text)
    return ", ".join(told)
