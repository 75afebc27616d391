"""Starts Codex, with ``-c`` options only, so that the user's configuration is unchanged.

A provider of our own points to the recorder. The token is in a header whose value comes from the environment, never
from an argument. The hooks apply to this run only. Codex runs a hook only if its hash is trusted, so we get the hashes
from the same program first (``hook_trust``) and pass them along; the policy says so.
"""

from __future__ import annotations

import json
import shlex
import subprocess
import tomllib
from typing import TYPE_CHECKING, Any, cast

from typing_extensions import override

from promptster.agents.codex import hook_events
from promptster.agents.codex.home import home_of
from promptster.agents.codex.hook_trust import PATIENCE_S, TrustError, trusted_hooks
from promptster.agents.launching import (
    UNRECORDED_HINT,
    Launch,
    Launches,
    LaunchRequest,
    split_options,
    with_loopback,
)
from promptster.errors import LaunchError
from promptster.protocol.events.kinds import CaptureDegraded, Event
from promptster.system.plain_files import read_regular

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

PROVIDER = "promptster"
TOKEN_HEADER = "x-promptster-token"  # noqa: S105 - a header's name
TOKEN_VARIABLE = "PROMPTSTER_TOKEN"  # noqa: S105 - a variable's name
"""Codex hides variables with TOKEN in their names from the commands that it runs."""
_OWN_HOUSEKEEPING = frozenset(
    {
        "login", "logout", "mcp", "plugin", "completion", "update", "doctor", "sandbox", "debug", "apply", "a", "queue",
        "archive", "delete", "migrate-rollouts", "migrate-nfs-db", "unarchive", "features", "help", "-h", "--help",
        "-V", "--version",
    }
)  # fmt: skip
"""First words that start no conversation; the agent then runs as it would without us."""
_ELSEWHERE = {
    "cloud": "in the cloud",
    "remote-control": "by a background server",
    "agents": "by a background server",
    "--remote": "by another server",
    "--oss": "by a model on this computer",
    "--local-provider": "by a model on this computer",
}
_PROXIES = ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy")
_LOGIN_SECONDS = 10.0


class CodexLaunch(Launches):
    """Starts Codex, the command line program."""

    resume_words = ("resume",)
    folder_options = ("-C", "--cd")

    def __init__(self, *, patience_s: float = PATIENCE_S) -> None:
        """``patience_s``: how long Codex may take to list its hooks before it is started without them."""
        self._patience_s = patience_s

    @override
    def converses(self, arguments: tuple[str, ...]) -> bool:
        return not (arguments and arguments[0] in _OWN_HOUSEKEEPING)

    @override
    def prepare(self, request: LaunchRequest) -> Launch:
        """Put our ``-c`` options before the candidate's arguments, which are kept and still apply.

        Raises:
            LaunchError: the arguments select another provider, or move the work out of the recorder's reach.
        """
        if not self.converses(request.arguments):
            return Launch(arguments=request.arguments, environ=request.environ, converses=False)
        options, _ = split_options(request.arguments)
        _refuse_elsewhere(options)
        own = list(config_overrides(options))
        _refuse_other_provider(own)
        overrides = [] if request.hooks_only else _provider_overrides(request)
        hooks, notes, events = _hook_overrides(request, own, self._patience_s)
        return Launch(
            arguments=(*_spelled(overrides + hooks), *request.arguments),
            environ=_environment(request),
            notes=notes,
            events=events,
        )


