"""A data folder is restored, in part or whole: what was deleted, revoked or used does not come back."""

from __future__ import annotations

import json
import shutil
import sqlite3
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from sqlalchemy import select
from tests.collector.test_erasure import ended, withdraw
from tests.helpers.candidate import (
    Candidate,
    bearer,
    earlier_receipt,
    new_assessment,
    new_invite,
    secret_header,
    started,
)
from tests.helpers.site import Site, copy_data, running_site

from promptster.protocol.privacy import Tombstone, TombstoneOutcome
from promptster.protocol.signing import SigningKey
from promptster.protocol.transparency_log import Checkpoint
from promptster.protocol.verification import verify_bundle
from promptster_collector.errors import OptionError, SetupError
from promptster_collector.settings import DAY_MS
from promptster_collector.store.ending_lines import EndingKind
from promptster_collector.store.keys.keystore import KeyDestroyedError
from promptster_collector.store.keys.names import session_key
from promptster_collector.store.schema import LogCheckpoint, LogOrigin, Session
from promptster_collector.store.store import Store
from promptster_collector.store.tombstones import erased_session

RECORD = "ended.jsonl"


def yesterday(site: Site, backup: Path, target: Path) -> Path:
    """Yesterday's databases, keys and segments; today's tombstones."""
    copy_data(backup, target)
    shutil.rmtree(target / "tombstones")
    shutil.copytree(site.data / "tombstones", target / "tombstones")
    return target


def revoke(site: Site) -> str:
    """Make a reviewer's token, revoke it, and return it."""
    owner = bearer(site.token)
    made = site.client.post("/v1/tokens", headers=owner, json={"role": "reviewer", "label": "r"}).json()
    assert site.client.get("/v1/sessions", headers=bearer(made["token"])).status_code == 200
    return f"{made['id']} {made['token']}"


def older_backup(site: Site, backup: Path) -> Path:
    """Copy a site after a session's first batch, and let it accept one more."""
    candidate = started(site.client, site.token)
    candidate.say("one")
    candidate.put(site.client, 0)
    site.drain()
    site.copy_to(backup)
    candidate.say("two")
    candidate.put(site.client, 1)
    site.drain()
    return backup


def test_yesterdays_databases_revive_nothing(site: Site, tmp_path: Path) -> None:
    """A revoked token stays revoked, a used invite used, a withdrawn session gone; with yesterday's key store too."""
    candidate = ended(site)
    token_id, token = revoke(site).split()
    assessment = new_assessment(site.client, site.token)
    code = new_invite(site.client, site.token, assessment, email="later@example.com")
    backup = tmp_path / "backup"
    site.copy_to(backup)
    withdraw(site, candidate)
    assert site.client.delete(f"/v1/tokens/{token_id}", headers=bearer(site.token)).status_code == 204
    Candidate(code).redeem_at(site.client)
    target = yesterday(site, backup, tmp_path / "restored")
    with running_site(target, site.token, clock=site.clock) as restored:
        refused = restored.client.get("/v1/sessions", headers=bearer(token))
        assert (refused.status_code, refused.json()["code"]) == (401, "token_revoked")
        offer = restored.client.get(f"/v1/invites/{code.invite_id}", headers=secret_header(code))
        assert (offer.status_code, offer.json()["code"]) == (409, "invite_used")
        assert restored.store.keys.sealing_key_ids() == []
        path = f"/v1/sessions/{candidate.session}/bundle"
        assert restored.client.get(path, headers=bearer(site.token)).status_code == 410
        organisation = restored.rows(select(Session.organisation))[0].organisation
        with pytest.raises(KeyDestroyedError):
            restored.store.keys.get(session_key(organisation, candidate.session))


