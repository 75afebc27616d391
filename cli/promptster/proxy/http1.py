"""HTTP/1.1 message heads (RFC 9112, sections 2 to 6), sans-io: strict checks of the raw bytes, h11, and rewriting.

h11 reads every head, but it accepts more than a proxy may forward: a length together with a transfer coding, ``4, 4``,
folded lines, bare line feeds, fragments, absolute-form targets. Those are refused before h11 sees them. Accepted lines
are forwarded byte for byte. Only these change: the request line, Host, hop-by-hop fields, the proxy's own token field,
whitespace around lengths and codings, and in a response also whitespace after a field's name and after a bare status.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

import h11

from promptster.proxy import grammar
from promptster.proxy.header_fields import Headers
from promptster.proxy.upstreams import Upstream

MAX_HEAD_BYTES: Final = 64 * 1024
"""A head longer than this is refused, on both sides."""
MAX_FIELDS: Final = 100
"""A head with more field lines than this is refused, on both sides."""
TOKEN_HEADER: Final = b"x-promptster-token"
"""The field that carries the proxy's own token; never forwarded."""

_END: Final = b"\r\n\r\n"
_CL: Final = b"content-length"
_TE: Final = b"transfer-encoding"
_CHUNKED: Final = b"chunked"
_STRAY_SO_FAR = re.compile(rb"(?<!\r)\n|\r(?!\n|\Z)")
_CONTROL: Final = bytes({*range(32), 127} - {*b"\t\r\n"})
_HOP_BY_HOP = frozenset(
    {
        b"connection",
        b"keep-alive",
        b"proxy-connection",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"te",  # codespell:ignore te
        b"trailer",
        b"upgrade",
    }
)
_FRAMING = frozenset({b"host", b"content-length", b"transfer-encoding"})
_BARE_STATUS_LINE: Final = len(b"HTTP/1.1 200")
_NO_CONTENT, _NOT_MODIFIED, _SWITCHING, _FIRST_FINAL = 204, 304, 101, 200


class MessageRefusedError(Exception):
    """A message that is refused, with the response that the agent receives."""

    def __init__(self, status: int, code: str, reason: str) -> None:
        """Take the HTTP status, a stable identifier and a text for people."""
        super().__init__(reason)
        self.status = status
        self.code = code
        self.reason = reason


@dataclass(frozen=True, slots=True)
class RequestHead:
    """A valid request head."""

    method: bytes
    target: bytes
    """Origin-form, as sent."""
    fields: Headers
    """Names as sent, values without surrounding whitespace."""
    lines: tuple[bytes, ...]
    """The same fields as raw lines without CRLF."""
    names: tuple[bytes, ...]
    """The same fields' names in lower case."""
    length: int
    """Content-Length; 0 if there is none."""
    chunked: bool
    """Whether the body is chunked; then ``length`` has no meaning."""
    close: bool
    """Whether the agent asked to close the connection after the response."""

    def values(self, name: bytes) -> list[bytes]:
        """The values of every field with this lower-case name."""
        return [item[1] for lower, item in zip(self.names, self.fields, strict=True) if lower == name]


@dataclass(frozen=True, slots=True)
class ResponseHead:
    """A valid response head, informational or final."""

    status: int
    status_line: bytes
    """As the agent receives it: the provider's code and reason phrase with the proxy's own version."""
    fields: Headers
    lines: tuple[bytes, ...]
    names: tuple[bytes, ...]
    length: int | None
    """Content-Length, or ``None``."""
    chunked: bool
    close: bool
    """Whether the provider's connection cannot carry another request."""

    @property
    def informational(self) -> bool:
        """Whether another head follows this one."""
        return self.status < _FIRST_FINAL

    def has_body(self, method: bytes) -> bool:
        """Whether body bytes follow, given the request's method."""
        return method != b"HEAD" and self.status not in {_NO_CONTENT, _NOT_MODIFIED} and not self.informational


def head_end(buffer: bytes | bytearray, searched: int = 0) -> int:
    """Where the first head in ``buffer`` ends, right after its empty line; 0 while it is incomplete.

    Args:
        buffer: everything received so far.
        searched: how many bytes of it an earlier call has seen.

    Raises:
        MessageRefusedError: when the bytes can no longer become a valid head.
    """
    end = buffer.find(_END, max(0, searched - len(_END) + 1))
    if (end if end >= 0 else len(buffer)) > MAX_HEAD_BYTES - len(_END):
        line = buffer[: MAX_HEAD_BYTES - len(_END)].partition(b"\r\n")
        if not line[1] and b" " in line[0]:
            raise MessageRefusedError(414, "target_too_long", f"the first line is longer than {MAX_HEAD_BYTES} bytes")
        if not line[1] and grammar.is_method(bytes(line[0])):
            raise MessageRefusedError(501, "unknown_method", f"the first word is longer than {MAX_HEAD_BYTES} bytes")
        raise MessageRefusedError(431, "head_too_large", f"the head is longer than {MAX_HEAD_BYTES} bytes")
    if end >= 0:
        return end + len(_END)
    if _STRAY_SO_FAR.search(buffer, max(0, searched - 1)):
        raise MessageRefusedError(400, "bare_line_break", "a line does not end in CR LF")
    return 0


