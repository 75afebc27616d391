"""Prepares the start of an agent with recording on: finds the program and asks the agent's plug-in how to start it.

``promptster.session.launch.child_process`` then starts the agent. For a shell no process has to wait: this process
becomes the shell. No file of the agent or of the user is changed.
"""

from __future__ import annotations

import contextlib
import os
import signal
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from promptster.agents.hook_command import hook_command
from promptster.agents.launching import LaunchRequest
from promptster.agents.registry import address_names, plugin, program_facts
from promptster.clock import SystemClock
from promptster.errors import LaunchError, PromptsterError, SessionError, reason_of
from promptster.protocol.events import Source
from promptster.protocol.events.kinds import CaptureDegraded
from promptster.session.allowed_agents import require_allowed
from promptster.session.launch.company_providers import find_company_providers
from promptster.session_folder.control_calls import SentEvent
from promptster.session_folder.control_client import ControlClient
from promptster.session_folder.folder import SessionFolder
from promptster.session_folder.wording import doing, shell_path
from promptster.times import soon

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from promptster.agents.launching import Launch
    from promptster.paths import Paths
    from promptster.session_folder.folder import SessionFacts

SHIMS_VARIABLE = "PROMPTSTER_SHIMS"
"""Inside ``promptster shell``, names the folder of shims, which the search for the real agent skips."""

NOT_EXECUTABLE = 126
NOT_FOUND = 127


@dataclass(frozen=True, kw_only=True)
class PreparedAgent:
    """An agent that is ready to be started."""

    program: Path
    launch: Launch
    name: str


def prepare(
    name: str, arguments: tuple[str, ...], paths: Paths, environ: Mapping[str, str] = os.environ
) -> PreparedAgent:
    """Find the session and the program, decide how to start it, and record the events of the launch.

    Raises:
        LaunchError: exit code 125 (our own failure), 126 (not executable) or 127 (not found).
    """
    agent = program_facts(name).id
    launches = plugin(agent).launch()
    folder = recording_session(paths)
    facts = folder.facts()
    require_allowed(name, folder)
    program = find_program(name, environ)
    control = ControlClient(folder)
    hooks_only = _company_provider(agent, facts, environ, launches.environment(arguments, environ))
    try:
        ticket = control.launch()
        ticket.require_addresses(address_names(plugin(agent)))
    except SessionError as error:
        raise LaunchError(error.message, hint=error.hint, code=error.code) from error
    request = LaunchRequest(
        program=program,
        arguments=arguments,
        environ=environ,
        workspace=Path(facts.workspace),
        ticket=ticket,
        run_folder=folder.run,
        state_folder=paths.state,
        hook_command=hook_command(),
        hooks_only=hooks_only,
    )
    launch = launches.prepare(request)
    if hooks_only:
        detail = f"{agent}: recorded by hooks only, as the candidate chose"
        launch = replace(launch, events=(*launch.events, CaptureDegraded(detail=detail)))
    now = SystemClock().wall_ms()
    if facts.time_is_over(now):
        over = f"warning: time was up at {soon(facts.record_until, now)}, so nothing in {name} is recorded"
        launch = replace(launch, notes=(*launch.notes, over, "To submit what was recorded: promptster submit"))
    elif launch.events:
        with contextlib.suppress(SessionError):  # the agent starts in any case; the recorder records the gap
            control.record([SentEvent(src=Source.LAUNCHER, event=event) for event in launch.events])
    return PreparedAgent(program=program, launch=launch, name=name)


def become(
    prepared: PreparedAgent, execute: Callable[[str, list[str], Mapping[str, str]], NoReturn] = os.execve
) -> NoReturn:
    """Replace this process with the program, which keeps its standard input, output and error.

    Raises:
        LaunchError: the program cannot be executed (126).
    """
    for name in ("SIGPIPE", "SIGXFSZ"):  # Python ignores them, and the program would inherit that
        signal.signal(getattr(signal, name), signal.SIG_DFL)
    for descriptor in prepared.launch.descriptors:
        os.set_inheritable(descriptor, True)
    try:
        execute(str(prepared.program), [prepared.name, *prepared.launch.arguments], prepared.launch.environ)
    except OSError as error:
        raise LaunchError(
            f"cannot execute {prepared.program}: {reason_of(error)}", code="not_executable", exit_code=NOT_EXECUTABLE
        ) from error


def find_program(name: str, environ: Mapping[str, str]) -> Path:
    """Return the agent's program on PATH; our own shims are skipped.

    Raises:
        LaunchError: not found (127), or not executable (126).
    """
    shims = environ.get(SHIMS_VARIABLE)
    refused: Path | None = None
    for entry in environ.get("PATH", os.defpath).split(os.pathsep):
        if shims and entry and Path(entry) == Path(shims):
            continue
        path = Path(entry or ".").absolute() / name
        if path.is_file():
            if os.access(path, os.X_OK):
                return path
            refused = refused or path
    if refused is not None:
        raise LaunchError(
            f"{refused} is not executable",
            hint=f"Run `chmod +x {shell_path(refused)}`.",
            code="not_executable",
            exit_code=NOT_EXECUTABLE,
        )
    raise LaunchError(
        f"{name} is not installed",
        hint=f"Install it, or add its folder to PATH. Then: promptster run {name}",
        code="not_found",
        exit_code=NOT_FOUND,
    )


def recording_session(paths: Paths) -> SessionFolder:
    """Return the session that records agents started now.

    Raises:
        LaunchError: there is none, or it has ended.
    """
    folder = SessionFolder.active(paths)
    if folder is None:
        raise LaunchError(
            "there is no session on this computer", hint="Start one: promptster start LINK", code="no_session"
        )
    try:
        facts = folder.facts()
    except PromptsterError as error:
        raise LaunchError(error.message, hint=error.hint, code=error.code) from error
    if not facts.state.records:
        ended = "this session has ended"
        raise LaunchError(
            ended if facts.state.ended else f"the session {doing(facts.state)}, so nothing would be recorded",
            hint="To work unrecorded, start the agent without promptster.",
            code="not_recording",
        )
    return folder


def _company_provider(agent: str, facts: SessionFacts, environ: Mapping[str, str], seen: Mapping[str, str]) -> bool:
    """Return whether the agent uses a company provider, and the candidate agreed to be recorded by hooks only.

    Args:
        agent: the agent's id.
        facts: the session's facts.
        environ: the candidate's environment.
        seen: the environment that the agent will have, with what its own arguments set.

    Raises:
        LaunchError: it uses a company provider, and the candidate did not agree to that (125).
    """
    workspace = Path(facts.workspace)
    found = [
        finding
        for finding in find_company_providers(workspace, seen, known_urls=facts.upstreams.values())
        if finding.agent == agent
    ]
    if not found:
        return False
    if agent in facts.choices.hooks_only:
        return True
    first = found[0]
    name = first.where.partition(" ")[0]
    if seen.get(name) != environ.get(name):
        first = replace(first, where=f"{name} in the settings that you passed")
    raise LaunchError(
        first.sentence(),
        hint="Its calls would not be recorded. Remove that setting, and use your own account.",
        code="company_provider",
    )
