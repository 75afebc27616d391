"""What the proxy counts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import assert_never

from promptster.proxy.observation import ExchangeOutcome


@dataclass
class Stats:
    """Counts since the proxy was made."""

    requests: int = 0
    """Requests that were routed to an upstream."""
    hooks: int = 0
    """Hook payloads taken."""
    refused: int = 0
    """Requests that were refused."""
    complete: int = 0
    """Exchanges that were completed."""
    cut_by_provider: int = 0
    """Exchanges that the provider broke off."""
    cut_by_agent: int = 0
    """Exchanges that the agent broke off."""
    failed: int = 0
    """Exchanges without a response."""
    connected: int = 0
    """Connections opened to providers."""
    missed_bytes: int = 0
    """Body bytes that were forwarded but not observed."""

    def count(self, outcome: ExchangeOutcome) -> None:
        """Count one exchange by how it ended."""
        match outcome:
            case "complete":
                self.complete += 1
            case "cut_by_provider":
                self.cut_by_provider += 1
            case "cut_by_agent":
                self.cut_by_agent += 1
            case "failed":
                self.failed += 1
            case _:
                assert_never(outcome)
