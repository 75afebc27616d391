"""The log clause read a second time, from docs/protocol.md alone: nothing of ``promptster`` is imported here.

It uses only Python's library and libsodium, and does what step 11 of "Verification" needs: archive, keys, certificate,
receipts, checkpoint, proofs, and as much of the other signed parts as decides whose log is believed.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import io
import json
import re
import struct
import zipfile
from dataclasses import dataclass
from typing import Any

from nacl.exceptions import CryptoError
from nacl.signing import VerifyKey

_REQUIRED = [
    "keys.json", "certificate.json", "policy.json", "consent.json", "headers.jsonl", "events.jsonl", "values.bin",
    "receipts.jsonl", "checks.jsonl", "redactions.jsonl", "proofs.jsonl",
]  # fmt: skip
_OPTIONAL = ["close.json", "tombstone.json", "checkpoint.txt"]
_ENVELOPES = ["headers.jsonl", "receipts.jsonl", "checks.jsonl", "redactions.jsonl"]
_FIELDS = {
    "key": "created_ms kid previous public_key purpose v",
    "certificate": "consent_sha256 continues invite_id kid limits organisation policy_sha256 record_until session"
    " session_public_key upload_until v",
    "receipt": "header_sha256 kid n received_ms session v",
    "check": "code discarded header_sha256 kid n ok session v",
    "close": "at_ms events head kid n outcome session v",
    "redaction": "actor at_ms block field i kid prev reason seq session v",
    "tombstone": "at_ms backups_until_ms batches exports kid outcome session v",
}


_LIMITS = {"batch_bytes", "session_bytes", "batches_per_second", "body", "log"}


class Stopped(Exception):  # noqa: N818 - verification stops before the log; which step does it is not this reading's matter
    """The reading ends before it reaches the log."""


@dataclass(frozen=True, kw_only=True)
class LogReading:
    """What step 11 says about ``not_in_log``."""

    found: bool
    """Whether ``not_in_log`` is among the findings."""
    counts: bool
    """Whether it is *incomplete* rather than a note."""
    missing: frozenset[int]
    """Batches whose receipt has no proof that holds."""


@dataclass(frozen=True, kw_only=True)
class _Keys:
    collector: list[bytes]
    log: list[tuple[bytes, int]]
    """Each log key, with the place of the collector key that introduced it."""


def read_log_clause(data: bytes, trusted: list[str]) -> LogReading:
    """Read a bundle as far as its log.

    Raises:
        Stopped: an earlier step, or the checkpoint itself, ends the reading.
    """
    members = _members(data)
    keys = _succession(members["keys.json"])
    certificate = _signed("certificate", _envelope(members["certificate.json"]), keys)
    if certificate is None or certificate[0]["limits"].keys() - _LIMITS:
        raise Stopped
    receipts: dict[int, bytes] = {}
    for line in _lines(members["receipts.jsonl"]):
        payload, signature = _envelope(line)
        receipt = _signed("receipt", (payload, signature), keys)
        if receipt is not None and receipt[0]["session"] == certificate[0]["session"]:
            receipts.setdefault(receipt[0]["n"], payload)
    promised = certificate[0]["limits"].get("log", 0) >= 1
    proven: set[int] = set()
    believed = False
    if "checkpoint.txt" in members:
        size, root, signer = _checkpoint(members["checkpoint.txt"].decode(), [key for key, _ in keys.log])
        pin = _pin(members, keys, trusted)
        believed = pin is None or keys.log[signer][1] >= pin
        first: dict[int, dict[str, Any]] = {}
        for line in _lines(members["proofs.jsonl"]):
            proof = _document(line)
            first.setdefault(proof["n"], proof)
        for n, proof in first.items():
            path = [_b64u(item) for item in proof["proof"]]
            if n in receipts and _climb(b"\0" + receipts[n], proof["index"], size, path) == root:
                proven.add(n)
    missing = frozenset(receipts) - (proven if believed else set())
    return LogReading(found=bool(missing) or not believed, counts=promised, missing=missing)


def _members(data: bytes) -> dict[str, bytes]:
    found = _unzip(data)
    envelopes = [found[name] for name in ("certificate.json", "consent.json", *_OPTIONAL[:2]) if name in found]
    envelopes += [line for name in _ENVELOPES for line in _lines(found[name])]
    for envelope in envelopes:
        _envelope(envelope)
    for line in _lines(found["proofs.jsonl"]):
        if sorted(_document(line)) != ["index", "n", "proof", "v"]:
            raise Stopped
    _lines(found["events.jsonl"])
    _values(found["values.bin"])
    try:
        found.get("checkpoint.txt", b"").decode()
    except UnicodeDecodeError as error:
        raise Stopped from error
    return found


def _unzip(data: bytes) -> dict[str, bytes]:
    """The members of a zip that Python's library would write byte for byte."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            names = archive.namelist()
            found = {name: archive.read(name) for name in names}
    except (zipfile.BadZipFile, NotImplementedError, EOFError, ValueError) as error:
        raise Stopped from error
    again = io.BytesIO()
    with zipfile.ZipFile(again, "w") as archive:
        for name, content in found.items():
            archive.writestr(zipfile.ZipInfo(name), content)
    blocks = sorted(name for name in names if re.fullmatch("blocks/[0-9a-f]{64}", name))
    formats = ["format.json"] if _version(found.get("policy.json", b"")) >= 2 else []
    expected = [*formats, *_REQUIRED, *(name for name in _OPTIONAL if name in names), *blocks]
    if again.getvalue() != data or names != expected or (formats and found["format.json"] != b'{"v":2}'):
        raise Stopped
    return found


