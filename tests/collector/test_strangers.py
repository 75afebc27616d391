"""Someone who knows an id but has no key can do nothing to the session and learns nothing about it."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from sqlalchemy import select, update
from tests.helpers.candidate import Candidate, bearer, new_assessment, new_invite, secret_header, started
from tests.helpers.site import Site, Template, running_site

from promptster.client import CollectorRefusedError
from promptster.protocol.batch import MAX_BODY, join_wire, parse_batch
from promptster.protocol.confirmation import confirmation_code
from promptster.protocol.encoding import b64u_encode
from promptster.protocol.privacy import Withdrawal
from promptster.protocol.signing import Envelope, SigningKey
from promptster.times import utc
from promptster_collector.access.rate_limits import RateLimiter, network_of
from promptster_collector.settings import HOUR_MS, Limits
from promptster_collector.store.schema import Invite

if TYPE_CHECKING:
    from collections.abc import Callable

NOBODY, OTHER_SESSION = b64u_encode(bytes(16)), b64u_encode(bytes([1] * 16))


def forged(candidate: Candidate, session: str, *, body: bytes | None = None) -> bytes:
    """A batch like the candidate's next one, for any session, under another key."""
    batch = parse_batch(candidate.batches[-1])
    header = replace(batch.header, session=session)
    header = header if body is None else replace(header, len=len(body))
    signed = SigningKey.generate(os.urandom).sign(header)
    return join_wire(signed.payload, signed.signature, batch.body if body is None else body)


def seen(answer: httpx.Response) -> tuple[int, bytes, list[tuple[str, str]]]:
    """Everything in an answer that its receiver sees."""
    return answer.status_code, answer.content, sorted(answer.headers.items())


def test_what_others_send_takes_nothing_of_a_session(site: Site) -> None:
    """Thirty batches are accepted in their time, whatever arrives for their session from the same address."""
    candidate = started(site.client, site.token)
    for n in range(30):
        candidate.say(f"{n}")
    path = f"/v1/sessions/{candidate.session}"
    answers: list[int] = []
    withdrawal = SigningKey.generate(os.urandom).sign(Withdrawal(session=candidate.session, at_ms=1)).to_json()
    for n in range(30):
        for _ in range(5):
            site.client.put(f"{path}/batches/{n}", content=forged(candidate, candidate.session))
            site.client.put(f"{path}/batches/{n}", content=b"PSB1")
            site.client.post(f"{path}/withdraw", json=withdrawal)
        head_alone = parse_batch(candidate.batches[n])
        stolen = join_wire(head_alone.header_bytes, head_alone.signature, bytes(len(head_alone.body)))
        assert site.client.put(f"{path}/batches/{n}", content=stolen).status_code in {422, 429}
        answers.append(candidate.put(site.client, n).status_code)
        site.clock.pass_ms(50)  # a session may send twenty a second
    assert answers == [200] * 30


def test_what_is_not_signed_has_a_budget_by_address(site: Site) -> None:
    """Five a second are answered, further ones refused until a second later; a signed batch never waits for them."""
    candidate = started(site.client, site.token)
    candidate.say("mine")
    wrong = forged(candidate, candidate.session)
    path = f"/v1/sessions/{candidate.session}/batches/0"
    answers = [site.client.put(path, content=wrong) for _ in range(8)]
    assert [answer.status_code for answer in answers] == [404] * 5 + [429] * 3
    assert answers[-1].headers["retry-after"] == "1"
    assert site.client.post(f"/v1/sessions/{NOBODY}/withdraw", json=candidate.withdrawal()).status_code == 429
    assert candidate.put(site.client, 0).status_code == 200
    site.clock.pass_ms(1000)
    assert site.client.put(path, content=wrong).status_code == 404


