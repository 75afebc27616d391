"""The collector's API as calls: what is sent, what is trusted, and how refusals and silence are reported."""

from __future__ import annotations

import asyncio
import ipaddress
import json
import ssl
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from tests.helpers.answering import Answer, Answering

from promptster.client import (
    AsyncCollectorClient,
    CollectorClient,
    CollectorRefusedError,
    CollectorUnreachableError,
    SignInRejectedError,
    TokenExpiredError,
    TokenRevokedError,
)
from promptster.errors import CollectorError, ConfigurationError, NotSignedInError
from promptster.network import Network
from promptster.protocol.encoding import b64u_encode

if TYPE_CHECKING:
    from collections.abc import Iterator

SESSION = "AAAAAAAAAAAAAAAAAAAAAA"
SECRET = bytes(32)


@pytest.fixture
def server() -> Iterator[Answering]:
    """A collector that gives the answers a test sets."""
    with Answering() as made:
        yield made


@pytest.fixture
def client(server: Answering) -> Iterator[CollectorClient]:
    """A client with a token."""
    with CollectorClient(server.url, token="pt_token") as made:
        yield made


def problem(status: int, **members: Any) -> Answer:
    """A problem document."""
    body = json.dumps({"type": "about:blank", "title": "Refused", "status": status, **members}).encode()
    return Answer(status=status, body=body, headers={"content-type": "application/problem+json"})


def test_an_invites_secret_is_in_the_header_only(server: Answering, client: CollectorClient) -> None:
    """It is not in path or query, which would be logged."""
    policy = b'{"v":1}'
    server.answer.body = json.dumps(
        {
            "invite": {"payload": "", "signature": ""},
            "policy": b64u_encode(policy),
            "assessment": {"title": "T", "repository": None, "time_limit_minutes": 90},
            "keys": {"v": 1, "keys": []},
        }
    ).encode()
    answer = client.get_invite("ID", SECRET)
    (asked,) = server.asked
    assert (asked.method, asked.path) == ("GET", "/v1/invites/ID")
    assert asked.headers["authorization"] == f"Bearer {b64u_encode(SECRET)}"
    assert answer.policy == policy
    assert answer.assessment.repository is None
    assert answer.keyfile == b'{"keys":[],"v":1}'


def test_a_redemption_is_sent_byte_for_byte(server: Answering, client: CollectorClient) -> None:
    """The same request can be sent again."""
    server.answer.body = b'{"certificate":{"payload":"","signature":""},"keys":{"v":1,"keys":[]}}'
    client.redeem("ID", SECRET, b'{ "as" : "it is" }')
    assert server.asked[0].body == b'{ "as" : "it is" }'
    assert server.asked[0].headers["content-type"] == "application/json"


def test_a_batch_carries_its_earlier_receipt_and_learns_what_is_checked(
    server: Answering, client: CollectorClient
) -> None:
    """The receipt's exact bytes are returned; a restored collector gets the earlier one."""
    server.answer = Answer(body=b"receipt", headers={"promptster-checked": "7"})
    answer = client.put_batch(SESSION, 3, b"PSB1...", earlier_receipt=b"earlier")
    assert (answer.receipt, answer.checked) == (b"receipt", 7)
    assert server.asked[0].path == f"/v1/sessions/{SESSION}/batches/3"
    assert server.asked[0].headers["promptster-receipt"] == b64u_encode(b"earlier")
    server.answer = Answer(body=b"receipt", headers={"promptster-checked": "-"})
    assert client.put_batch(SESSION, 3, b"PSB1...").checked is None


def test_a_problem_document_becomes_one_error(server: Answering, client: CollectorClient) -> None:
    """The error has its message, its code, its hint and all its members."""
    server.answer = problem(409, detail="There is a gap.", code="gap", hint="send 3 first", expected=3)
    server.answer.headers["retry-after"] = "5"
    with pytest.raises(CollectorRefusedError) as caught:
        client.put_batch(SESSION, 4, b"")
    error = caught.value
    assert (error.message, error.code, error.hint, error.status) == ("there is a gap", "gap", "send 3 first", 409)
    assert error.problem["expected"] == 3
    assert error.retry_after_s == 5.0


