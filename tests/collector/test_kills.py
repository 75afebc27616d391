"""Real processes are really killed: nothing acknowledged is lost, doubled or reordered, and one redemption wins."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.helpers.candidate import Candidate, bearer, new_assessment, new_invite, secret_header, started
from tests.helpers.collector import RunningCollector, collector

from promptster.protocol.encoding import b64u_encode
from promptster.protocol.invite import InviteCode
from promptster.protocol.verification import verify_bundle

ROUNDS = 6


def send(url: str, candidates: list[Candidate], refused: list[int]) -> None:
    """Send each candidate's batches without a receipt, in order, until the collector is gone or all are received."""
    with httpx.Client(base_url=url, timeout=20) as client:
        try:
            while any(len(c.receipts) < len(c.batches) for c in candidates):
                for candidate in candidates:
                    n = len(candidate.receipts)
                    if n < len(candidate.batches):
                        answer = candidate.put(client, n)
                        if answer.status_code not in {200, 429}:
                            refused.append(answer.status_code)
                            return
        except httpx.TransportError:
            return


def kill_during_ingest(made: RunningCollector, candidates: list[Candidate], refused: list[int]) -> None:
    """Kill the collector as soon as some batches of this round were received, while others are on their way."""
    wanted = sum(len(candidate.receipts) for candidate in candidates) + 5
    sender = threading.Thread(target=send, args=(made.url, candidates, refused))
    sender.start()
    while sender.is_alive() and sum(len(candidate.receipts) for candidate in candidates) < wanted:
        sender.join(0.002)
    made.kill()
    sender.join(60)


@pytest.mark.kills
def test_kills_lose_nothing(tmp_path: Path) -> None:
    """After many kills during ingest every receipt is kept, and the sessions verify as complete."""
    refused: list[int] = []
    with collector(tmp_path) as made:
        with httpx.Client(base_url=made.url) as client:
            candidates = [started(client, made.token, email=f"c{i}@example.com") for i in range(3)]
        for turn in range(ROUNDS):
            for candidate in candidates:
                for i in range(4):
                    candidate.say(f"turn {turn} text {i}", "x" * 2000)
            kill_during_ingest(made, candidates, refused)
            made.start()
        for candidate in candidates:
            candidate.close()
        send(made.url, candidates, refused)
        assert refused == []
        with httpx.Client(base_url=made.url) as client:
            for candidate in candidates:
                given = dict(candidate.receipts)
                assert len(given) == len(candidate.batches)
                for n in range(len(candidate.batches)):
                    answer = candidate.put(client, n)
                    while answer.status_code == 429:
                        threading.Event().wait(float(answer.headers["retry-after"]))
                        answer = candidate.put(client, n)
                    assert answer.content == given[n]
                state = wait_until_sealed(client, candidate)
                assert state == "sealed"
                path = f"/v1/sessions/{candidate.session}/bundle"
                found = verify_bundle(client.get(path, headers=bearer(made.token)).content, trusted=[made.fingerprint])
                assert (found.verdict, found.events) == ("verified", len(candidate.events))
                assert [event.seq for event in found.opened] == list(range(len(candidate.events)))


def wait_until_sealed(client: httpx.Client, candidate: Candidate) -> str:
    """Ask until the session is sealed, for a minute at most."""
    pause = threading.Event()
    state = ""
    for _ in range(600):
        headers = bearer(candidate.access_token)
        state = client.get(f"/v1/sessions/{candidate.session}/head", headers=headers).json()["state"]
        if state == "sealed":
            break
        pause.wait(0.1)
    return state


async def race(url: str, path: str, code: InviteCode, bodies: list[dict[str, Any]]) -> list[httpx.Response]:
    """Send all at once."""
    limits = httpx.Limits(max_connections=len(bodies))
    async with httpx.AsyncClient(base_url=url, limits=limits, timeout=60) as client:
        calls = [client.post(path, headers=secret_header(code), json=body) for body in bodies]
        return await asyncio.gather(*calls)


def test_of_a_hundred_redemptions_one_wins(tmp_path: Path) -> None:
    """100 candidates with different keys race for one invite: one certificate, 99 conflicts."""
    with collector(tmp_path) as made, httpx.Client(base_url=made.url) as client:
        code = new_invite(client, made.token, new_assessment(client, made.token))
        path = f"/v1/invites/{code.invite_id}"
        shown = client.get(path, headers=secret_header(code)).json()
        racers = [Candidate(code) for _ in range(100)]
        bodies = [racer.consent_to(shown) for racer in racers]
        answers = asyncio.run(race(made.url, f"{path}/redeem", code, bodies))
        assert sorted(answer.status_code for answer in answers) == [200] + [409] * 99
        winner = racers[next(i for i, answer in enumerate(answers) if answer.status_code == 200)]
        sessions = client.get("/v1/sessions", headers=bearer(made.token)).json()["sessions"]
        assert [entry["session"] for entry in sessions] == [winner.session]
        again = client.post(f"{path}/redeem", headers=secret_header(code), json=winner.request)
        assert again.status_code == 200


def test_planted_secrets_stand_nowhere(tmp_path: Path) -> None:
    """Of 50 planted names, addresses, prompts and tokens none is in any file or log, live, sealed or after a kill."""
    planted = [f"sk-planted-{i:02d}-{'z' * 20}" for i in range(46)]
    person = {"name": "Petra Planted", "email": "petra.planted@example.com"}
    with collector(tmp_path, organisation="Planted Industries") as made:
        with httpx.Client(base_url=made.url) as client:
            candidate = started(client, made.token, **person)
            client.post("/v1/assessments", headers=bearer(made.token), json={"title": "Planted title"})
            for text in planted:
                candidate.event("prompt", text=text)
            candidate.batch(candidate.events)
            candidate.put(client, 0)
            client.get(f"/v1/sessions/{candidate.session}/bundle", headers=bearer(made.token))
            secrets = [*planted, *person.values(), made.token, candidate.access_token, "Planted title"]
            secrets += ["Planted Industries", "olga.owner@example.com", b64u_encode(candidate.content_key)]
            assert leaks(made.data, secrets) == []
            candidate.close()
            candidate.put(client, 1)
            wait_until_sealed(client, candidate)
            client.get(f"/v1/sessions/{candidate.session}/export?format=html", headers=bearer(made.token))
        assert leaks(made.data, secrets) == []
        made.kill()
        assert leaks(made.data, secrets) == []
        assert candidate.content_key not in b"".join(
            path.read_bytes() for path in made.data.rglob("*") if path.is_file()
        )
    assert [secret for secret in secrets if secret in "\n".join(made.log)] == []


def leaks(folder: Path, secrets: list[str]) -> list[str]:
    """The secrets that are in a file of the folder."""
    files = [path.read_bytes() for path in folder.rglob("*") if path.is_file()]
    return [secret for secret in secrets if any(secret.encode() in data for data in files)]
