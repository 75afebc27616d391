"""A collector whose folder is copied and continued twice shows two histories of its log; a reader of both is warned.

Real processes throughout: the collector is stopped, its folder put back as an operator would, and served again at the
same address. Every bundle verifies by itself; only a comparison with another, or with what was kept, shows it.
"""

from __future__ import annotations

import contextlib
import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from tests.helpers.collector import run_command
from tests.helpers.hiring import Invited
from tests.helpers.waiting import wait_until

from promptster.protocol.transparency_log import Checkpoint
from promptster.protocol.verification import verify_bundle

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.helpers.hiring import Hiring


def _submit(invited: Invited) -> tuple[dict[str, Any], str]:
    """Work and submit; returns the result and the messages."""
    (invited.workspace / "answer.py").write_text("print(42)\n")
    answer = invited.person.call("submit", "--yes", "--json")
    assert answer.code == 0, answer.stdout + answer.stderr
    return answer.document, answer.stderr


def _put_back(acme: Hiring, copy: Path) -> None:
    """Replace the collector's folder with an earlier copy of it, and serve that."""
    acme.running.stop()
    shutil.rmtree(acme.running.data)
    shutil.copytree(copy, acme.running.data)
    acme.running.start()


def _copied(acme: Hiring) -> Path:
    """A copy of the collector's folder, made while no process uses it."""
    acme.running.stop()
    copy = acme.folder / "copy"
    shutil.copytree(acme.running.data, copy)
    acme.running.start()
    return copy


def _checkpoint(bundle: str) -> Checkpoint:
    verification = verify_bundle(Path(bundle).read_bytes(), trusted=())
    assert verification.log is not None
    assert verification.log.view is not None
    return verification.log.view.checkpoint


def _size(acme: Hiring) -> int:
    return Checkpoint.parse(httpx.get(f"{acme.running.url}/v1/log/checkpoint").text).size


def _start(acme: Hiring, invited: Invited, size: int) -> None:
    """Start a session, alone; add entries to the log, one at a time, until it has ``size`` of them."""
    before = _size(acme)
    invited.start()

    def is_all_logged() -> bool:
        state = invited.person.result("status", "--json")
        return bool(state["events"] == state["received"] and _size(acme) == before + state["batches"]["received"])

    wait_until(is_all_logged, "the log of the first events")
    for command in ("pause", "resume") * 5:
        if _size(acme) >= size:
            return
        invited.person.result(command, "--json")
        wait_until(is_all_logged, f"the log of {command}")
    pytest.fail(f"the log never had {size} entries")


def _in_another_history(
    acme: Hiring, copy: Path, people: Iterable[Invited], size: int
) -> tuple[Invited, dict[str, Any]]:
    """Put the copy back, and submit one person's work as the last of ``size`` entries; on a slow machine try again."""
    for invited in people:
        _put_back(acme, copy)
        _start(acme, invited, size - 2)  # a submission adds two entries, or three if it takes a second
        submitted, _ = _submit(invited)
        assert (submitted["verdict"], submitted["log_warnings"]) == ("verified", [])
        if _checkpoint(submitted["bundle"]).size == size:
            return invited, submitted
    pytest.fail(f"no submission ended at {size} entries")


