"""Erasure: tombstone first, keys next, rows last; nothing returns from any backup."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from sqlalchemy import select
from tests.helpers.candidate import Candidate, bearer, new_assessment, new_invite, started
from tests.helpers.site import Site, copy_data, running_site

from promptster.protocol.privacy import Tombstone, TombstoneOutcome, Withdrawal
from promptster.protocol.signing import Envelope, open_envelope
from promptster_collector.errors import SetupError
from promptster_collector.settings import DAY_MS
from promptster_collector.store.keys.keystore import KeyDestroyedError
from promptster_collector.store.keys.names import content_key, person_key, session_key
from promptster_collector.store.schema import Alarm, Batch, Conflict, Invite, Person, Read, Segment, Session

PLANTED = [f"planted-{i:03d}-{'k' * 12}" for i in range(100)]


def ended(site: Site, *, texts: list[str] | None = None, seal: bool = True, **person: str) -> Candidate:
    """A session that was submitted, and sealed if wanted."""
    candidate = started(site.client, site.token, **person)
    candidate.say(*(texts or ["hello"]))
    candidate.put(site.client, 0)
    if seal:
        candidate.close()
        candidate.put(site.client, 1)
        site.drain()
    return candidate


def withdraw(site: Site, candidate: Candidate) -> Tombstone:
    """Withdraw and verify the tombstone."""
    answer = site.client.post(f"/v1/sessions/{candidate.session}/withdraw", json=candidate.withdrawal())
    assert answer.status_code == 200, answer.text
    envelope = Envelope.from_json(answer.json()["tombstone"])
    return open_envelope(Tombstone, envelope, site.store.identity.signer.public_key)


@pytest.mark.parametrize("seal", [False, True])
def test_withdrawal_leaves_a_tombstone_and_nothing_else(site: Site, *, seal: bool) -> None:
    """Keys, rows and segment are gone; the signed tombstone promises nothing about backups unless days are stated."""
    candidate = ended(site, seal=seal)
    site.client.get(f"/v1/sessions/{candidate.session}/bundle", headers=bearer(site.token))
    organisation = site.rows(select(Session.organisation))[0].organisation
    person = site.rows(select(Session.person))[0].person
    tombstone = withdraw(site, candidate)
    assert (tombstone.session, tombstone.outcome) == (candidate.session, "withdrawn")
    assert tombstone.backups_until_ms == 0
    assert (tombstone.batches, tombstone.exports) == (2 if seal else 1, 1)
    for name in (session_key, content_key):
        with pytest.raises(KeyDestroyedError):
            site.store.keys.get(name(organisation, candidate.session))
    with pytest.raises(KeyDestroyedError):
        site.store.keys.get(person_key(organisation, person))
    for table in (Batch, Segment, Read, Alarm, Conflict):
        assert site.rows(select(table).where(table.session == candidate.session)) == []
    assert list((site.data / "segments").iterdir()) == []
    assert site.rows(select(Person.id).where(Person.id == person)) == []
    row = site.rows(select(Session))[0]
    kept = {"id", "organisation", "assessment", "invite", "state", "tombstone", "retention_days", "started_ms"}
    kept |= {"record_until_ms", "upload_until_ms", "closed_ms", "sealed_ms"}
    empty = {name: value for name, value in row._mapping.items() if name not in kept}
    assert set(empty.values()) <= {None, 0, -1, "{}"}


def test_after_withdrawal_everything_is_gone(site: Site) -> None:
    """Batches and reads get 410 with the tombstone, the access token opens nothing, and the list names no one."""
    candidate = ended(site, seal=False)
    candidate.say("more")
    tombstone = withdraw(site, candidate)
    for n in (0, 1):
        answer = candidate.put(site.client, n)
        assert (answer.status_code, answer.json()["code"]) == (410, "withdrawn")
        envelope = Envelope.from_json(answer.json()["tombstone"])
        assert open_envelope(Tombstone, envelope, site.store.identity.signer.public_key) == tombstone
    answer = site.client.get(f"/v1/sessions/{candidate.session}/bundle", headers=bearer(site.token))
    assert (answer.status_code, answer.json()["code"]) == (410, "withdrawn")
    head = site.client.get(f"/v1/sessions/{candidate.session}/head", headers=bearer(candidate.access_token))
    assert (head.status_code, head.json()["code"]) == (410, "withdrawn")
    assert Envelope.from_json(head.json()["tombstone"]).encode() == envelope.encode()
    elsewhere = site.client.get("/v1/sessions/AAAAAAAAAAAAAAAAAAAAAA/head", headers=bearer(candidate.access_token))
    assert elsewhere.status_code == 401
    (entry,) = site.client.get("/v1/sessions", headers=bearer(site.token)).json()["sessions"]
    assert (entry["state"], entry["name"], entry["email"]) == ("withdrawn", None, None)


def test_withdrawing_twice_gives_the_same_tombstone(site: Site) -> None:
    """The second answer is the first one, byte for byte."""
    candidate = ended(site)
    body = candidate.withdrawal()
    path = f"/v1/sessions/{candidate.session}/withdraw"
    first, second = site.client.post(path, json=body), site.client.post(path, json=body)
    assert first.content == second.content


def test_who_did_not_hear_the_answer_finds_the_tombstone(site: Site) -> None:
    """Deleting again with the same access token is answered with the same tombstone, though the token is forgotten."""
    candidate = ended(site)
    path, headers = f"/v1/sessions/{candidate.session}", bearer(candidate.access_token)
    first = site.client.delete(path, headers=headers)
    assert first.status_code == 200
    again = site.client.delete(path, headers=headers)
    assert (again.status_code, again.json()["code"]) == (410, "withdrawn")
    assert again.json()["tombstone"] == first.json()["tombstone"]


def test_somebody_erased_can_be_invited_again_after_a_restore(site: Site, tmp_path: Path) -> None:
    """A restored row of a person whose key is destroyed is unreadable; inviting them again replaces it."""
    assessment = new_assessment(site.client, site.token)
    new_invite(site.client, site.token, assessment)
    backup = tmp_path / "backup"
    copy_data(site.data, backup)
    later = ended(site)
    withdraw(site, later)
    site.clock.pass_ms(40 * DAY_MS)
    site.drain()
    assert len(site.rows(select(Person.id))) == 1
    target = restore(site, backup, tmp_path / "restored")
    with running_site(target, site.token, clock=site.clock) as restored:
        assert len(restored.rows(select(Person.id))) == 2
        new_invite(restored.client, site.token, assessment, name="Cara Again")
        restored.drain()
        again = started(restored.client, site.token)
        listed = restored.client.get("/v1/sessions", headers=bearer(site.token)).json()["sessions"]
        mine = next(entry for entry in listed if entry["session"] == again.session)
        assert (mine["name"], mine["email"]) == ("Cara Candidate", "cara@example.com")


def test_only_the_sessions_key_withdraws(site: Site) -> None:
    """Another key, another session or another document does not end anything."""
    mine, other = ended(site), ended(site, email="o@example.com")
    path = f"/v1/sessions/{mine.session}/withdraw"
    assert site.client.post(path, json=other.withdrawal()).json()["code"] == "unknown_session"
    elsewhere = mine.key.sign(Withdrawal(session=other.session, at_ms=1)).to_json()
    assert site.client.post(path, json=elsewhere).json()["code"] == "wrong_session"
    assert site.client.post(path, json=mine.request["consent"]).json()["code"] == "unknown_session"
    assert site.client.post("/v1/sessions/AAAAAAAAAAAAAAAAAAAAAA/withdraw", json=elsewhere).status_code == 404
    assert site.client.get(f"/v1/sessions/{mine.session}/bundle", headers=bearer(site.token)).status_code == 200


def test_a_person_stays_while_something_stands_on_them(site: Site) -> None:
    """The person's key exists until their last session or open invite is gone."""
    first, second = ended(site), ended(site)
    (person,) = {row.person for row in site.rows(select(Session.person))}
    organisation = site.rows(select(Session.organisation))[0].organisation
    withdraw(site, first)
    assert site.store.keys.get(person_key(organisation, person))
    assessment = new_assessment(site.client, site.token)
    new_invite(site.client, site.token, assessment)
    withdraw(site, second)
    assert site.store.keys.get(person_key(organisation, person))
    site.clock.pass_ms(40 * DAY_MS)
    site.drain()
    with pytest.raises(KeyDestroyedError):
        site.store.keys.get(person_key(organisation, person))
    assert site.rows(select(Invite.id).where(Invite.used_ms.is_(None))) == []


