"""The one message that a hook process sends to the recorder, and the one byte that comes back.

Frame: ``PSH1`` || u8 length of the agent's name || the name || u32be length of the payload || the payload (the hook's
stdin, unread). Answer: one byte ``0x06``.

Who answers decides who owns the payload. The recorder writes the payload down, then the answer, and only then takes
the payload over; if the answer could not be written, it takes back what it wrote down. The sender, once its patience
ends, shuts its reading side down and looks a last time: an answer that is there means the recorder owns the payload;
otherwise no answer can be written any more (the recorder's write fails) and the sender keeps the payload in the spool.
So a payload is taken exactly once, also by a recorder that was restarted and finds old connections in the queue of a
socket that its supervisor kept open; and what was answered outlives a recorder that is killed the moment after.

Nothing here does I/O.
"""

from __future__ import annotations

MAGIC = b"PSH1"
ACK = b"\x06"
PAYLOAD_LIMIT = 32 * 1024 * 1024
"""Bytes of a payload that are carried; what stands behind them is cut."""

_FIXED = len(MAGIC) + 1


class FrameError(ValueError):
    """The bytes are not a frame."""


def encode(agent: str, payload: bytes) -> bytes:
    """The frame for one hook call."""
    name = agent.encode()
    payload = payload[:PAYLOAD_LIMIT]
    return b"".join((MAGIC, len(name).to_bytes(1, "big"), name, len(payload).to_bytes(4, "big"), payload))


class FrameReader:
    """Collects the bytes of one connection until its one frame is whole."""

    def __init__(self) -> None:
        self._data = bytearray()

    def feed(self, data: bytes) -> tuple[str, bytes] | None:
        """Add what arrived; gives (agent, payload) once the frame is whole, ``None`` before.

        Raises:
            FrameError: when the bytes cannot become a frame.
        """
        self._data += data
        have = self._data
        if not MAGIC.startswith(bytes(have[: len(MAGIC)])):
            raise FrameError("not a hook frame")
        if len(have) < _FIXED:
            return None
        start = _FIXED + have[_FIXED - 1]
        if len(have) < start + 4:
            return None
        length = int.from_bytes(have[start : start + 4], "big")
        if length > PAYLOAD_LIMIT:
            raise FrameError("a hook payload over the limit")
        whole = start + 4 + length
        if len(have) < whole:
            return None
        if len(have) > whole:
            raise FrameError("bytes behind the frame")
        try:
            agent = have[_FIXED:start].decode("ascii")
        except UnicodeDecodeError as error:
            raise FrameError("the agent's name is not ASCII") from error
        return agent, bytes(have[start + 4 :])
