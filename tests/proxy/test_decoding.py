"""Content codings, undone within bounds."""

from __future__ import annotations

import gzip
import tracemalloc
import zlib
from typing import TYPE_CHECKING

import brotli  # type: ignore[import-untyped]  # its wheels carry no types
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from promptster.proxy.decoding import MAX_DECODED, ContentDecoder, content_encoding

if TYPE_CHECKING:
    from collections.abc import Callable


def _raw_deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush()


def _brotli(data: bytes) -> bytes:
    return bytes(brotli.compress(data, quality=5))  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType]


CODINGS: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "identity": ("identity", bytes),
    "absent": ("", bytes),
    "gzip": ("gzip", gzip.compress),
    "gzip in capitals": (" GZIP ", gzip.compress),
    "x-gzip": ("x-gzip", gzip.compress),
    "deflate": ("deflate", zlib.compress),
    "deflate without header": ("deflate", _raw_deflate),
    "br": ("br", _brotli),
    "zstd": ("zstd", zstandard.compress),
}


@pytest.mark.parametrize("name", CODINGS)
@given(data=st.binary(max_size=3000), step=st.integers(1, 700))
def test_every_coding_is_undone_at_any_cut(name: str, data: bytes, step: int) -> None:
    """What was encoded comes back, however the encoded bytes arrive."""
    encoding, pack = CODINGS[name]
    packed = pack(data)
    decoder = ContentDecoder(encoding)
    out = b"".join(decoder.feed(packed[at : at + step]) for at in range(0, len(packed), step))
    assert out == data
    assert decoder.finish() is None


@pytest.mark.parametrize("name", CODINGS)
def test_a_bomb_stops_at_the_limit(name: str) -> None:
    """A small body that would decode to 64 MiB gives 16 MiB and the fault, in little more than twice that memory."""
    encoding, pack = CODINGS[name]
    bomb = pack(bytes(64 * 1024 * 1024)) if pack is not bytes else bytes(MAX_DECODED + 1)
    tracemalloc.start()
    try:
        decoder = ContentDecoder(encoding)
        size = sum(len(decoder.feed(bomb[at : at + 65536])) for at in range(0, len(bomb), 65536))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert size == MAX_DECODED
    assert decoder.finish() == "too_large"
    assert decoder.feed(b"more") == b""
    assert peak < 40 * 1024 * 1024


@pytest.mark.parametrize("name", ["gzip", "deflate", "br", "zstd"])
def test_a_body_cut_short_keeps_what_was_decoded(name: str) -> None:
    """The end of the connection in the middle of a coded body is a fault; what came before stays."""
    encoding, pack = CODINGS[name]
    data = bytes(range(256)) * 40
    decoder = ContentDecoder(encoding)
    assert data.startswith(decoder.feed(pack(data)[:-5]))
    assert decoder.finish() == "truncated"


@pytest.mark.parametrize("name", ["gzip", "deflate", "br", "zstd"])
def test_an_empty_body_is_no_fault(name: str) -> None:
    """A message may name a coding and have no body, such as the answer to HEAD."""
    assert ContentDecoder(CODINGS[name][0]).finish() is None


@pytest.mark.parametrize("name", ["gzip", "deflate", "br", "zstd"])
def test_foreign_bytes_are_corrupt(name: str) -> None:
    """Bytes of no or another coding are a fault, not an exception."""
    decoder = ContentDecoder(CODINGS[name][0])
    decoder.feed(b"\xff\xfe" + b"event: message_start\n" * 9)
    assert decoder.finish() == "corrupt"


@pytest.mark.parametrize("name", ["deflate", "br"])
def test_bytes_after_the_end_are_corrupt(name: str) -> None:
    """Data after the end of a stream is a fault."""
    encoding, pack = CODINGS[name]
    decoder = ContentDecoder(encoding)
    assert decoder.feed(pack(b"body")) == b"body"
    decoder.feed(b"more")
    assert decoder.finish() == "corrupt"


def test_members_and_frames_in_a_row_are_one_body() -> None:
    """Members of gzip, with padding, and zstd frames may be concatenated."""
    for encoding, pack, pad in (("gzip", gzip.compress, b"\0\0"), ("zstd", zstandard.compress, b"")):
        packed = pack(b"one ") + pad + pack(b"two")
        decoder = ContentDecoder(encoding)
        assert b"".join(decoder.feed(packed[at : at + 1]) for at in range(len(packed))) == b"one two"
        assert decoder.finish() is None
        assert ContentDecoder(encoding).feed(packed) == b"one two"


@pytest.mark.parametrize("encoding", ["gzip, gzip", "br,gzip", "compress", "aes128gcm", "gzip identity", "*"])
def test_nested_and_unknown_codings_are_not_undone(encoding: str) -> None:
    """Nested and unknown codings are a fault from the start."""
    decoder = ContentDecoder(encoding)
    assert decoder.feed(gzip.compress(gzip.compress(b"x"))) == b""
    assert decoder.finish() == "unsupported"


def test_a_large_zstd_window_is_refused() -> None:
    """A frame that would need more than 8 MiB of memory for its window is not decoded."""
    parameters = zstandard.ZstdCompressionParameters(window_log=24)
    packer = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    packed = packer.compress(b"x" * 1000) + packer.flush()
    decoder = ContentDecoder("zstd")
    assert decoder.feed(packed) == b""
    assert decoder.finish() == "corrupt"


def test_the_coding_is_read_from_the_message() -> None:
    """Every Content-Encoding field counts; two of them are nested codings."""
    headers = ((b"content-ENCODING", b"gzip"), (b"X", b"y"))
    assert content_encoding(headers) == "gzip"
    nested = content_encoding((*headers, (b"Content-Encoding", b"br")))
    assert ContentDecoder(nested).finish() == "unsupported"


@pytest.mark.parametrize("name", CODINGS)
@given(pieces=st.lists(st.binary(max_size=50), max_size=6), keep=st.integers(0, 60))
def test_arbitrary_bytes_never_raise(name: str, pieces: list[bytes], keep: int) -> None:
    """Any data, even after a valid beginning, is decoded or reported as a fault."""
    encoding, pack = CODINGS[name]
    decoder = ContentDecoder(encoding)
    for piece in (pack(b"beginning" * 9)[:keep], *pieces):
        decoder.feed(piece)
    decoder.finish()
