"""Bodies of the privacy routes."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class WithdrawalRequest:
    """A signed withdrawal's envelope, or the signed tombstone of an earlier one, or both."""

    payload: str | None = None
    signature: str | None = None
    tombstone: dict[str, str] | None = None


@dataclass(frozen=True, kw_only=True)
class TombstoneAnswer:
    """The signed tombstone, which is all that is left of the session."""

    tombstone: dict[str, str]
