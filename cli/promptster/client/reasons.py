"""Why no answer came, in words that a person can act on: the library's own text carries numbers and its own jargon."""

from __future__ import annotations

import re
import socket
import ssl
from typing import TYPE_CHECKING

import httpx

from promptster.errors import reason_of

if TYPE_CHECKING:
    from collections.abc import Iterator

_TRY_AGAIN = "Nothing is lost. Check the network, then run the same command again."
_OTHER_NAME = "Check the address, then run the same command again. Nothing is lost."
_CERTIFICATE = (
    "Someone may be intercepting the connection. If your company uses its own certificates, name their file in "
    "PROMPTSTER_CA_FILE."
)
_CLOCK = "Check this computer's clock; if it is right, tell whoever runs the collector."
_PROXY = "Check HTTPS_PROXY and NO_PROXY, then run the same command again."
_EXPIRED = 10
_NOT_YET_VALID = 9
_SELF_SIGNED = frozenset({18, 19})
_UNKNOWN_ISSUER = frozenset({2, 20, 21})
_WRONG_NAME = frozenset({62, 64})
"""OpenSSL's numbers of what is wrong with a certificate."""


def why_unreachable(error: BaseException) -> tuple[str, str]:
    """What happened, and what to do about it."""
    for cause in _causes(error):
        if isinstance(cause, ssl.SSLCertVerificationError):
            return _certificate(cause)
        if isinstance(cause, socket.gaierror):
            return "name not found", _OTHER_NAME
        if isinstance(cause, httpx.ProxyError):
            return f"the proxy on the way refused{_status(cause)}", _PROXY
        if isinstance(cause, httpx.TimeoutException | TimeoutError):
            return "timed out", _TRY_AGAIN
        if isinstance(cause, httpx.InvalidURL | httpx.UnsupportedProtocol):
            return "this is not an address that can be called", _OTHER_NAME
        if isinstance(cause, ssl.SSLError):
            return "no secure connection could be made", _OTHER_NAME
        if isinstance(cause, OSError) and cause.errno is not None:
            return reason_of(cause), _TRY_AGAIN
    if isinstance(error, httpx.RemoteProtocolError | httpx.ReadError | httpx.WriteError | httpx.CloseError):
        return "the connection was cut", _TRY_AGAIN
    if isinstance(error, httpx.DecodingError | httpx.ProtocolError):
        return "what answers there does not speak HTTP", _OTHER_NAME
    return "no answer", _TRY_AGAIN


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error and what led to it, innermost first; several tries at once count each."""
    found: list[BaseException] = []
    waiting: list[BaseException | None] = [error]
    while waiting:
        one = waiting.pop(0)
        if one is None or any(one is known for known in found):
            continue
        found.append(one)
        if isinstance(one, BaseExceptionGroup):
            waiting += list(one.exceptions)
        waiting += [one.__cause__, one.__context__]
    yield from reversed(found)


def _certificate(error: ssl.SSLCertVerificationError) -> tuple[str, str]:
    number = error.verify_code
    if number == _EXPIRED:
        return "its certificate has expired", _CLOCK
    if number == _NOT_YET_VALID:
        return "its certificate is not valid yet", _CLOCK
    if number in _SELF_SIGNED:
        return "its certificate is signed by nobody that this computer trusts", _CERTIFICATE
    if number in _UNKNOWN_ISSUER:
        return "its certificate comes from an authority that this computer does not trust", _CERTIFICATE
    if number in _WRONG_NAME:
        return "its certificate is for another name", _CERTIFICATE
    return "its certificate cannot be trusted", _CERTIFICATE


def _status(error: httpx.ProxyError) -> str:
    """``: 407 Proxy Authentication Required``, if that is what it said."""
    told = str(error).strip()
    return f": {told}" if re.fullmatch(r"[1-5]\d\d\b[ -~]{0,60}", told) else ""
