"""Pelican, which has no hooks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from promptster.agents.plugin import AgentPlugin
from promptster.protocol.agents import BY_ID

if TYPE_CHECKING:
    from promptster.agents.launching import Launches
    from promptster.capture.agent import ReadsRequests


def _launch() -> Launches:
    from promptster.agents.pelican.launch import PelicanLaunch  # noqa: PLC0415 - loaded when it is needed

    return PelicanLaunch()


def _requests() -> ReadsRequests:
    from promptster.agents.pelican.requests import PelicanRequests  # noqa: PLC0415 - loaded when it is needed

    return PelicanRequests()


AGENT = AgentPlugin(facts=BY_ID["pelican"], launch=_launch, requests=_requests)