def test_a_refusal_without_a_problem_document_still_has_words(server: Answering, client: CollectorClient) -> None:
    """A proxy in between may answer with HTML."""
    server.answer = Answer(status=503, body=b"<html>")
    with pytest.raises(CollectorRefusedError) as caught:
        client.evidence(SESSION)
    assert (caught.value.code, caught.value.status) == ("collector_refused", 503)
    assert "503" in caught.value.message
    assert caught.value.hint


def test_what_is_not_found_is_hinted_at_by_what_was_asked_for(server: Answering, client: CollectorClient) -> None:
    """A link is checked for an invite only; other things have an id that can be looked up."""
    server.answer = problem(404, detail="There is nothing.", code="not_found")
    calls: dict[str, Callable[[], object]] = {
        "Check the link": lambda: client.get_invite("ID", SECRET),
        "promptster sessions": lambda: client.bundle(SESSION),
        "promptster assessment list": lambda: client.create_invite("a", {}),
        "promptster token list": lambda: client.revoke_token("t"),
        "Check the address": client.me,
    }
    for words, call in calls.items():
        with pytest.raises(CollectorRefusedError) as caught:
            call()
        assert words in (caught.value.hint or "")


def test_who_may_not_is_told_who_may(server: Answering, client: CollectorClient) -> None:
    """The message names the role that is needed, and whom to ask."""
    server.answer = problem(403, detail="reviewers cannot do this", code="forbidden")
    calls: dict[str, Callable[[], object]] = {
        "Ask an owner.": client.tokens,
        "Ask an owner or a recruiter.": lambda: client.create_assessment({}),
        "Ask an owner or a reviewer.": lambda: client.bundle(SESSION),
    }
    for words, call in calls.items():
        with pytest.raises(CollectorRefusedError) as caught:
            call()
        assert caught.value.hint == words


@pytest.mark.parametrize(
    ("code", "words", "kind"),
    [
        ("token_expired", "your sign-in has expired", TokenExpiredError),
        ("token_revoked", "your sign-in was revoked", TokenRevokedError),
        ("token_invalid", "the collector does not know your sign-in", SignInRejectedError),
    ],
)
def test_a_refused_sign_in_says_why_and_whom_to_ask(
    server: Answering, client: CollectorClient, code: str, words: str, kind: type[SignInRejectedError]
) -> None:
    """Signing in again with the same token would not help, so the message does not suggest it."""
    server.answer = problem(401, detail="no", code=code)
    with pytest.raises(SignInRejectedError) as caught:
        client.me()
    assert (caught.value.message, caught.value.hint) == (words, "Ask an owner for a new token.")
    assert (caught.value.exit_code, caught.value.code, type(caught.value)) == (4, "not_signed_in", kind)


def _not_ready(after: str | None) -> Answer:
    answer = problem(503, detail="the session is being prepared for reading", code="reading_failed")
    answer.headers |= {} if after is None else {"retry-after": after}
    return answer


@pytest.mark.parametrize("what", ["bundle", "export", "events"])
def test_a_reader_waits_for_a_session_that_is_being_prepared(server: Answering, what: str) -> None:
    """It asks again when the collector says, reports the wait once, and gets what it asked for."""
    told: list[str] = []
    server.first = [_not_ready("0"), _not_ready("0")]
    with CollectorClient(server.url, token="pt_token", preparing=lambda: told.append("waiting")) as patient:
        calls: dict[str, Callable[[], object]] = {
            "bundle": lambda: patient.bundle(SESSION),
            "export": lambda: patient.export(SESSION, "html"),
            "events": lambda: patient.events(SESSION, after=-1, limit=10),
        }
        assert calls[what]() in (b"{}", {})
    assert [asked.method for asked in server.asked] == ["GET"] * 3
    assert told == ["waiting"]


@pytest.mark.parametrize("after", [None, "3600"])
def test_a_reader_does_not_wait_without_end(server: Answering, client: CollectorClient, after: str | None) -> None:
    """It waits neither without a time to ask again, nor for one that is far away."""
    server.answer = _not_ready(after)
    with pytest.raises(CollectorRefusedError) as caught:
        client.bundle(SESSION)
    assert caught.value.code == "reading_failed"
    assert len(server.asked) == 1


def test_a_token_that_is_not_accepted_means_sign_in_again(server: Answering, client: CollectorClient) -> None:
    """A refused token gives exit code 4; a refused invite secret does not."""
    server.answer = problem(401, detail="no", code="unauthorised")
    with pytest.raises(NotSignedInError):
        client.me()
    with pytest.raises(CollectorRefusedError):
        client.get_invite("ID", SECRET)
    with CollectorClient(server.url) as stranger, pytest.raises(NotSignedInError):
        stranger.sessions()