def config_overrides(options: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """The candidate's own ``-c key=value`` options, in every form, as (key, TOML text)."""
    words = iter(options)
    for word in words:
        text: str | None = None
        if word in {"-c", "--config"}:
            text = next(words, None)
        elif word.startswith("--config="):
            text = word.partition("=")[2]
        elif word.startswith("-c") and len(word) > len("-c"):
            text = word[len("-c") :].removeprefix("=")
        elif word in {"--enable", "--disable"}:
            text = f"features.{next(words, '')}={'true' if word == '--enable' else 'false'}"
        if text is not None:
            key, _, value = text.partition("=")
            yield key.strip(), value.strip()


def toml_string(text: str) -> str:
    """A TOML basic string. JSON's escapes are valid in TOML if other characters are not escaped."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def hook_options(command: str) -> list[tuple[str, str]]:
    """One override for each hook event."""
    return [
        (f"hooks.{event}", f'[{{hooks=[{{type="command",command={toml_string(command)},timeout={seconds}}}]}}]')
        for event, seconds in hook_events.EVENTS.items()
    ]


def uses_chatgpt(request: LaunchRequest) -> bool:
    """Whether Codex would call ChatGPT's backend (signed in with an account) instead of the API (with a key)."""
    if request.environ.get("CODEX_API_KEY", "").strip():
        return False
    home = home_of(request.environ)
    try:
        login = json.loads(read_regular(home / "auth.json"))
    except FileNotFoundError:
        return _login_in_keyring(request)
    except (OSError, ValueError):
        return False
    if not isinstance(login, dict):
        return False
    facts = cast("dict[str, Any]", login)
    mode = str(facts.get("auth_mode") or "").lower()
    return mode.startswith("chatgpt") or (not mode and bool(facts.get("tokens")) and not facts.get("OPENAI_API_KEY"))


def _login_in_keyring(request: LaunchRequest) -> bool:
    """Whether a login in the keyring is one of ChatGPT; only Codex itself can read it."""
    try:
        done = subprocess.run(
            [str(request.program), "login", "status"],
            env=dict(request.environ),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_LOGIN_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return b"chatgpt" in (done.stdout + done.stderr).lower()


def _provider_overrides(request: LaunchRequest) -> list[tuple[str, str]]:
    base = request.ticket.base_urls["codex"]
    if uses_chatgpt(request):
        base = request.ticket.base_urls["chatgpt"]
    fields = (
        'name="OpenAI"',
        f"base_url={toml_string(base)}",
        "requires_openai_auth=true",
        'wire_api="responses"',
        f'env_http_headers={{"{TOKEN_HEADER}"="{TOKEN_VARIABLE}"}}',
    )
    return [("model_provider", f'"{PROVIDER}"'), (f"model_providers.{PROVIDER}", "{" + ",".join(fields) + "}")]


def _hook_overrides(
    request: LaunchRequest, own: list[tuple[str, str]], patience_s: float
) -> tuple[list[tuple[str, str]], tuple[str, ...], tuple[Event, ...]]:
    reason = _hooks_switched_off(request, own)
    trusted: Mapping[str, str] = {}
    ticket = request.ticket
    options = hook_options(shlex.join((*request.hook_command, hook_events.NAME, ticket.hook_socket, ticket.spool)))
    if reason is None:
        try:
            trusted = trusted_hooks(
                request.program, _spelled(options), request.environ, request.state_folder, patience_s=patience_s
            )
        except TrustError as error:
            reason = error.reason
    if reason is not None:
        note = f"warning: Promptster's hooks do not run in Codex ({reason}): only its API traffic is recorded"
        return [], (note,), (CaptureDegraded(detail=f"hooks off: {reason}"),)
    state = ",".join(f"{toml_string(key)}={{trusted_hash={toml_string(value)}}}" for key, value in trusted.items())
    return [*options, ("hooks.state", "{" + state + "}")], (), ()


def _hooks_switched_off(request: LaunchRequest, own: list[tuple[str, str]]) -> str | None:
    """Why our hooks would not run or would replace the candidate's; ``None`` if neither applies."""
    for key, value in own:
        if (key == "features.hooks" and value == "false") or key == "hooks" or key.startswith("hooks."):
            return f"-c {key}"
    home = home_of(request.environ)
    try:
        features = tomllib.loads(read_regular(home / "config.toml").decode()).get("features")
    except (OSError, ValueError):
        return None
    off = isinstance(features, dict) and cast("dict[str, Any]", features).get("hooks") is False
    return "features.hooks in config.toml" if off else None


def _spelled(overrides: list[tuple[str, str]]) -> tuple[str, ...]:
    return tuple(word for key, value in overrides for word in ("-c", f"{key}={value}"))


def _environment(request: LaunchRequest) -> dict[str, str]:
    environ = dict(request.environ)
    if request.hooks_only:
        return environ
    environ[TOKEN_VARIABLE] = request.ticket.token
    if any(environ.get(name) for name in _PROXIES):
        for name in ("NO_PROXY", "no_proxy"):
            environ[name] = with_loopback(environ.get(name, ""))
    return environ


def _refuse_elsewhere(options: tuple[str, ...]) -> None:
    for position, word in enumerate(options):
        name = word.partition("=")[0]
        if name in _ELSEWHERE and (position == 0 or name.startswith("--")):
            raise LaunchError(f"cannot record codex {name}: the work is done {_ELSEWHERE[name]}", hint=UNRECORDED_HINT)


def _refuse_other_provider(own: list[tuple[str, str]]) -> None:
    for key, value in own:
        if key in {"model_provider", "openai_base_url"}:
            raise LaunchError(
                f"-c {key} sends Codex to a provider that is not recorded",
                hint=f"Leave it out for this assessment. It names {_plain(value)}.",
                code="other_provider",
            )


def _plain(value: str) -> str:
    try:
        return str(tomllib.loads(f"x={value}")["x"])
    except tomllib.TOMLDecodeError:
        return value