def test_two_histories_of_one_log_are_named(acme: Hiring) -> None:
    """The bundles, the reader's computer and the candidate's each show it, and the candidate's work continues."""
    keyfile = acme.folder / "acme.keys"
    assert run_command("keys", "--data", acme.running.data, "-o", keyfile).returncode == 0
    with contextlib.ExitStack() as stack:
        ada, bo, *others = (stack.enter_context(acme.invited(name)) for name in ("ada", "bo", "cora", "dora", "eve"))
        ada.start()
        first, said = _submit(ada)
        assert (first["verdict"], first["log_warnings"]) == ("verified", [])
        assert "log" not in said
        copy = _copied(acme)
        _start(acme, bo, _size(acme) + 4)  # more than the other history has after a start
        second, said = _submit(bo)
        assert (second["verdict"], second["log_warnings"]) == ("verified", [])
        exported = acme.owner.result("export", second["session"], "-o", str(acme.folder / "b.promptster"))
        assert (exported["verdict"], exported["log_warnings"]) == ("verified", [])
        ada.person.result("export", first["bundle"], "-o", "again.promptster")
        one = _checkpoint(second["bundle"])

        cora, third = _in_another_history(acme, copy, others, one.size)
        other = _checkpoint(third["bundle"])
        assert (one.origin, one.size) == (other.origin, other.size)
        assert one.root != other.root

        trust = ("--trust", str(keyfile))
        nobody = ada.person  # knows the collector; kept no checkpoint of the later ones
        for bundle in (second["bundle"], third["bundle"]):
            assert nobody.call("verify", bundle, *trust).code == 0
        both = nobody.call("verify", second["bundle"], third["bundle"], first["bundle"], *trust)
        assert both.code == 10
        lines = both.stdout.splitlines()
        said = " ".join(lines)
        assert said.startswith(f"EQUIVOCATION: the log {one.origin} was shown with two different histories.")
        for checkpoint in (one, other):
            assert f"\n\n{checkpoint.note}\n" in both.stdout
        assert sum(line.startswith("VERIFIED: ") for line in lines) == 3
        document = json.loads(nobody.call("verify", second["bundle"], third["bundle"], *trust, "--json").stdout)
        assert document["verdict"] == "equivocation"
        assert [entry["verdict"] for entry in document["files"]] == ["verified", "verified"]
        (found,) = document["equivocations"]
        assert {entry["note"] for entry in found["checkpoints"]} == {one.note, other.note}
        assert [entry["found_in"] for entry in found["checkpoints"]] != [[], []]
        assert nobody.call("verify", first["bundle"], second["bundle"], *trust).code == 0

        _read_by_the_owner(acme, third, one, other)
        _goes_on_for_the_candidates(acme, bo, cora, one, other)


def _read_by_the_owner(acme: Hiring, third: dict[str, Any], one: Checkpoint, other: Checkpoint) -> None:
    """The reader's computer kept the other history's checkpoint: exporting, reading and verifying report it."""
    target = acme.folder / "c.promptster"
    answer = acme.owner.call("export", third["session"], "-o", str(target), "--json")
    assert answer.code == 10
    assert target.exists()
    document = answer.document
    assert document["verdict"] == "verified"
    assert {entry["kind"] for entry in document["log_warnings"]} == {"equivocation"}
    assert {document["log_warnings"][0][name] for name in ("kept", "shown")} == {one.note, other.note}
    assert f"warning: {acme.running.url} showed two different histories of its log\n" in answer.stderr
    for checkpoint in (one, other):
        assert f"{checkpoint.size} entr" in answer.stderr
        assert checkpoint.root.hex() in answer.stderr
    evidence = json.loads(Path(document["log_warnings"][0]["evidence"]).read_text())
    assert {evidence["kept"], evidence["shown"]} == {one.note, other.note}
    told = acme.owner.call("replay", third["session"])
    assert told.code == 0
    assert "showed two different histories of its log" in told.stderr
    alone = acme.owner.call("verify", str(target))
    assert alone.code == 10
    assert "(kept on this computer" in alone.stdout
    document = json.loads(acme.owner.call("verify", str(target), "--json").stdout)
    assert (document["verdict"], document["session"]) == ("equivocation", third["session"])
    assert document["kept_checkpoints"] >= 2


def _goes_on_for_the_candidates(acme: Hiring, bo: Invited, cora: Invited, kept: Checkpoint, other: Checkpoint) -> None:
    """The next log begins with the note that the reader sent in: Bo, who kept it, sees one log; Cora is warned."""
    words = ("invite", acme.assessment("Another"), "--name", "Bo", "--email", "bo@example.com", "--json")
    made = acme.owner.result(*words)
    again = Invited(person=bo.person, link=made["link"], code=made["code"], folder=acme.folder / "bo-again")
    again.folder.mkdir()
    again.start()
    submitted, said = _submit(again)
    assert submitted["verdict"] == "verified"
    assert submitted["received"] == submitted["events"]
    assert (submitted["log_warnings"], "warning: " in said) == ([], False)
    assert _checkpoint(submitted["bundle"]).origin != kept.origin
    withdrawn = cora.person.call("withdraw", "--yes", "--json")
    (told,) = withdrawn.document["log_warnings"]
    assert (told["kind"], told["kept"]) == ("restarted", other.note)
    assert "warning: " in withdrawn.stderr
