"""Who may do what: every route with every kind of caller, generated from the route table."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, cast

import pytest
from litestar.handlers import HTTPRouteHandler
from litestar.routes import HTTPRoute
from tests.helpers.candidate import Candidate, bearer, new_assessment, new_invite, started
from tests.helpers.site import Site, Template, running_site

from promptster_collector.access.guard import ACCESS
from promptster_collector.app import ROUTES, build_app, require_rules
from promptster_collector.settings import DAY_MS

TEAM = ("owner", "recruiter", "reviewer")
CALLERS = ("anonymous", "garbage", *TEAM, "candidate", "other candidate", "other owner", "revoked", "expired")

ANYONE = frozenset(CALLERS)
MATRIX: dict[tuple[str, str], frozenset[str]] = {
    ("GET", "/healthz"): ANYONE,
    ("GET", "/v1/keys"): ANYONE,
    ("GET", "/v1/log/checkpoint"): ANYONE,
    ("GET", "/v1/log/consistency"): ANYONE,
    ("GET", "/i/{invite}"): ANYONE,
    ("GET", "/v1/me"): frozenset({*TEAM, "other owner"}),
    ("GET", "/v1/tokens"): frozenset({"owner", "other owner"}),
    ("POST", "/v1/tokens"): frozenset({"owner", "other owner"}),
    ("DELETE", "/v1/tokens/{token}"): frozenset({"owner"}),
    ("GET", "/v1/assessments"): frozenset({*TEAM, "other owner"}),
    ("POST", "/v1/assessments"): frozenset({"owner", "recruiter", "other owner"}),
    ("POST", "/v1/assessments/{assessment}/invites"): frozenset({"owner", "recruiter"}),
    ("GET", "/v1/sessions"): frozenset({*TEAM, "other owner"}),
    ("DELETE", "/v1/sessions/{session}"): frozenset({"owner", "candidate"}),
    ("GET", "/v1/sessions/{session}/head"): frozenset({"owner", "reviewer", "candidate"}),
    ("GET", "/v1/sessions/{session}/events"): frozenset({"owner", "reviewer", "candidate"}),
    ("GET", "/v1/sessions/{session}/evidence"): frozenset({"owner", "reviewer", "candidate"}),
    ("GET", "/v1/sessions/{session}/bundle"): frozenset({"owner", "reviewer", "candidate"}),
    ("GET", "/v1/sessions/{session}/export"): frozenset({"owner", "reviewer", "candidate"}),
    # Bearer tokens mean nothing here: the invite's secret or the session key's signature does.
    ("GET", "/v1/invites/{invite}"): frozenset(),
    ("POST", "/v1/invites/{invite}/redeem"): frozenset(),
    ("PUT", "/v1/sessions/{session}/batches/{n}"): ANYONE,
    ("POST", "/v1/sessions/{session}/withdraw"): ANYONE,
}
"""Who is let through, for a path that names objects of the first organisation and of ``candidate``."""

QUERIES = {("GET", "/v1/log/consistency"): {"from": "1", "to": "1"}}

BODIES: dict[tuple[str, str], Any] = {
    ("POST", "/v1/tokens"): {"role": "reviewer"},
    ("POST", "/v1/assessments"): {"title": "Another"},
    ("POST", "/v1/assessments/{assessment}/invites"): {"name": "Ina", "email": "ina@example.com"},
    ("POST", "/v1/invites/{invite}/redeem"): {"consent": {}, "redeem": {}, "box": ""},
}


def own_routes() -> Iterator[tuple[str, str]]:
    """Every route that the collector's nouns declare."""
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
    tokens: dict[str, str | None]
    candidate: Candidate
    invite: str
    assessment: str

    def spare_token(self) -> str:
        """The id of a token that may be revoked."""
        answer = self.site.client.post("/v1/tokens", headers=bearer(self.site.token), json={"role": "reviewer"})
        return str(answer.json()["id"])

    def path(self, template: str) -> str:
        """A route's path, naming own objects."""
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
        tokens: dict[str, str | None] = {
            "anonymous": None,
            "garbage": "pt_" + "A" * 43,
            "owner": site.token,
            "recruiter": token("recruiter")["token"],
            "reviewer": token("reviewer")["token"],
            "candidate": candidate.access_token,
            "other candidate": other.access_token,
            "other owner": site.other_organisation().token.token,
            "revoked": revoked["token"],
            "expired": expired,
        }
        invite = new_invite(site.client, site.token, assessment).invite_id
        yield World(site=site, tokens=tokens, candidate=candidate, invite=invite, assessment=assessment)


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
    """OpenAPI names every route, what it refuses and how, and which credential it wants."""
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


