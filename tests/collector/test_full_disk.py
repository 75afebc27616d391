"""On a full disk new writes are refused by name, and reading and deletion continue, even after a restart."""

from __future__ import annotations

import errno
import json
import os
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import Connection, insert, select, text
from tests.helpers.candidate import Candidate, bearer, new_assessment, new_invite, secret_header, started
from tests.helpers.collector import RunningCollector, collector, run_command
from tests.helpers.site import Site, copy_data, running_site
from tests.helpers.small_disk import fill, small_disk, use_up_files

from promptster_collector.store.database import Database, StorageUnavailableError
from promptster_collector.store.disk_reserve import FOR_READING, PIECES, DiskReserve, StorageFullError, WritePriority
from promptster_collector.store.schema import Batch

MIB = 1 << 20


def withdraw(client: httpx.Client, candidate: Candidate) -> httpx.Response:
    """Withdraw the session."""
    return client.post(f"/v1/sessions/{candidate.session}/withdraw", json=candidate.withdrawal())


def named(answer: httpx.Response) -> tuple[int, str, bool]:
    """Status, code and whether it says when to try again."""
    return answer.status_code, answer.json()["code"], int(answer.headers["retry-after"]) > 0


FULL = (503, "storage_full", True)


def refuse_everything_new(client: httpx.Client, made: RunningCollector, candidate: Candidate, waiting: Any) -> None:
    """A batch, an invite, an assessment, a token and a redemption are each refused by name, and can be tried again."""
    owner = bearer(made.token)
    candidate.say("x" * 100_000)
    assert named(candidate.put(client, len(candidate.batches) - 1)) == FULL
    assert named(client.post("/v1/assessments", headers=owner, json={"title": "Another"})) == FULL
    assert named(client.post("/v1/tokens", headers=owner, json={"role": "reviewer", "label": ""})) == FULL
    late = Candidate(waiting)
    secret = secret_header(waiting)
    offer = client.get(f"/v1/invites/{waiting.invite_id}", headers=secret)
    assert offer.status_code == 200
    body = late.consent_to(offer.json())
    assert named(client.post(f"/v1/invites/{waiting.invite_id}/redeem", headers=secret, json=body)) == FULL


def test_a_full_disk_keeps_nobody_from_deleting(tmp_path: Path) -> None:
    """Withdrawal, deletion, revocation and reading work to the last block and after a restart; room ends the state."""
    with small_disk(tmp_path / "disk", mib=72) as disk, collector(disk) as made:
        with httpx.Client(base_url=made.url, timeout=60) as client:
            owner = bearer(made.token)
            candidates = [started(client, made.token, email=f"c{n}@example.com") for n in range(12)]
            for candidate in candidates:
                candidate.say("hello", "x" * 20_000)
                assert candidate.put(client, 0).status_code == 200
            waiting = new_invite(client, made.token, new_assessment(client, made.token), email="w@example.com")
            token = client.post("/v1/tokens", headers=owner, json={"role": "reviewer", "label": ""}).json()
            first = fill(disk)
            assert withdraw(client, candidates[0]).status_code == 200
            fill(disk)
            refuse_everything_new(client, made, candidates[1], waiting)
            assert client.get("/v1/sessions", headers=owner).status_code == 200
            for candidate in candidates[2:4]:
                assert withdraw(client, candidate).status_code == 200
                fill(disk)
            assert client.delete(f"/v1/tokens/{token['id']}", headers=owner).status_code == 204
            assert client.get("/v1/me", headers=bearer(token["token"])).json()["code"] == "token_revoked"
            assert client.delete(f"/v1/sessions/{candidates[4].session}", headers=owner).status_code == 200
        made.stop()
        made.start()
        with httpx.Client(base_url=made.url, timeout=60) as client:
            states = [entry["state"] for entry in client.get("/v1/sessions", headers=owner).json()["sessions"]]
            assert sorted(states) == ["erased"] + ["open"] * 8 + ["withdrawn"] * 3
            assert withdraw(client, candidates[5]).status_code == 200
        assert any("the disk is full" in line for line in made.log)
        made.stop()
        for path in [first, *disk.glob("filler*")]:
            path.unlink(missing_ok=True)
        made.start()
        with httpx.Client(base_url=made.url, timeout=60) as client:
            candidate = candidates[1]
            assert candidate.put(client, 1).status_code == 200
            Candidate(waiting).redeem_at(client)