def test_what_ended_before_there_was_a_record_is_written_down(site: Site, tmp_path: Path) -> None:
    """A folder of version 0.1 has tombstone files but no record; the first start records all that ended."""
    candidate = ended(site)
    token_id, _ = revoke(site).split()
    site.client.delete(f"/v1/tokens/{token_id}", headers=bearer(site.token))
    stone = withdraw(site, candidate)
    found = site.store.endings.erased_session(candidate.session)
    assert found is not None
    old = tmp_path / "old"
    site.copy_to(old)
    (old / "tombstones" / RECORD).unlink()
    (old / "tombstones" / f"{candidate.session}.tombstone").write_text(json.dumps(asdict(found)))
    with sqlite3.connect(old / "keystore" / "keystore.sqlite3") as keystore:
        keystore.execute("delete from ended_head")
    keystore.close()
    with running_site(old, site.token, clock=site.clock) as again:
        kept = {(entry.what, entry.id) for what in EndingKind for entry in again.store.endings.all(what)}
        assert {("session", candidate.session), ("token", token_id)} <= kept
        assert {what for what, _ in kept} == {"session", "token", "invite"}
        grave_now = again.store.endings.erased_session(stone.session)
        assert grave_now is not None
        assert grave_now.envelope == found.envelope


def test_a_stranger_s_tombstone_file_is_not_taken(site: Site) -> None:
    """Only what this collector signed may end a session."""
    candidate = ended(site)
    stranger = SigningKey(b"s" * 32)
    stone = stranger.sign(
        Tombstone(
            kid=stranger.kid,
            session=candidate.session,
            outcome=TombstoneOutcome.ERASED,
            at_ms=1,
            backups_until_ms=0,
            batches=0,
            exports=0,
        )
    )
    body = {"tombstone": stone.to_json()}
    answer = site.client.post(f"/v1/sessions/{candidate.session}/withdraw", json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, "tombstone_unknown")
    forged = erased_session(
        organisation="o", session=candidate.session, person=None, state="erased", envelope=stone.encode()
    )
    with pytest.raises(SetupError, match="belongs to another collector"):
        site.store.endings.adopt([forged], at_ms=1)
    path = f"/v1/sessions/{candidate.session}/bundle"
    assert site.client.get(path, headers=bearer(site.token)).status_code == 200


@pytest.mark.parametrize("lost", [False, True])
def test_a_tombstone_that_is_handed_back_destroys_again(site: Site, tmp_path: Path, *, lost: bool) -> None:
    """If the restored folder has the session again, or never had it, the collector's own tombstone ends it there."""
    backup = tmp_path / "backup"
    candidate = started(site.client, site.token) if not lost else None
    site.store.database.truncate_wal()
    if candidate is None:
        copy_data(site.data, backup)
        candidate = started(site.client, site.token)
    candidate.say("hello")
    candidate.put(site.client, 0)
    if not lost:
        site.copy_to(backup)
    path = f"/v1/sessions/{candidate.session}/withdraw"
    answer = site.client.post(path, json=candidate.withdrawal()).json()
    with running_site(backup, site.token, clock=site.clock) as restored:
        events = f"/v1/sessions/{candidate.session}/events"
        assert restored.client.get(events, headers=bearer(site.token)).status_code == (404 if lost else 200)
        again = restored.client.post(path, json={"tombstone": answer["tombstone"]})
        assert (again.status_code, again.json()) == (200, answer)
        assert restored.client.get(events, headers=bearer(site.token)).status_code == (404 if lost else 410)
        assert candidate.session not in restored.store.keys.owners()
        elsewhere = "/v1/sessions/AAAAAAAAAAAAAAAAAAAAAA/withdraw"
        assert (
            restored.client.post(elsewhere, json={"tombstone": answer["tombstone"]}).json()["code"] == "wrong_session"
        )
    with running_site(backup, site.token, clock=site.clock) as later:
        assert later.client.post(path, json=candidate.withdrawal()).json() == answer


def test_no_withdrawal_without_a_signed_word(site: Site) -> None:
    """A body with neither a withdrawal nor a tombstone changes nothing."""
    candidate = ended(site)
    for body in ({}, {"payload": "AA"}, {"tombstone": {"payload": "AA"}}):
        answer = site.client.post(f"/v1/sessions/{candidate.session}/withdraw", json=body)
        assert answer.status_code == 422, body
    path = f"/v1/sessions/{candidate.session}/bundle"
    assert site.client.get(path, headers=bearer(site.token)).status_code == 200


