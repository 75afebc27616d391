"""A batch on its way into the store: what is prepared, what the writer did with it, and the refusals."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, TypeAlias, assert_never

from promptster.protocol.encoding import b64u_encode
from promptster.protocol.signing import Envelope
from promptster_collector.errors import ConflictError, GoneError, InvalidError, Refusal, UnknownSessionError
from promptster_collector.store.inbox import read_head
from promptster_collector.store.tombstones import erased_refusal

if TYPE_CHECKING:
    from promptster.protocol.batch import WireBatch
    from promptster_collector.store.at_rest import Sealer


@dataclass(frozen=True, kw_only=True)
class FixedFacts:
    """The constant facts of a session."""

    organisation: str
    public_key: bytes


@dataclass(frozen=True, kw_only=True)
class PreparedBatch:
    """A batch with everything that can be prepared before the write transaction."""

    session: str
    facts: FixedFacts
    batch: WireBatch
    sealer: Sealer
    receipt: bytes
    returned: bool
    """Whether the receipt is an earlier one that the sender returned."""
    row: dict[str, Any]
    now_ms: int


class Reason(StrEnum):
    """Why a batch is refused that the session's key signed; the value is the problem's code."""

    UNKNOWN_SESSION = "unknown_session"
    ERASED = "erased"
    """The session was erased or withdrawn."""
    CLOSED = "closed"
    CONFLICT = "conflict"
    """Another batch of this number is stored."""
    GAP = "gap"
    """Batches before this one are missing."""
    PREV_MISMATCH = "prev_mismatch"
    FIRST_MISMATCH = "first_mismatch"
    SESSION_FULL = "session_full"


@dataclass(frozen=True, kw_only=True)
class Stored:
    """The batch was stored."""

    checked_n: int


@dataclass(frozen=True, kw_only=True)
class Known:
    """The same batch was stored before."""

    receipt_sealed: bytes
    checked_n: int


@dataclass(frozen=True, kw_only=True)
class Overdue:
    """The session is open, and its upload time is over."""


@dataclass(frozen=True, kw_only=True)
class Refused:
    """The batch was not stored; with the reason comes what its problem document says."""

    reason: Reason
    state: str = ""
    """An erased session's state."""
    tombstone: bytes | None = None
    receipt_sealed: bytes | None = None
    head_sealed: bytes | None = None
    close_sealed: bytes | None = None
    expected: int = 0


Outcome: TypeAlias = Stored | Known | Overdue | Refused
"""What the writer did with a batch."""


def refusal(prepared: PreparedBatch, refused: Refused) -> Refusal:
    """The refusal that the sender gets, with what it needs to continue."""
    code = refused.reason.value
    found: Refusal
    match refused.reason:
        case Reason.UNKNOWN_SESSION:
            found = UnknownSessionError()
        case Reason.ERASED:
            found = erased_refusal(refused.state, refused.tombstone)
        case Reason.CLOSED:
            found = GoneError("the session has ended", code=code, extra={"close": _close(prepared, refused)})
        case Reason.CONFLICT:
            found = ConflictError("another batch of this number is stored", code=code, extra=_stored(prepared, refused))
        case Reason.GAP:
            found = ConflictError("earlier batches are missing", code=code, extra={"expected": refused.expected})
        case Reason.PREV_MISMATCH:
            found = InvalidError("the batch does not follow the stored one", code=code)
        case Reason.FIRST_MISMATCH:
            found = InvalidError("the batch's first event is not the next one", code=code)
        case Reason.SESSION_FULL:
            found = Refusal("the session is full", code=code, status=413)
        case _:
            assert_never(refused.reason)
    return found


def _close(prepared: PreparedBatch, refused: Refused) -> dict[str, str] | None:
    """The signed end of a session; ``None`` if its key was lost before it ended."""
    if not refused.close_sealed:
        return None
    return Envelope.decode(prepared.sealer.unseal(refused.close_sealed, "close")).to_json()


def _stored(prepared: PreparedBatch, refused: Refused) -> dict[str, Any]:
    """Header and receipt of the batch that has the number already."""
    n = prepared.batch.header.n
    head = prepared.sealer.unseal(refused.head_sealed or b"", f"head/{n}")
    receipt = prepared.sealer.unseal(refused.receipt_sealed or b"", f"receipt/{n}")
    return {"header": b64u_encode(read_head(head).payload), "receipt": Envelope.decode(receipt).to_json()}
