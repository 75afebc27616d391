"""A script written for the first release finds every key of its ``--json`` documents today."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.helpers.hiring import hiring_in

from promptster.replay.json_values import as_list, as_object

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.helpers.hiring import Hiring

KEYS_OF_0_1 = Path(__file__).parent / "made_by_0_1" / "json_keys.json"
"""What `documents` gave with the commands and helpers of the first release, as `keys` writes it."""


def keys(value: Any, place: str = "") -> Iterator[str]:
    """The path of each key in a document; the entries of a list count as one."""
    for key, inner in (as_object(value) or {}).items():
        yield f"{place}.{key}"
        yield from keys(inner, f"{place}.{key}")
    for entry in as_list(value):
        yield from keys(entry, f"{place}[]")


def documents(acme: Hiring) -> Iterator[tuple[str, dict[str, Any]]]:
    """One document of each command that has them."""
    owner = acme.owner
    login = ("login", "--collector", acme.running.url, "--token-stdin")
    yield "login", owner.result(*login, given=acme.running.token)
    made = owner.result("assessment", "create", "--title", "Build a parser")
    yield "assessment create", made
    yield "assessment list", owner.result("assessment", "list")
    token = owner.result("token", "create", "--role", "reviewer", "--label", "Ann")
    yield "token create", token
    yield "token list", owner.result("token", "list")
    yield "token revoke", owner.result("token", "revoke", token["id"])
    yield "invite", owner.result("invite", made["id"], "--name", "Bo", "--email", "bo@example.com")
    with acme.invited("cora", assessment=made["id"]) as cora:
        yield "policy", cora.person.result("policy", cora.link)
        yield "start", cora.start()
        for command in ("pause", "resume", "status", "inspect"):
            yield command, cora.person.result(command)
        done = cora.person.result("submit", "--yes")
        yield "submit", done
        yield "status, submitted", cora.person.result("status")
        yield "restore", cora.person.result("restore")
        yield "verify", cora.person.result("verify", done["bundle"])
        yield "replay", cora.person.result("replay", done["bundle"])
        yield "export", cora.person.result("export", done["bundle"], "-o", str(cora.folder / "copy"))
        yield "sessions", owner.result("sessions")
        yield "replay, of a session", owner.result("replay", done["session"])
        yield "withdraw", cora.person.result("withdraw", "--yes")
    with acme.invited("dan", assessment=made["id"]) as dan:
        dan.start()
        yield "stop", dan.person.result("stop", "--yes")
        yield "status, stopped", dan.person.result("status")
        refused = dan.person.call("pause", "--json")
        assert refused.code == 1
        yield "an error", refused.document


def test_no_key_of_the_first_release_is_gone(tmp_path: Path) -> None:
    """Each command's document has every key that it had in the first release."""
    then: dict[str, list[str]] = json.loads(KEYS_OF_0_1.read_text())
    with hiring_in(tmp_path) as acme:
        now = {command: set(keys(document)) for command, document in documents(acme)}
    assert now.keys() == then.keys()
    assert {command: gone for command, old in then.items() if (gone := sorted(set(old) - now[command]))} == {}
