"""The message that a hook process sends to the recorder, and the one byte of the answer.

Frame: ``PSH1`` || u8 length of the agent's name || the name || u32be length of the payload || the payload (the hook's
stdin, unread). Answer: one byte ``0x06``.

The answer decides who owns the payload. The recorder first stores the payload, then writes the answer, and only then
owns the payload; if the answer cannot be written, it removes what it stored. When the sender has waited long enough, it
shuts down its reading side and reads a last time. If there is an answer, the recorder owns the payload. Otherwise no
answer can be written from then on, because the recorder's write fails, and the sender keeps the payload in the spool.
So each payload is taken exactly once, even by a restarted recorder that finds old connections in the queue of a socket
that its supervisor kept open, and an answered payload survives a recorder that is killed right after.

Nothing here does I/O.
"""

from __future__ import annotations

MAGIC = b"PSH1"
ACK = b"\x06"
PAYLOAD_LIMIT = 32 * 1024 * 1024
"""The most bytes of a payload that are sent; the rest is cut off."""

_FIXED = len(MAGIC) + 1


class FrameError(ValueError):
    """The bytes are not a frame."""


def encode(agent: str, payload: bytes) -> bytes:
    """Return the frame for one hook call."""
    name = agent.encode()
    payload = payload[:PAYLOAD_LIMIT]
    return b"".join((MAGIC, len(name).to_bytes(1, "big"), name, len(payload).to_bytes(4, "big"), payload))


class FrameReader:
    """Collects the bytes of one connection until its frame is complete."""

    def __init__(self) -> None:
        self._data = bytearray()

    def feed(self, data: bytes) -> tuple[str, bytes] | None:
        """Add received bytes; returns (agent, payload) once the frame is complete, ``None`` before.

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
            raise FrameError("bytes after the frame")
        try:
            agent = have[_FIXED:start].decode("ascii")
        except UnicodeDecodeError as error:
            raise FrameError("the agent's name is not ASCII") from error
        return agent, bytes(have[start + 4 :])