@pytest.mark.parametrize("body", [b"[]", b"<html>", b"{}", b'{"certificate":1,"keys":{}}', b"", b"[" * 100_000])
def test_an_answer_of_another_form_is_an_error_of_its_own(
    server: Answering, client: CollectorClient, body: bytes
) -> None:
    """Another program may answer at that address."""
    server.answer.body = body
    with pytest.raises(CollectorError) as caught:
        client.redeem("ID", SECRET, b"{}")
    assert caught.value.code == "collector_answer"
    assert caught.value.message in {
        f"{server.url} is not a Promptster collector",
        "the collector's answer has no certificate",
    }


def test_an_endless_answer_is_cut_off(server: Answering, client: CollectorClient) -> None:
    """It cannot fill this machine's memory."""
    server.answer.body = b"x" * 11
    with (
        CollectorClient(client.url, token="pt_token", evidence_limit=10) as limited,
        pytest.raises(CollectorError, match="too long"),
    ):
        limited.evidence(SESSION)


def test_no_answer_is_unreachable(server: Answering, client: CollectorClient) -> None:
    """After a closed port, a cut connection or an unknown name nothing is lost, and a retry is possible."""
    server.answer = Answer(cut=True)
    with pytest.raises(CollectorUnreachableError) as caught:
        client.keys()
    assert caught.value.status is None
    assert caught.value.message == f"cannot reach {client.url}: the connection was cut"
    assert "Nothing is lost" in (caught.value.hint or "")
    with CollectorClient("http://127.0.0.1:9") as nobody, pytest.raises(CollectorUnreachableError) as refused:
        nobody.keys()
    assert refused.value.message == "cannot reach http://127.0.0.1:9: connection refused"


def test_redirects_are_not_followed(server: Answering, client: CollectorClient) -> None:
    """A bearer token is sent to no other place."""
    server.answer = Answer(status=302, headers={"location": "http://127.0.0.1:9/elsewhere"})
    with pytest.raises(CollectorRefusedError):
        client.me()
    assert len(server.asked) == 1