def damaged(lines: list[bytes], how: str) -> list[bytes]:
    """An endings file that someone changed."""
    if how == "edited":
        return [lines[0].replace(b'"payload":"e', b'"payload":"f'), *lines[1:]]
    if how == "last edited":
        return [*lines[:-1], lines[-1][:-20] + b"AAAA" + lines[-1][-16:]]
    if how == "taken out":
        return [lines[0], *lines[2:]]
    if how == "swapped":
        return [lines[1], lines[0], *lines[2:]]
    if how == "cut":
        return lines[:-1]
    return []


@pytest.mark.parametrize("how", ["edited", "last edited", "taken out", "swapped", "cut", "gone"])
def test_a_record_that_was_worked_on_is_seen(site: Site, tmp_path: Path, how: str) -> None:
    """The collector does not start with a record that may lack endings; the error names the tombstones."""
    for number in range(3):
        withdraw(site, ended(site, seal=False, email=f"c{number}@example.com"))
    target = tmp_path / "damaged"
    site.copy_to(target)
    path = target / "tombstones" / RECORD
    path.write_bytes(b"".join(line + b"\n" for line in damaged(path.read_bytes().splitlines(), how)))
    with pytest.raises(SetupError) as refused, running_site(target, site.token):
        pass
    assert refused.value.code == ("tombstones_missing" if how in {"cut", "gone"} else "tombstones_changed")


def test_an_entry_that_was_never_finished_is_written_again(site: Site, tmp_path: Path) -> None:
    """A power cut can leave half a line at the end, which was never acknowledged; the next entry replaces it."""
    withdraw(site, ended(site, seal=False))
    target = tmp_path / "torn"
    site.copy_to(target)
    with (target / "tombstones" / RECORD).open("ab") as file:
        file.write(b'{"payload":"half of it')
    with running_site(target, site.token, clock=site.clock) as again:
        withdraw(again, ended(again, seal=False, email="next@example.com"))
    with running_site(target, site.token, clock=site.clock) as once_more:
        assert len(once_more.store.endings.all(EndingKind.SESSION)) == 2


