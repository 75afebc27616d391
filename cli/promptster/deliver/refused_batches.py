"""The collector's refusals of a batch: what each means and how it is answered.

| refusal | meaning | answer |
|---|---|---|
| 409 ``gap`` before our position | the collector was restored | the batches it lacks, with their earlier receipts |
| 409 ``conflict``, the same events | this disk lost a batch that was sent | the collector's batch is adopted |
| 409 ``conflict``, other events | this machine was restored | the same, and our events are added again |
| 410, signed | the session ended there | ``Ended`` |
| 413 | the batch is too large, and was not stored | smaller batches in its place |
| 413 ``session_full``, and other refusals for good | the same bytes would be refused again | nothing more is sent |
| anything else | unknown | the same bytes again, after a pause |

A refusal is final only if it names its reason in a problem document's ``code``: an answer without one comes from
another program on the way. Refusals are not signed, so even a final one ends nothing: everything is kept, and the
candidate can have it sent again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from promptster.deliver.outbox import Adoption
from promptster.deliver.receipts import read_ending
from promptster.deliver.trust import UnknownSignerError
from promptster.deliver.uploader import Ended, Retry
from promptster.errors import PromptsterError
from promptster.protocol import merkle
from promptster.protocol.batch import BatchHeader, header_sha256
from promptster.protocol.encoding import b64u_decode
from promptster.protocol.errors import BatchError
from promptster.protocol.receipt import Receipt
from promptster.protocol.signing import Envelope

if TYPE_CHECKING:
    from collections.abc import Callable

    from promptster.client import CollectorRefusedError
    from promptster.deliver.outbox import Outbox
    from promptster.deliver.sealer import BatchSealer
    from promptster.deliver.trust import TrustedKeys
    from promptster.deliver.uploader import Collector
    from promptster.journal.writer import JournalWriter

_CONFLICT = 409
_GONE = 410
_TOO_LARGE = 413
_FOR_GOOD = frozenset({400, 404, 410, 413, 422})


class Refusals:
    """Answers the refusals of one session."""

    def __init__(
        self,
        *,
        outbox: Outbox,
        writer: JournalWriter,
        sealer: BatchSealer,
        collector: Collector,
        session: str,
        keys: TrustedKeys,
        start_anew: Callable[[], None],
        showed: Callable[[str], object] = str,
    ) -> None:
        """Prepare.

        ``start_anew`` asks for a new start of the recorder, which adds the events again; ``showed`` takes every
        checkpoint of its log that the collector shows, not verified.
        """
        self._outbox, self._writer, self._sealer = outbox, writer, sealer
        self._collector, self._session, self._keys = collector, session, keys
        self._start_anew, self._showed = start_anew, showed

    async def decide(self, error: CollectorRefusedError, n: int) -> Retry:
        """Act on the refusal of batch ``n``, and say when to try again.

        Raises:
            Ended: the collector signed that it takes nothing more.
        """
        try:
            try:
                return await self._act(error, n)
            except UnknownSignerError:
                if not await self._keys.fetch_new(self._collector):
                    raise
                return await self._act(error, n)
        except (PromptsterError, OSError):  # an answer that cannot be believed changes nothing
            return Retry.NEVER if _for_good(error) else Retry.LATER

    async def _act(self, error: CollectorRefusedError, n: int) -> Retry:
        if error.status == _GONE:
            signed = error.problem.get("tombstone") or error.problem.get("close")
            raise Ended(read_ending(signed, keys=self._keys, session=self._session))
        if error.status == _CONFLICT and error.code == "gap":
            return _now(await self._fill_gap(error.problem.get("expected"), n))
        if error.status == _CONFLICT and error.code == "conflict":
            return _now(await self._settle_conflict(error.problem, n))
        if error.status == _TOO_LARGE and error.code != "session_full" and self._make_smaller(n):
            return Retry.NOW
        return Retry.NEVER if _for_good(error) else Retry.LATER

    async def _fill_gap(self, expected: object, n: int) -> bool:
        """Send batches that a restored collector has lost again, with their earlier receipts."""
        if not isinstance(expected, int) or not 0 <= expected < n:
            return False
        for entry in self._outbox.chain:
            if expected <= entry.n < n and entry.adopted is None:
                wire = self._outbox.wire(entry.n)
                receipt = self._outbox.receipt(entry.n)
                await self._collector.put_batch(self._session, entry.n, wire, earlier_receipt=receipt)
        return True

    async def _settle_conflict(self, problem: Any, n: int) -> bool:
        header_bytes = b64u_decode(str(problem.get("header")))
        header = BatchHeader.parse(header_bytes)
        digest = header_sha256(header_bytes)
        receipt = Envelope.from_json(problem.get("receipt")).encode()
        self._outbox.verify(n, receipt, digest)
        if header.session != self._session or header.n != n:
            raise BatchError("a conflict names another batch", code="conflict_other")
        next_seq = header.first + header.count
        if self._holds_same_events(header):
            adoption = Adoption(n=n, last=n, header_sha256=digest, next_seq=next_seq, base=None)
            self._outbox.adopt(adoption, {n: receipt})
            self._writer.durable_changed.set()
            return True
        await self._adopt_head(n, base=header.first)
        self._start_anew()
        return False

    def _holds_same_events(self, header: BatchHeader) -> bool:
        """Return whether our journal holds exactly the events of the collector's batch."""
        leaves: list[bytes] = []
        for event in self._writer.events(start=header.first):
            leaves.append(event.leaf)
            if len(leaves) == header.count:
                break
        return len(leaves) == header.count and merkle.root(leaves) == header.root

    async def _adopt_head(self, n: int, *, base: int) -> None:
        """Adopt everything that the collector holds from batch ``n`` on."""
        head = await self._collector.head(self._session)
        evidence = await self._collector.evidence(self._session)
        if isinstance(checkpoint := evidence.get("checkpoint"), str):
            self._showed(checkpoint)
        receipts: dict[int, bytes] = {}
        last: Receipt | None = None
        for item in evidence.get("receipts", []):
            envelope = Envelope.from_json(item).encode()
            receipt = Receipt.parse(Envelope.decode(envelope).payload)
            if receipt.n >= n:
                last = self._outbox.verify(receipt.n, envelope, None)
                receipts[receipt.n] = envelope
        events = head.get("events")
        if last is None or not isinstance(events, int) or sorted(receipts) != list(range(n, n + len(receipts))):
            raise BatchError("the collector's receipts do not show its position", code="head_unknown")
        adoption = Adoption(n=n, last=max(receipts), header_sha256=last.header_sha256, next_seq=events, base=base)
        self._outbox.adopt(adoption, receipts)

    def _make_smaller(self, n: int) -> bool:
        """Seal a batch that was too large in smaller parts; a single event cannot be divided."""
        entry = self._outbox.unsent
        if entry is None or entry.n != n or entry.next_seq - entry.first == 1:
            return False
        self._sealer.make_smaller()
        self._outbox.set_aside(n)
        self._writer.durable_changed.set()
        self._sealer.hurry()
        return True


def _now(settled: bool) -> Retry:  # noqa: FBT001 - one answer turned into another
    return Retry.NOW if settled else Retry.LATER


def _for_good(error: CollectorRefusedError) -> bool:
    """Return whether the collector itself says that it would refuse the same bytes again."""
    return error.status in _FOR_GOOD and error.reasoned
