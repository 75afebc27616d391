"""Hostile requests: whatever is sent, the answer is typed, and never an internal error."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.collector.test_access import MATRIX, documented
from tests.helpers.candidate import Candidate, bearer, new_assessment, new_invite, secret_header, started
from tests.helpers.site import Site, Template, copy_data, running_site

from promptster.protocol.encoding import b64u_encode

SAMPLES = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
ODD_TEXT = st.text(max_size=60) | st.sampled_from(
    ["../..", "%00", "a/b", "'; drop table sessions; --", "\x00", "٣", "-1"]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)


@pytest.fixture(scope="module")
def world(template: Template, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Site, Candidate, Candidate]]:
    """A collector with a running session and an open invite."""
    folder = tmp_path_factory.mktemp("hostile") / "data"
    copy_data(template.data, folder)
    with running_site(folder, template.token) as site:
        running = started(site.client, site.token)
        invited = Candidate(new_invite(site.client, site.token, new_assessment(site.client, site.token)))
        yield site, running, invited


def typed(answer: Any) -> None:
    """Check for a success, or a problem document that is not an internal error."""
    assert answer.status_code < 500, answer.text
    if answer.status_code >= 400:
        assert answer.headers["content-type"] == "application/problem+json"
        problem = answer.json()
        assert problem["status"] == answer.status_code
        assert problem["code"]


@SAMPLES
@given(route=st.sampled_from(sorted(MATRIX)), name=ODD_TEXT, query=ODD_TEXT, body=st.binary(max_size=200))
def test_odd_paths_queries_and_bodies(
    world: tuple[Site, Candidate, Candidate], route: tuple[str, str], name: str, query: str, body: bytes
) -> None:
    """Odd names in paths, odd queries and bytes as bodies are refused by type."""
    site = world[0]
    method, template = route
    path = template
    for part in ("{invite}", "{token}", "{assessment}", "{session}", "{n}"):
        path = path.replace(part, name.replace("/", "%2F").replace("?", "%3F").replace("#", "%23") or "x")
    try:
        request = site.client.build_request(
            method,
            path,
            params={"format": query, "after": query, "limit": query},
            content=body,
            headers=bearer(site.token),
        )
    except Exception:  # noqa: BLE001 - httpx itself refuses some paths, and then nothing is sent
        return
    answer = site.client.send(request)
    typed(answer)
    if answer.request.url.path.count("/") == template.count("/") and answer.status_code != 404:
        assert answer.status_code in documented(site)[route]


@SAMPLES
@given(route=st.sampled_from([key for key in sorted(MATRIX) if key[0] == "POST"]), body=JSON)
def test_odd_documents(world: tuple[Site, Candidate, Candidate], route: tuple[str, str], body: object) -> None:
    """Any JSON document gets a typed answer at every route that takes one."""
    site, running, invited = world
    method, template = route
    path = template.replace("{session}", running.session).replace("{invite}", invited.code.invite_id)
    path = path.replace("{assessment}", "0" * 16)
    headers = secret_header(invited.code) if "{invite}" in template else bearer(site.token)
    answer = site.client.request(method, path, content=json.dumps(body), headers=headers)
    typed(answer)
    assert answer.status_code in documented(site)[route]


@SAMPLES
@given(
    part=st.sampled_from(["consent", "redeem", "box"]),
    value=JSON | st.binary(max_size=90).map(b64u_encode),
    payload=st.binary(max_size=200),
)
def test_odd_redemptions(world: tuple[Site, Candidate, Candidate], part: str, value: object, payload: bytes) -> None:
    """A redemption with any part replaced is refused, and the invite stays open."""
    site, _, invited = world
    path = f"/v1/invites/{invited.code.invite_id}"
    shown = site.client.get(path, headers=secret_header(invited.code))
    assert shown.status_code == 200
    body: dict[str, Any] = dict(invited.consent_to(shown.json()))
    for replacement in (value, {"payload": b64u_encode(payload), "signature": b64u_encode(bytes(64))}):
        answer = site.client.post(
            f"{path}/redeem", headers=secret_header(invited.code), json=body | {part: odd(replacement)}
        )
        assert 400 <= answer.status_code < 500
        typed(answer)


def odd(value: object) -> object:
    """The value, as strict JSON can hold it."""
    return json.loads(json.dumps(value).replace("NaN", "0").replace("-Infinity", "0").replace("Infinity", "0"))


@SAMPLES
@given(credential=st.text(alphabet=st.characters(min_codepoint=32, max_codepoint=126), max_size=80))
def test_odd_credentials(world: tuple[Site, Candidate, Candidate], credential: str) -> None:
    """No made-up credential gives access."""
    site, running, _ = world
    for path in ("/v1/me", f"/v1/sessions/{running.session}/bundle"):
        for header in (credential, f"Bearer {credential}", f"bearer pt_{credential}", f"Bearer pa_{credential}"):
            assert site.client.get(path, headers={"authorization": header}).status_code == 401


def test_refusals_repeat_nothing_that_was_sent(world: tuple[Site, Candidate, Candidate]) -> None:
    """A problem document never contains the value that was refused."""
    site = world[0]
    secret = "do-not-repeat-me"
    for body in ({"role": secret}, {"role": {"x": secret}}, {"role": "owner", "label": secret * 50}):
        answer = site.client.post("/v1/tokens", headers=bearer(site.token), json=body)
        assert answer.status_code >= 400
        assert secret not in answer.text