def test_a_restart_on_a_full_disk_serves(tmp_path: Path) -> None:
    """After the disk was filled while it was stopped, the collector starts, says so, serves events and withdraws."""
    with small_disk(tmp_path / "disk", mib=72) as disk, collector(disk) as made:
        with httpx.Client(base_url=made.url, timeout=60) as client:
            candidate = started(client, made.token)
            candidate.say("hello")
            candidate.put(client, 0)
        made.stop()
        fill(disk)
        made.start()
        assert any("the disk is full" in line for line in made.log)
        with httpx.Client(base_url=made.url, timeout=60) as client:
            path = f"/v1/sessions/{candidate.session}/events"
            assert client.get(path, headers=bearer(made.token)).status_code == 200
            candidate.say("more")
            assert named(candidate.put(client, 1)) == FULL
            assert withdraw(client, candidate).status_code == 200
            assert client.get(path, headers=bearer(made.token)).status_code == 410


def test_a_large_session_needs_no_more_room_than_a_small_one(tmp_path: Path) -> None:
    """A session larger than the whole reserve is withdrawn on a full disk, and the next one as well."""
    with small_disk(tmp_path / "disk", mib=160) as disk, collector(disk) as made:
        with httpx.Client(base_url=made.url, timeout=60) as client:
            large, small = (started(client, made.token, email=f"{name}@example.com") for name in ("large", "small"))
            for n in range(24):
                large.say(os.urandom(1_000_000).hex(), os.urandom(1_000_000).hex())
                assert large.put(client, n).status_code == 200
            small.say("hello")
            assert small.put(client, 0).status_code == 200
            fill(disk)
            for candidate in (large, small):
                assert withdraw(client, candidate).status_code == 200
        made.stop()
        with closing(sqlite3.connect(made.data / "control" / "control.sqlite3")) as control:
            assert control.execute("select count(*) from batches").fetchone() == (0,)


def test_whoever_takes_all_room_again_and_again_stops_few_deletions(tmp_path: Path) -> None:
    """Even if the room that each deletion frees is used up at once, the reserve is enough for many deletions."""
    with (
        small_disk(tmp_path / "disk", mib=72) as disk,
        collector(disk) as made,
        httpx.Client(base_url=made.url, timeout=60) as client,
    ):
        candidates = [started(client, made.token, email=f"c{n}@example.com") for n in range(9)]
        for candidate in candidates:
            candidate.say("hello")
            assert candidate.put(client, 0).status_code == 200
        for candidate in candidates:
            fill(disk)
            assert withdraw(client, candidate).status_code == 200


def test_no_file_left_is_a_full_disk_too(tmp_path: Path) -> None:
    """With free blocks but no inodes, new files are refused by name, and deletion uses a file of the reserve."""
    with (
        small_disk(tmp_path / "disk", mib=72) as disk,
        collector(disk) as made,
        httpx.Client(base_url=made.url, timeout=60) as client,
    ):
        candidate = started(client, made.token)
        waiting = new_invite(client, made.token, new_assessment(client, made.token), email="w@example.com")
        secret = secret_header(waiting)
        offer = client.get(f"/v1/invites/{waiting.invite_id}", headers=secret).json()
        use_up_files(disk)
        body = Candidate(waiting).consent_to(offer)
        assert named(client.post(f"/v1/invites/{waiting.invite_id}/redeem", headers=secret, json=body)) == FULL
        assert withdraw(client, candidate).status_code == 200


def test_a_disk_without_any_room_and_no_reserve_is_named(tmp_path: Path) -> None:
    """Without any reserve left, the start ends with an error that says so instead of a crash."""
    with small_disk(tmp_path / "disk", mib=72) as disk, collector(disk) as made:
        made.stop()
        for piece in (made.data / "reserve").iterdir():
            piece.unlink()
        fill(disk)
        done = run_command("serve", "--data", made.data, "--port", "0", "--json")
        error = json.loads(done.stdout)["error"]
        assert (done.returncode, error["code"]) == (1, "storage_full")
        assert error["hint"]


def test_what_ends_takes_all_of_the_reserve_and_reading_a_part(tmp_path: Path) -> None:
    """An ending may use all pieces of the reserve, a reading some of them, and a new write none."""
    reserve = DiskReserve(tmp_path / "reserve", 4 * MIB)
    reserve.open()
    assert not reserve.is_low
    tries: list[int] = []

    def act() -> int:
        tries.append(1)
        raise OSError(errno.ENOSPC, "no room")

    tried = (
        (WritePriority.ORDINARY, 1),
        (WritePriority.READING, FOR_READING + 1),
        (WritePriority.ENDING, PIECES - FOR_READING + 1),
    )
    for priority, expected in (*tried, (WritePriority.ORDINARY, 0)):
        tries.clear()
        with pytest.raises(StorageFullError):
            reserve.use(priority, act)
        assert len(tries) == expected, priority
    assert list((tmp_path / "reserve").iterdir()) == []
    assert reserve.make()
    assert sum(path.stat().st_blocks * 512 for path in (tmp_path / "reserve").iterdir()) >= 4 * MIB
    assert reserve.use(WritePriority.ORDINARY, lambda: 7) == 7


