"""Starts Heron, if its workspace file has our hooks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from typing_extensions import override

from promptster.agents.editor_entries import changed_entries
from promptster.agents.launching import EditorFileMissingError, Launch, Launches

if TYPE_CHECKING:
    from promptster.agents.launching import LaunchRequest


class HeronLaunch(Launches):
    """Starts ``heron-cli``."""

    resume_words = ("--continue",)

    @override
    def prepare(self, request: LaunchRequest) -> Launch:
        if changed_entries(request.workspace, "heron", request.ticket):
            raise EditorFileMissingError(
                "heron-cli can be recorded only by hooks in .heron/hooks.json of the workspace",
                agent="heron",
                question="Heron is recorded by .heron/hooks.json of the workspace, put back at the end. Make it?",
                hint="Run it at a terminal and say yes, or start with --ide heron.",
                code="heron_hooks_missing",
            )
        return Launch(arguments=request.arguments, environ=request.environ)
