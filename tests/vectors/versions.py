"""What a second version of the policy brings: its documents, bundles that name their format, and newer versions."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from typing import Any

from tests.vectors.common import UNREADABLE, Named, bundle_vector, parts_vector, refused, vector
from tests.vectors.world import World, drafts, newest_policy, second_policy

from promptster.protocol.archive import Member, read_archive, write_archive
from promptster.protocol.bundle import write_bundle
from promptster.protocol.documents import encode
from promptster.protocol.encoding import b64u_encode
from promptster.protocol.events.kinds import Opened
from promptster.protocol.policy import policy_sha256

_STATED = {
    "text_version": 3,
    "agents": ("claude",),
    "models": ("claude-opus-4-1", "gpt-5.2"),
    "contact": "hiring@acme.example",
    "alternative": "a pairing session",
    "legal_basis": "your consent (GDPR, Article 6(1)(a))",
    "at_limit": "submit",
    "key_backup_days": 7,
    "reader_scopes": ("sessions:read",),
    "reader_systems": ("greenhouse",),
}


def good() -> Iterator[Named]:
    """Vectors that are read."""
    for name, what, changes in (
        ("2", "a policy of version 2", {}),
        ("2-stated", "a policy of version 2 in which everything is stated that may be left out", _STATED),
    ):
        second = second_policy(**changes).payload()
        given = {"data": b64u_encode(second)}
        yield vector(f"policy-{name}", what, "policy", given, {"sha256": policy_sha256(second)})
    world = World(policy=second_policy(), log=1)
    data = write_bundle(world.parts())
    yield bundle_vector("bundle-policy-2", "a session of a policy of version 2: the format stands first", data, world)
    newest = newest_policy().payload()
    yield vector(
        "policy-2-text-3", "a policy of version 2 with text 3", "policy",
        {"data": b64u_encode(newest)}, {"sha256": policy_sha256(newest)},
    )  # fmt: skip
    world = World(policy=newest_policy(), log=1)
    yield bundle_vector(
        "bundle-policy-2-text-3", "a session whose policy has text 3", write_bundle(world.parts()), world
    )
    world = World(policy=second_policy(text_version=3, at_limit="submit"), log=1)
    yield bundle_vector(
        "bundle-policy-2-later-text", "a text that is rendered in a later way is no reader's matter",
        write_bundle(world.parts()), world,
    )  # fmt: skip
    told = drafts()
    opened = {**told[0].fields, "brief": "Add a rate limiter.\n", "brief_sha256": "5" * 64}
    told[0] = dataclasses.replace(told[0], event=Opened(**opened))
    world = World(policy=second_policy(), told=told, log=1)
    yield bundle_vector(
        "bundle-brief", "the opening holds the task's text and its hash", write_bundle(world.parts()), world, shown=34
    )


def hostile() -> Iterator[Named]:
    """Vectors that are refused."""
    yield from _policies()
    yield from _formats()


def _policies() -> Iterator[Named]:
    first, second = json.loads(World().policy), json.loads(second_policy().payload())
    without = {key: value for key, value in second.items() if key != "contact"}
    cases: tuple[tuple[str, str, dict[str, Any], str], ...] = (
        ("old-keys", "version 2 with the keys of version 1", {**first, "v": 2}, "keys"),
        ("new-keys", "version 1 with the keys of version 2", {**second, "v": 1}, "keys"),
        ("missing", "version 2 without a contact", without, "keys"),
        ("newer", "a version that is not known, and keys of its own", {"later": 1, "v": 3}, "newer_version"),
        ("version-0", "version 0", {**first, "v": 0}, "version"),
        ("version-true", "true in place of 1", {**first, "v": True}, "version"),
        ("text-1", "the text of version 1 in version 2", {**second, "text_version": 1}, "field"),
        ("no-agents", "no agent at all", {**second, "agents": []}, "field"),
        ("agents-order", "agents in another order", {**second, "agents": ["codex", "claude"]}, "field"),
        ("agent", "an agent's name with a space", {**second, "agents": ["Claude Code"]}, "field"),
        ("model", "a model's name with a line break", {**second, "models": ["m\n1"]}, "field"),
        ("contact", "nobody to write to", {**second, "contact": ""}, "field"),
        ("contact-null", "null in place of a contact", {**second, "contact": None}, "field"),
        ("alternative", "a line break in what is offered", {**second, "alternative": "tea\nNOTHING"}, "field"),
        ("basis", "a legal basis of 201 characters", {**second, "legal_basis": "a" * 201}, "field"),
        ("limit", "something else at the limit", {**second, "at_limit": "delete"}, "field"),
        ("backups", "8 days of backups", {**second, "key_backup_days": 8}, "field"),
        ("scopes", "a scope twice", {**second, "reader_scopes": ["a", "a"]}, "field"),
        ("systems", "systems as text", {**second, "reader_systems": "ats"}, "field"),
    )
    for name, what, document, code in cases:
        given = {"data": b64u_encode(encode(document))}
        yield refused(f"policy-2-{name}", f"a policy: {what}", "policy", given, code)


def _nothing(name: str, what: str, data: bytes, world: World, finding: str) -> Named:
    return bundle_vector(
        name, what, data, world, findings=(finding,), verdict=UNREADABLE, events=0, shown=0, withheld=0
    )


def _formats() -> Iterator[Named]:
    """Bundles with a format, and what only a newer version knows."""
    world = World(policy=second_policy(), log=1)
    members = read_archive(write_bundle(world.parts()))
    older = read_archive(write_bundle(World(log=1).parts()))
    first = members[0]
    for name, what, changed, finding in (
        ("missing", "a policy of version 2, and no format", members[1:], "members"),
        ("last", "the format behind everything else", [*members[1:], first], "members"),
        ("unasked", "a format, and a policy of version 1", [first, *older], "members"),
        (
            "one",
            "the format that has no such member",
            [Member(first.name, b'{"v":1}'), *members[1:]],
            "member_malformed",
        ),
        ("true", "true in place of a format", [Member(first.name, b'{"v":true}'), *members[1:]], "member_malformed"),
        ("more", "a format with more in it", [Member(first.name, b'{"a":1,"v":2}'), *members[1:]], "member_malformed"),
        (
            "spaces",
            "a format that is not canonical",
            [Member(first.name, b'{"v": 2}'), *members[1:]],
            "member_malformed",
        ),
        (
            "newer",
            "a newer format",
            [Member(first.name, b'{"a":1,"v":3}'), *members[1:], Member("zz.json", b"")],
            "newer_version",
        ),
    ):
        yield _nothing(f"bundle-format-{name}", f"a bundle: {what}", write_archive(changed), world, finding)
    for name, what, limits in (
        ("lists", "a limit that only a newer version knows", {"batch_bytes": 4 << 20, "lists": 1, "log": 1}),
        ("zero", "such a limit of 0", {"batch_bytes": 4 << 20, "later": 0}),
    ):
        world = World(log=1)
        world.certificate = world.collector.sign(world.certificate_document(limits=limits))
        parts = world.parts()
        yield _nothing(f"bundle-limits-{name}", what, write_bundle(parts), world, "newer_version")
        odd = dataclasses.replace(parts, values={seq: {} for seq in parts.values}, events=parts.events[::-1])
        yield _nothing(
            f"bundle-limits-{name}-first", f"{what}, and much else is off", write_bundle(odd), world, "newer_version"
        )
    world = World(log=1)
    document = {**json.loads(second_policy().payload()), "v": 3, "later": True}
    world.policy = encode(document)
    world.consent = world.session_key.sign(world.consent_document())
    world.certificate = world.collector.sign(world.certificate_document())
    yield parts_vector(
        "policy-newer",
        "a policy of a version that is not known",
        world,
        world.parts(),
        findings=("newer_version",),
        verdict=UNREADABLE,
    )
