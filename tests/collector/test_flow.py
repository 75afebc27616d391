"""One session from invite to tombstone, through the routes."""

from __future__ import annotations

import dataclasses

from sqlalchemy import select
from tests.helpers.candidate import bearer, started
from tests.helpers.site import Site

from promptster.protocol.bundle import read_bundle, write_bundle
from promptster.protocol.consent import Certificate
from promptster.protocol.plausibility import ABSENCES
from promptster.protocol.signing import Envelope
from promptster.protocol.verification import verify_bundle
from promptster_collector.store.schema import Session


def test_a_session_ends_as_a_verified_bundle(site: Site) -> None:
    """The uploaded session can be exported as a bundle that verifies against the collector's key."""
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
    assert (found.verdict, found.exit_code, {code for code, _ in found.findings} - ABSENCES) == ("verified", 0, set())
    assert found.log is not None
    assert (found.log.promised, found.log.receipts, found.log.missing) == (True, 2, ())


def test_the_certificate_promises_the_log(site: Site) -> None:
    """A bundle without its log is incomplete: the promise of a log is signed and cannot be removed."""
    candidate = started(site.client, site.token)
    candidate.say("first")
    candidate.close()
    for n in range(2):
        candidate.put(site.client, n)
    site.drain()
    path = f"/v1/sessions/{candidate.session}/bundle"
    parts = read_bundle(site.client.get(path, headers=bearer(candidate.access_token)).content)
    assert Certificate.parse(parts.certificate.payload).promises_log
    trusted = [site.store.identity.fingerprint]
    stripped = dataclasses.replace(parts, proofs=(), checkpoint=None)
    found = verify_bundle(write_bundle(stripped), trusted=trusted)
    assert (found.exit_code, {code for code, _ in found.findings} - ABSENCES) == (11, {"not_in_log"})
    silent = parts.certificate.payload.replace(b'"log":1,', b"")
    assert silent != parts.certificate.payload
    forged = dataclasses.replace(stripped, certificate=Envelope(silent, parts.certificate.signature))
    assert verify_bundle(write_bundle(forged), trusted=trusted).exit_code == 10


def test_what_is_logged_while_a_bundle_is_made_is_no_alteration_of_it(site: Site) -> None:
    """Receipts are read before the log: proofs of receipts that arrived in between are left out."""
    candidate = started(site.client, site.token)
    candidate.say("first")
    candidate.put(site.client, 0)
    (organisation,) = site.rows(select(Session.organisation))[0]
    services = site.services
    with site.client.portal() as portal:
        record = portal.call(services.reading.record, organisation, candidate.session)
    candidate.say("second")
    candidate.put(site.client, 1)
    site.drain()
    with site.client.portal() as portal:
        make = services.bundles._logged  # pyright: ignore[reportPrivateUsage] -- no route stops between the two reads
        logged = portal.call(make, candidate.session, record)
    assert [proof.n for proof in logged.proofs] == [0]