def _lines(head: bytes) -> list[bytes]:
    """Split a complete head into its start line and field lines, and refuse what h11 would accept."""
    lines = head[: -len(_END)].split(b"\r\n")
    if not head.count(b"\r\n") == head.count(b"\r") == head.count(b"\n"):
        raise MessageRefusedError(400, "bare_line_break", "a line does not end in CR LF")
    if len(head.translate(None, _CONTROL)) != len(head):
        raise MessageRefusedError(400, "control_character", "the head contains a control character")
    if len(lines) - 1 > MAX_FIELDS:
        raise MessageRefusedError(431, "too_many_fields", f"the head has more than {MAX_FIELDS} fields")
    for line in lines:
        if line[:1] in {b"", b" ", b"\t"}:
            raise MessageRefusedError(400, "folded_line", "the head contains a folded or empty line")
    return lines


def _field_names(lines: list[bytes]) -> tuple[bytes, ...]:
    """The lower-case names of the fields after the start line."""
    names: list[bytes] = []
    for line in lines[1:]:
        name = grammar.field_name(line)
        if name is None:
            raise MessageRefusedError(400, "bad_field", "the head contains a line that is not a header field")
        names.append(name)
    return tuple(names)


def _connection_options(names: tuple[bytes, ...], fields: Headers) -> frozenset[bytes]:
    """The lower-case options of every Connection field; none of them may name what frames the message."""
    if b"connection" not in names:
        return frozenset()
    options = frozenset(
        option.strip().lower()
        for lower, (_, value) in zip(names, fields, strict=True)
        if lower == b"connection"
        for option in value.split(b",")
    )
    if options & _FRAMING:
        raise MessageRefusedError(
            400,
            "connection_names_framing",
            "the Connection field names a field that frames the message",
        )
    return options


def _framing(names: tuple[bytes, ...], lines: list[bytes]) -> tuple[int | None, bool]:
    """Content-Length and whether chunked."""
    framing: dict[bytes, list[bytes]] = {_CL: [], _TE: []}
    for lower, line in zip(names, lines[1:], strict=True):
        if lower in framing:
            framing[lower].append(line.partition(b":")[2].strip(b" \t"))
    lengths, codings = framing[_CL], framing[_TE]
    if lengths and codings:
        raise MessageRefusedError(400, "length_and_coding", "the head has both Content-Length and Transfer-Encoding")
    if codings:
        _check_codings(codings)
    if not lengths:
        return None, bool(codings)
    if len(lengths) > 1:
        raise MessageRefusedError(400, "repeated_length", "the head repeats Content-Length")
    if not lengths[0].isdigit():
        raise MessageRefusedError(400, "bad_length", "the Content-Length is not a single number")
    length = grammar.number(lengths[0])
    if length is None:
        raise MessageRefusedError(413, "length_too_large", f"the Content-Length is above {grammar.MAX_SIZE}")
    return length, False


def _check_codings(values: list[bytes]) -> None:
    """Refuse all but chunked: another coding as the last one marks no end, and none before it is supported."""
    codings = grammar.transfer_codings(b",".join(values))
    names = [name for name, _ in codings]
    if codings[-1:] != [(_CHUNKED, b"")] or names.count(_CHUNKED) > 1:
        raise MessageRefusedError(400, "bad_coding", "the Transfer-Encoding does not end in chunked, or repeats it")
    if len(codings) > 1:
        raise MessageRefusedError(501, "unknown_coding", "no Transfer-Encoding except chunked is supported")


def _check_request_line(line: bytes) -> None:
    method, _, rest = line.partition(b" ")
    if method.upper() == b"CONNECT":
        raise MessageRefusedError(405, "connect", "CONNECT is not supported")
    if line.startswith(b"PRI * HTTP/2"):
        raise MessageRefusedError(505, "http2", "HTTP/2 is not supported")
    if not grammar.is_method(method):
        raise MessageRefusedError(400, "bad_method", "the request line does not begin with a method")
    # A provider that reads "head" as HEAD would frame its response by another rule than this proxy.
    if len(method) > grammar.MAX_METHOD or (method.upper() == b"HEAD" and method != b"HEAD"):
        raise MessageRefusedError(501, "unknown_method", "this method is not supported")
    if not rest.startswith(b"/"):
        raise MessageRefusedError(400, "bad_target", "the target does not start with a slash")
    target, _, version = rest.rpartition(b" ")
    if not grammar.is_version(version):
        raise MessageRefusedError(400, "bad_version", "the request line does not end in a space and an HTTP version")
    if version != b"HTTP/1.1":
        raise MessageRefusedError(505, "bad_version", "only HTTP/1.1 is supported")
    if b"#" in target:
        raise MessageRefusedError(400, "fragment", "the target has a fragment; remove # and everything after it")
    if not grammar.is_target(target):
        raise MessageRefusedError(400, "bad_target", "the target contains a character that must be percent-encoded")


