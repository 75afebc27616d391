"""What RFC 9112 asks in sections 2 to 8, sentence by sentence and in our own words, and which rows show it.

To the sender of a request the proxy is a server; to a provider it is the client. It is an intermediary between them: a
gateway, since agents take it for the provider. ADR 0019 lists what it is stricter about.
"""

from __future__ import annotations

from typing import Final

from tests.proxy.wire.rules import Requirement

_AGENTS: Final = "The agent decides that; the proxy begins no requests of its own."
_STRICTER: Final = "Refused: the next reader may not share the leniency."
_NO_TUNNEL: Final = "CONNECT is refused, so no request through the proxy makes a tunnel."
_OUTBOUND: Final = "The tunnel through a company's proxy is made before any message; test_connecting.py is about that."
_KNOWN: Final = "Providers are configured by hand, and HTTP/1.1 with it; the agent chooses the framing."
_REGISTRY: Final = "It binds those who register the name of a coding."


def _ours(section: str, binds: str, asks: str, *rows: str, why: str = "") -> Requirement:
    return Requirement(section, binds, asks, rows, why)


def _not_ours(section: str, binds: str, asks: str, why: str) -> Requirement:
    return Requirement(section, binds, asks, (), why)


MESSAGES = (
    _not_ours("2", "all", "Clients and servers talk by messages.", "It asks nothing; 2.1 to 2.3 do."),
    _ours("2.1", "all", "Message: start line, fields, empty line, perhaps a body.", "layout", "layout of an answer"),
    _ours("2.1", "all", "Start line: of a request or of an answer.", "layout", "layout of an answer"),
    _ours("2.2", "recipient", "Must read octets, not characters.", "octets", "line breaks of an answer"),
    _ours(
        "2.2",
        "recipient",
        "May take a lone LF for a line's end.",
        *("bare line feed", "line breaks of an answer"),
        why=_STRICTER,
    ),
    _ours("2.2", "sender", "Must send no bare CR.", "bare carriage return", "line breaks of an answer"),
    _ours(
        "2.2",
        "recipient",
        "Must refuse an element with a bare CR, or replace it.",
        *("bare carriage return", "line breaks of an answer"),
    ),
    _ours("2.2", "user agent", "Must put no extra CRLF around a request.", "empty lines first"),
    _not_ours("2.2", "user agent", "Must count a line end that closes the body into its length.", _AGENTS),
    _ours("2.2", "server", "Should skip an empty line before a request.", "empty lines first", why=_STRICTER),
    _ours(
        "2.2",
        "sender",
        "Must send no whitespace between start line and fields.",
        *("space before the first field", "space before an answer's first field"),
    ),
    _ours(
        "2.2",
        "recipient",
        "Must refuse such whitespace, or drop its lines.",
        *("space before the first field", "space before an answer's first field"),
    ),
    _ours("2.2", "server", "Should answer 400 to what is no message, and close.", "other protocols"),
    _ours("2.3", "all", "Version: HTTP in capitals, digit, dot, digit.", "form of the version", "an answer's version"),
    _ours("2.3", "sender", "Uses what is new in 1.1 only with those that know it.", "versions served"),
    _ours("2.3", "intermediary", "Must send its own version.", "versions served", "an answer's version"),
    _ours("2.3", "server", "May answer in HTTP/1.0, for a cause only.", "an answer's version", why="Never done."),
)

