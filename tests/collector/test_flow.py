"""One session from invite to tombstone, through the routes."""

from __future__ import annotations

from tests.helpers.candidate import bearer, started
from tests.helpers.site import Site

from promptster.protocol.verification import verify_bundle


def test_a_session_ends_as_a_verified_bundle(site: Site) -> None:
    """What was uploaded comes out as a bundle that verifies against the collector's key."""
    candidate = started(site.client, site.token)
    candidate.say("first", "second")
    candidate.close()
    for n in range(2):
        assert candidate.put(site.client, n).status_code == 200
    site.drain()
    head = site.client.get(f"/v1/sessions/{candidate.session}/head", headers=bearer(candidate.access_token)).json()
    assert head == {"state": "sealed", "next": 2, "events": 3, "checked": 1, "closed": True}
    bundle = site.client.get(f"/v1/sessions/{candidate.session}/bundle", headers=bearer(site.token)).content
    found = verify_bundle(bundle, trusted=[site.store.identity.fingerprint])
    assert (found.verdict, found.exit_code, found.findings) == ("verified", 0, ())
