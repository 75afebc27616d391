"""Starts Pelican."""

from __future__ import annotations

from typing import TYPE_CHECKING

from typing_extensions import override

from promptster.agents.launching import Launch, Launches, with_loopback

if TYPE_CHECKING:
    from promptster.agents.launching import LaunchRequest


class PelicanLaunch(Launches):
    """Starts ``pelican``."""

    resume_words = ("--session",)

    @override
    def prepare(self, request: LaunchRequest) -> Launch:
        environ = dict(request.environ)
        if not request.hooks_only:
            environ["PELICAN_BASE_URL"] = request.ticket.base_urls["pelican"]
            environ["PELICAN_HEADERS"] = f"x-promptster-token: {request.ticket.token}"
            environ["NO_PROXY"] = with_loopback(environ.get("NO_PROXY", ""))
        return Launch(arguments=request.arguments, environ=environ)