REQUEST_LINES = (
    _ours("3", "all", "Request line: method, space, target, space, version.", "spaces"),
    _ours("3", "recipient", "May take any whitespace for the spaces.", "spaces", why=_STRICTER),
    _ours("3", "server", "Should answer 501 to a method longer than any it knows.", "length"),
    _ours("3", "server", "Must answer 414 to a target too long to be parsed.", "length"),
    _ours("3", "all", "Is recommended to take request lines of 8000 octets.", "length"),
    _ours("3.1", "all", "Method: a token.", "method"),
    _ours("3.1", "all", "Methods differ by case.", "case of the method"),
    _ours(
        "3.2",
        "all",
        "Target: one of four forms.",
        *("characters of the target", "fragment", "origin-form", "absolute-form", "authority-form", "asterisk-form"),
    ),
    _ours("3.2", "all", "No whitespace stands in a target.", "whitespace in the target"),
    _ours("3.2", "recipient", "Should answer 400 or 301 to an invalid line.", "whitespace in the target", "fragment"),
    _ours("3.2", "recipient", "Should not repair and process one.", "whitespace in the target", "fragment"),
    _ours("3.2", "client", "Must send Host.", "one Host"),
    _ours("3.2", "client", "Must name the target's authority in Host.", "the target's host"),
    _not_ours("3.2", "client", "Must send an empty Host without authority.", "Each provider's address has a host."),
    _ours("3.2", "server", "Must answer 400 where Host lacks, is repeated or invalid.", "one Host", "value of Host"),
    _ours("3.2.1", "all", "Origin-form: path, perhaps a query.", "origin-form"),
    _ours("3.2.1", "client", "Must send only these to an origin server.", "origin-form"),
    _ours("3.2.1", "client", "Must send a slash for an empty path.", "origin-form"),
    _ours(
        "3.2.2", "client", "Must send a whole URI to a proxy.", "absolute-form", why="Agents take us for the provider."
    ),
    _ours("3.2.2", "all", "Absolute-form: an absolute URI.", "absolute-form", why=_STRICTER),
    _ours("3.2.2", "client", "Must send Host beside it too.", "absolute-form", why="Refused with and without."),
    _ours("3.2.2", "proxy", "Must not heed Host beside it, but replace it.", "absolute-form", why=_STRICTER),
    _ours("3.2.2", "proxy", "Must make the forwarded Host of it.", "absolute-form", "the target's host", why=_STRICTER),
    _not_ours("3.2.2", "origin server", "Must not heed Host beside it.", "We are none; it reaches none through us."),
    _ours("3.2.2", "server", "Must accept absolute-form.", "absolute-form", why=_STRICTER),
    _ours("3.2.3", "all", "Authority-form: host and port, of CONNECT only.", "authority-form"),
    _not_ours("3.2.3", "client", "Must send just these to a proxy for a tunnel.", _OUTBOUND),
    _ours("3.2.4", "all", "Asterisk-form: an asterisk, of OPTIONS only.", "asterisk-form", why=_STRICTER),
    _not_ours("3.2.4", "client", "Must send just it to ask a whole server.", _AGENTS),
    _ours("3.2.4", "last proxy", "Must make it of an OPTIONS with a bare authority.", "asterisk-form", why=_STRICTER),
    _ours("3.3", "server", "Rebuilds the target from target, Host and connection.", "the target's host"),
    _ours("3.3", "server", "May refuse a request without authority, or use a default.", "the target's host"),
)

STATUS_LINES = (
    _ours("4", "all", "Status line: version, space, status, space, perhaps a reason.", "form of a status line"),
    _ours("4", "recipient", "May take any whitespace for the spaces.", "form of a status line", why=_STRICTER),
    _ours("4", "all", "Status: three digits.", "status"),
    _ours("4", "recipient", "Takes an unknown status by its class.", "status"),
    _ours("4", "all", "Reason: tabs, spaces, visible and obsolete text.", "reason"),
    _ours("4", "client", "Should ignore the reason.", "reason"),
    _ours("4", "server", "Must send the space behind the status without a reason too.", "form of a status line"),
)

FIELDS = (
    _ours(
        "5",
        "all",
        "Field: name, colon, value, space around the value or not.",
        *("form of a field", "number and size of fields", "form of an answer's field", "space around the value"),
    ),
    _ours("5", "all", "Names differ not by case.", "one Host", "one length", "form of an answer's field"),
    _ours("5.1", "server", "Must answer 400 to whitespace before a colon.", "space before the colon"),
    _ours("5.1", "proxy", "Must take such whitespace out of an answer.", "space before an answer's colon"),
    _ours("5.1", "parser", "Leaves out the whitespace around a value.", "space around the value"),
    _ours("5.2", "all", "A fold: a line break with whitespace behind it.", "folded lines", "folded lines of an answer"),
    _ours("5.2", "sender", "Must send none.", "folded lines", "folded lines of an answer"),
    _ours("5.2", "server", "Must answer 400 to a fold, or replace it.", "folded lines"),
    _ours("5.2", "proxy", "Must answer 502 instead of a fold, or replace it.", "folded lines of an answer"),
    _not_ours("5.2", "user agent", "Must replace a fold of an answer.", "The proxy is none; it shows its agent none."),
)

