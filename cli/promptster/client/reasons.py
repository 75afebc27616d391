"""Why there was no answer, in words that a person can act on; the library's messages have numbers and jargon."""

from __future__ import annotations

import re
import socket
import ssl
from collections.abc import Callable, Iterator, Mapping
from typing import Any, cast

import httpx

from promptster.errors import reason_of

_TRY_AGAIN = "Nothing is lost. Check the network, then run the same command again."
_OTHER_NAME = "Check the address, then run the same command again. Nothing is lost."
_INTERCEPTED = (
    "Someone may be intercepting the connection. If your company uses its own certificates, name their file in "
    "PROMPTSTER_CA_FILE."
)
_CLOCK = "Check this computer's clock. If it is right, tell whoever runs the collector."
_PROXY = "Check HTTPS_PROXY, ALL_PROXY and NO_PROXY, then run the same command again."
_NO_AUTHORITY = ("its certificate comes from an authority that this computer does not trust", _INTERCEPTED)
_SELF_SIGNED = ("its certificate is self-signed, and this computer does not trust it", _INTERCEPTED)
_OTHER_HOST = ("its certificate is for a different host name", _INTERCEPTED)
_CERTIFICATES: Mapping[int, tuple[str, str]] = {
    2: _NO_AUTHORITY,
    9: ("its certificate is not valid yet", _CLOCK),
    10: ("its certificate has expired", _CLOCK),
    18: _SELF_SIGNED,
    19: _SELF_SIGNED,
    20: _NO_AUTHORITY,
    21: _NO_AUTHORITY,
    62: _OTHER_HOST,
    64: _OTHER_HOST,
}
"""Reason and hint for each of OpenSSL's certificate errors, by number."""


def why_unreachable(error: BaseException) -> tuple[str, str]:
    """What happened, and what to do about it."""
    for cause in _causes(error):
        for kind, told in _KINDS:
            if isinstance(cause, kind):
                return told(cause) if callable(told) else told
        if isinstance(cause, OSError) and cause.errno is not None:
            return reason_of(cause), _TRY_AGAIN
    if isinstance(error, httpx.LocalProtocolError | httpx.DecodingError):
        return "the server does not speak HTTP", _OTHER_NAME
    if isinstance(error, httpx.NetworkError | httpx.ProtocolError):
        return "the connection was cut", _TRY_AGAIN
    return "no answer", _TRY_AGAIN


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error and its causes, innermost first, including all errors of an exception group."""
    found: list[BaseException] = []
    waiting: list[BaseException | None] = [error]
    while waiting:
        one = waiting.pop(0)
        if one is None or any(one is known for known in found):
            continue
        found.append(one)
        if isinstance(one, BaseExceptionGroup):
            waiting += cast("BaseExceptionGroup[BaseException]", one).exceptions
        waiting += [one.__cause__, one.__context__]
    yield from reversed(found)


def _certificate(error: Any) -> tuple[str, str]:
    return _CERTIFICATES.get(error.verify_code, ("its certificate cannot be trusted", _INTERCEPTED))


def _proxy(error: Any) -> tuple[str, str]:
    """``the proxy refused the connection: 407 Proxy Authentication Required``, if that is what it said."""
    told = str(error).strip()
    said = f": {told}" if re.fullmatch(r"[1-5]\d\d\b[ -~]{0,60}", told) else ""
    return f"the proxy refused the connection{said}", _PROXY


_KINDS: tuple[tuple[type[BaseException], tuple[str, str] | Callable[[Any], tuple[str, str]]], ...] = (
    (ssl.SSLCertVerificationError, _certificate),
    (socket.gaierror, ("name not found", _OTHER_NAME)),
    (httpx.ProxyError, _proxy),
    (httpx.TimeoutException, ("timed out", _TRY_AGAIN)),
    (TimeoutError, ("timed out", _TRY_AGAIN)),
    (httpx.InvalidURL, ("the address is not valid", _OTHER_NAME)),
    (httpx.UnsupportedProtocol, ("the address is not valid", _OTHER_NAME)),
    (ssl.SSLError, ("a secure connection could not be established", _OTHER_NAME)),
)
"""Reason and hint for each type of error; the first match is used."""
