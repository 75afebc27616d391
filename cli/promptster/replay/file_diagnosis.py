"""What a file is that could not be read as a bundle, in words that follow its name: ``is a zip file, but ...``.

Only guesses for people, from untrusted bytes: nothing here decides a verdict.
"""

from __future__ import annotations

import io
import json
import re
import zipfile
from typing import TYPE_CHECKING, Any, Final, cast

from promptster.protocol.bundle import FORMAT_MEMBER, REQUIRED
from promptster.protocol.encoding import b64u_decode
from promptster.protocol.errors import DocumentError, EncodingError, KeyringError
from promptster.protocol.finding_codes import FindingCode
from promptster.protocol.key_succession import parse_keyfile

if TYPE_CHECKING:
    from promptster.protocol.verdict import Verification

ZIP: Final = b"PK\x03\x04"
"""How a bundle begins."""
_NAME_AT: Final = 30
"""The position of the first member's name in a zip."""
_FIRST: Final = tuple(name.encode() for name in (REQUIRED[0], FORMAT_MEMBER))
"""The names with which a bundle begins."""
_NEWER: Final = "was made by a newer version of Promptster: update this one to read it"
_END: Final = b"PK\x05\x06"
_PEEK: Final = 64 << 10
"""Bytes of a member that are looked at: keys and certificates are smaller."""
_VERSION: Final = 1
_PAGE: Final = re.compile(rb"(?:\xef\xbb\xbf)?\s*<(?:!doctype html|html)\b", re.IGNORECASE)
_LINE: Final = b'{"seq":'
"""How the JSON lines of an export begin."""
_BUNDLE: Final = "check the bundle of its session instead"


def why_unreadable(data: bytes, verification: Verification) -> str:
    """What to say after the file's name when the verdict is ``unreadable``."""
    codes = {finding.code for finding in verification.findings}
    if FindingCode.NEWER_VERSION in codes:
        return _NEWER
    if verification.signer is not None:
        return "is a bundle, but a signed part of it cannot be read"
    if not data:
        return "is empty"
    if data.startswith(ZIP):
        return _of_zip(data, codes)
    if _is_keyfile(data):
        return "is a key file, not a bundle (use it with --trust)"
    return _of_export(data) or "is not a Promptster bundle"


def _of_export(data: bytes) -> str | None:
    if _PAGE.match(data):
        return f"is a web page, which proves nothing: {_BUNDLE}"
    return f"is a replay in JSON Lines, which proves nothing: {_BUNDLE}" if data.startswith(_LINE) else None


def _of_zip(data: bytes, codes: set[str]) -> str:
    if not data.startswith(_FIRST, _NAME_AT):
        return "is a zip file, but not a Promptster bundle"
    if _END not in data[-(22 + 0xFFFF) :]:
        return "is a bundle that was cut off: copy or download it again"
    members = _peek(data)
    if any(_is_newer(document) for document in members.values()):
        return _NEWER
    if "members" in codes:
        return "is a bundle that lacks parts, or has parts that this version of Promptster does not know"
    if "not_canonical" in codes:
        return "is a bundle that was repacked or edited: get the original"
    return "is a bundle, but part of it cannot be read"


def _peek(data: bytes) -> dict[str, Any]:
    """The JSON that would name a version: the key file, and what the certificate's envelope holds."""
    found: dict[str, Any] = {}
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            for name in REQUIRED[:2]:
                with archive.open(name) as member:
                    found[name] = json.loads(member.read(_PEEK))
        found["signed"] = json.loads(b64u_decode(found[REQUIRED[1]]["payload"]))
    except (zipfile.BadZipFile, zipfile.LargeZipFile, KeyError, TypeError, ValueError, RecursionError, OSError):
        pass  # whatever it is, it names no version
    except (EncodingError, NotImplementedError, RuntimeError, EOFError):
        pass  # likewise: no base64url, a compression that is not there, encrypted, cut
    return found


def _is_newer(value: object) -> bool:
    version = cast("dict[str, Any]", value).get("v") if isinstance(value, dict) else None
    return type(version) is int and version > _VERSION


def _is_keyfile(data: bytes) -> bool:
    try:
        parse_keyfile(data)
    except (DocumentError, KeyringError, EncodingError):
        return False
    return True