def test_retention_erases(site: Site) -> None:
    """A session is erased when its days are over, not an hour earlier, and the tombstone says expired."""
    candidate = ended(site)
    site.clock.pass_ms(30 * DAY_MS - 1)
    site.drain()
    path = f"/v1/sessions/{candidate.session}/bundle"
    assert site.client.get(path, headers=bearer(site.token)).status_code == 200
    site.clock.pass_ms(1)
    site.drain()
    answer = site.client.get(path, headers=bearer(site.token))
    assert (answer.status_code, answer.json()["code"]) == (410, "erased")
    envelope = Envelope.from_json(answer.json()["tombstone"])
    tombstone = open_envelope(Tombstone, envelope, site.store.identity.signer.public_key)
    assert tombstone.outcome == "expired"
    assert candidate.put(site.client, 0).json()["code"] == "erased"


def restore(site: Site, backup: Path, target: Path) -> Path:
    """Yesterday's database and segments with today's key store, master key and tombstones."""
    copy_data(site.data, target)
    for name in ("control", "segments"):
        shutil.rmtree(target / name)
        shutil.copytree(backup / name, target / name)
    return target


@pytest.mark.parametrize("seal", [False, True])
def test_a_restored_backup_gives_nothing_back(site: Site, tmp_path: Path, *, seal: bool) -> None:
    """None of 100 planted strings can be read once a backup from before the withdrawal is served again."""
    name = {"name": "Wanda Withdrawn", "email": "wanda@example.com"}
    candidate = ended(site, texts=PLANTED, seal=seal, **name)
    backup = tmp_path / "backup"
    copy_data(site.data, backup)
    session_row = site.rows(select(Session))[0]
    withdraw(site, candidate)
    target = restore(site, backup, tmp_path / "restored")
    assert (target / "segments").exists()
    with running_site(target, site.token, clock=site.clock) as restored:
        for what in ("bundle", "events", "evidence", "export?format=jsonl"):
            answer = restored.client.get(f"/v1/sessions/{candidate.session}/{what}", headers=bearer(site.token))
            assert (answer.status_code, answer.json()["code"]) == (410, "withdrawn")
        listed = restored.client.get("/v1/sessions", headers=bearer(site.token)).text
        assert "Wanda" not in listed
        with pytest.raises(KeyDestroyedError):
            restored.store.keys.get(session_key(session_row.organisation, candidate.session))
        assert restored.rows(select(Batch.n)) == []
        assert list((target / "segments").iterdir()) == []
    found = [text for text in [*PLANTED, *name.values()] for data in contents(target) if text.encode() in data]
    assert found == []