def read_request(head: bytes) -> RequestHead:
    """Read one complete request head, empty line included.

    Raises:
        MessageRefusedError: when the head is not valid HTTP/1.1, or not safe to forward.
    """
    lines = _lines(head)
    _check_request_line(lines[0])
    lines[1:] = map(grammar.without_space_around_framing, lines[1:])
    names = _field_names(lines)
    length, chunked = _framing(names, lines)
    reader = h11.Connection(h11.SERVER)
    reader.receive_data(head)
    try:
        event = reader.next_event()
    except h11.RemoteProtocolError as exc:
        raise MessageRefusedError(exc.error_status_hint, "bad_head", f"the head is not HTTP/1.1: {exc}") from exc
    if not isinstance(event, h11.Request):
        raise MessageRefusedError(400, "bad_head", "the head is not HTTP/1.1")
    fields = tuple(event.headers.raw_items())
    read = RequestHead(
        method=event.method,
        target=event.target,
        fields=fields,
        lines=tuple(lines[1:]),
        names=names,
        length=length or 0,
        chunked=chunked,
        close=b"close" in _connection_options(names, fields),
    )
    if not all(grammar.is_host(value) for value in read.values(b"host")):
        raise MessageRefusedError(400, "bad_host", "the Host field is not a host with an optional port")
    return read


def _check_status_line(line: bytes) -> None:
    if not grammar.is_status_line(line):
        raise MessageRefusedError(502, "bad_answer", "it does not begin with a status line")
    if line[5:6] != b"1" or int(line[9:12]) == _SWITCHING:
        raise MessageRefusedError(502, "bad_answer", "it switches to another protocol")


def _read_response(head: bytes) -> h11.Response | h11.InformationalResponse:
    reader = h11.Connection(h11.CLIENT)
    if head[9:10] == b"1":
        reader.send(h11.Request(method="GET", target="/", headers=[("Host", "provider")]))
    reader.receive_data(head)
    event = reader.next_event()
    if not isinstance(event, (h11.Response, h11.InformationalResponse)):
        raise MessageRefusedError(502, "bad_answer", "the provider's response is not HTTP/1.1")
    return event


def read_response(head: bytes) -> ResponseHead:
    """Read one complete response head, empty line included.

    Raises:
        MessageRefusedError: with status 502, when the head is not safe to forward.
    """
    try:
        lines = _lines(head)
        lines[1:] = map(grammar.without_space_before_colon, lines[1:])
        lines[1:] = map(grammar.without_space_around_framing, lines[1:])
        _check_status_line(lines[0])
        names = _field_names(lines)
        length, chunked = _framing(names, lines)
        event = _read_response(b"\r\n".join(lines) + _END)
        fields = tuple(event.headers.raw_items())
        options = _connection_options(names, fields)
    except (MessageRefusedError, h11.RemoteProtocolError) as exc:
        raise MessageRefusedError(502, "bad_answer", f"the provider's response is not valid HTTP/1.1: {exc}") from exc
    status, old = event.status_code, event.http_version == b"1.0"
    if old and chunked:
        raise MessageRefusedError(
            502, "bad_answer", "the provider's response has a Transfer-Encoding, which HTTP/1.0 does not have"
        )
    if (status < _FIRST_FINAL or status == _NO_CONTENT) and (chunked or length):
        raise MessageRefusedError(502, "bad_answer", "the provider announces a body in a response that has none")
    return ResponseHead(
        status=status,
        status_line=b"HTTP/1.1" + lines[0][8:] + (b" " if len(lines[0]) == _BARE_STATUS_LINE else b""),
        fields=fields,
        lines=tuple(lines[1:]),
        names=names,
        length=length,
        chunked=chunked,
        close=b"close" in options or (old and b"keep-alive" not in options),
    )


def _dropped(names: tuple[bytes, ...], fields: Headers) -> frozenset[bytes]:
    return _HOP_BY_HOP | _connection_options(names, fields) if b"connection" in names else _HOP_BY_HOP


def request_bytes(head: RequestHead, route_target: bytes, upstream: Upstream) -> bytes:
    """The head as the provider receives it: unchanged except for the target, Host, hop-by-hop fields and the token."""
    drop = _dropped(head.names, head.fields) | {TOKEN_HEADER}
    out = [b"%s %s HTTP/1.1" % (head.method, _join(upstream.path.encode(), route_target))]
    for lower, line in zip(head.names, head.lines, strict=True):
        if lower == b"host":
            out.append(b"%s: %s" % (line.partition(b":")[0], upstream.host_header))
        elif lower not in drop:
            out.append(line)
    out.append(_END[2:])
    return b"\r\n".join(out)


def _join(base: bytes, target: bytes) -> bytes:
    path, mark, query = target.partition(b"?")
    return (base + path or b"/") + mark + query


def response_bytes(head: ResponseHead, *, close: bool) -> bytes:
    """The head as the agent receives it; ``close`` announces that the connection is closed after the response."""
    drop = _dropped(head.names, head.fields)
    out = [head.status_line]
    out += [line for lower, line in zip(head.names, head.lines, strict=True) if lower not in drop]
    if close:
        out.append(b"Connection: close")
    out.append(_END[2:])
    return b"\r\n".join(out)
