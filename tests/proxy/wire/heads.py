"""Rows for messages and request lines: RFC 9112, sections 2 and 3."""

from __future__ import annotations

from tests.proxy.wire.rules import HOST, LINE, Accepted, Refused, RequestRule, hang_up, refuse, request, sized, take

_GET = b"GET {path}/v1/models HTTP/1.1"


def _line(line: bytes) -> bytes:
    return request(line=line)


def _target(target: bytes) -> bytes:
    return request(line=b"GET " + target + b" HTTP/1.1")


MESSAGES = (
    RequestRule(
        "2.1",
        "layout",
        "A message is a start line, field lines, an empty line and perhaps a body, each line ended by CR LF.",
        take(_line(_GET), sized(b'{"a":1}'), request(b"Accept: */*\r\nContent-Length: 0\r\n")),
        (
            *refuse(b"Host: {host}\r\n" + _GET + b"\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
            *refuse(_GET + b"\r\n\r\n" + HOST + b"\r\n"),
            *hang_up(_GET + b"\r\n" + HOST, _GET + b"\r\n" + HOST + b"\r"),
        ),
    ),
    RequestRule(
        "2.2",
        "octets",
        "A head is read as bytes: no character but CR LF ends a line, whatever an encoding would make of it.",
        take(
            request("X-A: a\u2028Content-Length: 5\r\n".encode()),
            request("X-A: a\u0085Content-Length: 5\r\n".encode()),
            request(b"X-A: \xc4\x8a\xe9t\xe9\r\n"),
        ),
        refuse(
            request(b"X-A: a\x0bContent-Length: 5\r\n"),
            request(b"X-A: a\x0cContent-Length: 5\r\n"),
            request("X\u010a: a\r\n".encode()),
        ),
    ),
    RequestRule(
        "2.2",
        "bare line feed",
        "A line feed alone ends no line (a reader may take it for an end; we do not let two readers differ).",
        take(sized(b"line\nbreaks\nin content\n"), request(b"X-A: b\r\nX-B: c\r\n")),
        refuse(
            LINE + b"\n" + HOST + b"\r\n",
            request(b"X-A: b\nX-B: c\r\n"),
            request(b"X-A: b\r\n\nX-B: c\r\n"),
            LINE + b"\r\n" + HOST + b"\n",
            LINE + b"\n" + b"Host: {host}\n\n",
        ),
    ),
    RequestRule(
        "2.2",
        "bare carriage return",
        "A carriage return without a line feed makes the head invalid.",
        take(sized(b"carriage\rreturns\r in content"), request(b"X-A: b\r\n")),
        refuse(
            request(b"X-A: b\rX-B: c\r\n"),
            request(b"X-A: b\r\r\n"),
            LINE + b"\r\r\n" + HOST + b"\r\n",
            request(line=b"POST\r{path}/v1/messages HTTP/1.1"),
        ),
    ),
    RequestRule(
        "2.2",
        "empty lines first",
        "Nothing stands in front of a request line; an empty line, which a server may skip, is refused here.",
        (
            *take(sized()),
            Accepted(sized() + _line(_GET), (sized(), _line(_GET))),
        ),
        (
            *refuse(b"\r\n" + sized(), b"\r\n\r\n" + sized(), b"\n" + sized(), b" \r\n" + sized()),
            Refused(sized() + b"\r\n" + _line(_GET), 400, (sized(),)),
        ),
    ),
    RequestRule(
        "2.2",
        "space before the first field",
        "Between the start line and the first field there is no whitespace.",
        take(request(b"X-A: b\r\n")),
        refuse(
            LINE + b"\r\n " + HOST + b"\r\n",
            LINE + b"\r\n\t" + HOST + b"\r\n",
            LINE + b"\r\n \r\n" + HOST + b"\r\n",
            LINE + b"\r\n X-A: b\r\n" + HOST + b"\r\n",
            LINE + b"\r\n \r\n\t\r\n" + HOST + b"X-A: b\r\n\r\n",
        ),
    ),
    RequestRule(
        "2.2",
        "other protocols",
        "Bytes that do not match the grammar are answered with 400, not guessed at.",
        take(sized()),
        (
            *refuse(
                b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03\r\n\r\n",
                b"EHLO localhost\r\n\r\n",
                b"*1\r\n$4\r\nPING\r\n\r\n",
                b"\x00" * 40 + b"\r\n\r\n",
                LINE + b"\r\n" + HOST + b"X-A: \x00b\r\n\r\n",
                LINE + b"\r\n" + HOST + b"X-A: \x7fb\r\n\r\n",
            ),
            *refuse(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", status=505),
        ),
    ),
    RequestRule(
        "2.3",
        "form of the version",
        "A version is HTTP in capitals, a slash, and one digit on either side of a dot; a line with another is broken.",
        take(_line(b"GET {path}/x HTTP/1.1")),
        refuse(
            _line(b"GET {path}/x http/1.1"),
            _line(b"GET {path}/x Http/1.1"),
            _line(b"GET {path}/x HTTP/1,1"),
            _line(b"GET {path}/x HTTP/01.1"),
            _line(b"GET {path}/x HTTP/1.10"),
            _line(b"GET {path}/x HTTP/1"),
            _line(b"GET {path}/x HTTP /1.1"),
            _line(b"GET {path}/x HTTP/\xef\xbc\x91.1"),
            _line(b"GET {path}/x HTTP/1.1x"),
            _line(b"GET {path}/x ICY/1.1"),
            b"GET {path}/x\r\n\r\n",
            b"GET {path}/x \r\n\r\n",
        ),
    ),
    RequestRule(
        "2.3",
        "versions served",
        "The proxy speaks 1.1 and no other version, and does not answer for one in another's name.",
        take(_line(b"GET {path}/x HTTP/1.1")),
        refuse(
            _line(b"GET {path}/x HTTP/1.0"),
            _line(b"GET {path}/x HTTP/1.2"),
            _line(b"GET {path}/x HTTP/2.0"),
            _line(b"GET {path}/x HTTP/0.9"),
            b"GET {path}/x HTTP/1.0\r\n\r\n",
            status=505,
        ),
    ),
)

REQUEST_LINES = (
    RequestRule(
        "3",
        "spaces",
        "Method, target and version are parted by exactly one space each; a broken line is not repaired.",
        take(_line(_GET), _line(b"OPTIONS {path}/v1/models HTTP/1.1")),
        refuse(
            _line(b"GET  {path}/x HTTP/1.1"),
            _line(b"GET {path}/x  HTTP/1.1"),
            _line(b"GET\t{path}/x HTTP/1.1"),
            _line(b" GET {path}/x HTTP/1.1"),
            _line(b"GET {path}/x\tHTTP/1.1"),
            _line(b"GET {path}/x HTTP/1.1 "),
            _line(b"GET {path}/x HTTP/1.1\t"),
            _line(b"GET {path}/x HTTP/1.0 "),
            _line(b"GET {path}/xHTTP/1.1"),
            _line(b"GET{path}/x HTTP/1.1"),
            _line(b"GET\x0b{path}/x HTTP/1.1"),
            _line(b"GET {path}/x\x0cHTTP/1.1"),
        ),
    ),
    RequestRule(
        "3",
        "length",
        "A request line of 8,000 bytes is served; one too long to be parsed is answered 414, a method too long 501.",
        take(_target(b"{path}/" + b"a" * 7900), _target(b"{path}/x?" + b"q" * 20_000)),
        (
            *refuse(_target(b"{path}/" + b"a" * 70_000), _target(b"{path}/?" + b"a" * 200_000), status=414),
            *refuse(_line(b"G" * 65 + b" {path}/x HTTP/1.1"), _line(b"G" * 70_000 + b" {path}/x HTTP/1.1"), status=501),
        ),
    ),
    RequestRule(
        "3.1",
        "method",
        "A method is a token.",
        take(_line(b"M-SEARCH {path}/x HTTP/1.1"), _line(b"!#$%&'*+-.^_`|~09 {path}/x HTTP/1.1")),
        refuse(
            _line(b" {path}/x HTTP/1.1"),
            _line(b"G(T {path}/x HTTP/1.1"),
            _line(b"GET: {path}/x HTTP/1.1"),
            _line(b"G\xc3\x8bT {path}/x HTTP/1.1"),
            _line(b'"GET" {path}/x HTTP/1.1'),
            _line(b"{path}/x HTTP/1.1"),
        ),
    ),
    RequestRule(
        "3.1",
        "case of the method",
        "Methods differ by case: another spelling is passed on as it is, unless it could be framed in two ways.",
        take(_line(b"get {path}/x HTTP/1.1"), _line(b"Patch {path}/x HTTP/1.1"), _line(b"HEAD {path}/x HTTP/1.1")),
        (
            *refuse(_line(b"head {path}/x HTTP/1.1"), _line(b"Head {path}/x HTTP/1.1"), status=501),
            *refuse(_line(b"connect {host} HTTP/1.1"), status=405),
        ),
    ),
    RequestRule(
        "3.2",
        "whitespace in the target",
        "A target holds no whitespace: it stands percent-encoded or not at all.",
        take(_target(b"{path}/a%20b"), _target(b"{path}/a?q=b%09c+d")),
        refuse(
            _target(b"{path}/a b"),
            _target(b"{path}/a\tb"),
            _target(b"{path}/a HTTP/1.1 HTTP/1.1"),
            _target(b"{path}/a?q=b c"),
            _target(b"{path}/a%20 "),
        ),
    ),
    RequestRule(
        "3.2",
        "characters of the target",
        "A target holds what a URI's path and query may hold; the rest is percent-encoded (brackets in a query pass).",
        take(
            _target(b"{path}/a-._~!$&'()*+,;=:@/b%C3%A9"),
            _target(b"{path}/a?x=/?:@!$&'()*+,;=-._~%00"),
            _target(b"{path}/a?include[]=b"),
        ),
        refuse(
            _target(b'{path}/a"b'),
            _target(b"{path}/a<b>"),
            _target(b"{path}/a\\b"),
            _target(b"{path}/a^b"),
            _target(b"{path}/a`b"),
            _target(b"{path}/a{b}"),
            _target(b"{path}/a|b"),
            _target(b"{path}/a[b]"),
            _target(b"{path}/a?q=<b"),
            _target(b"{path}/a?q=%zz"),
            _target(b"{path}/a%"),
            _target(b"{path}/a%4"),
            _target(b"{path}/\xc3\xa9t\xc3\xa9"),
            _target(b"{path}/a\x00b"),
            _target(b"{path}/a?b\x7f"),
        ),
    ),
    RequestRule(
        "3.2",
        "fragment",
        "None of the forms of a target has a fragment.",
        take(_target(b"{path}/v1/messages%23part"), _target(b"{path}/v1/messages?q=%23")),
        refuse(
            b"POST {path}/v1/messages#part HTTP/1.1\r\nHost: {host}\r\nContent-Length: 2\r\n\r\n{}",
            _target(b"{path}/v1/messages?q=1#part"),
            _target(b"{path}/v1/messages#"),
            _target(b"{path}#/v1/messages"),
        ),
    ),
    RequestRule(
        "3.2",
        "one Host",
        "A request has exactly one Host field.",
        (
            *take(_line(_GET)),
            Accepted(_GET + b"\r\nX-A: b\r\nhOST:\t{host} \r\n\r\n", (_GET + b"\r\nX-A: b\r\nhOST: {host}\r\n\r\n",)),
        ),
        refuse(
            _GET + b"\r\n\r\n",
            _GET + b"\r\nX-A: b\r\n\r\n",
            request(HOST, line=_GET),
            request(b"host: evil.example\r\n", line=_GET),
            request(b"X-A: b\r\nHost: \r\n", line=_GET),
        ),
    ),
    RequestRule(
        "3.2",
        "value of Host",
        "Host holds a host and perhaps a port, and nothing else.",
        take(_line(_GET)),
        refuse(
            *(
                _GET + b"\r\nHost: " + value + b"\r\n\r\n"
                for value in (
                    b"{host}, evil.example",
                    b"{host} evil.example",
                    b"user@{host}",
                    b"http://{host}",
                    b"{host}/",
                    b"{host}?x",
                    b"{host}#x",
                    b"{host}:80",
                    b"127.0.0.1:8x",
                    b"127.0.0.1:-1",
                    b"[::1",
                    b"[]:80",
                    b"[127.0.0.1]:80",
                    b"[1::2::3]:80",
                    b"[:::]",
                    b"[12345::]",
                    b"[::1%25lo]",
                    b"::1",
                    b"127.0.0.1\\evil",
                    b"\xc3\xa9t\xc3\xa9.example",
                )
            )
        ),
    ),
    RequestRule(
        "3.2.1",
        "origin-form",
        "A target begins with a slash; an empty path is sent as a slash, with a query behind it.",
        (
            *take(_target(b"{path}/"), _target(b"{path}/?a=b"), _target(b"{path}//a///b"), _target(b"{path}/a?b=/c?d")),
            Accepted(_target(b"{path}?a=b"), (_target(b"/?a=b"),)),
            Accepted(_target(b"{path}"), (_target(b"/"),)),
        ),
        refuse(
            _target(b"v1/models"),
            _target(b"?a=b"),
            _target(b""),
            _target(b"./v1"),
            _target(b"%2F{path}/x"),
            _target(b"\\{path}/x"),
        ),
    ),
    RequestRule(
        "3.2.2",
        "absolute-form",
        "A request does not name its destination: a whole URI as target is refused here, whosoever host it names.",
        take(_target(b"{path}/v1/models?u=http://evil.example/")),
        refuse(
            _target(b"http://evil.example/v1"),
            _target(b"http://{host}{path}/v1"),
            _target(b"https://api.anthropic.com/v1"),
            _target(b"HTTP://{host}{path}/v1"),
            _target(b"file:///etc/passwd"),
            request(line=b"GET http://{host}{path}/v1 HTTP/1.1", host=b"Host: evil.example\r\n"),
            request(line=b"GET http://{host}{path}/v1 HTTP/1.1", host=b""),
        ),
    ),
    RequestRule(
        "3.2.3",
        "authority-form",
        "Host and port alone are the target of CONNECT only, which is not served.",
        take(_target(b"{path}/evil.example:443")),
        (
            *refuse(_line(b"CONNECT evil.example:443 HTTP/1.1"), _line(b"CONNECT {path}/x HTTP/1.1"), status=405),
            *refuse(_line(b"GET evil.example:443 HTTP/1.1"), _line(b"POST {host} HTTP/1.1")),
        ),
    ),
    RequestRule(
        "3.2.4",
        "asterisk-form",
        "An asterisk asks the server as a whole; this server answers for none of its providers.",
        take(_line(b"OPTIONS {path}/ HTTP/1.1"), _line(b"OPTIONS {path}/* HTTP/1.1")),
        refuse(
            _line(b"OPTIONS * HTTP/1.1"),
            _line(b"GET * HTTP/1.1"),
            _line(b"OPTIONS ** HTTP/1.1"),
            _line(b"OPTIONS http://{host} HTTP/1.1"),
        ),
    ),
    RequestRule(
        "3.3",
        "the target's host",
        "Which server is meant follows from Host, which must be this proxy's; the provider gets its own name there.",
        (Accepted(request(line=_GET), (b"GET /v1/models HTTP/1.1\r\nHost: {host}\r\n\r\n",)),),
        refuse(
            *(
                _GET + b"\r\nHost: " + value + b"\r\n\r\n"
                for value in (b"evil.example", b"localhost", b"", b"127.0.0.1", b"127.0.0.1:1", b"[::1]:80")
            ),
            status=421,
        ),
    ),
)

ROWS = MESSAGES + REQUEST_LINES
