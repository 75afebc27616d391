"""Who may do what: every route with every kind of caller, generated from the route table."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import pytest
from litestar.handlers import HTTPRouteHandler
from litestar.routes import HTTPRoute
from tests.helpers.candidate import Candidate, bearer, new_assessment, new_invite, secret_header, started
from tests.helpers.site import Site, Template, running_site

from promptster.protocol.encoding import b64u_encode
from promptster.protocol.privacy import Withdrawal
from promptster.protocol.signing import SigningKey
from promptster_collector.access.guard import ACCESS
from promptster_collector.app import ROUTES, build_app, require_rules
from promptster_collector.settings import DAY_MS

if TYPE_CHECKING:
    import httpx

TEAM = ("owner", "recruiter", "reviewer")
OTHERS = {f"other {role}": role for role in TEAM}
"""Callers of another organisation, with their role there."""
STRANGERS = frozenset({"other candidate", "foreign candidate"})
"""Candidates of the same organisation and of the other one."""
NOBODIES = frozenset({"anonymous", "garbage", "revoked", "expired", "erased candidate", "invite secret", "basic"})
"""Callers whose credential is not valid on routes that need a token."""
CALLERS = (*TEAM, "candidate", *OTHERS, *sorted(STRANGERS), *sorted(NOBODIES))

ANYONE = frozenset(CALLERS)
MATRIX: dict[tuple[str, str], frozenset[str]] = {
    ("GET", "/healthz"): ANYONE,
    ("GET", "/v1/keys"): ANYONE,
    ("GET", "/v1/log/checkpoint"): ANYONE,
    ("GET", "/v1/log/consistency"): ANYONE,
    ("POST", "/v1/log/checkpoint"): ANYONE,
    ("GET", "/i/{invite}"): ANYONE,
    ("GET", "/v1/me"): frozenset({*TEAM, *OTHERS}),
    ("GET", "/v1/tokens"): frozenset({"owner", "other owner"}),
    ("POST", "/v1/tokens"): frozenset({"owner", "other owner"}),
    ("DELETE", "/v1/tokens/{token}"): frozenset({"owner"}),
    ("GET", "/v1/assessments"): frozenset({*TEAM, *OTHERS}),
    ("POST", "/v1/assessments"): frozenset({"owner", "recruiter", "other owner", "other recruiter"}),
    ("POST", "/v1/assessments/{assessment}/invites"): frozenset({"owner", "recruiter"}),
    ("GET", "/v1/sessions"): frozenset({*TEAM, *OTHERS}),
    ("DELETE", "/v1/sessions/{session}"): frozenset({"owner", "candidate"}),
    ("GET", "/v1/sessions/{session}/head"): frozenset({"owner", "reviewer", "candidate"}),
    ("GET", "/v1/sessions/{session}/events"): frozenset({"owner", "reviewer", "candidate"}),
    ("GET", "/v1/sessions/{session}/evidence"): frozenset({"owner", "reviewer", "candidate"}),
    ("GET", "/v1/sessions/{session}/bundle"): frozenset({"owner", "reviewer", "candidate"}),
    ("GET", "/v1/sessions/{session}/export"): frozenset({"owner", "reviewer", "candidate"}),
    # Bearer tokens have no effect here: the invite's secret or the session key's signature counts.
    ("GET", "/v1/invites/{invite}"): frozenset({"invite secret"}),
    ("POST", "/v1/invites/{invite}/redeem"): frozenset({"invite secret"}),
    ("PUT", "/v1/sessions/{session}/batches/{n}"): ANYONE,
    ("POST", "/v1/sessions/{session}/withdraw"): ANYONE,
}
"""Who is let through, for a path that names objects of the first organisation and of ``candidate``."""

QUERIES = {("GET", "/v1/log/consistency"): {"from": "1", "to": "1"}}

BODIES: dict[tuple[str, str], Any] = {
    ("POST", "/v1/tokens"): {"role": "reviewer"},
    ("POST", "/v1/log/checkpoint"): {"note": "not signed"},
    ("POST", "/v1/assessments"): {"title": "Another"},
    ("POST", "/v1/assessments/{assessment}/invites"): {"name": "Ina", "email": "ina@example.com"},
    ("POST", "/v1/invites/{invite}/redeem"): {"consent": {}, "redeem": {}, "box": ""},
}


def own_routes() -> Iterator[tuple[str, str]]:
    """Every route that the collector's resources declare."""
    for handler in ROUTES:
        assert isinstance(handler, HTTPRouteHandler)
        for path in handler.paths:
            clean = path.replace(":str}", "}").replace(":int}", "}")
            for method in handler.http_methods:
                yield str(method), clean


