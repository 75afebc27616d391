"""A collector's log on loopback over real HTTP; it is honest or answers as a test wants."""

from __future__ import annotations

import hashlib
import json
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

from tests.helpers.certified import NOW_MS, SeededBytes

from promptster.protocol import merkle
from promptster.protocol.encoding import b64u_encode
from promptster.protocol.key_succession import first_key, log_key, write_keyfile
from promptster.protocol.log_consistency import View
from promptster.protocol.signing import SigningKey
from promptster.protocol.transparency_log import Checkpoint, sign_checkpoint

if TYPE_CHECKING:
    from collections.abc import Generator


def leaves(size: int, *, fork: int | None = None) -> list[bytes]:
    """A log's leaf hashes; a fork has others from that entry on."""
    found = [hashlib.sha256(b"%d" % number).digest() for number in range(size)]
    return [
        leaf if fork is None or number < fork else hashlib.sha256(leaf).digest() for number, leaf in enumerate(found)
    ]


@dataclass
class ServedLog:
    """One log with its keys; tests change what it holds and how it answers."""

    seed: str = "acme"
    entries: list[bytes] = field(default_factory=list[bytes])
    number: int = 0
    """Of the origin."""
    refuse: tuple[int, str] | None = None
    """Status and code with which every request about the log is refused."""
    proofless: bool = False
    """Checkpoints are given, and proofs are refused."""
    lie: list[bytes] | None = None
    """A proof that is given whatever is asked."""
    note: str | None = None
    """Given in place of the newest checkpoint."""
    asked: list[str] = field(default_factory=list[str])
    """Paths of the requests."""
    handed_in: list[str] = field(default_factory=list[str])
    """Checkpoints that it was shown."""
    url: str = ""

    def __post_init__(self) -> None:
        """Make the keys."""
        self.collector = SigningKey.generate(SeededBytes(0, f"{self.seed} collector"))
        self.key = SigningKey.generate(SeededBytes(0, f"{self.seed} log"))

    @property
    def keyfile(self) -> bytes:
        """The key file."""
        records = [first_key(self.collector, created_ms=NOW_MS)]
        return write_keyfile([*records, log_key(self.collector, self.key.public_key, created_ms=NOW_MS)])

    @property
    def origin(self) -> str:
        """The log's name."""
        return f"promptster.log/{self.seed}/{self.number}"

    def signed(self, entries: list[bytes] | None = None) -> str:
        """The checkpoint over these entries, or over its own."""
        listed = self.entries if entries is None else entries
        return sign_checkpoint(origin=self.origin, size=len(listed), root=merkle.root(listed), key=self.key)

    def view(self, entries: list[bytes] | None = None) -> View:
        """The log's view as a verified bundle has it."""
        return View(Checkpoint.parse(self.signed(entries)), self.key.public_key)

    def answer(self, path: str) -> tuple[int, str, bytes]:
        """Status, media type and body."""
        parts = urlsplit(path)
        if parts.path == "/v1/keys":
            return 200, "application/json", self.keyfile
        if refuse := self.refuse or ((500, "internal") if self.proofless and "consistency" in parts.path else None):
            return self._problem(*refuse)
        if parts.path == "/v1/log/checkpoint":
            if self.note is None and not self.entries:
                return self._problem(404, "log_empty")
            return 200, "text/plain", (self.signed() if self.note is None else self.note).encode()
        if parts.path == "/v1/log/consistency":
            query = parse_qs(parts.query)
            return self._proof(int(query["from"][0]), int(query["to"][0]))
        return self._problem(404, "not_found")

    def _proof(self, old: int, new: int) -> tuple[int, str, bytes]:
        if not 0 < old <= new <= len(self.entries):
            return self._problem(400, "log_size")
        proof = merkle.consistency_proof(self.entries[:new], old) if self.lie is None else self.lie
        document = {"origin": self.origin, "old": old, "new": new, "proof": [b64u_encode(item) for item in proof]}
        return 200, "application/json", json.dumps(document).encode()

    def _problem(self, status: int, code: str) -> tuple[int, str, bytes]:
        problem = {"status": status, "code": code, "detail": "refused", "origin": self.origin}
        return status, "application/problem+json", json.dumps(problem).encode()


@contextmanager
def serving_log(served: ServedLog) -> Generator[ServedLog]:
    """Serve it on a free port of 127.0.0.1."""

    class Handler(BaseHTTPRequestHandler):
        """Answers from the log."""

        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            """Answer any request."""
            served.asked.append(self.path)
            status, kind, body = served.answer(self.path)
            self.send_response(status)
            self.send_header("content-type", kind)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_POST(self) -> None:
            """Answer a submitted checkpoint."""
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            served.handed_in.append(body["note"])
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it so
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    served.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield served
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
