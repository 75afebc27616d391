"""What is known of a batch on its way into the store, what the writer found, and how each refusal is told."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from promptster.protocol.encoding import b64u_encode
from promptster.protocol.signing import Envelope
from promptster_collector.errors import ConflictError, GoneError, InvalidError, NotFoundError, Refusal
from promptster_collector.store.inbox import read_head
from promptster_collector.store.tombstones import erased_refusal

if TYPE_CHECKING:
    from promptster.protocol.batch import WireBatch
    from promptster_collector.store.at_rest import Sealer


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What never changes about a session."""

    organisation: str
    public_key: bytes


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """A batch with everything that can be made before the writer's turn."""

    session: str
    facts: Facts
    batch: WireBatch
    sealer: Sealer
    receipt: bytes
    returned: bool
    """Whether the receipt is an earlier one that the sender handed back."""
    row: dict[str, Any]
    now_ms: int


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What the writer found: a stored receipt, or the facts of a refusal."""

    word: str
    receipt_sealed: bytes | None = None
    head_sealed: bytes | None = None
    close_sealed: bytes | None = None
    tombstone: bytes | None = None
    expected: int = 0
    checked_n: int = -1


_PLAIN: Mapping[str, Callable[[], Refusal]] = {
    "unknown": lambda: NotFoundError("there is no such session", code="unknown_session"),
    "prev": lambda: InvalidError("the batch does not follow the stored one", code="prev_mismatch"),
    "first": lambda: InvalidError("the batch's first event is not the next one", code="first_mismatch"),
    "full": lambda: Refusal("the session is full", code="session_full", status=413),
}


def refusal(prepared: Prepared, outcome: Outcome) -> Refusal:
    """What the sender is told, and with it what it needs to go on."""
    n = prepared.batch.header.n
    match outcome.word:
        case word if word in _PLAIN:
            return _PLAIN[word]()
        case "gap":
            return ConflictError(
                "batches before this one are missing", code="gap", extra={"expected": outcome.expected}
            )
        case "conflict":
            head = prepared.sealer.unseal(outcome.head_sealed or b"", f"head/{n}")
            receipt = prepared.sealer.unseal(outcome.receipt_sealed or b"", f"receipt/{n}")
            extra = {
                "header": b64u_encode(read_head(head).payload),
                "receipt": Envelope.decode(receipt).to_json(),
            }
            return ConflictError("another batch of this number is stored", code="conflict", extra=extra)
        case "closed":
            close = prepared.sealer.unseal(outcome.close_sealed, "close") if outcome.close_sealed else None
            signed = None if close is None else Envelope.decode(close).to_json()
            return GoneError("the session has ended", code="closed", extra={"close": signed})
        case state:
            return erased_refusal(state, outcome.tombstone)