def test_the_copy_outside_gives_back_what_is_missing(
    site: Site, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A restored folder that starts with the copy logs the missing entries and applies them again."""
    copy = tmp_path / "copy"
    copy.mkdir()
    settings = replace(site.settings, tombstones_copy=copy)
    candidate = ended(site, seal=False)
    backup = tmp_path / "backup"
    site.copy_to(backup)
    withdraw(site, candidate)
    site.drain()
    site.services.store.close()
    Store.open(settings).close()
    assert (copy / RECORD).read_bytes() == (site.data / "tombstones" / RECORD).read_bytes()
    with running_site(backup, site.token, clock=site.clock, copy=copy) as restored:
        path = f"/v1/sessions/{candidate.session}/events"
        assert restored.client.get(path, headers=bearer(site.token)).status_code == 410
        assert "adding what only the copy of the tombstones has (1)" in caplog.text
        withdraw(restored, ended(restored, seal=False, email="next@example.com"))
        assert (copy / RECORD).read_bytes() == (backup / "tombstones" / RECORD).read_bytes()


def test_a_copy_that_tells_another_story_keeps_the_collector_from_starting(site: Site, tmp_path: Path) -> None:
    """A restored folder that was used without its copy contradicts it: neither may be discarded."""
    copy = tmp_path / "copy"
    copy.mkdir()
    backup = tmp_path / "backup"
    site.copy_to(backup)
    withdraw(site, ended(site, seal=False))
    shutil.copy(site.data / "tombstones" / RECORD, copy)
    with running_site(backup, site.token, clock=site.clock) as gone_on:
        withdraw(gone_on, ended(gone_on, seal=False, email="other@example.com"))
    with pytest.raises(SetupError) as refused, running_site(backup, site.token, copy=copy):
        pass
    assert refused.value.code == "tombstones_fork"


def test_a_copy_that_does_not_answer_keeps_nothing_from_being_deleted(site: Site, tmp_path: Path) -> None:
    """A lost copy is logged and updated later; a missing folder, or the data folder itself, is refused at the start."""
    copy = tmp_path / "copy"
    for none in (copy, site.data / "tombstones"):
        with pytest.raises(OptionError), running_site(site.data, site.token, copy=none):
            pass
    copy.mkdir()
    data = tmp_path / "again"
    site.copy_to(data)
    with running_site(data, site.token, clock=site.clock, copy=copy) as running:
        withdraw(running, ended(running, seal=False))
        shutil.rmtree(copy)
        withdraw(running, ended(running, seal=False, email="next@example.com"))
        copy.mkdir()
        running.drain()
        assert (copy / RECORD).read_bytes() == (data / "tombstones" / RECORD).read_bytes()


def test_a_newer_checkpoint_in_the_copy_starts_another_origin(site: Site, tmp_path: Path) -> None:
    """The copy knows that the log of the restored folder was longer, so the log continues under a new name."""
    copy = tmp_path / "copy"
    copy.mkdir()
    backup = older_backup(site, tmp_path / "backup")
    shutil.copy(site.data / "tombstones" / "checkpoint.json", copy)
    with running_site(backup, site.token, clock=site.clock, copy=copy) as restored:
        assert [row.number for row in restored.rows(select(LogOrigin.number))] == [0, 1]


def test_a_receipt_that_was_lost_ends_the_origin(site: Site, tmp_path: Path) -> None:
    """A restored folder never makes a second log of one name: no origin and size has two roots."""
    candidate = started(site.client, site.token)
    candidate.say("one")
    candidate.put(site.client, 0)
    site.drain()
    backup = tmp_path / "backup"
    site.copy_to(backup)
    site.clock.pass_ms(1000)
    candidate.say("two")
    candidate.put(site.client, 1)
    candidate.say("three")
    candidate.put(site.client, 2)
    site.drain()
    notes = [row.note.decode() for row in site.rows(select(LogCheckpoint.note))]
    with running_site(backup, site.token, clock=site.clock) as restored:
        restored.clock.pass_ms(1000)
        for n in (1, 2):
            assert candidate.put(restored.client, n, earlier_receipt(candidate.receipts[n])).status_code == 200
        candidate.close()
        candidate.put(restored.client, 3)
        restored.drain()
        assert [row.number for row in restored.rows(select(LogOrigin.number))] == [0, 1]
        notes += [row.note.decode() for row in restored.rows(select(LogCheckpoint.note))]
        bundle = restored.client.get(f"/v1/sessions/{candidate.session}/bundle", headers=bearer(site.token)).content
        assert verify_bundle(bundle, trusted=[site.store.identity.fingerprint]).verdict == "verified"
    roots: dict[tuple[str, int], set[bytes]] = {}
    for note in notes:
        checkpoint = Checkpoint.parse(note)
        roots.setdefault((checkpoint.origin, checkpoint.size), set()).add(checkpoint.root)
    assert [place for place, found in roots.items() if len(found) > 1] == []


def test_two_restores_do_not_share_an_origin(site: Site, tmp_path: Path) -> None:
    """The same backup restored twice gives logs of two names, even if the first restore is forgotten."""
    backup = older_backup(site, tmp_path / "backup")
    names: list[str] = []
    for number in range(2):
        target = yesterday(site, backup, tmp_path / f"restored{number}")
        with running_site(target, site.token, clock=site.clock) as restored:
            names += [row.origin for row in restored.rows(select(LogOrigin.origin).where(LogOrigin.number == 1))]
    assert len(set(names)) == 2


def test_the_tombstone_states_only_what_is_kept(site: Site, tmp_path: Path) -> None:
    """With a stated number of days the tombstone names the day."""
    data = tmp_path / "stated"
    site.copy_to(data)
    with running_site(data, site.token, clock=site.clock, key_backup_days=3) as running:
        stone = withdraw(running, ended(running, seal=False))
        assert stone.backups_until_ms == site.clock.ms + 3 * DAY_MS