@dataclass
class World:
    """Everything that the matrix needs, made once."""

    site: Site
    headers: dict[str, dict[str, str]]
    candidate: Candidate
    invite: str
    assessment: str
    others: dict[str, str]
    """Objects that there are not, by the names in paths."""

    def spare_token(self) -> str:
        """The id of a token that may be revoked."""
        answer = self.site.client.post("/v1/tokens", headers=bearer(self.site.token), json={"role": "reviewer"})
        return str(answer.json()["id"])

    def path(self, template: str) -> str:
        """A route's path, naming objects of the caller's organisation."""
        names: dict[str, Callable[[], str]] = {
            "{invite}": lambda: self.invite,
            "{token}": self.spare_token,
            "{assessment}": lambda: self.assessment,
            "{session}": lambda: self.candidate.session,
            "{n}": lambda: "0",
        }
        for name, value in names.items():
            if name in template:
                template = template.replace(name, value())
        return template


@pytest.fixture(scope="module")
def world(template: Template, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """One collector with two organisations and callers of every kind."""
    from tests.helpers.site import copy_data  # noqa: PLC0415 - this fixture only

    folder = tmp_path_factory.mktemp("matrix") / "data"
    copy_data(template.data, folder)
    with running_site(folder, template.token) as site:

        def token(role: str, **more: Any) -> dict[str, Any]:
            answer = site.client.post("/v1/tokens", headers=bearer(site.token), json={"role": role} | more)
            return cast("dict[str, Any]", answer.json())

        expired = token("owner", expires_in_days=1)["token"]
        site.clock.pass_ms(DAY_MS)
        revoked = token("owner")
        site.client.delete(f"/v1/tokens/{revoked['id']}", headers=bearer(site.token))
        candidate, other = started(site.client, site.token), started(site.client, site.token, email="x@example.com")
        candidate.say("hello")
        candidate.put(site.client, 0)
        site.drain()
        assessment = new_assessment(site.client, site.token)
        there = site.other_organisation().token.token

        def token_there(role: str) -> str:
            answer = site.client.post("/v1/tokens", headers=bearer(there), json={"role": role})
            return str(answer.json()["token"])

        erased = started(site.client, site.token, email="gone@example.com")
        site.client.delete(f"/v1/sessions/{erased.session}", headers=bearer(site.token))
        invite = new_invite(site.client, site.token, assessment)
        headers = {
            "anonymous": {},
            "garbage": bearer("pt_" + "A" * 43),
            "owner": bearer(site.token),
            "recruiter": bearer(token("recruiter")["token"]),
            "reviewer": bearer(token("reviewer")["token"]),
            "candidate": bearer(candidate.access_token),
            "other candidate": bearer(other.access_token),
            "foreign candidate": bearer(started(site.client, there).access_token),
            "erased candidate": bearer(erased.access_token),
            "other owner": bearer(there),
            "other recruiter": bearer(token_there("recruiter")),
            "other reviewer": bearer(token_there("reviewer")),
            "revoked": bearer(revoked["token"]),
            "expired": bearer(expired),
            "invite secret": secret_header(invite),
            "basic": {"authorization": f"Basic {site.token}"},
        }
        missing = b64u_encode(bytes(16))
        others = {"{invite}": missing, "{token}": missing, "{assessment}": missing, "{session}": missing, "{n}": "0"}
        yield World(
            site=site,
            headers=headers,
            candidate=candidate,
            invite=invite.invite_id,
            assessment=assessment,
            others=others,
        )


def test_every_route_has_a_row() -> None:
    """A new route without a row in the matrix fails here."""
    assert set(own_routes()) == set(MATRIX)


def test_every_route_declares_a_rule(site: Site) -> None:
    """The collector does not start with a route that says nothing about access."""
    app = build_app(site.services, background=False)
    require_rules(app)
    handler = next(handler for route in app.routes if isinstance(route, HTTPRoute) for handler in route.route_handlers)
    rule = handler.opt.pop(ACCESS)
    try:
        with pytest.raises(RuntimeError, match="declares no access rule"):
            require_rules(app)
    finally:
        handler.opt[ACCESS] = rule


def documented(site: Site) -> dict[tuple[str, str], set[int]]:
    """The statuses that the API's description names for each route."""
    paths = site.client.get("/schema/openapi.json").json()["paths"]
    return {
        (method.upper(), path): {int(status) for status in operation["responses"] if status != "default"}
        for path, operations in paths.items()
        for method, operation in operations.items()
    }


def test_every_route_is_described(site: Site) -> None:
    """OpenAPI names every route, what it refuses and how, and which credential it needs."""
    description = site.client.get("/schema/openapi.json").json()
    assert set(documented(site)) == set(MATRIX)
    assert set(description["components"]["securitySchemes"]) == {"bearer", "invite"}
    for (method, path), callers in MATRIX.items():
        operation = description["paths"][path][method.lower()]
        for status, response in operation["responses"].items():
            if not status.startswith("2"):
                content = response["content"]["application/problem+json"]
                assert content["schema"] == {"$ref": "#/components/schemas/Problem"}
                assert len(response["content"]) == 1
        assert ("security" in operation) == (callers != ANYONE)
        assert operation["responses"]["default"]
        assert ("requestBody" in operation) == (method in {"POST", "PUT"})


def asked(world: World, route: tuple[str, str], path: str, headers: dict[str, str]) -> httpx.Response:
    """The answer to one call of a route, a second after the one before."""
    method, template = route
    content = world.candidate.batches[0] if method == "PUT" else None
    body = BODIES.get(route)
    if template.endswith("/withdraw"):
        body = SigningKey(bytes(32)).sign(Withdrawal(session=world.candidate.session, at_ms=1)).to_json()
    world.site.clock.pass_ms(1000)
    return world.site.client.request(
        method,
        path,
        headers=headers,
        params=QUERIES.get(route),
        json=body if content is None else None,
        content=content,
    )


def refusal(route: tuple[str, str], caller: str) -> int:
    """The refusal that a caller without access gets."""
    _, template = route
    if template.startswith("/v1/invites/"):
        return 401 if caller in {"anonymous", "basic"} else 404
    if caller in NOBODIES:
        return 401
    role = "candidate" if caller in STRANGERS else OTHERS.get(caller, caller)
    return 404 if caller != role and role in MATRIX[route] else 403


@pytest.mark.parametrize("caller", CALLERS)
@pytest.mark.parametrize("route", sorted(MATRIX), ids=" ".join)
def test_matrix(world: World, route: tuple[str, str], caller: str) -> None:
    """Each caller has access exactly as the matrix says; other people's objects do not exist for anyone."""
    method, template = route
    headers = world.headers[caller]
    path = world.path(template)
    if method == "DELETE" and template.endswith("{session}") and caller in MATRIX[route]:
        spare = started(world.site.client, world.site.token, email="spare@example.com")
        path = f"/v1/sessions/{spare.session}"
        headers = bearer(spare.access_token) if caller == "candidate" else headers
    answer = asked(world, route, path, headers)
    assert answer.status_code in documented(world.site)[method, template]
    if template.endswith("/withdraw"):
        assert (answer.status_code, answer.json()["code"]) == (404, "unknown_session")  # another key signed
    elif caller not in MATRIX[route]:
        assert answer.status_code == refusal(route, caller)
    elif template.endswith("/redeem") or route == ("POST", "/v1/log/checkpoint"):
        assert answer.status_code == 422  # given access to the documents, of which there are none
    else:
        assert answer.is_success, answer.text
    if not answer.is_success:
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["status"] == answer.status_code


@pytest.mark.parametrize("caller", CALLERS)
@pytest.mark.parametrize("route", sorted(route for route in MATRIX if "{" in route[1]), ids=" ".join)
def test_foreign_objects_look_like_missing_ones(world: World, route: tuple[str, str], caller: str) -> None:
    """A caller without access gets the same answer, in every byte, for an existing object and for a missing one."""
    if caller in MATRIX[route] and not route[1].endswith("/withdraw"):
        return
    template = route[1]
    missing = template
    for name, value in world.others.items():
        missing = missing.replace(name, value)
    real = asked(world, route, world.path(template), world.headers[caller])
    none = asked(world, route, missing, world.headers[caller])
    assert (real.status_code, real.content, dict(real.headers)) == (none.status_code, none.content, dict(none.headers))


def test_other_organisations_lists_are_their_own(world: World) -> None:
    """Lists contain only objects of the caller's organisation."""
    other = world.headers["other owner"]
    sessions = world.site.client.get("/v1/sessions", headers=other).json()["sessions"]
    tokens = world.site.client.get("/v1/tokens", headers=other).json()["tokens"]
    own_sessions = world.site.client.get("/v1/sessions", headers=world.headers["owner"]).json()["sessions"]
    assert len(sessions) == 1
    assert {entry["session"] for entry in sessions}.isdisjoint(entry["session"] for entry in own_sessions)
    own = {
        entry["id"] for entry in world.site.client.get("/v1/tokens", headers=bearer(world.site.token)).json()["tokens"]
    }
    assert own.isdisjoint(entry["id"] for entry in tokens)


def test_addresses_only_for_those_who_invite(world: World) -> None:
    """A reviewer sees names but no e-mail addresses."""
    seen = {}
    for role in TEAM:
        headers = world.headers[role]
        entries = world.site.client.get("/v1/sessions", headers=headers).json()["sessions"]
        mine = next(entry for entry in entries if entry["session"] == world.candidate.session)
        seen[role] = (mine["name"], mine["email"])
    assert seen["owner"] == seen["recruiter"] == ("Cara Candidate", "cara@example.com")
    assert seen["reviewer"] == ("Cara Candidate", None)


def test_options_and_unknown_methods_are_refused(site: Site) -> None:
    """Without CORS, an OPTIONS request is refused, and no answer allows another origin."""
    headers = {"origin": "https://evil.example", "access-control-request-method": "GET"}
    answer = site.client.options("/v1/me", headers=headers)
    assert answer.status_code == 405
    assert not [name for name in answer.headers if name.startswith("access-control")]
    assert site.client.patch("/v1/me").status_code == 405