BODIES = (
    _ours("6", "all", "Body: any octets.", "presence of a body", "layout of an answer"),
    _ours("6", "all", "A request has one by its fields, not by its method.", "presence of a body"),
    _ours("6", "all", "An answer has one by its request's method and its status.", "answers to HEAD"),
    _ours("6.1", "all", "The field is a list of codings.", "form of a coding", "codings of an answer"),
    _ours("6.1", "recipient", "Must be able to read chunks.", "chunked once and last", "codings of an answer"),
    _ours("6.1", "sender", "Must apply chunked once only.", "chunked once and last", "codings of an answer"),
    _ours("6.1", "sender", "Must end a coded request with chunked.", "chunked once and last"),
    _ours(
        "6.1",
        "sender",
        "Must end a coded answer with chunked or by closing.",
        "codings of an answer",
        why="Only chunked passes: we offer no other coding.",
    ),
    _ours(
        "6.1",
        "recipient",
        "May decode and encode again.",
        *("chunked once and last", "codings of an answer"),
        why="Chunks go on as they are.",
    ),
    _ours("6.1", "server", "May send it where no body is: HEAD, 304.", "answers to HEAD", "answers without a body"),
    _ours("6.1", "server", "Must not send it in 1xx and 204.", "codings where no body is"),
    _not_ours("6.1", "server", "Must not send it in a 2xx to CONNECT.", _NO_TUNNEL),
    _ours("6.1", "server", "Should answer 501 to a coding it does not know.", "codings not understood"),
    _not_ours("6.1", "client", "Must not use it where 1.1 is not known to be.", _KNOWN),
    _ours("6.1", "server", "Must not answer a 1.0 request with it.", "chunks before HTTP/1.1"),
    _ours("6.1", "server", "May refuse it beside a length, must close then.", "length beside coding"),
    _ours("6.1", "proxy", "Forwarding it beside a length lets readers differ.", "length beside an answer's coding"),
    _ours(
        "6.1",
        "server or client",
        "Must take it in 1.0 for a fault, and close.",
        *("chunks before HTTP/1.1", "codings of an answer"),
    ),
    _ours(
        "6.2",
        "all",
        "A length is a decimal number of octets.",
        *("digits of the length", "size of the length", "digits of an answer's length", "size of an answer's length"),
    ),
    _ours("6.2", "all", "It stands once.", "one length", "digits of an answer's length"),
    _ours(
        "6.2",
        "all",
        "Without a body it tells what the body would have been.",
        *("answers to HEAD", "answers without a body", "lengths where no body is"),
        why="Not in 1xx and 204: other readers take it for a body's.",
    ),
    _ours(
        "6.2",
        "sender",
        "Must not send it beside a coding.",
        *("length beside coding", "length beside an answer's coding"),
    ),
    _ours(
        "6.3",
        "all",
        "HEAD, 1xx, 204 and 304: the head is all.",
        *("answers without a body", "answers to HEAD", "the proxy's own answer to HEAD", "switched protocols"),
    ),
    _not_ours("6.3", "client", "Must ignore lengths in a 2xx to CONNECT.", _OUTBOUND),
    _ours(
        "6.3",
        "intermediary",
        "Must take the length away before it forwards both.",
        *("length beside coding", "length beside an answer's coding"),
        why="It forwards neither.",
    ),
    _ours("6.3", "recipient", "Reads chunks to their end.", "last chunk", "content of chunks"),
    _ours(
        "6.3",
        "recipient",
        "Reads an answer that does not end in chunked until closing.",
        "codings of an answer",
        why="Answered 502: we offer no other coding.",
    ),
    _ours("6.3", "server", "Must answer 400 to such a request, and close.", "chunked once and last"),
    _ours(
        "6.3",
        "recipient",
        "Must give up on an invalid length, but may take a list of one number.",
        *("one length", "digits of the length", "digits of an answer's length"),
        why=_STRICTER,
    ),
    _ours("6.3", "server", "Must answer 400 to such a request, then close.", "one length", "digits of the length"),
    _ours(
        "6.3",
        "proxy",
        "Must close, discard such an answer and send 502.",
        *("digits of an answer's length", "size of an answer's length"),
    ),
    _not_ours("6.3", "user agent", "Must close and discard such an answer.", "The proxy is none; it shows none."),
    _ours(
        "6.3",
        "recipient",
        "Must take a message shorter than its length for incomplete, and close.",
        *("a body as long as said", "an answer as long as said"),
    ),
    _ours("6.3", "recipient", "A request without either has no body.", "a body never announced"),
    _ours("6.3", "recipient", "An answer without either ends by closing.", "an answer ended by its connection"),
    _not_ours("6.3", "server", "Should tell an answer's length.", "The provider's to do; our own answers tell theirs."),
    _ours("6.3", "server", "May answer 411 without a length.", "chunked once and last", why="Never done."),
    _not_ours("6.3", "client", "Should send a length it knows.", _AGENTS),
    _not_ours("6.3", "user agent", "Must send a length or chunks with a body.", _AGENTS),
    _not_ours("6.3", "client", "Must not use chunks where 1.1 is not known to be.", _KNOWN),
    _ours("6.3", "user agent", "May discard what is behind the last answer.", "behind an answer"),
    _ours("6.3", "client", "Must not take or forward it as another answer.", "behind an answer"),
)