def contents(folder: Path) -> list[bytes]:
    """Every file's bytes."""
    return [path.read_bytes() for path in folder.rglob("*") if path.is_file()]


def test_a_crash_after_the_tombstone_is_finished_at_the_next_start(site: Site, tmp_path: Path) -> None:
    """With only the tombstone on the disk, the next start destroys keys and rows."""
    candidate = ended(site)
    organisation = site.rows(select(Session.organisation))[0].organisation
    found = site.store.database.read_now(
        lambda c: site.services.erasure.to_be_erased(c, organisation, candidate.session, TombstoneOutcome.WITHDRAWN)
    )
    target = tmp_path / "crashed"
    copy_data(site.data, target)
    (target / "tombstones").mkdir(exist_ok=True)
    site.store.endings.add_erased(found, at_ms=site.clock.ms)
    shutil.copy(site.data / "tombstones" / "ended.jsonl", target / "tombstones")
    with running_site(target, site.token, clock=site.clock) as again:
        assert again.rows(select(Session.state))[0].state == "withdrawn"
        with pytest.raises(KeyDestroyedError):
            again.store.keys.get(session_key(organisation, candidate.session))


def test_an_erasure_that_was_cut_off_keeps_its_tombstone(site: Site) -> None:
    """If only the first step was done, asking again returns the tombstone that was written then."""
    candidate = ended(site, seal=False)
    organisation = site.rows(select(Session.organisation))[0].organisation
    found = site.store.database.read_now(
        lambda c: site.services.erasure.to_be_erased(c, organisation, candidate.session, TombstoneOutcome.WITHDRAWN)
    )
    site.store.endings.add_erased(found, at_ms=site.clock.ms)
    site.clock.pass_ms(1000)
    assert withdraw(site, candidate).payload() == Envelope.decode(found.envelope).payload
    assert site.rows(select(Session.tombstone))[0].tombstone == found.envelope


def test_an_unreadable_tombstone_keeps_the_collector_from_listening(site: Site, tmp_path: Path) -> None:
    """The collector does not start, since it might bring erased sessions back."""
    target = tmp_path / "damaged"
    copy_data(site.data, target)
    (target / "tombstones" / "x.tombstone").write_text("{")
    with pytest.raises(SetupError, match="cannot be read"), running_site(target, site.token):
        pass


def test_the_key_store_keeps_no_trace(site: Site) -> None:
    """Neither wrapped keys nor the session's name are left in any file of the key store."""
    candidate = ended(site)
    import sqlite3  # noqa: PLC0415 - reads the file without the store

    path = site.data / "keystore" / "keystore.sqlite3"
    connection = sqlite3.connect(path)
    query = "select wrapped from wrapped_keys where session = ?"
    wrapped = [value for (value,) in connection.execute(query, (candidate.session,))]
    connection.close()
    assert len(wrapped) == 3
    withdraw(site, candidate)
    for data in contents(path.parent):
        assert candidate.session.encode() not in data
        assert not any(value in data for value in wrapped)


def test_a_segment_that_was_never_listed_goes_too(site: Site) -> None:
    """Files that a crash left while writing, or between writing and listing, are removed with their session."""
    candidate = ended(site, seal=False)
    for name in (f"{candidate.session}.1.segment", f".{candidate.session}.1.segment.0a0b0c0d"):
        (site.data / "segments" / name).write_bytes(b"left by a crash")
    withdraw(site, candidate)
    assert list((site.data / "segments").iterdir()) == []
