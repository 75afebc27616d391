"""Starts a session, in steps that can each be repeated.

1. ``plan_start`` checks the workspace, the agents' settings and the upstreams; it changes nothing.
2. After consent, ``preparing.prepare`` clones or creates the repository, ``check_paths`` tries to reach the providers,
   and ``redeeming.open_attempt`` makes keys and request durable. The clock does not run yet.
3. ``redeeming.redeem`` starts the clock at the collector.
4. ``run_session`` takes the baseline, starts the recorder and records the baseline.

After a crash later than step 2, the same ``promptster start`` continues with the same consent.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from promptster.config import is_loopback
from promptster.durable import make_missing_folders
from promptster.errors import ConfigurationError, SessionError, UsageError
from promptster.private import require_our_folder
from promptster.protocol.events import Source
from promptster.protocol.events.kinds import SubmissionBaseline
from promptster.proxy.reachability import check_reachability
from promptster.proxy.upstreams import Upstream
from promptster.session.current import BUNDLE, Current
from promptster.session.joining.redeeming import finished
from promptster.session.launch.company_providers import CompanyFinding, find_company_providers
from promptster.session.workspace.preparing import WorkspacePlan, plan_workspace
from promptster.session.workspace.snapshot import Snapshot
from promptster.session_folder.choices import PathCheck
from promptster.session_folder.control_calls import SentEvent
from promptster.session_folder.folder import SessionFacts, SessionFolder, SessionState
from promptster.session_folder.provider_addresses import require_encrypted, unusual_addresses
from promptster.session_folder.wording import one_line

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping, Sequence

    from promptster.network import Network
    from promptster.paths import Paths
    from promptster.protocol.consent import Certificate
    from promptster.proxy.reachability import Reachability
    from promptster.secret_store import StoreKind
    from promptster.session.joining.offer import Offer
    from promptster.session.joining.redeeming import Attempt
    from promptster.session_folder.choices import Choices
    from promptster.session_folder.provider_addresses import Address

BASELINE = "baseline"
"""Name of the baseline in the session's vault."""
_MANIFEST_FILES = 20_000
_CHECK_TIMEOUT_S = 10.0


@dataclass(frozen=True, kw_only=True)
class StartPlan:
    """What a start would do."""

    workspace: WorkspacePlan
    findings: Sequence[CompanyFinding]
    """Agents whose traffic would not go through the recorder."""
    upstreams: Mapping[str, Upstream]
    overrides: tuple[str, ...]
    """Upstreams that the command line set."""
    unusual: tuple[Address, ...] = ()
    """Providers for which the policy names another address than the usual one, except overridden ones."""
    overridden: tuple[Address, ...] = ()
    """Providers for which the command line names another address than the usual one."""


@dataclass(frozen=True, kw_only=True)
class Started:
    """A session that is being recorded."""

    current: Current
    port: int
    baseline: Snapshot


def refuse_second_session(paths: Paths, *, except_for: SessionFolder | None = None) -> None:
    """Refuse a second session while one is active.

    Raises:
        SessionError: another session is active.
    """
    folder = SessionFolder.active(paths)
    if folder is None or (except_for is not None and folder.path == except_for.path):
        return
    facts = folder.facts()
    unfinished = facts.state is SessionState.CLOSED and not folder.has_document(BUNDLE)  # submit was interrupted
    if facts.state.ended and not unfinished:
        return
    doing = "is being submitted" if unfinished or facts.state is SessionState.CLOSING else "is running"
    raise SessionError(
        f"another session {doing}: {one_line(facts.title)}",
        hint="See it with `promptster status`. Submit, stop or withdraw it first.",
        code="session_active",
    )


@contextlib.contextmanager
def exclusive_start(paths: Paths) -> Generator[None]:
    """Let only one ``promptster start`` of this user run at a time.

    Raises:
        SessionError: another one is running.
    """
    make_missing_folders(paths.state)
    require_our_folder(paths.state)
    handle = os.open(paths.state / "start.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise SessionError(
                "another promptster start is running", hint="Wait until it has ended.", code="start_running"
            ) from None
        yield
    finally:
        os.close(handle)


