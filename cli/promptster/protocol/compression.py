"""One zstd frame, with every freedom of the format that the wire does not need taken away."""

from __future__ import annotations

import zstandard

from promptster.protocol.errors import BatchError, LimitError

MAX_INFLATED = 16 << 20
"""Bytes of a batch's plain body."""
MAX_WINDOW = 8 << 20
"""Bytes of memory that a frame may ask its reader for."""

_LEVEL = 3
_MAGIC = b"\x28\xb5\x2f\xfd"


def compress(data: bytes) -> bytes:
    """One frame with its content size, without checksum or dictionary, and a window within the limit."""
    compressor = zstandard.ZstdCompressor(_LEVEL, write_content_size=True, write_checksum=False, write_dict_id=False)
    return compressor.compress(data)


def decompress(data: bytes) -> bytes:
    """The content of exactly one frame.

    Raises:
        LimitError: when content or window exceed their limits.
        BatchError: when the bytes are anything else than one frame with its content size.
    """
    if not data.startswith(_MAGIC):
        raise BatchError("a body is not a zstd frame", code="zstd_frame")
    try:
        frame = zstandard.get_frame_parameters(data)
    except zstandard.ZstdError:
        raise BatchError("a body is not a zstd frame", code="zstd_frame") from None
    if frame.content_size >= zstandard.CONTENTSIZE_ERROR or frame.dict_id:
        raise BatchError("a zstd frame lacks its content size or names a dictionary", code="zstd_header")
    if frame.content_size > MAX_INFLATED:
        raise LimitError("a body inflates beyond its limit", code="inflated_size")
    if frame.window_size > MAX_WINDOW:
        raise LimitError("a zstd frame asks for too large a window", code="zstd_window")
    try:
        return zstandard.ZstdDecompressor().decompress(data, max_output_size=frame.content_size, allow_extra_data=False)
    except zstandard.ZstdError:
        raise BatchError("a body is not one whole zstd frame", code="zstd_frame") from None