CODINGS = (
    _ours("7", "all", "Names of codings differ not by case.", "names of codings"),
    _ours("7.1", "all", "Body: chunks, last chunk, trailers, empty line.", "last chunk", "chunks of an answer"),
    _ours("7.1", "all", "Chunk: size, extensions, CRLF, data, CRLF.", "end of a chunk", "chunks of an answer"),
    _ours("7.1", "all", "Size: hexadecimal digits.", "digits of a chunk's size", "chunks of an answer"),
    _ours("7.1", "all", "Last chunk: zeros.", "last chunk", "chunks of an answer"),
    _ours("7.1", "all", "Data: as many octets as the size says.", "end of a chunk", "content of chunks"),
    _ours("7.1", "recipient", "Must be able to read chunks.", "end of a chunk", "chunks of an answer"),
    _ours("7.1", "recipient", "Must read large sizes without overflow.", "largest chunk", "chunks of an answer"),
    _ours("7.1", "recipient", "Should take parameters of chunked for a fault.", "parameters of chunked"),
    _ours("7.1.1", "all", "Extensions: semicolon, name, perhaps a value.", "form of extensions"),
    _ours("7.1.1", "all", "Name: a token.", "form of extensions", "line breaks in extensions"),
    _ours("7.1.1", "all", "Value: a token or a quoted string.", "form of extensions", "line breaks in extensions"),
    _ours(
        "7.1.1",
        "recipient",
        "Must ignore those it does not know.",
        *("form of extensions", "extensions of an answer"),
    ),
    _ours("7.1.1", "server", "Bounds them, and answers 4xx beyond.", "length of extensions"),
    _ours("7.1.2", "all", "Trailers: field lines.", "form of trailers", "trailers of an answer"),
    _ours(
        "7.1.2",
        "recipient",
        "May keep or discard them.",
        *("form of trailers", "number and size of trailers", "trailers of an answer"),
        why="All are dropped, so that none needs a definition.",
    ),
    _ours("7.1.2", "recipient", "Must keep them apart from the fields of the head.", "fields that are no trailers"),
    _ours("7.1.2", "recipient", "Must merge none that may not be.", "fields that are no trailers"),
    _ours("7.1.3", "recipient", "The content is all chunks' data in order.", "content of chunks"),
    _ours("7.2", "recipient", "Names for compression, x- ones too.", "compression", "compression of an answer"),
    _ours("7.2", "recipient", "Should take parameters of them for a fault.", "compression", "compression of an answer"),
    _not_ours("7.3", "registrant", "Must give name, description and text.", _REGISTRY),
    _not_ours("7.3", "registrant", "Must not take a content coding's name for another thing.", _REGISTRY),
    _not_ours("7.3", "registrant", "Should not name a parameter q.", _REGISTRY),
    _not_ours("7.3", "registrant", "Must keep to the purpose of transfer codings.", _REGISTRY),
    _ours("7.4", "client", "Must not name chunked in TE.", "TE and Trailer are for one hop", why="TE goes no further."),
    _ours("7.4", "client", "May rank codings.", "TE and Trailer are for one hop", why="TE goes no further."),
    _ours("7.4", "server", "Without TE, only chunked may come.", "codings nobody offered"),
    _ours("7.4", "sender", "Must name TE in Connection.", "TE and Trailer are for one hop", why="TE goes no further."),
)

INCOMPLETE = (
    _ours("8", "server", "May answer an incomplete request.", "a body as long as said", why="Its agent has hung up."),
    _ours(
        "8",
        "client",
        "Must record an incomplete answer as such.",
        *("an answer as long as said", "content of chunks", "an answer ended by its connection"),
    ),
    _ours("8", "client", "Relies on no head that ends in the middle.", "an answer ended by its connection"),
    _ours("8", "all", "Chunks without the last one are incomplete.", "last chunk", "chunks of an answer"),
    _ours("8", "all", "Fewer octets than told are.", "a body as long as said", "an answer as long as said"),
    _ours(
        "8",
        "all",
        "An answer that tells no end is whole unless its connection ends in error.",
        "an answer ended by its connection",
        why="What is an error in TLS shows test_connecting.py.",
    ),
)

REQUIREMENTS = (*MESSAGES, *REQUEST_LINES, *STATUS_LINES, *FIELDS, *BODIES, *CODINGS, *INCOMPLETE)
