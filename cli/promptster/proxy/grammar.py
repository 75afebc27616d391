"""Patterns and checks for the parts of the HTTP/1.1 grammar (RFC 9112) where h11 accepts more than a proxy may."""

from __future__ import annotations

import ipaddress
import re
from typing import Final

MAX_SIZE: Final = 2**63 - 1
"""A length or chunk size above this is refused, because recipients that count in 64 bits would read another number."""
MAX_METHOD: Final = 64
"""A method longer than this is refused; the longest registered one has 17 letters."""

TOKEN: Final = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_TEXT: Final = rb"[\t\x20-\x7e\x80-\xff]*"
_METHOD = re.compile(TOKEN)
_FIELD = re.compile(rb"(" + TOKEN + rb"):" + _TEXT)
_SPACE_BEFORE_COLON = re.compile(rb"(" + TOKEN + rb")[ \t]+:")
_FRAMING = re.compile(rb"(content-length|transfer-encoding):[ \t]*(.*?)[ \t]*", re.IGNORECASE | re.DOTALL)
_PCHAR: Final = rb"A-Za-z0-9._~!$&'()*+,;=:@\-"
# Brackets are not escaped in queries such as include[]=, in OpenAI's reference and by all common clients.
_TARGET = re.compile(
    rb"/(?:[" + _PCHAR + rb"/]|%[0-9A-Fa-f]{2})*+(?:\?(?:[" + _PCHAR + rb"/?\[\]]|%[0-9A-Fa-f]{2})*+)?"
)
_HOST = re.compile(
    rb"(?:\[(?:([0-9A-Fa-f:.]+)|v[0-9A-Fa-f]+\.[A-Za-z0-9._~!$&'()*+,;=:\-]+)\]"
    rb"|(?:[A-Za-z0-9._~!$&'()*+,;=\-]|%[0-9A-Fa-f]{2})*+)(?::[0-9]*)?"
)
_QUOTED: Final = rb'"(?:[\t\x20\x21\x23-\x5b\x5d-\x7e\x80-\xff]|\\[\t\x20-\x7e\x80-\xff])*+"'
_CODING: Final = (
    rb"(" + TOKEN + rb")((?:[ \t]*;[ \t]*" + TOKEN + rb"[ \t]*=[ \t]*(?:" + TOKEN + rb"|" + _QUOTED + rb"))*+)"
)
_CODINGS = re.compile(_CODING + rb"(?:[ \t]*,[ \t]*" + _CODING + rb")*+")
_EACH_CODING = re.compile(_CODING)
_STATUS_LINE = re.compile(rb"HTTP/[0-9]\.[0-9] [1-9][0-9]{2}(?: .*)?", re.DOTALL)
_VERSION = re.compile(rb"HTTP/[0-9]\.[0-9]")
CHUNK_LINE: Final = (
    rb"([0-9A-Fa-f]{1,16})((?:[ \t]*;[ \t]*" + TOKEN + rb"(?:[ \t]*=[ \t]*(?:" + TOKEN + rb"|" + _QUOTED + rb"))?)*+)"
)
"""Pattern of a chunk's size line: its size, then its extensions."""


def is_method(word: bytes) -> bool:
    """Whether this is a token."""
    return _METHOD.fullmatch(word) is not None


def is_target(target: bytes) -> bool:
    """Whether this is in origin-form: a path that begins with a slash, perhaps a query, no fragment."""
    return _TARGET.fullmatch(target) is not None


def is_version(word: bytes) -> bool:
    """Whether this names any version of HTTP."""
    return _VERSION.fullmatch(word) is not None


def is_status_line(line: bytes) -> bool:
    """Whether a response may begin with this line: any version of HTTP, and a status of three digits."""
    return _STATUS_LINE.fullmatch(line) is not None


def is_host(value: bytes) -> bool:
    """Whether this is a host with or without a port, and nothing else."""
    match = _HOST.fullmatch(value)
    if match is None or match[1] is None:
        return match is not None
    try:
        ipaddress.IPv6Address(match[1].decode())
    except ValueError:
        return False
    return True


def transfer_codings(value: bytes) -> list[tuple[bytes, bytes]]:
    """The lower-case names in a list of transfer codings, each with its parameters; empty if it is not such a list."""
    if _CODINGS.fullmatch(value) is None:
        return []
    return [(one[1].lower(), one[2]) for one in _EACH_CODING.finditer(value)]


def field_name(line: bytes) -> bytes | None:
    """The lower-case name of a field line without its CR LF; ``None`` if it is not a field line."""
    match = _FIELD.fullmatch(line)
    return match[1].lower() if match else None


def without_space_before_colon(line: bytes) -> bytes:
    """A field line as a proxy must forward it if the server put whitespace after the name."""
    return _SPACE_BEFORE_COLON.sub(rb"\1:", line, count=1) if _SPACE_BEFORE_COLON.match(line) else line


def without_space_around_framing(line: bytes) -> bytes:
    """A framing field line that every recipient reads alike: common ones do not see ``chunked`` before a tab."""
    match = _FRAMING.fullmatch(line)
    return b"%s: %s" % match.groups() if match else line


def number(digits: bytes) -> int | None:
    """The decimal number, or ``None`` if it is above `MAX_SIZE`; digits only.

    The digits are counted first: Python refuses to read thousands of them.
    """
    if len(digits.lstrip(b"0")) > len(str(MAX_SIZE)):
        return None
    value = int(digits.lstrip(b"0") or b"0")
    return value if value <= MAX_SIZE else None