def test_a_reserve_that_was_copied_with_holes_is_filled(tmp_path: Path) -> None:
    """Files copied with holes take no room, so they get their blocks before anything is served."""
    folder = tmp_path / "reserve"
    reserve = DiskReserve(folder, 4 * MIB)
    reserve.open()
    for piece in folder.iterdir():
        piece.unlink()
        with piece.open("wb") as file:
            file.truncate(4 * MIB // PIECES)
    copied = DiskReserve(folder, 4 * MIB)
    assert sum(path.stat().st_blocks for path in folder.iterdir()) == 0
    copied.open()
    assert not copied.is_low
    assert sum(path.stat().st_blocks * 512 for path in folder.iterdir()) >= 4 * MIB


def test_a_disk_that_fails_is_named(site: Site) -> None:
    """A write that fails for another reason than room is answered with 503, and can be tried again."""
    candidate = started(site.client, site.token)
    record = site.data / "tombstones" / "ended.jsonl"
    record.rename(site.data / "kept")
    record.mkdir()  # as root, modes do not prevent writing
    assert named(withdraw(site.client, candidate)) == (503, "storage_unavailable", True)
    record.rmdir()
    (site.data / "kept").rename(record)
    assert withdraw(site.client, candidate).status_code == 200


@pytest.mark.parametrize("how", ["sweep", "start"])
def test_batches_that_were_left_are_removed_later(site: Site, tmp_path: Path, how: str) -> None:
    """If an erasure is interrupted, or runs out of space, after its tombstone, the next sweep or start finishes it."""
    candidate = started(site.client, site.token)
    candidate.say("hello")
    candidate.put(site.client, 0)
    site.drain()
    columns = select(Batch).where(Batch.session == candidate.session)
    (batch,) = site.rows(columns)
    withdraw(site.client, candidate)
    site.store.database.write_now(lambda connection: connection.execute(insert(Batch).values(batch._asdict())))
    assert len(site.rows(columns)) == 1
    if how == "sweep":
        site.drain()
        assert site.rows(columns) == []
        return
    copy_data(site.data, tmp_path / "again")
    with running_site(tmp_path / "again", site.token, clock=site.clock) as again:
        assert again.rows(columns) == []


def test_other_faults_take_nothing_of_the_reserve(tmp_path: Path) -> None:
    """Errors other than a full disk are raised unchanged."""
    reserve = DiskReserve(tmp_path / "reserve", 4 * MIB)
    reserve.open()

    def act() -> None:
        raise PermissionError(errno.EACCES, "not yours")

    with pytest.raises(PermissionError):
        reserve.use(WritePriority.ENDING, act)
    assert not reserve.is_low


def test_a_full_database_refuses_what_is_new_and_runs_endings_again(tmp_path: Path) -> None:
    """Of one group commit without room, the ending is done with the reserve's room, and the rest is refused."""
    reserve = DiskReserve(tmp_path / "reserve", 4 * MIB)
    reserve.open()
    database = Database(f"sqlite:///{tmp_path / 'test.sqlite3'}", reserve)
    database.write_now(lambda connection: connection.execute(text("create table t (x)")))
    runs: list[str] = []

    def ending(connection: Connection) -> str:
        if not runs:  # as if the disk were full until room is made
            connection.execute(text("pragma max_page_count = 4"))
        runs.append("ending")
        connection.execute(text("insert into t values (zeroblob(100000))"))
        return "done"

    assert database.write_now(ending, priority=WritePriority.ENDING) == "done"
    assert runs == ["ending", "ending"]
    assert reserve.is_low
    with pytest.raises(StorageFullError):
        database.write_now(lambda connection: connection.execute(text("insert into t values (1)")))
    assert database.read_now(lambda c: c.execute(text("select count(*) from t")).scalar_one()) == 1
    assert reserve.make()
    database.write_now(lambda connection: connection.execute(text("insert into t values (1)")))
    with pytest.raises(StorageUnavailableError):
        database.write_now(lambda connection: connection.execute(text("insert into nowhere values (1)")))
    database.close()
