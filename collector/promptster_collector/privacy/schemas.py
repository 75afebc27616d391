"""Bodies of the privacy routes."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class WithdrawalRequest:
    """A signed withdrawal's envelope."""

    payload: str
    signature: str


@dataclass(frozen=True, kw_only=True)
class TombstoneAnswer:
    """What stays of the session."""

    tombstone: dict[str, str]
