"""Handing in: the final diff, the wait for every receipt, the candidate's own bundle. Each step can be repeated.

1. ``prepare`` compares the work tree with the baseline and changes nothing.
2. ``close`` records the diff and ends the recording; from here on only the delivery is left.
3. ``wait`` returns when every event is acknowledged, or says why not; calling it again goes on.
4. ``collect`` fetches what the collector signed, checks all of it and writes the bundle.
5. ``conclude`` puts files back, ends the recorder and deletes the keys.
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from promptster.client import CollectorClient
from promptster.config import write_private
from promptster.errors import CollectorError, SessionError
from promptster.protocol.batch import open_body, parse_batch
from promptster.protocol.bundle import SUFFIX, BundleBatch, BundleParts, parts_from_batches, write_bundle
from promptster.protocol.documents import encode
from promptster.protocol.encoding import b64u_decode
from promptster.protocol.keys import parse_keyfile
from promptster.protocol.log import LogProof
from promptster.protocol.signing import Envelope
from promptster.protocol.verification import verify_bundle
from promptster.session import attempt
from promptster.session.begin import BASELINE
from promptster.session.current import BUNDLE, KEYS, VAULT, finished_bundle
from promptster.session.ending import delete_local, end_recorder
from promptster.session.snapshot import Snapshot
from promptster.session.state import SessionState

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from promptster.config import Config
    from promptster.protocol.events import RecordedEvent
    from promptster.protocol.verdict import Verification
    from promptster.session.control import RecorderStatus
    from promptster.session.current import Current
    from promptster.session.snapshot import Change
    from promptster.session.touched import Restored

PATIENCE_S: Final = 45.0
"""Seconds without any progress after which waiting ends with a word; nothing is lost by it."""
UNREACHABLE_PATIENCE_S: Final = 15.0
"""The same while the collector cannot be reached at all."""
DIFF_LIMIT: Final = 16 * 1024 * 1024
"""Characters of a difference that are handed in; every file stands in the manifest in any case."""
_STEP_S = 1.0
_PAUSE_S = 0.2


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """What will be handed in."""

    changes: tuple[Change, ...]
    final: Snapshot
    diff: str

    def draft(self) -> dict[str, Any]:
        """The last event of the candidate's work."""
        fields = {
            "commit": self.final.commit,
            "tree": self.final.tree,
            "manifest": [change.manifest() for change in self.changes],
            "diff": self.diff,
        }
        return {"src": "workspace", "kind": "submission_final", "fields": fields}


@dataclass(frozen=True, kw_only=True)
class Collected:
    """The candidate's own bundle, verified and written."""

    path: Path
    received: int
    """Events in batches that the collector signed for."""
    verification: Verification


def prepare(current: Current) -> Prepared:
    """Compare the work tree with the baseline; our own workspace files are taken as they will be put back.

    Raises:
        SessionError: there is no baseline, or the session is over.
        WorkspaceError: the work tree cannot be read.
    """
    kept = current.vault.get(BASELINE)
    if kept is None:
        raise SessionError(
            "this session has no baseline", hint="run the same promptster start again", code="no_baseline"
        )
    baseline = Snapshot.from_json(kept["snapshot"])
    final = current.tree.snapshot(current.touched.as_restored())
    changes = tuple(current.tree.changes(baseline, final))
    diff = current.tree.diff(changes)
    if len(diff) > DIFF_LIMIT:
        diff = diff[:DIFF_LIMIT] + "\n... the rest of the difference is left out\n"
    return Prepared(changes=changes, final=final, diff=diff)


def close(current: Current, prepared: Prepared) -> int:
    """Record the diff and end the recording; returns the number of all events."""
    return current.control.close([prepared.draft()])


def wait(current: Current, tell: Callable[[RecorderStatus], None], *, patience_s: float = PATIENCE_S) -> RecorderStatus:
    """Return when the collector has acknowledged every event.

    Args:
        current: a session that is closing.
        tell: called with each new status.
        patience_s: seconds without progress after which this gives up.

    Raises:
        CollectorError: the collector cannot be reached, or takes nothing more.
    """
    best, since = -1, time.monotonic()
    while True:
        status = current.control.status()
        tell(status)
        if status.state is SessionState.CLOSED or (
            status.state is SessionState.CLOSING and status.events > 0 and status.received >= status.events
        ):
            return status
        if status.state.ended:
            raise CollectorError(
                f"the collector takes nothing more of this session ({status.state.value})",
                hint="ask the hiring team; promptster inspect still shows what was recorded",
                code=f"session_{status.state.value}",
            )
        if status.received > best:
            best, since = status.received, time.monotonic()
        elif time.monotonic() - since > _patience(status, patience_s):
            raise _stuck(status, current)
        asked = time.monotonic()
        current.control.flush(seconds=_STEP_S)
        if time.monotonic() - asked < _PAUSE_S:  # it had nothing to send: what is missing is an answer
            time.sleep(_PAUSE_S)


def _patience(status: RecorderStatus, patience_s: float) -> float:
    reachable = status.collector.get("reachable") is not False
    return patience_s if reachable else min(patience_s, UNREACHABLE_PATIENCE_S)


def _stuck(status: RecorderStatus, current: Current) -> CollectorError:
    why = status.collector.get("last_error") or "no answer"
    return CollectorError(
        f"{status.received} of {status.events} events received; the collector at {current.facts.collector_url} "
        f"does not take more ({why})",
        hint="everything is kept and sending goes on in the background; run promptster submit again later",
        code="collector_unreachable",
    )


