"""A full disk: what is new is refused by name, reading and deletion go on, also after a restart."""

from __future__ import annotations

import errno
import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import Connection, text
from tests.helpers.candidate import Candidate, bearer, new_assessment, new_invite, secret_header, started
from tests.helpers.collector import RunningCollector, collector, run_command
from tests.helpers.small_disk import fill, small_disk

from promptster_collector.store.database import Database, StorageUnavailableError
from promptster_collector.store.reserve import PIECES, Need, Reserve, StorageFullError

MIB = 1 << 20


def withdraw(client: httpx.Client, candidate: Candidate) -> httpx.Response:
    """Ask for it."""
    return client.post(f"/v1/sessions/{candidate.session}/withdraw", json=candidate.withdrawal())


def named(answer: httpx.Response) -> tuple[int, str, bool]:
    """Status, code and whether it says when to try again."""
    return answer.status_code, answer.json()["code"], int(answer.headers["retry-after"]) > 0


FULL = (503, "storage_full", True)


def refuse_everything_new(client: httpx.Client, made: RunningCollector, candidate: Candidate, waiting: Any) -> None:
    """A batch, an invite, an assessment, a token and a redemption: each is refused by name, and can be tried again."""
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
    """Withdrawal, deletion, revocation and reading work to the last block and after a restart; then room ends it."""
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
    """Filled to the last block while nothing ran: it starts, says so, lets events be read and withdraws."""
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


def test_a_disk_without_any_room_and_no_reserve_is_named(tmp_path: Path) -> None:
    """With nothing left to let go of, the start ends with an error that says so, and not with a fault of ours."""
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
    """An ending is tried as often as a piece makes room; a reading once; what is new never, while one is missing."""
    reserve = Reserve(tmp_path / "reserve", 4 * MIB)
    reserve.open()
    assert not reserve.is_low
    tries: list[int] = []

    def act() -> int:
        tries.append(1)
        raise OSError(errno.ENOSPC, "no room")

    for need, expected in ((Need.ORDINARY, 1), (Need.READING, 2), (Need.ENDING, PIECES), (Need.ORDINARY, 0)):
        tries.clear()
        with pytest.raises(StorageFullError):
            reserve.use(need, act)
        assert len(tries) == expected, need
    assert list((tmp_path / "reserve").iterdir()) == []
    assert reserve.make()
    assert sum(path.stat().st_blocks * 512 for path in (tmp_path / "reserve").iterdir()) >= 4 * MIB
    assert reserve.use(Need.ORDINARY, lambda: 7) == 7


def test_other_faults_take_nothing_of_the_reserve(tmp_path: Path) -> None:
    """What is no lack of room stays what it is."""
    reserve = Reserve(tmp_path / "reserve", 4 * MIB)
    reserve.open()

    def act() -> None:
        raise PermissionError(errno.EACCES, "not yours")

    with pytest.raises(PermissionError):
        reserve.use(Need.ENDING, act)
    assert not reserve.is_low


def test_a_full_database_refuses_what_is_new_and_runs_endings_again(tmp_path: Path) -> None:
    """Of one group commit that found no room, the ending is done with the reserve's room, and the rest is refused."""
    reserve = Reserve(tmp_path / "reserve", 4 * MIB)
    reserve.open()
    database = Database(f"sqlite:///{tmp_path / 'test.sqlite3'}", reserve)
    database.write_now(lambda connection: connection.execute(text("create table t (x)")))
    runs: list[str] = []

    def ending(connection: Connection) -> str:
        if not runs:  # as if the disk were full until somebody makes room
            connection.execute(text("pragma max_page_count = 4"))
        runs.append("ending")
        connection.execute(text("insert into t values (zeroblob(100000))"))
        return "done"

    assert database.write_now(ending, need=Need.ENDING) == "done"
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
