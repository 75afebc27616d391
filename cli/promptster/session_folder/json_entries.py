"""Removes our entries from a JSON file that others changed after we added them.

It compares the file before our change, the file as we wrote it, and the file as it is now. What we added is removed and
what we replaced is restored, unless it was changed since; everything else stays as it is now.
"""

from __future__ import annotations

import json
from typing import Any, TypeGuard

from promptster.paths import utf8

_ABSENT = object()
_KEPT_WITH_OTHERS = frozenset({"version", "$schema"})
"""Keys that an agent needs to read the file at all: they stay as long as there are other entries."""


class NotAnObjectError(ValueError):
    """One of the three texts is not a JSON object."""


def remove_entries(before: bytes | None, written: bytes, now: bytes) -> bytes | None:
    """Return the file without our entries; ``None`` if nothing else is left and the file did not exist before.

    Raises:
        NotAnObjectError: the file cannot be read as a JSON object.
    """
    original = {} if before is None else _read(before)
    current = _read(now)
    result = _without(original, _read(written), current)
    if before is None and (result is _ABSENT or not result):
        return None
    if before is not None and result == original:
        return before
    if json.dumps(result, sort_keys=True) == json.dumps(current, sort_keys=True):
        return now  # nothing of ours is in it, so it stays as it is
    return utf8(json.dumps(result, indent=2, ensure_ascii=False)) + b"\n"


def entry_names(before: bytes | None, written: bytes) -> list[str]:
    """Return the names of the entries that we added or replaced, two levels deep; empty if it is not a JSON object."""
    try:
        original, ours = {} if before is None else _read(before), _read(written)
    except NotAnObjectError:
        return []
    names: list[str] = []
    for key, value in ours.items():
        old = original.get(key, _ABSENT)
        if value == old:
            continue
        if _is_object(value) and value:
            known: dict[str, Any] = old if _is_object(old) else {}
            names += [f"{key}.{name}" for name, below in value.items() if below != known.get(name, _ABSENT)]
        else:
            names.append(key)
    return names


def _read(data: bytes) -> dict[str, Any]:
    try:
        value = json.loads(data)
    except ValueError as error:
        raise NotAnObjectError from error
    if not _is_object(value):
        raise NotAnObjectError
    return value


def _without(original: Any, written: Any, now: Any) -> Any:
    if now == written:
        return original
    if written is _ABSENT or now is _ABSENT or written == original:
        return now
    absent = original is _ABSENT
    if _is_object(written) and _is_object(now):
        return _dict_without(original if _is_object(original) else {}, written, now, was_absent=absent)
    if _is_list(written) and _is_list(now):
        return _list_without(original if _is_list(original) else [], written, now, was_absent=absent)
    return now


def _is_object(value: Any) -> TypeGuard[dict[str, Any]]:
    return isinstance(value, dict)


def _is_list(value: Any) -> TypeGuard[list[Any]]:
    return isinstance(value, list)


def _dict_without(original: dict[str, Any], written: dict[str, Any], now: dict[str, Any], *, was_absent: bool) -> Any:
    result: dict[str, Any] = {}
    for key, value in now.items():
        kept = _without(original.get(key, _ABSENT), written.get(key, _ABSENT), value)
        if kept is not _ABSENT:
            result[key] = kept
    for key in original.keys() - now.keys():
        if key not in written:  # we removed it, and nobody added it again
            result[key] = original[key]
    foreign = result.keys() - _KEPT_WITH_OTHERS
    if foreign:
        for key in (_KEPT_WITH_OTHERS & now.keys()) - result.keys():
            result[key] = now[key]
    return _ABSENT if was_absent and not foreign else result


def _list_without(original: list[Any], written: list[Any], now: list[Any], *, was_absent: bool) -> Any:
    added = [item for item in written if item not in original]
    result: list[Any] = []
    for item in now:
        if item in added:
            added.remove(item)
        else:
            result.append(item)
    return _ABSENT if was_absent and not result else result
