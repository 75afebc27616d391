"""Submits a session, in steps that can each be repeated.

1. ``prepare`` compares the work tree with the baseline and changes nothing.
2. ``close`` records the diff and ends the recording; only the delivery remains.
3. ``wait`` returns when every event has a receipt, or raises an error that says why not; it can be called again.
4. ``collect`` fetches what the collector signed, verifies it and writes the candidate's own copy in any case.
5. ``conclude`` restores files, ends the recorder and, if the copy verifies, deletes the keys.

If the collector no longer accepts uploads, ``keep`` replaces the last two steps, and the candidate loses nothing.
"""

from __future__ import annotations

import os
import re
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from promptster.errors import CollectorError, SessionError
from promptster.paths import home_path
from promptster.protocol.events import Source
from promptster.protocol.events.kinds import SubmissionFinal
from promptster.session.current import BUNDLE, VAULT, finished_bundle
from promptster.session.joining.starting import BASELINE
from promptster.session.leaving.own_copy import write_copy
from promptster.session.leaving.stopping import end_recorder
from promptster.session.leaving.withdrawing import delete_local
from promptster.session.workspace.snapshot import Snapshot
from promptster.session_folder.control_calls import SentEvent
from promptster.session_folder.folder import SessionState
from promptster.session_folder.wording import doing

if TYPE_CHECKING:
    from collections.abc import Callable

    from promptster.config import Config
    from promptster.session.current import Current
    from promptster.session.leaving.own_copy import OwnCopy
    from promptster.session.workspace.snapshot import Change
    from promptster.session_folder.control_messages import FinalRefusal, RecorderStatus
    from promptster.session_folder.touched_files import Restored

PATIENCE_S: Final = 45.0
"""Seconds without progress after which waiting ends with an error; nothing is lost."""
UNREACHABLE_PATIENCE_S: Final = 15.0
"""The same while the collector cannot be reached."""
ASK_THEM: Final = "Everything is kept on this computer. Ask the hiring team; you can send them your own copy."
"""The hint if the collector no longer accepts uploads; the path of the copy follows it."""
DIFF_LIMIT: Final = 16 * 1024 * 1024
"""Maximum length of the submitted diff, in characters; the manifest lists every file in any case."""
_HUNK = re.compile(r"@@ -\d+(?:,(\d+))? \+\d+(?:,(\d+))? @@")
_STEP_S = 1.0
_PAUSE_S = 0.2


@dataclass(frozen=True, kw_only=True)
class PreparedSubmission:
    """What will be submitted."""

    changes: tuple[Change, ...]
    final: Snapshot
    diff: str
    lines: tuple[int, int]
    """All added and removed lines, whether or not they fit into ``diff``."""
    repository: bool = True
    """Whether the workspace still has its own repository."""

    def event(self) -> SentEvent:
        """Return the event with the candidate's final changes."""
        final = SubmissionFinal(
            commit=self.final.commit,
            tree=self.final.tree,
            manifest=[change.manifest() for change in self.changes],
            diff=self.diff,
        )
        return SentEvent(src=Source.WORKSPACE, event=final)


class UndeliveredError(CollectorError):
    """The collector no longer accepts uploads for this session; everything is kept on this computer."""

    default_code = "undelivered"


def prepare(current: Current) -> PreparedSubmission:
    """Compare the work tree with the baseline; files that we changed are compared as they will be restored.

    Raises:
        SessionError: there is no baseline, or the session is over.
        WorkspaceError: the work tree cannot be read.
    """
    kept = current.vault.get(BASELINE)
    if kept is None:
        raise SessionError(
            "this session's starting point was not recorded",
            hint="Run the same `promptster start` again.",
            code="no_baseline",
        )
    baseline = Snapshot.from_json(kept["snapshot"])
    final = current.tree.snapshot(current.touched.as_restored(), before=baseline)
    changes = tuple(current.tree.changes(baseline, final))
    diff = current.tree.diff(changes)
    lines = changed_lines(diff)
    if len(diff) > DIFF_LIMIT:
        diff = diff[:DIFF_LIMIT] + "\n... the rest of the difference is left out\n"
    has_own = current.tree.is_repository
    return PreparedSubmission(changes=changes, final=final, diff=diff, lines=lines, repository=has_own)


def changed_lines(diff: str) -> tuple[int, int]:
    """Count the lines added and removed by a unified diff; file headers do not count, lines that look alike do."""
    added = removed = old = new = 0
    for line in diff.split("\n"):
        if old <= 0 and new <= 0:
            if (hunk := _HUNK.match(line)) is not None:
                old, new = (1 if count is None else int(count) for count in hunk.groups())
        elif line.startswith("+"):
            added, new = added + 1, new - 1
        elif line.startswith("-"):
            removed, old = removed + 1, old - 1
        elif not line.startswith("\\"):
            old, new = old - 1, new - 1
    return added, removed


def close(current: Current, prepared: PreparedSubmission) -> int:
    """Record the diff and end the recording; returns the number of all events."""
    return current.control.close([prepared.event()])


