"""What a row of the table of RFC 9112's rules is; the rows are in the modules next to this one.

``{path}`` in a request stands for the proxy's token and an upstream's name, ``{host}`` for the proxy's address. If a
row does not say what arrives, it is the same bytes without the beginning of the path and with the provider's own host.
"""

from __future__ import annotations

from dataclasses import dataclass

HOST = b"Host: {host}\r\n"
LINE = b"POST {path}/v1/messages HTTP/1.1"
OK = b"HTTP/1.1 200 OK"


@dataclass(frozen=True, slots=True)
class Accepted:
    """A request that reaches the provider."""

    raw: bytes
    arrives: tuple[bytes, ...] = ()
    """The requests as the provider gets them, one after the other; none: ``raw`` is one and arrives as it is."""
    whole: bool = True
    """Whether the request is sent to its end; a head is enough if the body is too large for that."""


@dataclass(frozen=True, slots=True)
class Refused:
    """A request that does not reach the provider as a whole."""

    raw: bytes
    status: int = 400
    """What the proxy answers before it closes; 0 if the agent itself hangs up after ``raw``."""
    arrives: tuple[bytes, ...] = ()
    """Sound requests in front of the refused one."""


@dataclass(frozen=True, slots=True)
class RequestRule:
    """One rule about what an agent sends."""

    section: str
    name: str
    rule: str
    accepted: tuple[Accepted, ...]
    refused: tuple[Refused, ...]
    late: bool = False
    """Whether the fault is after the head, so that the provider may have been connected to: it then sees the
    connection end before the request does. Sent in one piece, it is refused before connecting all the same."""


@dataclass(frozen=True, slots=True)
class Passed:
    """A provider's answer that reaches the agent."""

    raw: bytes
    arrives: bytes = b""
    """As the agent gets it; empty: as it was sent."""


@dataclass(frozen=True, slots=True)
class Stopped:
    """A provider's answer that does not reach the agent as a whole."""

    raw: bytes
    arrives: bytes = b""
    """The sound answer before what is stopped: the agent gets it, and what follows it answers no request."""
    reset: bool = False
    """Whether the provider resets the connection after ``raw``; the agent's must not end as if all was well."""


@dataclass(frozen=True, slots=True)
class AnswerRule:
    """One rule about what a provider sends."""

    section: str
    name: str
    rule: str
    accepted: tuple[Passed, ...]
    refused: tuple[Stopped, ...]
    method: bytes = b"GET"
    late: bool = False
    """Whether the fault is after the head: the agent's answer is then cut. Before that it gets our 502 instead."""


Rule = RequestRule | AnswerRule


@dataclass(frozen=True, slots=True)
class Requirement:
    """What the RFC asks, paraphrased."""

    section: str
    binds: str
    asks: str
    rows: tuple[str, ...] = ()
    """Names of the rows that show it; none: it is not ours, and ``why`` gives the reason."""
    why: str = ""
    """In addition to rows: what the proxy does otherwise than it may or should, and why."""


def request(fields: bytes = b"", body: bytes = b"", *, line: bytes = LINE, host: bytes = HOST) -> bytes:
    """A request with a Host field, made of its parts."""
    return line + b"\r\n" + host + fields + b"\r\n" + body


def sized(body: bytes = b"{}", fields: bytes = b"") -> bytes:
    """A request whose body has its length."""
    return request(b"Content-Length: %d\r\n" % len(body) + fields, body)


def chunked(body: bytes) -> bytes:
    """A request whose body is in chunks, as given."""
    return request(b"Transfer-Encoding: chunked\r\n", body)


def coded(coding: bytes, fields: bytes = b"", *, line: bytes = b"POST {path}/x HTTP/1.1") -> bytes:
    """A request with one sound chunk under any transfer coding."""
    return request(b"Transfer-Encoding: " + coding + b"\r\n" + fields, b"2\r\n{}\r\n0\r\n\r\n", line=line)


def answer(fields: bytes = b"", body: bytes = b"", *, line: bytes = OK) -> bytes:
    """An answer made of its parts."""
    return line + b"\r\n" + fields + b"\r\n" + body


def sized_answer(body: bytes = b"{}", fields: bytes = b"") -> bytes:
    """An answer whose body has its length."""
    return answer(b"Content-Length: %d\r\n" % len(body) + fields, body)


def chunked_answer(body: bytes) -> bytes:
    """An answer whose body is in chunks, as given."""
    return answer(b"Transfer-Encoding: chunked\r\n", body)


def take(*raws: bytes) -> tuple[Accepted, ...]:
    """Requests that arrive as they are."""
    return tuple(Accepted(raw) for raw in raws)


def refuse(*raws: bytes, status: int = 400) -> tuple[Refused, ...]:
    """Requests that are all refused with this status."""
    return tuple(Refused(raw, status) for raw in raws)


def hang_up(*raws: bytes) -> tuple[Refused, ...]:
    """Requests after which the agent hangs up."""
    return refuse(*raws, status=0)


def deliver(*raws: bytes) -> tuple[Passed, ...]:
    """Answers that arrive as they are."""
    return tuple(Passed(raw) for raw in raws)


def stop(*raws: bytes) -> tuple[Stopped, ...]:
    """Answers of which no agent gets the whole."""
    return tuple(Stopped(raw) for raw in raws)
