"""Starts Cursor's command line agent. Its calls go to Cursor's own backend, so only its hooks can be recorded.

Cursor reads hooks only from files. With the candidate's consent they are in the workspace's ``.cursor/hooks.json``.
"""

from __future__ import annotations

import json
from typing import cast

from typing_extensions import override

from promptster.agents.launching import EditorFileMissingError, Launch, Launches, LaunchRequest, split_options
from promptster.protocol.events.kinds import CaptureDegraded
from promptster.system.plain_files import read_regular

_PRINT = frozenset({"-p", "--print"})
"""Without its terminal interface the agent runs no hooks for prompts, answers and the end of a turn."""


class CursorLaunch(Launches):
    """Starts ``cursor-agent``. Every call counts as a conversation, because its other commands are not known."""

    resume_words = ("--resume",)
    folder_options = ("--workspace",)
    own_folder_options = ("-w", "--worktree")

    @override
    def prepare(self, request: LaunchRequest) -> Launch:
        """Leave its arguments as they are, if its hooks are in place.

        Raises:
            EditorFileMissingError: the workspace's hooks file does not contain our entries.
        """
        if not _hooked(request):
            raise EditorFileMissingError(
                "cursor-agent can only be recorded through hooks in .cursor/hooks.json of the workspace",
                agent="cursor",
                question="Cursor's agent can only be recorded through hooks in .cursor/hooks.json of the workspace. "
                "The file is restored when the session ends. Add them?",
                hint="Run it in a terminal and answer yes, or start the session with --ide cursor.",
                code="cursor_hooks_missing",
            )
        options, _ = split_options(request.arguments)
        details = ["cursor-agent: hooks are the only source; its calls go to Cursor's own backend"]
        notes: list[str] = []
        if any(word in _PRINT for word in options):
            notes.append(
                "warning: cursor-agent -p runs no hooks for prompts and answers: only its tool calls are recorded"
            )
            details.append("cursor-agent -p: neither prompts nor answers reach the hooks, only tool calls do")
        return Launch(
            arguments=request.arguments,
            environ=request.environ,
            notes=tuple(notes),
            events=tuple(CaptureDegraded(detail=detail) for detail in details),
        )


def _hooked(request: LaunchRequest) -> bool:
    try:
        text = read_regular(request.workspace / ".cursor" / "hooks.json").decode()
        return request.ticket.hook_socket in json.dumps(cast("object", json.loads(text)))
    except (OSError, ValueError):
        return False