def test_the_environment_does_not_choose_the_way(server: Answering, monkeypatch: pytest.MonkeyPatch) -> None:
    """The library reads neither proxy variables nor .netrc: the proxy is an explicit setting."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    with CollectorClient(server.url) as client:
        client.keys()
    assert len(server.asked) == 1


def test_a_proxy_is_used_for_everything_beyond_loopback(server: Answering) -> None:
    """The proxy is asked to connect, and sees neither path nor token."""
    server.answer = Answer(status=502)
    network = Network(proxy_url=server.url)
    client = CollectorClient("https://collector.example", token="pt_x", network=network)
    with client, pytest.raises(CollectorUnreachableError):
        client.me()
    (asked,) = server.asked
    assert (asked.method, asked.path) == ("CONNECT", "collector.example:443")
    assert "pt_x" not in str(asked)


@pytest.mark.parametrize("url", ["http://collector.example", "http://localhost:8000"])
def test_plain_http_beyond_loopback_is_refused(url: str) -> None:
    """It is refused before anything is sent."""
    with pytest.raises(ConfigurationError):
        CollectorClient(url)


def test_the_uploaders_client_tells_the_same_errors(server: Answering) -> None:
    """Asynchronous calls raise the same errors."""

    async def calls() -> None:
        client = AsyncCollectorClient(server.url, token="pa_x")
        try:
            server.answer = Answer(body=b"receipt", headers={"promptster-checked": "2"})
            answer = await client.put_batch(SESSION, 0, b"wire")
            assert (answer.receipt, answer.checked) == (b"receipt", 2)
            server.answer = problem(429, detail="slow down", code="rate")
            server.answer.headers["retry-after"] = "3"
            with pytest.raises(CollectorRefusedError) as refused:
                await client.head(SESSION)
            assert refused.value.retry_after_s == 3.0
            server.answer = Answer(cut=True)
            with pytest.raises(CollectorUnreachableError):
                await client.evidence(SESSION)
        finally:
            await client.aclose()

    asyncio.run(calls())
    assert server.asked[1].headers["authorization"] == "Bearer pa_x"


ROUTES: list[tuple[Callable[[CollectorClient], Any], str, str]] = [
    (lambda c: c.me(), "GET", "/v1/me"),
    (lambda c: c.assessments(), "GET", "/v1/assessments"),
    (lambda c: c.create_assessment({"title": "T"}), "POST", "/v1/assessments"),
    (lambda c: c.create_invite("a1", {"name": "N"}), "POST", "/v1/assessments/a1/invites"),
    (lambda c: c.sessions(), "GET", "/v1/sessions"),
    (lambda c: c.tokens(), "GET", "/v1/tokens"),
    (lambda c: c.create_token({"role": "reviewer"}), "POST", "/v1/tokens"),
    (lambda c: c.revoke_token("t1"), "DELETE", "/v1/tokens/t1"),
    (lambda c: c.head(SESSION), "GET", f"/v1/sessions/{SESSION}/head"),
    (lambda c: c.events(SESSION, after=4, limit=9), "GET", f"/v1/sessions/{SESSION}/events?after=4&limit=9"),
    (lambda c: c.bundle(SESSION), "GET", f"/v1/sessions/{SESSION}/bundle"),
    (lambda c: c.export(SESSION, "jsonl"), "GET", f"/v1/sessions/{SESSION}/export?format=jsonl"),
    (lambda c: c.withdraw(SESSION, {"payload": ""}), "POST", f"/v1/sessions/{SESSION}/withdraw"),
]


@pytest.mark.parametrize(("call", "method", "path"), ROUTES)
def test_every_call_asks_for_its_own_route(
    server: Answering, client: CollectorClient, call: Callable[[CollectorClient], Any], method: str, path: str
) -> None:
    """Every call has the token except the withdrawal, whose signature counts."""
    call(client)
    (asked,) = server.asked
    assert (asked.method, asked.path) == (method, path)
    assert ("authorization" in asked.headers) is not path.endswith("withdraw")


def certified(folder: Path) -> tuple[ssl.SSLContext, Path]:
    """A server context for 127.0.0.1, and the file of the authority that vouches for it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Test authority")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    authority = folder / "authority.pem"
    authority.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    both = folder / "server.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    both.write_bytes(private + authority.read_bytes())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(both)
    return context, authority


def test_a_companys_own_authority_is_trusted_when_named(tmp_path: Path) -> None:
    """It is not trusted otherwise."""
    context, authority = certified(tmp_path)
    with Answering(context) as server:
        with CollectorClient(server.url) as client, pytest.raises(CollectorUnreachableError):
            client.keys()
        with CollectorClient(server.url, network=Network(ca_files=(authority,))) as client:
            assert client.keys() == b"{}"


def test_a_certificate_file_without_certificates_is_named(tmp_path: Path) -> None:
    """A wrong file is a setting to correct, not an error inside the program."""
    file = tmp_path / "ca.pem"
    file.write_text("no certificate")
    with pytest.raises(ConfigurationError, match=r"no certificates in .*ca\.pem"):
        CollectorClient("https://collector.example", network=Network(ca_files=(file,)))


def test_the_recorder_asks_for_keys_without_a_token(server: Answering) -> None:
    """They are public; the exact bytes are returned, because a signature is checked over them."""
    server.answer.body = b'{"keys":[],"v":1}'

    async def ask() -> bytes:
        client = AsyncCollectorClient(server.url, token="pt_token")
        try:
            return await client.keys()
        finally:
            await client.aclose()

    assert asyncio.run(ask()) == b'{"keys":[],"v":1}'
    assert server.asked[0].path == "/v1/keys"
    assert "authorization" not in server.asked[0].headers


def test_a_refusals_words_stay_on_one_line() -> None:
    """A collector cannot write a line that looks like one of ours; bytes that are not text are replaced."""
    problem = {"detail": "No\r\nSubmitted at 09:12.", "hint": "Wait.\nerror: run this", "code": "x"}
    refused = CollectorRefusedError(status=409, problem=problem)
    assert (refused.message, refused.hint) == ("no Submitted at 09:12", "Wait. error: run this")
    odd = CollectorRefusedError(status=429, problem={"detail": ["a"], "title": "\n", "hint": " "})
    assert (odd.message, odd.hint) == ("the collector answered with status 429", "Wait a moment, then try again.")
