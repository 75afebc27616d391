"""What the proxy counts."""

from __future__ import annotations

from dataclasses import asdict
from typing import get_args

import pytest

from promptster.proxy.observation import ExchangeOutcome
from promptster.proxy.stats import Stats


@pytest.mark.parametrize("outcome", get_args(ExchangeOutcome))
def test_each_outcome_has_a_count_of_its_own(outcome: ExchangeOutcome) -> None:
    """One exchange raises the count of its outcome and no other."""
    stats = Stats()
    stats.count(outcome)
    assert {name: count for name, count in asdict(stats).items() if count} == {outcome: 1}
