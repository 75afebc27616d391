"""How long sealed batches stay on the candidate's machine: eight days behind the final receipt.

Until then a collector that was restored from a backup may ask for them again. Nobody can read them here any more: their
keys went with the submission.
"""

from __future__ import annotations

import shutil
from contextlib import suppress
from typing import TYPE_CHECKING

from promptster.errors import PromptsterError
from promptster.protocol.receipt import Receipt
from promptster.protocol.signing import Envelope
from promptster.session.state import SessionFolder, SessionState

if TYPE_CHECKING:
    from pathlib import Path

KEPT_MS = 8 * 24 * 3600 * 1000


def remove_old_batches(sessions: Path, *, now_ms: int) -> int:
    """Delete the batches of sessions that were submitted long enough ago; how many sessions that were."""
    count = 0
    for path in sessions.iterdir():
        folder = SessionFolder(path)
        with suppress(PromptsterError, OSError):
            if folder.facts().state is SessionState.CLOSED and _final_receipt_ms(folder) + KEPT_MS < now_ms:
                shutil.rmtree(folder.batches)
                count += 1
    return count


def _final_receipt_ms(folder: SessionFolder) -> int:
    """When the last batch was received, by its receipt.

    Raises:
        FileNotFoundError: there are no receipts any more.
        ProtocolError: the receipt cannot be read.
    """
    receipts = sorted(folder.batches.glob("*.receipt"))
    if not receipts:
        raise FileNotFoundError
    return Receipt.parse(Envelope.decode(receipts[-1].read_bytes()).payload).received_ms
