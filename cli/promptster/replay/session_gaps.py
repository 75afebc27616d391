"""Where the record is silent, and what is known about why.

Pauses are the candidate's right, capture gaps are the recorder's own report of loss, untimed and missing spans are what
verification found. A gap says nothing about what happened in it. What the events report, and its words, are the
protocol's (``promptster.protocol.gaps``), so that a replay says what a verification says.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from promptster.protocol.gaps import read_gaps
from promptster.replay.model import SessionGap

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from promptster.protocol.events import OpenedEvent


def find_gaps(events: Sequence[OpenedEvent], unreported: Iterable[SessionGap] = ()) -> tuple[SessionGap, ...]:
    """Every gap that the events report, and the ``unreported`` ones, in order of time.

    Args:
        events: a session's opened wire events, in any order.
        unreported: gaps that no event reports, such as the spans that verification found missing or untimed.
    """
    reported = (
        SessionGap(
            kind=gap.kind,
            text=gap.text,
            from_ms=gap.from_ms,
            to_ms=gap.to_ms,
            seq=gap.seq,
            source=gap.source,
            to_seq=gap.to_seq,
        )
        for gap in read_gaps(sorted(events, key=lambda event: event.seq))
    )
    return tuple(sorted([*reported, *unreported], key=lambda gap: (gap.from_ms, gap.seq)))