def wait(current: Current, report: Callable[[RecorderStatus], None], *, patience_s: float = PATIENCE_S) -> None:
    """Return when the collector has acknowledged every event.

    What the collector refused for good is first sent once more, because the hiring team may have made room.

    Args:
        current: a session that is closing.
        report: called with each new status.
        patience_s: seconds without progress after which this gives up.

    Raises:
        UndeliveredError: the collector no longer accepts uploads.
        CollectorError: the collector cannot be reached.
        SessionError: the recorder is not responding.
    """
    with suppress(SessionError):  # the loop below finds out whether it runs
        current.control.flush(seconds=0.0, again=True)
    best, since = -1, time.monotonic()
    while (status := _look(current)) is not None:
        report(status)
        if status.state is SessionState.CLOSED or (
            status.state is SessionState.CLOSING and status.events > 0 and status.received >= status.events
        ):
            return
        require_deliverable(status.state, status.collector.refused)
        if status.received > best:
            best, since = status.received, time.monotonic()
        elif time.monotonic() - since > _patience(status, patience_s):
            raise _stuck(status, current)
        asked = time.monotonic()
        with suppress(SessionError):
            current.control.flush(seconds=_STEP_S)
        if time.monotonic() - asked < _PAUSE_S:  # everything is sent, and only an answer is missing
            time.sleep(_PAUSE_S)


def _look(current: Current) -> RecorderStatus | None:
    """Return the recorder's status; ``None`` once it has ended because everything arrived.

    Raises:
        UndeliveredError: it ended because the collector no longer accepts uploads.
        SessionError: it is not responding for another reason.
    """
    try:
        return current.control.status()
    except SessionError:
        state = current.facts.state
        if state is SessionState.CLOSED:
            return None
        require_deliverable(state, None)
        raise


def require_deliverable(state: SessionState, refused: FinalRefusal | None) -> None:
    """Require that the collector can still accept uploads.

    Args:
        state: the session's state.
        refused: why, if the collector refused for good.

    Raises:
        UndeliveredError: the collector no longer accepts uploads.
    """
    if state.ended and state is not SessionState.CLOSED:
        raise UndeliveredError(
            f"uploads are no longer accepted for this session: it {doing(state)}",
            hint=ASK_THEM,
            code=f"session_{state.value}",
        )
    if refused is not None:
        raise UndeliveredError(
            f"uploads are no longer accepted for this session: {refused.message}",
            hint=f"{ASK_THEM} If they make room for it, run `promptster submit` again.",
            code=refused.code,
        )


def _patience(status: RecorderStatus, patience_s: float) -> float:
    reachable = status.collector.reachable is not False
    return patience_s if reachable else min(patience_s, UNREACHABLE_PATIENCE_S)


def _stuck(status: RecorderStatus, current: Current) -> CollectorError:
    why = status.collector.last_error or "no answer"
    return CollectorError(
        f"{status.received:,} of {status.events:,} events received; {current.facts.collector_url} accepts no more "
        f"at the moment ({why.replace('_', ' ')})",
        hint="Everything is kept, and sending continues in the background. Run `promptster submit` again later.",
        code="collector_unreachable",
    )


def collect(current: Current, config: Config) -> OwnCopy:
    """Write the candidate's own copy of a session that arrived completely; it now counts as submitted.

    Raises:
        SessionError: the session's keys were deleted.
    """
    copy = write_copy(current, config)
    current.folder.write_document(BUNDLE, os.fsencode(copy.path))
    return copy


def conclude(current: Current, *, verified: bool) -> list[Restored]:
    """Restore files and end the recorder. If the copy verifies, delete keys and working data too.

    Otherwise they are kept, so that nothing is lost, and submitting again checks the copy again. The access token is
    kept in any case.

    Raises:
        WorkspaceError: a file cannot be restored; ``promptster submit`` can be repeated.
    """
    restored = current.touched.restore()
    end_recorder(current)
    current.folder.update(state=SessionState.CLOSED)
    if verified:
        delete_local(current, keep_batches=True)
    return restored


def keep(current: Current, config: Config) -> tuple[OwnCopy, list[Restored]]:
    """Write the copy, restore files and end the recorder, although the collector no longer accepts uploads.

    Journal, batches, keys and the session's state are kept, so submitting can still be completed later.

    Raises:
        SessionError: the session's keys were deleted.
        WorkspaceError: a file cannot be restored.
    """
    copy = write_copy(current, config, patience_s=0.0)
    restored = current.touched.restore()
    end_recorder(current, for_another=True)
    return copy, restored


def require_open(current: Current) -> None:
    """Refuse a session that can no longer be submitted.

    Raises:
        SessionError: it was stopped, withdrawn, or submitted completely.
    """
    state = current.facts.state
    bundle = finished_bundle(current)
    if bundle is not None and not (current.folder.path / VAULT).is_dir():
        raise SessionError(
            "you already submitted this session", hint=f"Your copy:\n{home_path(bundle)}", code="already_submitted"
        )
    if state in {SessionState.STOPPED, SessionState.WITHDRAWN}:
        raise SessionError(
            f"cannot submit: the session {doing(state)}", hint="Ask the hiring team.", code="session_over"
        )