def test_a_session_that_there_is_looks_like_none(site: Site) -> None:
    """Every answer to an unsigned request is the same in status, headers and bytes, whatever the rate limit is."""
    candidate = started(site.client, site.token)
    candidate.say("stored")
    assert candidate.put(site.client, 0).status_code == 200
    candidate.say("next")
    large = os.urandom(MAX_BODY)

    def batch(make: Callable[[str], bytes]) -> Callable[[str], httpx.Response]:
        return lambda session: site.client.put(f"/v1/sessions/{session}/batches/1", content=make(session))

    def withdrawal(make: Callable[[str], Any]) -> Callable[[str], httpx.Response]:
        return lambda session: site.client.post(f"/v1/sessions/{session}/withdraw", json=make(session))

    def word(session: str) -> Envelope:
        return SigningKey.generate(os.urandom).sign(Withdrawal(session=session, at_ms=1))

    requests: dict[str, Callable[[str], httpx.Response]] = {
        "signed by another": batch(lambda session: forged(candidate, session)),
        "signed by another, large": batch(lambda session: forged(candidate, session, body=large)),
        "elsewhere": batch(lambda _: forged(candidate, OTHER_SESSION)),
        "elsewhere, large": batch(lambda _: forged(candidate, OTHER_SESSION, body=large)),
        "nothing": batch(lambda _: b""),
        "no batch": batch(lambda _: b"x" * 200),
        "no batch, large": batch(lambda _: b"x" * 200_000),
        "cut": batch(lambda session: forged(candidate, session)[:150]),
        "larger than it may be": batch(lambda _: b"PSB1" + bytes(MAX_BODY + 8192)),
        "withdrawn by another": withdrawal(lambda session: word(session).to_json()),
        "withdrawn by nobody": withdrawal(lambda _: {"payload": "AAAA", "signature": b64u_encode(bytes(64))}),
        "a short signature": withdrawal(lambda _: {"payload": "AAAA", "signature": "AAAA"}),
        "another document": withdrawal(lambda _: candidate.request["consent"]),
        "no document": withdrawal(lambda _: {"payload": "!", "signature": ""}),
        "no envelope": withdrawal(lambda _: {}),
    }
    for name, request in requests.items():
        site.clock.pass_ms(1000)
        real = seen(request(candidate.session))
        site.clock.pass_ms(1000)
        assert real == seen(request(NOBODY)), name
        assert real[0] in {400, 404, 413, 422}
        if "signed by" in name or "withdrawn" in name or name == "another document":
            assert (real[0], json.loads(real[1])["code"]) == (404, "unknown_session")
        site.clock.pass_ms(1000)
        answers = [seen(request(session)) for session in (candidate.session, NOBODY) * 5]
        assert answers[-1] == answers[-2], name


def test_wrong_secrets_have_a_budget_by_address_and_right_ones_do_not(site: Site) -> None:
    """Sixty wrong secrets a minute are answered; the right one opens the invite all the while."""
    candidate = Candidate(new_invite(site.client, site.token, new_assessment(site.client, site.token)))
    path = f"/v1/invites/{candidate.code.invite_id}"
    wrong = bearer(b64u_encode(os.urandom(32)))
    answers = [site.client.get(path, headers=wrong).status_code for _ in range(65)]
    assert answers == [404] * 60 + [429] * 5
    body: dict[str, Any] = {"consent": {}, "redeem": {}, "box": ""}
    assert site.client.post(f"{path}/redeem", headers=wrong, json=body).status_code == 429
    assert candidate.redeem_at(site.client).session == candidate.session
    site.clock.pass_ms(60_000)
    for headers in (wrong, bearer("not base64!"), bearer("A" * 43)):
        real = site.client.get(path, headers=headers)
        assert seen(real) == seen(site.client.get(f"/v1/invites/{NOBODY}", headers=headers))
        assert real.status_code == 404