def plan_start(
    offer: Offer,
    *,
    workspace: Path,
    overrides: Mapping[str, str],
    paths: Paths,
    network: Network,
    environ: Mapping[str, str] = os.environ,
) -> StartPlan:
    """Find out what a start would do, without changing anything.

    Raises:
        WorkspaceError: the workspace is not suitable.
        SessionError: the policy sends a provider's traffic unencrypted.
        ConfigurationError: an address of the policy, or the network proxy for it, cannot be used.
        UsageError: an override is not a loopback address, or names a provider that the policy does not name.
    """
    try:
        upstreams = upstream_table(offer.policy.providers, overrides)
    except ConfigurationError as error:
        hint = f"Nothing was changed. Tell {one_line(offer.policy.organisation)} that its policy names this address."
        raise ConfigurationError(error.message, hint=hint, code=error.code) from error
    require_encrypted(offer.policy)
    for upstream in upstreams.values():
        network.proxy_for(upstream.base_url)
    plan = plan_workspace(workspace, offer.assessment.repository, paths, local_allowed=is_loopback(offer.collector_url))
    known = [upstream.base_url for upstream in upstreams.values()]
    findings = find_company_providers(plan.root, environ, known_urls=known)
    unusual = unusual_addresses({name: upstream.base_url for name, upstream in upstreams.items()})
    return StartPlan(
        workspace=plan,
        findings=findings,
        upstreams=upstreams,
        overrides=tuple(sorted(overrides)),
        unusual=tuple(address for address in unusual if address.name not in overrides),
        overridden=tuple(address for address in unusual if address.name in overrides),
    )


def upstream_table(policy_providers: Mapping[str, str], overrides: Mapping[str, str]) -> dict[str, Upstream]:
    """Return the policy's providers; the command line may replace the address of one by one of this computer.

    Raises:
        ConfigurationError: an address of the policy cannot be used.
        UsageError: an override is not a loopback address, or names a provider that the policy does not name.
    """
    table = {name: Upstream(name, url) for name, url in policy_providers.items()}
    for name, url in overrides.items():
        if name not in table:
            named = f"Use one of {', '.join(sorted(table))}." if table else "Leave --upstream out."
            raise UsageError(f"the policy does not name the provider {name!r}", hint=named)
        if not is_loopback(url):
            raise UsageError(
                f"--upstream {name}= accepts only an address on this computer",
                hint=f"For example --upstream {name}=http://127.0.0.1:8080.",
            )
        table[name] = Upstream(name, url)
    return table


def check_paths(upstreams: Mapping[str, Upstream], network: Network) -> dict[str, PathCheck]:
    """Try to reach every provider at once through the proxy's own code, without credentials."""

    async def check_all() -> list[Reachability]:
        calls = (check_reachability(upstream, network, timeout_s=_CHECK_TIMEOUT_S) for upstream in upstreams.values())
        return await asyncio.gather(*calls)

    checks = zip(upstreams, asyncio.run(check_all()), strict=True)
    return {name: PathCheck(ok=check.ok, status=check.status, reason=check.reason) for name, check in checks}


def run_session(attempt: Attempt, certificate: Certificate, paths: Paths) -> Started:
    """Take the baseline, start the recorder and record the baseline. Can be repeated after a crash."""
    current = Current(attempt.folder)
    kept = current.vault.get(BASELINE)
    recorded = bool(kept and kept["recorded"])
    baseline = Snapshot.from_json(kept["snapshot"]) if kept else current.tree.snapshot()
    current.vault.put(BASELINE, {"snapshot": baseline.to_json(), "recorded": recorded})
    current.folder.activate(paths)
    port = current.ensure_recorder()
    if not recorded:
        current.control.record([baseline_event(baseline, attempt.repository)])
        current.vault.put(BASELINE, {"snapshot": baseline.to_json(), "recorded": True})
    finished(certificate.invite_id, paths)
    return Started(current=current, port=port, baseline=baseline)


def baseline_event(baseline: Snapshot, repository: str | None) -> SentEvent:
    """Return the event that describes the workspace at the start."""
    files = [
        {"path": path.decode("utf-8", "backslashreplace"), "size": entry.size, "sha256": entry.sha256}
        for path, entry in sorted(baseline.files.items())
    ]
    manifest: dict[str, Any] = {"count": len(files)}
    if len(files) <= _MANIFEST_FILES:
        manifest["files"] = files
    event = SubmissionBaseline(commit=baseline.commit, tree=baseline.tree, manifest=manifest, repository=repository)
    return SentEvent(src=Source.WORKSPACE, event=event)


def facts_for(
    session: str, offer: Offer, plan: StartPlan, *, created_ms: int, secrets: StoreKind, choices: Choices
) -> SessionFacts:
    """Return the content of ``session.json`` at the time of consent."""
    return SessionFacts(
        session=session,
        collector_url=offer.collector_url,
        organisation=offer.invite.organisation,
        title=offer.policy.title,
        workspace=str(plan.workspace.root),
        created_ms=created_ms,
        secrets=secrets,
        upstreams={name: upstream.base_url for name, upstream in plan.upstreams.items()},
        overrides=plan.overrides,
        choices=choices,
    )
