"""The package's result for a vector: the same facts that the vector's ``expected`` names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from promptster.protocol import key_succession, merkle, sealing
from promptster.protocol.batch import BatchHeader, open_body, parse_batch, verify_batch_signature
from promptster.protocol.confirmation import confirmation_code
from promptster.protocol.consent import Certificate, Consent, Redeem
from promptster.protocol.documents import Document, DocumentType
from promptster.protocol.encoding import b64u_decode, b64u_encode
from promptster.protocol.errors import ProtocolError
from promptster.protocol.events import PublicEvent
from promptster.protocol.events.fields import block_id, commitment
from promptster.protocol.events.values import decode_value
from promptster.protocol.invite import Invite, InviteCode
from promptster.protocol.log_consistency import Shown, View, compare
from promptster.protocol.policy import Policy, policy_sha256
from promptster.protocol.privacy import RedactionRecord, Tombstone, Withdrawal
from promptster.protocol.receipt import Check, Close, Receipt
from promptster.protocol.signing import fingerprint, kid, verify
from promptster.protocol.transparency_log import Checkpoint
from promptster.protocol.verdict import Effect, GapKind
from promptster.protocol.verification import verify_bundle

DOCUMENTS: Mapping[str, type[Document]] = {
    cls.TYPE.value: cls
    for cls in (
        Invite, Consent, Redeem, Certificate, BatchHeader, Receipt, Check, RedactionRecord, Withdrawal, Tombstone,
        Close, key_succession.KeyRecord,
    )
}  # fmt: skip

Facts = dict[str, Any]


def _base64url(given: Facts) -> Facts:
    return {"hex": b64u_decode(given["text"]).hex()}


def _document(given: Facts) -> Facts:
    payload = b64u_decode(given["payload"])
    document = DOCUMENTS[given["type"]].parse(payload)
    return {"canonical": document.payload() == payload}


def _signature(given: Facts) -> Facts:
    public_key = b64u_decode(given["public_key"])
    verify(public_key, DocumentType(given["type"]), b64u_decode(given["payload"]), b64u_decode(given["signature"]))
    return {"kid": kid(public_key), "fingerprint": fingerprint(public_key)}


def _invite(given: Facts) -> Facts:
    code = InviteCode.parse(given["text"])
    return {
        "invite_id": code.invite_id,
        "secret": b64u_encode(code.secret),
        "pin": code.pin,
        "collector_url": code.collector_url,
    }


def _keyfile(given: Facts) -> Facts:
    succession = key_succession.parse_keyfile(b64u_decode(given["data"]))
    return {"fingerprints": list(succession.fingerprints), "log": [kid(record.public_key) for record in succession.log]}


def _policy(given: Facts) -> Facts:
    data = b64u_decode(given["data"])
    Policy.parse(data)
    return {"sha256": policy_sha256(data)}


def _event(given: Facts) -> Facts:
    public = b64u_decode(given["public"])
    event = PublicEvent.parse(public)
    return {"seq": event.seq, "kind": event.kind, "leaf": merkle.leaf_hash(public).hex()}


def _commitment(given: Facts) -> Facts:
    salt, stored = b64u_decode(given["salt"]), b64u_decode(given["stored"])
    return {"commitment": commitment(salt, given["field"], stored).hex()}


def _block(given: Facts) -> Facts:
    return {"id": block_id(b64u_decode(given["salt"]), b64u_decode(given["data"])).hex()}


def _value(given: Facts) -> Facts:
    return {"value": decode_value(given["type"], b64u_decode(given["data"]))}


def _batch(given: Facts) -> Facts:
    batch = parse_batch(b64u_decode(given["wire"]))
    verify_batch_signature(batch, b64u_decode(given["session_public_key"]))
    events = open_body(batch, b64u_decode(given["content_key"]))
    opened = [event.open() for event in events]
    return {
        "header_sha256": batch.header_sha256.hex(),
        "events": [{"seq": event.seq, "kind": event.kind, "fields": event.fields} for event in opened],
    }


def _bundle(given: Facts) -> Facts:
    witnesses = {name: b64u_decode(key) for name, key in given.get("witnesses", {}).items()}
    result = verify_bundle(b64u_decode(given["data"]), trusted=given["trusted"], witnesses=witnesses)
    return {
        "verdict": result.verdict,
        "exit_code": result.exit_code,
        "findings": sorted({finding.code for finding in result.findings}),
        "events": result.events,
        "shown": result.shown,
        "withheld": result.withheld,
    }


def _told(given: Facts) -> Facts:
    result = verify_bundle(b64u_decode(given["data"]), trusted=given["trusted"])
    return {
        "exit_code": result.exit_code,
        "notes": sorted({finding.code for finding in result.findings if finding.effect is Effect.NOTE}),
        "silences": [[gap.seq, gap.to_seq] for gap in result.gaps if gap.kind is GapKind.SILENCE],
    }


def _checkpoint(given: Facts) -> Facts:
    checkpoint = Checkpoint.parse(given["note"])
    checkpoint.verify(b64u_decode(given["public_key"]))
    facts: Facts = {"origin": checkpoint.origin, "size": checkpoint.size, "root": checkpoint.root.hex()}
    if "witness" in given:
        witness = given["witness"]
        facts["cosigned_ms"] = checkpoint.cosigned_ms(witness["name"], b64u_decode(witness["public_key"]))
    return facts


def _merkle(given: Facts) -> Facts:
    return {"root": merkle.root([merkle.leaf_hash(bytes.fromhex(leaf)) for leaf in given["leaves"]]).hex()}


def _inclusion(given: Facts) -> Facts:
    merkle.verify_inclusion(
        leaf=bytes.fromhex(given["leaf"]),
        index=given["index"],
        size=given["size"],
        proof=[bytes.fromhex(item) for item in given["proof"]],
        root_hash=bytes.fromhex(given["root"]),
    )
    return {"holds": True}


def _consistency(given: Facts) -> Facts:
    merkle.verify_consistency(
        old_size=given["old_size"],
        old_root=bytes.fromhex(given["old_root"]),
        new_size=given["new_size"],
        new_root=bytes.fromhex(given["new_root"]),
        proof=[bytes.fromhex(item) for item in given["proof"]],
    )
    return {"holds": True}


def _views(given: Facts) -> Facts:
    found: list[View] = []
    for item in given["views"]:
        checkpoint, public_key = Checkpoint.parse(item["note"]), b64u_decode(item["public_key"])
        checkpoint.verify(public_key)
        shown: list[Shown] = []
        for leaf in item["shown"]:
            one = Shown(bytes.fromhex(leaf["leaf"]), leaf["index"], tuple(map(bytes.fromhex, leaf["proof"])))
            merkle.verify_inclusion(
                leaf=one.leaf, index=one.index, size=checkpoint.size, proof=one.proof, root_hash=checkpoint.root
            )
            shown.append(one)
        found.append(View(checkpoint, public_key, tuple(shown)))
    return {"relations": sorted(pair.relation.value for pair in compare(found))}


def _hkdf(given: Facts) -> Facts:
    key, salt, info = (bytes.fromhex(given[name]) for name in ("key", "salt", "info"))
    return {"output": sealing.hkdf(key, salt=salt, info=info, length=given["length"]).hex()}


def _sealed_box(given: Facts) -> Facts:
    content_key = sealing.open_box(b64u_decode(given["box"]), b64u_decode(given["private_key"]))
    return {"content_key": b64u_encode(content_key)}


def _access_token(given: Facts) -> Facts:
    return {"token": sealing.access_token(b64u_decode(given["content_key"]), given["session"])}


def _confirmation_code(given: Facts) -> Facts:
    return {"code": confirmation_code(b64u_decode(given["session_public_key"]))}


KINDS: Mapping[str, Callable[[Facts], Facts]] = {
    "base64url": _base64url,
    "document": _document,
    "signature": _signature,
    "invite": _invite,
    "keyfile": _keyfile,
    "policy": _policy,
    "event": _event,
    "commitment": _commitment,
    "block": _block,
    "value": _value,
    "batch": _batch,
    "bundle": _bundle,
    "told": _told,
    "checkpoint": _checkpoint,
    "merkle": _merkle,
    "inclusion": _inclusion,
    "consistency": _consistency,
    "views": _views,
    "hkdf": _hkdf,
    "sealed_box": _sealed_box,
    "access_token": _access_token,
    "confirmation_code": _confirmation_code,
}


def outcome(kind: str, given: Facts) -> Facts:
    """The facts, or the code of the error by which the input is refused."""
    try:
        return KINDS[kind](given)
    except ProtocolError as error:
        return {"error": error.code}
