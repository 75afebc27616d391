"""How an agent is started with recording on, as plain values.

Preparing may write files of our own (0600, in the session's run folder), with nothing of the candidate's in them, and
never a file of the agent. It does not start anything; ``launcher`` does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from promptster.errors import LaunchError
from promptster.protocol.events.kinds import Event

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from promptster.session_folder.control_messages import LaunchTicket


@dataclass(frozen=True, kw_only=True)
class LaunchRequest:
    """Everything that an agent's recipe depends on."""

    program: Path
    """The agent's own program."""
    arguments: tuple[str, ...]
    """What the candidate typed after the agent's name."""
    environ: Mapping[str, str]
    """The candidate's environment."""
    workspace: Path
    """The assessment's work tree."""
    ticket: LaunchTicket
    """How to reach the recorder; holds the token."""
    run_folder: Path
    """0700 folder of the running session, for files that hold the token."""
    state_folder: Path
    """Our own state folder, for what may be remembered between sessions."""
    hook_command: tuple[str, ...]
    """The forwarder's command line up to the agent's name."""
    hooks_only: bool = False
    """Leave the API traffic alone: the candidate agreed to be recorded by hooks only."""


@dataclass(frozen=True, kw_only=True)
class Launch:
    """How to start the agent."""

    arguments: tuple[str, ...]
    """What follows the program."""
    environ: Mapping[str, str]
    """The whole environment."""
    descriptors: tuple[int, ...] = ()
    """Open files that the agent inherits."""
    notes: tuple[str, ...] = ()
    """Lines for the candidate: what will not be seen, and why."""
    events: tuple[Event, ...] = ()
    """What the launcher reports before the start: what will be missing from the recording, and why."""
    converses: bool = True
    """Whether this can be a conversation; help, logins and the like have nothing that could be recorded."""


class EditorFileMissingError(LaunchError):
    """The agent can be recorded only with its workspace file prepared, and a person may agree to that now."""

    def __init__(self, message: str, *, agent: str, question: str, hint: str, code: str) -> None:
        """``agent``: its id; ``question``: what to ask at a terminal."""
        super().__init__(message, hint=hint, code=code)
        self.agent, self.question = agent, question


class Launches(Protocol):
    """Starts one agent."""

    resume_words: tuple[str, ...] = ()
    """What goes before a conversation's id to continue it."""
    folder_options: tuple[str, ...] = ()
    """Options that name the folder that the agent works in, instead of the one that it is started in."""
    own_folder_options: tuple[str, ...] = ()
    """Options by which the agent makes a folder of its own to work in, outside the workspace."""
    further_folder_option: str = "--add-dir"
    """The option that lets the agent read and write further folders."""

    def environment(self, arguments: tuple[str, ...], environ: Mapping[str, str]) -> Mapping[str, str]:
        """The variables as this agent will see them, if its own arguments can set some.

        Args:
            arguments: what the candidate typed after the agent's name.
            environ: the candidate's environment.

        Raises:
            LaunchError: the arguments cannot be read.
        """
        del arguments
        return environ

    def converses(self, arguments: tuple[str, ...]) -> bool:
        """Whether a call can be a conversation; help, logins and the like have nothing that could be recorded."""
        del arguments
        return True

    def prepare(self, request: LaunchRequest) -> Launch:
        """How to start this agent recorded.

        Raises:
            LaunchError: it cannot be recorded as it is called.
        """
        ...


def with_loopback(excluded: str) -> str:
    """A NO_PROXY value that also names this machine; a user's own entries stay first."""
    entries = [entry.strip() for entry in excluded.split(",") if entry.strip()]
    return ",".join(entries if "*" in entries or "127.0.0.1" in entries else [*entries, "127.0.0.1"])


def split_options(arguments: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The arguments before ``--``, and the rest with it: options stand only in the first part."""
    at = arguments.index("--") if "--" in arguments else len(arguments)
    return arguments[:at], arguments[at:]