def test_invites_an_hour_are_counted_by_token(template: Template, data: Path) -> None:
    """An invite above the limit gets a time to try again, blocks no other token, and succeeds then."""
    with running_site(data, template.token, limits=replace(Limits(), invites_per_hour=3)) as site:
        path = f"/v1/assessments/{new_assessment(site.client, site.token)}/invites"
        body = {"name": "Ina", "email": "ina@example.com"}
        assert site.client.post(path, headers=bearer(site.token), json=body | {"email": "x"}).status_code == 422
        answers = [site.client.post(path, headers=bearer(site.token), json=body) for _ in range(4)]
        assert [answer.status_code for answer in answers] == [201, 201, 201, 429]
        problem = answers[-1].json()
        assert problem["code"] == "too_many_invites"
        assert answers[-1].headers["retry-after"] == "1200"
        told = CollectorRefusedError(status=429, problem=problem, path=path)  # what ``promptster invite`` prints then
        assert told.message == "3 invites were made with this sign-in within an hour"
        assert told.hint == "They are all valid. Try again in 1200 s."
        other = site.client.post("/v1/tokens", headers=bearer(site.token), json={"role": "recruiter"}).json()["token"]
        assert site.client.post(path, headers=bearer(other), json=body).status_code == 201
        site.clock.pass_ms(HOUR_MS // 3)
        assert site.client.post(path, headers=bearer(site.token), json=body).status_code == 201
        assert site.client.post(path, headers=bearer(site.token), json=body).status_code == 429
        assert len(site.rows(select(Invite.id))) == 5
    assert Limits().invites_per_hour == 200


def test_budgets_remember_no_more_than_they_may(site: Site) -> None:
    """However many addresses come, the memory for them is bounded, and the latest is still known."""
    buckets = RateLimiter(site.clock, amount=1, seconds=60)
    assert [buckets.take(f"{number}") for number in range(25_000)] == [0] * 25_000
    assert len(buckets) == 10_000
    assert buckets.take("24999") == 60


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:aaaa:bbbb:cccc:dddd", "2001:db8:1:2::"),
        ("2001:db8:1:2::1", "2001:db8:1:2::"),
        ("fe80::1%eth0", "fe80::"),
        ("testclient", "testclient"),
    ],
)
def test_one_sender_is_one_address_or_one_network(address: str, network: str) -> None:
    """All addresses of an IPv6 network count as one sender."""
    assert network_of(address) == network


def openings(site: Site, session: str) -> tuple[str | None, str | None, list[str], int]:
    """The session's code, and when its invite was opened, as the hiring team sees them."""
    entries = site.client.get("/v1/sessions", headers=bearer(site.token)).json()["sessions"]
    entry = next(entry for entry in entries if entry["session"] == session)
    return entry["confirmation_code"], entry["opened_at"], entry["opened_again_at"], entry["openings"]


def test_openings_are_told_with_their_times(site: Site) -> None:
    """The first right secret counts as the opening; later ones are listed, wrong ones and addresses never."""
    candidate = Candidate(new_invite(site.client, site.token, new_assessment(site.client, site.token)))
    path, right = f"/v1/invites/{candidate.code.invite_id}", secret_header(candidate.code)
    site.client.get(path, headers=bearer("A" * 43))
    site.client.get(path)
    times: list[str] = []
    for _ in range(3):
        site.clock.pass_ms(60_000)
        times.append(utc(site.clock.ms))
        assert site.client.get(path, headers=right).status_code == 200
    site.clock.pass_ms(60_000)
    times.append(utc(site.clock.ms))
    candidate.redeem_at(site.client)
    code = confirmation_code(candidate.key.public_key)
    assert openings(site, candidate.session) == (code, times[0], times[1:], 4)
    site.clock.pass_ms(60_000)
    assert site.client.get(path, headers=right).status_code == 409
    times.append(utc(site.clock.ms))
    assert openings(site, candidate.session) == (code, times[0], times[1:], 5)
    for file in site.data.rglob("*"):
        assert not file.is_file() or b"testclient" not in file.read_bytes()


