"""A launch ticket and requests for the agents' recipes, without a running recorder."""

from __future__ import annotations

from typing import TYPE_CHECKING

from promptster.session.agents.interface import LaunchRequest
from promptster.session.control import LaunchTicket
from promptster.session.launcher import hook_command

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

TOKEN = "tok-" + "x" * 39
TICKET = LaunchTicket(
    port=4711,
    token=TOKEN,
    base_urls={"claude": f"http://127.0.0.1:4711/{TOKEN}/anthropic", "codex": "http://127.0.0.1:4711/openai"},
    hook_url="http://127.0.0.1:4711/hooks/claude",
    hook_socket="/run/s p/hooks.sock",
    spool="/state/spool",
)


def request_for(
    folder: Path,
    *arguments: str,
    program: Path | None = None,
    environ: Mapping[str, str] | None = None,
    hooks_only: bool = False,
) -> LaunchRequest:
    """A request whose workspace, run and state folders stand below ``folder``."""
    return LaunchRequest(
        program=program or folder / "agent",
        arguments=arguments,
        environ={"HOME": str(folder / "home")} if environ is None else environ,
        workspace=folder / "workspace",
        ticket=TICKET,
        run_folder=folder / "run",
        state_folder=folder / "state",
        hook_command=hook_command(),
        hooks_only=hooks_only,
    )
