"""How an agent is started with recording on, as plain values.

Preparing a launch may write files of our own (0600, in the session's run folder), which contain nothing of the
candidate's. It never writes a file of the agent, and starts nothing; ``launcher`` does that.
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


UNRECORDED_HINT = "Leave it out, or start the agent without promptster: nothing is recorded then."
"""The hint for an option that moves the work out of the recorder's reach."""


@dataclass(frozen=True, kw_only=True)
class LaunchRequest:
    """Everything that a launch depends on."""

    program: Path
    """The agent's own program."""
    arguments: tuple[str, ...]
    """What the candidate typed after the agent's name."""
    environ: Mapping[str, str]
    """The candidate's environment."""
    workspace: Path
    """The assessment's work tree."""
    ticket: LaunchTicket
    """How to reach the recorder; contains the token."""
    run_folder: Path
    """The running session's 0700 folder, for files that contain the token."""
    state_folder: Path
    """Our own state folder, for data that outlives a session."""
    hook_command: tuple[str, ...]
    """The forwarder's command line, up to the agent's name."""
    hooks_only: bool = False
    """Leave the API traffic alone: the candidate agreed to be recorded by hooks only."""


@dataclass(frozen=True, kw_only=True)
class Launch:
    """How to start the agent."""

    arguments: tuple[str, ...]
    """The arguments after the program."""
    environ: Mapping[str, str]
    """The whole environment."""
    descriptors: tuple[int, ...] = ()
    """Open files that the agent inherits."""
    notes: tuple[str, ...] = ()
    """Lines for the candidate: what will not be recorded, and why."""
    events: tuple[Event, ...] = ()
    """What the launcher reports before the start: what will be missing from the recording, and why."""
    converses: bool = True
    """Whether this can be a conversation; help, logins and the like contain nothing to record."""


class EditorFileMissingError(LaunchError):
    """The agent can be recorded only with its workspace file in place, and the candidate may agree to that now."""

    def __init__(self, message: str, *, agent: str, question: str, hint: str, code: str) -> None:
        """``agent``: its id; ``question``: what to ask at a terminal."""
        super().__init__(message, hint=hint, code=code)
        self.agent, self.question = agent, question


class Launches(Protocol):
    """Describes how to start one agent."""

    resume_words: tuple[str, ...] = ()
    """The arguments before a conversation's id that continue it."""
    folder_options: tuple[str, ...] = ()
    """Options that set the folder in which the agent works, instead of the current one."""
    own_folder_options: tuple[str, ...] = ()
    """Options with which the agent creates its own folder to work in, outside the workspace."""
    further_folder_option: str = "--add-dir"
    """The option that lets the agent read and write further folders."""

    def environment(self, arguments: tuple[str, ...], environ: Mapping[str, str]) -> Mapping[str, str]:
        """The environment as this agent will see it; its own arguments may set variables.

        Args:
            arguments: what the candidate typed after the agent's name.
            environ: the candidate's environment.

        Raises:
            LaunchError: the arguments cannot be read.
        """
        del arguments
        return environ

    def converses(self, arguments: tuple[str, ...]) -> bool:
        """Whether these arguments can start a conversation; help, logins and the like contain nothing to record."""
        del arguments
        return True

    def prepare(self, request: LaunchRequest) -> Launch:
        """How to start this agent with recording on.

        Raises:
            LaunchError: it cannot be recorded with these arguments.
        """
        ...


def with_loopback(excluded: str) -> str:
    """A NO_PROXY value that also contains 127.0.0.1; the user's own entries stay first."""
    entries = [entry.strip() for entry in excluded.split(",") if entry.strip()]
    return ",".join(entries if "*" in entries or "127.0.0.1" in entries else [*entries, "127.0.0.1"])


def split_options(arguments: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The arguments before ``--``, and the rest from ``--`` on; only the first part contains options."""
    at = arguments.index("--") if "--" in arguments else len(arguments)
    return arguments[:at], arguments[at:]
