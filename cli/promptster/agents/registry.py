"""Finds the plug-ins: for each line of the catalogue, ``AGENT`` of the folder with that id."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, cast

from promptster.agents.plugin import HookTransport
from promptster.errors import LaunchError
from promptster.protocol.agents import BY_PROGRAM, CATALOGUE, PROGRAMS, one_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from promptster.agents.launching import Launches
    from promptster.agents.plugin import AgentPlugin
    from promptster.capture.readers import AgentReaders
    from promptster.protocol.agents import AgentFacts


@cache
def plugin(agent: str) -> AgentPlugin:
    """The plug-in of an agent, by its id in the catalogue."""
    return cast("AgentPlugin", import_module(f"promptster.agents.{agent}").AGENT)


def plugins() -> tuple[AgentPlugin, ...]:
    """All plug-ins, in the order of the catalogue."""
    return tuple(plugin(facts.id) for facts in CATALOGUE)


def program_facts(program: str) -> AgentFacts:
    """The agent whose program has this name.

    Raises:
        LaunchError: no agent has (exit code 125: we refuse, whether or not such a program is installed).
    """
    facts = BY_PROGRAM.get(program)
    if facts is None:
        raise LaunchError(f"cannot record {program}", hint=f"Use {one_of(PROGRAMS)}.", code="unknown_agent")
    return facts


def launches(program: str) -> Launches:
    """How to start the agent whose program has this name.

    Raises:
        LaunchError: no agent has.
    """
    return plugin(program_facts(program).id).launch()


@cache
def readers() -> AgentReaders:
    """The readers of all agents, for capture."""
    from promptster.capture.readers import AgentReader, AgentReaders  # noqa: PLC0415 - only the recorder reads

    found: list[AgentReader] = []
    for each in plugins():
        reader = AgentReader(id=each.id)
        if each.requests is not None:
            reader = replace(reader, requests=each.requests())
        if each.hooks is not None:
            reader = replace(reader, hooks=each.hooks())
        found.append(reader)
    return AgentReaders(found, hooked=[each.id for each in plugins() if each.is_hooked])


def http_hooked() -> frozenset[str]:
    """The ids of the agents whose hooks arrive by HTTP."""
    return frozenset(each.id for each in plugins() if each.hook_transport is HookTransport.HTTP)


def base_urls(port: int, token: str, agents: Iterable[AgentPlugin] | None = None) -> dict[str, str]:
    """The base URLs of the agents' providers at the proxy, by the names of ``address_names``."""
    found: dict[str, str] = {}
    for each in plugins() if agents is None else agents:
        base = f"http://127.0.0.1:{port}{f'/{token}' if each.token_in_path else ''}"
        for name, upstream in zip(address_names(each), each.facts.upstreams, strict=True):
            found[name] = f"{base}/{upstream}"
    return found


def address_names(agent: AgentPlugin) -> tuple[str, ...]:
    """The names of an agent's base URLs, one for each of its providers.

    The usual provider's is named after the agent's id, and each other one after its provider. With a token in the path
    the latter are ``ID/PROVIDER``, because another agent may put the address of the same provider into an argument.
    """
    others = agent.facts.upstreams[1:]
    named = (f"{agent.id}/{upstream}" if agent.token_in_path else upstream for upstream in others)
    return (agent.id, *named) if agent.facts.upstreams else ()