@pytest.mark.parametrize("caller", CALLERS)
@pytest.mark.parametrize("route", sorted(MATRIX), ids=" ".join)
def test_matrix(world: World, route: tuple[str, str], caller: str) -> None:
    """Each caller gets through exactly where the matrix says so; other people's objects do not exist for anyone."""
    method, template = route
    token = world.tokens[caller]
    headers = {} if token is None else bearer(token)
    content = world.candidate.batches[0] if method == "PUT" else None
    body = BODIES.get(route)
    if template.endswith("/withdraw"):
        body = started(world.site.client, world.site.token, email="w@example.com").withdrawal()
    path = world.path(template)
    if method == "DELETE" and template.endswith("{session}") and caller in MATRIX[route]:
        spare = started(world.site.client, world.site.token, email="spare@example.com")
        path = f"/v1/sessions/{spare.session}"
        headers = bearer(spare.access_token) if caller == "candidate" else headers
    answer = world.site.client.request(
        method,
        path,
        headers=headers,
        params=QUERIES.get(route),
        json=body if content is None else None,
        content=content,
    )
    assert answer.status_code in documented(world.site)[method, template]
    if template.startswith("/v1/invites/"):
        assert answer.status_code == (401 if caller == "anonymous" else 404)
    elif template.endswith("/withdraw"):
        assert answer.json()["code"] in {"unknown_session", "rate_limited"}  # the signature is another session's
    elif caller in MATRIX[route]:
        assert answer.is_success, answer.text
    elif caller in {"anonymous", "garbage", "revoked", "expired"}:
        assert answer.status_code == 401
    elif caller in {"other owner", "other candidate"}:
        assert answer.status_code in ({403, 404} if caller == "other candidate" else {404})
    else:
        assert answer.status_code == 403
    if not answer.is_success:
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["status"] == answer.status_code


def test_foreign_objects_look_like_missing_ones(world: World) -> None:
    """The answer for another organisation's object is the answer for one that does not exist."""
    other = bearer(cast("str", world.tokens["other owner"]))
    client = world.site.client
    for path in ("/v1/sessions/{}/head", "/v1/sessions/{}/bundle", "/v1/sessions/{}/events"):
        foreign = client.get(path.format(world.candidate.session), headers=other)
        missing = client.get(path.format("AAAAAAAAAAAAAAAAAAAAAA"), headers=other)
        assert (foreign.status_code, foreign.content) == (404, missing.content)


def test_other_organisations_lists_are_their_own(world: World) -> None:
    """Lists hold own objects only."""
    other = bearer(cast("str", world.tokens["other owner"]))
    sessions = world.site.client.get("/v1/sessions", headers=other).json()["sessions"]
    tokens = world.site.client.get("/v1/tokens", headers=other).json()["tokens"]
    assert sessions == []
    own = {
        entry["id"] for entry in world.site.client.get("/v1/tokens", headers=bearer(world.site.token)).json()["tokens"]
    }
    assert own.isdisjoint(entry["id"] for entry in tokens)


def test_addresses_only_for_those_who_invite(world: World) -> None:
    """A reviewer sees names and no e-mail addresses."""
    seen = {}
    for role in TEAM:
        headers = bearer(cast("str", world.tokens[role]))
        entries = world.site.client.get("/v1/sessions", headers=headers).json()["sessions"]
        mine = next(entry for entry in entries if entry["session"] == world.candidate.session)
        seen[role] = (mine["name"], mine["email"])
    assert seen["owner"] == seen["recruiter"] == ("Cara Candidate", "cara@example.com")
    assert seen["reviewer"] == ("Cara Candidate", None)


def test_options_and_unknown_methods_are_refused(site: Site) -> None:
    """No CORS: an OPTIONS request gets nothing, and no answer allows another origin."""
    headers = {"origin": "https://evil.example", "access-control-request-method": "GET"}
    answer = site.client.options("/v1/me", headers=headers)
    assert answer.status_code == 405
    assert not [name for name in answer.headers if name.startswith("access-control")]
    assert site.client.patch("/v1/me").status_code == 405
