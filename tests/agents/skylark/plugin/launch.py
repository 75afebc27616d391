"""Skylark reads everything from its environment: base URL, token and the command of its hooks."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from typing_extensions import override

from promptster.agents.launching import Launch, Launches

if TYPE_CHECKING:
    from promptster.agents.launching import LaunchRequest


class SkylarkLaunch(Launches):
    """Starts ``skylark``."""

    resume_words = ("--resume",)

    @override
    def prepare(self, request: LaunchRequest) -> Launch:
        ticket = request.ticket
        environ = dict(request.environ)
        environ["SKYLARK_HOOK"] = shlex.join((*request.hook_command, "skylark", ticket.hook_socket, ticket.spool))
        if not request.hooks_only:
            environ["SKYLARK_BASE_URL"] = ticket.base_urls["skylark"]
            environ["SKYLARK_PROXY_TOKEN"] = ticket.token
        return Launch(arguments=request.arguments, environ=environ)
