"""One scenario, run for real: once without promptster, once recorded, at the same paths."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.e2e import normal
from tests.e2e.tap import TappedExchange, heard
from tests.e2e.world import Candidate, Ended, finished, fixed_root
from tests.helpers.people import BIN
from tests.helpers.provider.server import Provider, running
from tests.helpers.relay import Relay

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.e2e.agents import Agents
    from tests.e2e.scenarios import Scenario
    from tests.e2e.world import Recruiter
    from tests.helpers.provider.exchange import Exchange

CANDIDATE = "candidate"
PROMPTSTER = str(BIN / "promptster")
_TAPPED = Path(__file__).with_name("tapped_agent.py")
_OURS = (".config/promptster", ".local/share/promptster", ".local/state/promptster", ".cache/promptster")
"""Our own folders; the XDG folders around them are made if they are missing, as by any program."""
_XDG = {".config", ".local", ".local/share", ".local/state", ".cache"}
_CONFIGURATION = (".claude/settings.json", ".codex/config.toml", ".gitconfig")


@dataclass(frozen=True, kw_only=True)
class Run:
    """The results of one run."""

    ended: Ended
    exchanges: list[Exchange]
    """What the provider saw of the agent."""
    paths: dict[str, set[str]]
    """Paths in home, workspace and .git, ids and times taken out."""
    configuration: dict[str, bytes]
    """The user's and the repository's configuration files."""


@dataclass(frozen=True, kw_only=True)
class Recorded:
    """A recorded run with the collector's results."""

    run: Run
    heard: list[TappedExchange]
    """What the agent itself sent and got; empty without a tap."""
    submitted: dict[str, Any]
    lines: list[dict[str, Any]]
    page: str
    """The replay as a page."""
    story: str
    """The replay in a terminal."""
    verdict: dict[str, Any]


def candidate_root() -> Path:
    """The folder of every candidate of these tests, so that paths in requests are the same."""
    return fixed_root(CANDIDATE)


def control_run(scenario: Scenario, agents: Agents) -> Run:
    """Run the agent as it is, directly with the provider."""
    candidate = Candidate(root=candidate_root(), agents=agents)
    with running(scenario.script) as provider:
        name, *words = scenario.words()
        extra = {"ANTHROPIC_BASE_URL": provider.anthropic_url}
        if scenario.agent == "codex":
            fields = f'name="OpenAI",base_url="{provider.openai_url}",requires_openai_auth=true,wire_api="responses"'
            words = ["-c", 'model_provider="promptster"', "-c", f"model_providers.promptster={{{fields}}}", *words]
            extra = {}
        program = candidate.person.tools or candidate.root
        ended = candidate.run(str(program / name), *words, environ=extra, told=_releasing(scenario, provider))
        return taken(candidate, ended, provider, 0)


def recorded_run(
    scenario: Scenario,
    agents: Agents,
    recruiter: Recruiter,
    *,
    tap: bool,
    meanwhile: Callable[[Candidate, Provider], None] | None = None,
) -> Recorded:
    """Run the same agent through ``promptster run``, submit and export.

    Args:
        scenario: what the provider says.
        agents: the real programs.
        recruiter: the person who invites, exports and verifies.
        tap: listen between the agent and the proxy.
        meanwhile: what happens while the agent runs; its end is awaited.
    """
    candidate = Candidate(root=candidate_root(), agents=agents)
    target = candidate.root / "tap.port"
    try:
        with running(scenario.script) as provider, _before_proxy(target) as relay:
            if tap:
                _put_tap(candidate, relay.port, target)
            candidate.start(recruiter.invite(), anthropic=provider.anthropic_url, openai=provider.openai_url)
            before = len(provider.exchanges)
            process = candidate.popen(PROMPTSTER, "run", *scenario.words())
            if meanwhile is not None:
                meanwhile(candidate, provider)
            ended = finished(process, _releasing(scenario, provider))
            submitted = candidate.submit()
            run = taken(candidate, ended, provider, before)
        session = candidate.session
        return Recorded(
            run=run,
            heard=heard(relay.wires),
            submitted=submitted,
            lines=recruiter.lines(session),
            page=recruiter.said("export", session, "--format", "html", "-o", "-"),
            story=recruiter.said("replay", session),
            verdict=recruiter.verify(session, candidate.root),
        )
    finally:
        candidate.end()


def _releasing(scenario: Scenario, provider: Provider) -> Callable[[bytes], None]:
    """Lets a held cut happen once the agent itself has shown the last that came before it."""

    def told(line: bytes) -> None:
        if scenario.shown_before_cut and scenario.shown_before_cut in line:
            provider.release()

    return told


def _before_proxy(target: Path) -> Relay:
    """A relay to the port in the file; the recorder's proxy refuses every host name but its own."""
    return Relay(lambda: f"http://127.0.0.1:{target.read_text()}", as_own_host=True)


