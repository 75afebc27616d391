"""Reads the settings that Claude Code uses besides ours: files, and the candidate's own ``--settings``.

Their content (keys in ``env``, headers of hooks, commands with a password) belongs to the candidate: we read it and
never write it.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from promptster.errors import LaunchError
from promptster.system.plain_files import read_regular

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_HINT = "Pass a JSON file, or JSON text."
_FILE_RULE = re.compile(r"(Read|Edit|Write|MultiEdit|NotebookEdit|Glob|Grep|LS)\(/(?!/)(.*)\)", re.DOTALL)
"""A permission rule with a path relative to the folder of its settings file."""
_WILD = re.compile(r"([\\*?\[\]])")


def take_settings(options: tuple[str, ...]) -> tuple[tuple[str, ...], str | None]:
    """The options without ``--settings``, and the value of the last ``--settings``, which is the one that applies."""
    kept: list[str] = []
    value: str | None = None
    words = iter(options)
    for word in words:
        if word == "--settings":
            value = next(words, None)
            if value is None:
                raise LaunchError("--settings has no value", hint=_HINT)
        elif word.startswith("--settings="):
            value = word.partition("=")[2]
        else:
            kept.append(word)
    return tuple(kept), value


def read_settings(value: str | None, folder: Path) -> dict[str, Any]:
    """The content of ``--settings``, with paths that stay valid in another folder.

    Args:
        value: a file, or JSON text; ``None`` if not given.
        folder: the folder of a relative path.

    Raises:
        LaunchError: it cannot be read. Like Claude Code, we do not accept a pipe.
    """
    if value is None:
        return {}
    path = None if value.strip().startswith("{") else folder / value
    try:
        settings = json.loads(value if path is None else read_regular(path).decode())
    except (OSError, ValueError) as error:
        raise LaunchError("cannot read your --settings", hint=_HINT) from error
    if not isinstance(settings, dict):
        raise LaunchError("your --settings are not a JSON object", hint=_HINT)
    read = cast("dict[str, Any]", settings)
    return read if path is None else _anchored(read, path.resolve().parent)


def settings_environment(settings: Mapping[str, Any]) -> dict[str, str]:
    """The variables that settings set, as strings."""
    env = settings.get("env")
    given = cast("dict[str, Any]", env) if isinstance(env, dict) else {}
    return {name: value if isinstance(value, str) else json.dumps(value) for name, value in given.items()}


def _anchored(settings: dict[str, Any], folder: Path) -> dict[str, Any]:
    """The settings with absolute paths in their rules, instead of paths relative to the file's folder."""
    permissions = settings.get("permissions")
    if not isinstance(permissions, dict):
        return settings
    place = _WILD.sub(r"\\\1", str(folder)).rstrip("/")
    kept: dict[str, Any] = {}
    for name, rules in cast("dict[str, Any]", permissions).items():
        kept[name] = rules
        if isinstance(rules, list):
            kept[name] = [_absolute(rule, place) for rule in cast("Sequence[Any]", rules)]
    return {**settings, "permissions": kept}


def _absolute(rule: Any, place: str) -> Any:
    found = _FILE_RULE.fullmatch(rule) if isinstance(rule, str) else None
    return rule if found is None else f"{found[1]}(/{place}/{found[2]})"


def settings_files(workspace: Path, environ: Mapping[str, str]) -> dict[str, Path]:
    """The files that Claude Code reads besides ours, lowest precedence first; ``managed`` overrides everything."""
    home = Path(environ.get("CLAUDE_CONFIG_DIR") or Path(environ.get("HOME", "~")).expanduser() / ".claude")
    managed = Path("/etc/claude-code")
    if sys.platform == "darwin":
        managed = Path("/Library/Application Support/ClaudeCode")
    return {
        "user": home / "settings.json",
        "project": workspace / ".claude" / "settings.json",
        "local": workspace / ".claude" / "settings.local.json",
        "managed": managed / "managed-settings.json",
    }