def collect(current: Current, config: Config) -> Collected:
    """Fetch what the collector signed, check everything, write the candidate's own bundle.

    Raises:
        CollectorError: the evidence is not complete yet, or cannot be fetched.
        SessionError: the evidence does not verify; nothing is deleted then.
    """
    batches = _batches(current)
    evidence = _evidence(current, config, len(batches))
    if any(current.folder.batches.glob("*.adopted")):  # some of it only the collector holds
        data = _collectors_bundle(current, config)
    else:
        data = write_bundle(_parts(current, batches, evidence))
    verification = verify_bundle(data, trusted=_pinned_fingerprints(current))
    if verification.verdict != "verified":
        findings = "; ".join(finding.text for finding in verification.findings[:3])
        raise SessionError(
            f"what the collector signed does not verify ({verification.verdict}): {findings}",
            hint="nothing is deleted here; tell the hiring team, then run promptster submit again",
            code=f"bundle_{verification.verdict}",
        )
    path = config.paths.bundles / bundle_name(current)
    write_private(path, data)
    current.folder.write_document(BUNDLE, str(path).encode())
    received = sum(facts.count for facts in verification.batches if facts.received_ms is not None)
    return Collected(path=path, received=received, verification=verification)


def conclude(current: Current) -> list[Restored]:
    """Put files back, end the recorder, delete keys and working data; the access token stays."""
    restored = current.touched.restore()
    end_recorder(current)
    current.folder.update(state=SessionState.CLOSED)
    delete_local(current, keep_batches=True)
    return restored


def bundle_name(current: Current) -> str:
    """Date, title and session: sortable, and safe in every file system."""
    facts = current.facts
    day = datetime.fromtimestamp(facts.created_ms / 1000, tz=UTC).strftime("%Y-%m-%d")
    title = re.sub(r"[^a-z0-9]+", "-", facts.title.lower()).strip("-")[:40] or "assessment"
    return f"{day}-{title}-{facts.session[:8]}{SUFFIX}"


def _parts(current: Current, batches: list[BundleBatch], evidence: Mapping[str, Any]) -> BundleParts:
    folder = current.folder
    proofs = [
        LogProof(n=entry["n"], index=entry["index"], proof=tuple(b64u_decode(item) for item in entry["proof"]))
        for entry in evidence["proofs"]
    ]
    return parts_from_batches(
        keys=encode(evidence["keys"]),
        certificate=Envelope.decode(folder.read_document(attempt.CERTIFICATE)),
        policy=folder.read_document(attempt.POLICY),
        consent=Envelope.decode(folder.read_document(attempt.CONSENT)),
        batches=batches,
        receipts=[Envelope.from_json(entry) for entry in evidence["receipts"]],
        checks=[Envelope.from_json(entry) for entry in evidence["checks"]],
        close=Envelope.from_json(evidence["close"]),
        redactions=[Envelope.from_json(entry) for entry in evidence["redactions"]],
        checkpoint=evidence["checkpoint"],
        proofs=proofs,
    )


def _collectors_bundle(current: Current, config: Config) -> bytes:
    facts = current.facts
    with CollectorClient(facts.collector_url, token=current.secrets.access_token, network=config.network) as client:
        return client.bundle(facts.session)


def _batches(current: Current) -> list[BundleBatch]:
    """Every sealed batch of this session, opened with the candidate's own key."""
    found: list[BundleBatch] = []
    for path in sorted(current.folder.batches.glob("*.batch")):
        batch = parse_batch(path.read_bytes())
        events: list[RecordedEvent] = open_body(batch, current.secrets.content_key)
        found.append(BundleBatch.from_wire(batch, events))
    return found


def _evidence(current: Current, config: Config, batches: int) -> Mapping[str, Any]:
    """What the collector signed, once every batch is checked and the session is closed there."""
    facts = current.facts
    deadline = time.monotonic() + PATIENCE_S
    with CollectorClient(facts.collector_url, token=current.secrets.access_token, network=config.network) as client:
        while True:
            evidence = client.evidence(facts.session)
            complete = evidence.get("close") and len(evidence["checks"]) >= batches
            if complete and evidence.get("checkpoint") and len(evidence["proofs"]) >= batches:
                return evidence
            if time.monotonic() > deadline:
                if complete:
                    return evidence
                raise CollectorError(
                    "the collector has everything, but has not finished checking it",
                    hint="run promptster submit again in a minute; nothing is lost",
                    code="evidence_incomplete",
                )
            time.sleep(_PAUSE_S)


def _pinned_fingerprints(current: Current) -> tuple[str, ...]:
    """The collector's keys as they were pinned at the start: what the invite vouched for."""
    return parse_keyfile(current.folder.read_document(KEYS)).fingerprints


def require_open(current: Current) -> None:
    """Refuse sessions that cannot be handed in any more.

    Raises:
        SessionError: it was stopped, withdrawn, lapsed, or handed in to its end.
    """
    state = current.facts.state
    bundle = finished_bundle(current)
    if bundle is not None and not (current.folder.path / VAULT).is_dir():
        raise SessionError(
            "this session was handed in already", hint=f"your copy is {bundle}", code="already_submitted"
        )
    if state in {SessionState.STOPPED, SessionState.WITHDRAWN, SessionState.LAPSED}:
        raise SessionError(
            f"the session is {state.value}: it cannot be handed in", hint="ask the hiring team", code="session_over"
        )