def _put_tap(candidate: Candidate, port: int, target: Path) -> None:
    tools = candidate.person.tools
    assert tools is not None
    for name, program in (("claude", candidate.agents.claude), ("codex", candidate.agents.codex)):
        shim = tools / name
        shim.unlink()
        shim.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{_TAPPED}" {name} "{program}" {port} "{target}" "$@"\n')
        shim.chmod(0o755)


def taken(candidate: Candidate, ended: Ended, provider: Provider, before: int) -> Run:
    """The results of a run; ``before``: how many exchanges the provider had seen then."""
    home, workspace = candidate.person.home, candidate.workspace
    return Run(
        ended=ended,
        exchanges=provider.exchanges[before:],
        paths={
            "home": normal.paths(home, without=[home / name for name in _OURS]) - _XDG,
            "workspace": normal.paths(workspace, without=[workspace / ".git"]),
            ".git": normal.paths(workspace / ".git"),
        },
        configuration=configuration(candidate),
    )


def configuration(candidate: Candidate) -> dict[str, bytes]:
    """The user's and the repository's configuration files, byte for byte."""
    home, workspace = candidate.person.home, candidate.workspace
    files = {name: home / name for name in _CONFIGURATION}
    files |= {f"workspace/{name}": workspace / name for name in (".claude/settings.json", ".git/config", ".git/HEAD")}
    return {name: path.read_bytes() for name, path in files.items()}


def same_behaviour(control: Run, recorded: Run, *, ordered: bool) -> None:
    """The agent said and did the same, and left the same files.

    Args:
        control: the run without promptster.
        recorded: the run with it.
        ordered: whether the agent reports its actions in one possible order.

    Raises:
        AssertionError: something differs.
    """
    ours, theirs = (normal.output(run.ended.stdout, ordered=ordered) for run in (recorded, control))
    assert ours == theirs
    assert normal.output(recorded.ended.stderr) == normal.output(control.ended.stderr)
    assert recorded.ended.code == control.ended.code
    assert recorded.configuration == control.configuration
    for place, paths in control.paths.items():
        one_sided = sorted(recorded.paths[place] ^ paths)
        assert one_sided == [], f"paths of {place} differ: {one_sided}"


def same_requests(control: Run, recorded: Run) -> None:
    """The provider saw the same requests, except for ids and times: header names in order and case, values, bodies.

    Raises:
        AssertionError: something differs.
    """
    ours, theirs = ([_comparable(exchange) for exchange in run.exchanges] for run in (recorded, control))
    assert len(ours) == len(theirs)
    for one, other in zip(sorted(ours, key=repr), sorted(theirs, key=repr), strict=True):
        assert one == other


def _comparable(exchange: Exchange) -> dict[str, Any]:
    body: Any = exchange.body.decode("utf-8", "replace")
    try:
        body = normal.document(json.loads(body))
    except ValueError:
        body = normal.text(body)
    length = exchange.header("content-length")
    assert not length or int(length) == len(exchange.body)
    return {
        "line": f"{exchange.method} {normal.text(exchange.target)}",
        "headers": normal.headers(exchange.headers),
        "names_of_all": [name for name, _ in normal.headers(exchange.headers, keep_values=True)],
        "body": body,
    }


def same_bytes(heard: list[TappedExchange], exchanges: list[Exchange]) -> None:
    """Between agent and provider no byte of a body, and no header's name, order or value, was changed.

    Host, hop-by-hop headers, the token header and the token's path segment are excepted.

    Raises:
        AssertionError: something differs.
    """
    rest = list(exchanges)
    assert len(heard) == len(rest)
    for one in heard:
        at = next(
            (n for n, other in enumerate(rest) if other.body == one.body and _head(other.head) == _head(one.head)), None
        )
        assert at is not None, f"the provider never saw {one.head[:200]!r}"
        other = rest.pop(at)
        answer_head, _, answer_body = bytes(other.answer).partition(b"\r\n\r\n")
        assert _head(one.answer_head) == _head(answer_head + b"\r\n\r\n")
        assert one.answer_body == _payload(answer_head, answer_body)
        assert not (one.whole and other.outcome == "cut")  # an agent may leave once it read the last event


def _head(head: bytes) -> tuple[str, list[tuple[str, str]]]:
    first, *lines = head.decode("latin-1").split("\r\n")[:-2]
    pairs = [(name, value.strip(" ")) for name, _, value in (line.partition(":") for line in lines)]
    method, _, target = first.partition(" ")
    if not method.startswith("HTTP/"):
        for prefix in ("/anthropic/", "/openai/"):
            _, found, rest = target.partition(prefix)
            target = "/" + rest if found else target
        target = target.replace("/v1/responses", "/responses")
    return f"{method} {target}", normal.headers(pairs, keep_values=True)


def _payload(head: bytes, body: bytes) -> bytes:
    if b"transfer-encoding: chunked" not in head.lower():
        return body
    pieces = bytearray()
    while b"\r\n" in body:
        line, _, rest = body.partition(b"\r\n")
        size = int(line, 16)
        pieces += rest[:size]
        body = rest[size + 2 :]
        if size == 0:
            break
    return bytes(pieces)