def _version(data: bytes) -> int:
    """The version that a document names; 0 if it names none."""
    try:
        version = _document(data).get("v")
    except Stopped:
        return 0
    return version if type(version) is int else 0


def _lines(data: bytes) -> list[bytes]:
    *lines, rest = data.split(b"\n")
    if rest or b"" in lines:
        raise Stopped
    return lines


def _values(data: bytes) -> None:
    place = 0
    while place < len(data):
        if place + 12 > len(data):
            raise Stopped
        _, length = struct.unpack_from(">QI", data, place)
        place += 12 + length
    if place != len(data):
        raise Stopped


def _document(data: bytes) -> dict[str, Any]:
    """A canonical document: since names are ASCII and numbers whole, the library's writer makes the same bytes."""
    try:
        value = json.loads(data)
        same = json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode() == data
    except ValueError as error:
        raise Stopped from error
    if not isinstance(value, dict) or not same:
        raise Stopped
    return value  # pyright: ignore[reportUnknownVariableType] -- an object of JSON


def _b64u(text: str) -> bytes:
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError) as error:
        raise Stopped from error


def _envelope(data: bytes) -> tuple[bytes, bytes]:
    document = _document(data)
    if sorted(document) != ["payload", "signature"]:
        raise Stopped
    return _b64u(document["payload"]), _b64u(document["signature"])


def _holds(key: bytes, message: bytes, signature: bytes) -> bool:
    try:
        VerifyKey(key).verify(message, signature)
    except (CryptoError, ValueError):
        return False
    return True


def _dsse(name: str, payload: bytes) -> bytes:
    kind = f"application/vnd.promptster.{name}.v1+json".encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def _kid(key: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(key).digest()[:16]).decode().rstrip("=")


def _succession(data: bytes) -> _Keys:
    document = _document(data)
    if sorted(document) != ["keys", "v"] or not document["keys"]:
        raise Stopped
    collector: list[bytes] = []
    log: list[tuple[bytes, int]] = []
    for entry in document["keys"]:
        payload, signature = _b64u(entry["payload"]), _b64u(entry["signature"])
        key = _document(payload)
        public = _b64u(key["public_key"])
        signer = collector[-1] if collector else public
        if key["kid"] != _kid(signer) or not _holds(signer, _dsse("key", payload), signature):
            raise Stopped
        if key["purpose"] == "collector":
            collector.append(public)
        else:
            log.append((public, len(collector) - 1))
    return _Keys(collector=collector, log=log)


def _signed(name: str, envelope: tuple[bytes, bytes], keys: _Keys) -> tuple[dict[str, Any], int] | None:
    """A document that one of the collector's keys signed, with that key's place; ``None`` if none did."""
    try:
        document = _document(envelope[0])
    except Stopped:
        return None
    kids = [_kid(key) for key in keys.collector]
    if sorted(document) != _FIELDS[name].split() or document["v"] != 1 or document["kid"] not in kids:
        return None
    place = kids.index(document["kid"])
    return (document, place) if _holds(keys.collector[place], _dsse(name, envelope[0]), envelope[1]) else None


def _pin(members: dict[str, bytes], keys: _Keys, trusted: list[str]) -> int | None:
    """The first pinned key's place, if it is no later than every key that signed."""
    parts = [("certificate", members["certificate.json"])]
    for name in ("receipt", "check", "redaction"):
        parts += [(name, line) for line in _lines(members[f"{name}s.jsonl"])]
    parts += [(name, members[f"{name}.json"]) for name in ("close", "tombstone") if f"{name}.json" in members]
    read = [_signed(name, _envelope(part), keys) for name, part in parts]
    signers = [found[1] for found in read if found is not None]
    prints = [hashlib.sha256(key).hexdigest() for key in keys.collector]
    pin = next((place for place, name in enumerate(prints) if name in trusted), None)
    return pin if pin is not None and pin <= min(signers) else None


def _checkpoint(note: str, log_keys: list[bytes]) -> tuple[int, bytes, int]:
    """Size and root, and the log key that signed."""
    text, _, signatures = note.rpartition("\n\n")
    text += "\n"
    lines = text.split("\n")
    if len(lines) < 4 or not lines[1].isdigit():
        raise Stopped
    for line in signatures.splitlines():
        _, name, blob = line.split(" ")
        raw = base64.b64decode(blob)
        for place, key in enumerate(log_keys):
            hashed = hashlib.sha256(name.encode() + b"\n\x01" + key).digest()[:4]
            if name == lines[0] and raw[:4] == hashed and _holds(key, text.encode(), raw[4:]):
                return int(lines[1]), base64.b64decode(lines[2]), place
    raise Stopped


def _climb(leaf: bytes, index: int, size: int, path: list[bytes]) -> bytes | None:
    """The root by RFC 9162, 2.1.3.2."""
    if index >= size:
        return None
    node, place, last = hashlib.sha256(leaf).digest(), index, size - 1
    for sibling in path:
        if last == 0:
            return None
        if place % 2 or place == last:
            node = hashlib.sha256(b"\1" + sibling + node).digest()
            while place % 2 == 0 and place:
                place, last = place // 2, last // 2
        else:
            node = hashlib.sha256(b"\1" + node + sibling).digest()
        place, last = place // 2, last // 2
    return node if last == 0 else None
