"""Starts Claude Code, with one ``--settings`` file that contains the base URL, the hooks and the token.

``--settings`` has the highest precedence that a user can set, and a second one replaces the first. Ours is a 0600 file
in the run folder. If the candidate passes their own, both are merged in memory: theirs may contain a key, and we never
write the candidate's data to disk. The token is never in an argument or in a hook's URL, which Claude Code prints if it
fails. It is in the path of the base URL, because Claude Code has no other place for it.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from typing_extensions import override

from promptster.agents.claude import hook_events
from promptster.agents.claude.settings import read_settings, settings_environment, settings_files, take_settings
from promptster.agents.launching import (
    UNRECORDED_HINT,
    Launch,
    Launches,
    LaunchRequest,
    split_options,
    with_loopback,
)
from promptster.agents.merging import merge_settings
from promptster.durable import write_private
from promptster.errors import LaunchError
from promptster.paths import utf8
from promptster.private import make_private_folder
from promptster.protocol.events.kinds import CaptureConfigChanged, CaptureDegraded, Event
from promptster.system.memory_file import memory_file
from promptster.system.plain_files import read_regular

if TYPE_CHECKING:
    from collections.abc import Mapping

    from promptster.session_folder.control_messages import LaunchTicket

TOKEN_HEADER = "x-promptster-token"  # noqa: S105 - a header's name
_OWN_HOUSEKEEPING = frozenset(
    {
        "agents", "attach", "auth", "auto-mode", "doctor", "gateway", "import", "install", "logs", "mcp", "plugin",
        "plugins", "purge", "respawn", "rm", "setup-token", "stop", "kill", "update", "upgrade", "-v", "--version",
        "-h", "--help",
    }
)  # fmt: skip
"""First words that start no conversation; the agent then runs as it would without us."""
_ELSEWHERE = {"--cloud": "in the cloud", "--teleport": "in the cloud", "--desktop": "in the desktop app"}
_SERVED = "remote-control"
"""A first word that starts separate sessions, which ignore our settings."""
_LATER = ("--bg", "--background")
"""Options that leave the work to another process, which outlives this one."""
_HOOKS_OFF_FLAGS = ("--bare", "--safe-mode")
_HOOKS_OFF_VARIABLES = ("CLAUDE_CODE_SIMPLE", "CLAUDE_CODE_SAFE_MODE")
_IS_ANTHROPIC = "_CLAUDE_CODE_ASSUME_FIRST_PARTY_BASE_URL"
"""A variable that makes Claude Code treat the base URL as Anthropic's, so that it behaves as it would without us."""
_NO_PROXY = ("NO_PROXY", "no_proxy")
_HOOK_URLS = ["http://127.0.0.1:*"]
_OFF = frozenset({"", "0", "false", "no", "off"})


class ClaudeLaunch(Launches):
    """Starts Claude Code, the command line program."""

    resume_words = ("--resume",)

    @override
    def converses(self, arguments: tuple[str, ...]) -> bool:
        return not (arguments and arguments[0] in _OWN_HOUSEKEEPING)

    @override
    def prepare(self, request: LaunchRequest) -> Launch:
        """Put the settings first among the arguments: ours, merged with the candidate's own.

        Raises:
            LaunchError: the candidate's own ``--settings`` cannot be read or merged, or the arguments move the work
                out of the recorder's reach.
        """
        if not self.converses(request.arguments):
            return Launch(arguments=request.arguments, environ=request.environ, converses=False)
        options, rest = split_options(request.arguments)
        if request.arguments[:1] == (_SERVED,):
            raise LaunchError(
                f"cannot record claude {_SERVED}: it starts separate sessions that do the work", hint=UNRECORDED_HINT
            )
        for word in options:
            if (place := _ELSEWHERE.get(word.partition("=")[0])) is not None:
                raise LaunchError(f"cannot record claude {word}: the work is done {place}", hint=UNRECORDED_HINT)
        options, own = take_settings(options)
        theirs = read_settings(own, Path.cwd())
        variables = settings_environment(theirs)
        excluded = {name: variables.get(name, _configured(request, name)) for name in _NO_PROXY}
        ours = recorder_settings(request.ticket, excluded=excluded, hooks_only=request.hooks_only)
        descriptors: tuple[int, ...] = ()
        if own is None:
            path = str(_write(request.run_folder, ours))
        else:
            path, descriptors = _keep_in_memory(merge_settings(theirs, ours), options)
        notes, events = _watch(request, options)
        return Launch(
            arguments=("--settings", path, *options, *rest),
            environ=request.environ,
            descriptors=descriptors,
            notes=notes,
            events=events,
        )

    @override
    def environment(self, arguments: tuple[str, ...], environ: Mapping[str, str]) -> Mapping[str, str]:
        """The environment with the variables of the candidate's own ``--settings``, which have the highest precedence.

        Raises:
            LaunchError: they cannot be read.
        """
        if not self.converses(arguments):
            return environ
        _, own = take_settings(split_options(arguments)[0])
        return {**environ, **settings_environment(read_settings(own, Path.cwd()))}


