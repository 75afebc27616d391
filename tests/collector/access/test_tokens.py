"""Team tokens: shown once, stored hashed, scoped, expiring, revocable."""

from __future__ import annotations

import sqlite3
from typing import Any

import pytest
from tests.helpers.candidate import bearer
from tests.helpers.site import OWNER, Site

from promptster_collector.settings import DAY_MS


def make(site: Site, **body: Any) -> dict[str, Any]:
    """A new token's answer."""
    answer = site.client.post("/v1/tokens", headers=bearer(site.token), json=body)
    assert answer.status_code == 201, answer.text
    document: dict[str, Any] = answer.json()
    return document


def test_a_token_is_shown_once(site: Site) -> None:
    """The list names a token and its label, but never shows the token."""
    made = make(site, role="recruiter", label="hiring team")
    assert made["token"].startswith("pt_")
    listed = site.client.get("/v1/tokens", headers=bearer(site.token))
    assert made["token"] not in listed.text
    entry = next(entry for entry in listed.json()["tokens"] if entry["id"] == made["id"])
    assert (entry["role"], entry["label"], entry["active"], entry["revoked_at"]) == (
        "recruiter",
        "hiring team",
        True,
        None,
    )


def test_tokens_are_stored_hashed(site: Site) -> None:
    """Neither the token nor its label is in any file of the data folder."""
    made = make(site, role="owner", label="a label nobody should find")
    found = [path for path in site.data.rglob("*") if path.is_file() and made["token"].encode() in path.read_bytes()]
    found += [path for path in site.data.rglob("*") if path.is_file() and b"a label nobody" in path.read_bytes()]
    assert found == []


def test_a_revoked_token_opens_nothing(site: Site) -> None:
    """Revoking works at once, and may be repeated."""
    made = make(site, role="recruiter")
    assert site.client.get("/v1/me", headers=bearer(made["token"])).json() == {
        "organisation": "Acme",
        "role": "recruiter",
    }
    for _ in range(2):
        assert site.client.delete(f"/v1/tokens/{made['id']}", headers=bearer(site.token)).status_code == 204
    answer = site.client.get("/v1/me", headers=bearer(made["token"]))
    assert (answer.status_code, answer.json()["code"]) == (401, "token_revoked")


def test_a_token_expires(site: Site) -> None:
    """An expired token gives no access."""
    made = make(site, role="reviewer", expires_in_days=2)
    site.clock.pass_ms(2 * DAY_MS - 1)
    assert site.client.get("/v1/me", headers=bearer(made["token"])).status_code == 200
    site.clock.pass_ms(1)
    answer = site.client.get("/v1/me", headers=bearer(made["token"]))
    assert (answer.status_code, answer.json()["code"]) == (401, "token_expired")


def test_a_token_cannot_revoke_itself(site: Site) -> None:
    """An organisation cannot lock itself out by mistake."""
    own = site.client.get("/v1/tokens", headers=bearer(site.token)).json()["tokens"][0]["id"]
    answer = site.client.delete(f"/v1/tokens/{own}", headers=bearer(site.token))
    assert (answer.status_code, answer.json()["code"]) == (409, "own_token")


def test_other_organisations_tokens_do_not_exist(site: Site) -> None:
    """Revoking another organisation's token is answered like revoking a missing one."""
    foreign = site.other_organisation().token.id
    assert site.client.delete(f"/v1/tokens/{foreign}", headers=bearer(site.token)).status_code == 404


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"role": "admin"}, "role"),
        ({"role": "owner", "label": "x" * 201}, "label"),
        ({"role": "owner", "expires_in_days": 0}, "expires_in_days"),
        ({"role": 5}, "invalid_request"),
        ({}, "invalid_request"),
    ],
)
def test_odd_requests_are_refused(site: Site, body: dict[str, Any], code: str) -> None:
    """Each refusal has its code."""
    answer = site.client.post("/v1/tokens", headers=bearer(site.token), json=body)
    assert answer.status_code in {400, 422}
    assert answer.json()["code"] == code


def test_the_owners_address_is_sealed_twice(site: Site) -> None:
    """The owner's e-mail address is in no file, and the row opens only with person key and organisation key."""
    for path in site.data.rglob("*"):
        assert not path.is_file() or OWNER.encode() not in path.read_bytes()
    with sqlite3.connect(site.data / "control" / "control.sqlite3") as connection:
        organisation, person = connection.execute("select organisation, id from persons").fetchone()
    connection.close()
    persons = site.services.persons
    found = site.store.database.read_now(lambda c: persons.identities(c, organisation, [person]))
    assert found[person].email == OWNER
