"""Captured JSON as a list or a table, or as nothing if it is neither."""

from __future__ import annotations

from typing import Any, cast


def as_list(value: object) -> list[Any]:
    """The value's items if it is a list, else none."""
    return cast("list[object]", value) if isinstance(value, list) else []


def as_object(value: object) -> dict[str, Any] | None:
    """The value if it is an object."""
    return cast("dict[str, Any]", value) if isinstance(value, dict) else None