def recorder_settings(ticket: LaunchTicket, *, excluded: Mapping[str, str], hooks_only: bool = False) -> dict[str, Any]:
    """Our settings: base URL, hooks, and what keeps both from being turned off.

    Args:
        ticket: how to reach the recorder.
        excluded: the values of ``NO_PROXY`` and ``no_proxy`` without us.
        hooks_only: leave the base URL alone.
    """
    http = {
        "type": "http",
        "url": ticket.hook_url("claude"),
        "headers": {TOKEN_HEADER: ticket.token},
        "timeout": hook_events.TIMEOUT_S,
    }
    hooks: dict[str, Any] = {}
    for event in hook_events.EVENTS:
        matcher = {"matcher": "*"} if event in hook_events.MATCHER_EVENTS else {}
        hooks[event] = [{**matcher, "hooks": [http]}]
    env: dict[str, str] = {} if hooks_only else {"ANTHROPIC_BASE_URL": ticket.base_urls["claude"]}
    if not hooks_only and "anthropic" in ticket.usual_addresses:
        env[_IS_ANTHROPIC] = "1"
    for name in _NO_PROXY:
        env[name] = with_loopback(excluded.get(name, ""))
    return {
        "env": env,
        "disableAllHooks": False,
        "allowedHttpHookUrls": _HOOK_URLS,
        "hooks": hooks,
    }


def _layer(path: Path) -> dict[str, Any]:
    """A settings file that is not ours; one that cannot be read counts as empty, as it does for Claude Code."""
    try:
        value = json.loads(read_regular(path))
    except (OSError, ValueError):
        return {}
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _configured(request: LaunchRequest, name: str) -> str:
    """A variable as Claude Code would see it without us."""
    found = request.environ.get(name, "")
    for path in settings_files(request.workspace, request.environ).values():
        env = _layer(path).get("env")
        if isinstance(env, dict) and isinstance(env.get(name), str):  # pyright: ignore[reportUnknownMemberType]
            found = cast("str", env[name])
    return found


def _write(folder: Path, settings: Mapping[str, Any]) -> Path:
    make_private_folder(folder)
    data = utf8(json.dumps(settings, ensure_ascii=False, indent=1))
    path = folder / f"claude-{hashlib.sha256(data).hexdigest()[:16]}.json"
    if not path.exists() or path.read_bytes() != data:
        write_private(path, data)
    return path


def _keep_in_memory(settings: Mapping[str, Any], options: tuple[str, ...]) -> tuple[str, tuple[int, ...]]:
    """A path where the agent can read merged settings while it runs, and the descriptors that it must inherit."""
    later = next((word for word in options if word in _LATER), None)
    if later is not None:
        raise LaunchError(
            f"cannot use your --settings with {later}: Promptster keeps them in memory, and only while claude runs",
            hint=f"Leave out {later}, or move the settings to ~/.claude/settings.json.",
            code="own_settings",
        )
    kept = memory_file(utf8(json.dumps(settings, ensure_ascii=False)))
    if kept is None:
        raise LaunchError(
            "your --settings may contain a key, and this system cannot pass them on without writing them to disk",
            hint="Leave them out, or move them to ~/.claude/settings.json.",
            code="own_settings",
        )
    return kept[1], (kept[0],)


def _watch(request: LaunchRequest, options: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[Event, ...]]:
    """What will be missing from the recording, and which file of the repository tried to change it."""
    notes: list[str] = []
    events: list[Event] = []
    files = settings_files(request.workspace, request.environ)
    off = [flag for flag in _HOOKS_OFF_FLAGS if flag in options]
    off += [name for name in _HOOKS_OFF_VARIABLES if request.environ.get(name, "").strip().lower() not in _OFF]
    managed = _layer(files["managed"])
    off += [f"{key} (managed)" for key in ("disableAllHooks", "allowManagedHooksOnly") if managed.get(key) is True]
    if off:
        notes.append(f"warning: hooks do not run in Claude Code ({', '.join(off)}): only its API traffic is recorded")
        events.append(CaptureDegraded(detail=f"hooks off: {', '.join(off)}"))
    for layer in ("project", "local"):
        changed = _overridden(_layer(files[layer]), request.ticket)
        if changed:
            detail = f"overridden for this run: {', '.join(changed)}"
            name = str(files[layer].relative_to(request.workspace))
            events.append(CaptureConfigChanged(path_name=name, detail=detail))
    return tuple(notes), tuple(events)


def _overridden(settings: Mapping[str, Any], ticket: LaunchTicket) -> list[str]:
    """The entries of a settings file that contradict ours. A file that we prepared for an editor has none."""
    env = settings.get("env")
    base_url = ticket.base_urls["claude"]
    asked: str = cast("dict[str, Any]", env).get("ANTHROPIC_BASE_URL", base_url) if isinstance(env, dict) else base_url
    allowed = settings.get("allowedHttpHookUrls", _HOOK_URLS)
    differs = {
        "disableAllHooks": settings.get("disableAllHooks", False) is not False,
        "allowedHttpHookUrls": not isinstance(allowed, list) or any(url not in allowed for url in _HOOK_URLS),
        "env.ANTHROPIC_BASE_URL": asked != base_url,
    }
    return [key for key, is_so in differs.items() if is_so]