def test_openings_that_are_kept_are_bounded(site: Site) -> None:
    """Opening it again and again takes no more room: the first times and the last are kept, and the number is exact."""
    candidate = Candidate(new_invite(site.client, site.token, new_assessment(site.client, site.token)))
    path, right = f"/v1/invites/{candidate.code.invite_id}", secret_header(candidate.code)
    times: list[str] = []
    for _ in range(30):
        site.clock.pass_ms(1000)
        times.append(utc(site.clock.ms))
        assert site.client.get(path, headers=right).status_code == 200
    site.clock.pass_ms(1000)
    times.append(utc(site.clock.ms))
    candidate.redeem_at(site.client)
    code = confirmation_code(candidate.key.public_key)
    assert openings(site, candidate.session) == (code, times[0], [*times[1:8], times[-1]], 31)


def test_who_redeems_without_looking_has_opened_it_then(site: Site) -> None:
    """A first right secret that comes with a redemption is an opening."""
    looked = Candidate(new_invite(site.client, site.token, new_assessment(site.client, site.token)))
    path, right = f"/v1/invites/{looked.code.invite_id}", secret_header(looked.code)
    body = looked.consent_to(site.client.get(path, headers=right).json())
    site.store.database.write_now(lambda connection: connection.execute(update(Invite).values(opened_ms=None)))
    site.clock.pass_ms(5000)
    assert site.client.post(f"{path}/redeem", headers=right, json=body).status_code == 200
    assert openings(site, looked.session)[1:] == (utc(site.clock.ms), [], 1)


def test_an_erased_session_keeps_neither_code_nor_openings(site: Site) -> None:
    """What remains of an erased session shows neither when its invite was opened nor its code."""
    candidate = started(site.client, site.token)
    site.client.get(f"/v1/invites/{candidate.code.invite_id}", headers=secret_header(candidate.code))
    assert openings(site, candidate.session)[3] == 2
    answer = site.client.post(f"/v1/sessions/{candidate.session}/withdraw", json=candidate.withdrawal())
    assert answer.status_code == 200
    assert openings(site, candidate.session) == (None, None, [], 0)
    row = site.rows(select(Invite.opened_ms, Invite.reopened, Invite.reopened_ms))[0]
    assert tuple(row) == (None, 0, "[]")


def test_too_many_requests_is_described_wherever_strangers_can_cause_it(site: Site) -> None:
    """Every route that answers floods of unsigned requests or wrong secrets with 429 says so in its description."""
    wrong, path = {"authorization": f"Bearer {b64u_encode(bytes(32))}"}, f"/v1/sessions/{NOBODY}"
    withdrawal = SigningKey.generate(os.urandom).sign(Withdrawal(session=NOBODY, at_ms=1)).to_json()
    body: dict[str, Any] = {"consent": {}, "redeem": {}, "box": ""}
    note = "collector.example/log\n1\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n\n— x AAAA\n"
    floods: dict[tuple[str, str], Callable[[], httpx.Response]] = {
        ("get", "/v1/invites/{invite}"): lambda: site.client.get(f"/v1/invites/{NOBODY}", headers=wrong),
        ("post", "/v1/invites/{invite}/redeem"): lambda: site.client.post(
            f"/v1/invites/{NOBODY}/redeem", headers=wrong, json=body
        ),
        ("put", "/v1/sessions/{session}/batches/{n}"): lambda: site.client.put(f"{path}/batches/0", content=b"PSB1"),
        ("post", "/v1/sessions/{session}/withdraw"): lambda: site.client.post(f"{path}/withdraw", json=withdrawal),
        ("post", "/v1/log/checkpoint"): lambda: site.client.post("/v1/log/checkpoint", json={"note": note}),
    }
    paths = site.client.get("/schema/openapi.json").json()["paths"]
    for (method, template), ask in floods.items():
        answers = [ask() for _ in range(Limits().wrong_secrets_per_minute + 1)]
        assert answers[-1].status_code == 429, (template, answers[-1].text)
        assert "429" in paths[template][method]["responses"], template
        site.clock.pass_ms(HOUR_MS)
