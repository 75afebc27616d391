"""Checks that an agent works inside the workspace, because nothing else may be recorded."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from promptster.agents.launching import split_options
from promptster.errors import LaunchError
from promptster.session_folder.wording import shell_path

if TYPE_CHECKING:
    from collections.abc import Iterator

    from promptster.agents.launching import Launches


def require_inside(name: str, agent: Launches, arguments: tuple[str, ...], workspace: Path) -> tuple[str, ...]:
    """Refuse an agent that would work outside the workspace.

    Args:
        name: the agent's program.
        agent: its launch, with the options that set folders.
        arguments: what the candidate typed after its name.
        workspace: the session's workspace.

    Returns:
        Lines for the candidate about further folders that the agent may use.

    Raises:
        LaunchError: it would work elsewhere.
    """
    go_there = f"Only work in your workspace is recorded: cd {shell_path(workspace)}"
    try:
        here = Path.cwd()
    except FileNotFoundError:
        raise LaunchError("the current folder no longer exists", hint=go_there, code="outside_workspace") from None
    options, _ = split_options(arguments)
    for word, _ in _values(options, agent.own_folder_options):
        raise LaunchError(
            f"{word} makes {name} work outside your workspace", hint="Leave it out.", code="outside_workspace"
        )
    moves = list(_values(options, agent.folder_options))
    place = _real(here / moves[-1][1]) if moves else here
    if not is_inside(place, workspace):
        hint = f"Leave out {moves[-1][0]}, or pass a folder inside your workspace." if moves else go_there
        raise LaunchError(f"{name} would work in {place}, outside your workspace", hint=hint, code="outside_workspace")
    more = [
        place
        for value in _further(options, agent.further_folder_option)
        if not is_inside(place := _real(here / value), workspace)
    ]
    if not more:
        return ()
    named = ", ".join(str(place) for place in more)
    return (f"warning: what {name} does in {named} is recorded too, but files there are not submitted",)


def is_inside(place: Path, workspace: Path) -> bool:
    """Whether a folder is the workspace or inside it, even if it is reached through a link or another name."""
    real = _real(place)
    for folder in (real, *real.parents):
        try:
            if folder.samefile(workspace):
                return True
        except OSError:
            continue
    return False


def _real(place: Path) -> Path:
    return Path(os.path.realpath(place))


def _further(options: tuple[str, ...], further: str) -> Iterator[str]:
    """The folders after each option that adds further ones; some agents accept several at once."""
    named = False
    for word in options:
        option, equals, value = word.partition("=")
        if word.startswith("-"):
            named = option == further
            if named and equals:
                yield value
        elif named:
            yield word


def _values(options: tuple[str, ...], names: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """Each use of these options with its value, in every form: ``-C X``, ``-CX``, ``--cd X``, ``--cd=X``."""
    for position, word in enumerate(options):
        name, equals, value = word.partition("=")
        if name in names:
            following = options[position + 1] if position + 1 < len(options) else ""
            yield name, value if equals else following
        elif any(len(short) == len("-C") and word.startswith(short) for short in names):
            yield word[: len("-C")], word[len("-C") :]
