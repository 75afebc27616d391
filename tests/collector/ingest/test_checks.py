"""Checks: every batch is opened after ingest, faults get a code, and other batches stay readable."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, Executable, select, update
from tests.helpers.candidate import Candidate, bearer, started
from tests.helpers.site import Site, Template, copy_data, running_site

from promptster.protocol.batch import join_wire, parse_batch
from promptster.protocol.policy import Policy
from promptster.protocol.receipt import Check, Close
from promptster.protocol.signing import Envelope, open_envelope
from promptster.protocol.verification import verify_bundle
from promptster_collector.settings import HOUR_MS, Limits
from promptster_collector.store.keys.names import session_key
from promptster_collector.store.schema import Batch, Session


def checks_of(site: Site, candidate: Candidate) -> list[Check]:
    """The signed checks of a session, verified."""
    headers = bearer(candidate.access_token)
    evidence = site.client.get(f"/v1/sessions/{candidate.session}/evidence", headers=headers).json()
    public_key = site.store.identity.signer.public_key
    return [open_envelope(Check, Envelope.from_json(check), public_key) for check in evidence["checks"]]


def head(site: Site, candidate: Candidate) -> dict[str, Any]:
    """How far the session has come."""
    headers = bearer(candidate.access_token)
    document: dict[str, Any] = site.client.get(f"/v1/sessions/{candidate.session}/head", headers=headers).json()
    return document


def change(site: Site, statement: Executable) -> None:
    """Change rows without the collector."""

    def job(connection: Connection) -> None:
        connection.execute(statement)

    site.store.database.write_now(job)


def unreadable(candidate: Candidate) -> bytes:
    """The next batch, correctly signed around a body that opens with no key."""
    good = candidate.say("nobody will read this")
    batch = parse_batch(good)
    body = os.urandom(len(batch.body))
    header = replace(batch.header, ct_sha256=hashlib.sha256(body).digest())
    envelope = candidate.key.sign(header)
    wire = join_wire(envelope.payload, envelope.signature, body)
    candidate.batches[-1] = wire
    candidate.prev = hashlib.sha256(envelope.payload).digest()
    return wire


def test_good_batches_are_checked(site: Site) -> None:
    """A good batch gets a signed check about its header."""
    candidate = started(site.client, site.token)
    candidate.say("one", "two")
    candidate.put(site.client, 0)
    assert checks_of(site, candidate) == []
    site.drain()
    (check,) = checks_of(site, candidate)
    assert (check.n, check.ok, check.code, check.discarded) == (0, True, None, 0)
    assert head(site, candidate)["checked"] == 0


def test_a_bad_batch_is_one_unreadable_span(site: Site) -> None:
    """A body that does not open fails its check by name; the batches around it stay readable, even when sealed."""
    candidate = started(site.client, site.token)
    candidate.say("before")
    unreadable(candidate)
    candidate.say("after")
    candidate.close()
    for n in range(4):
        assert candidate.put(site.client, n).status_code == 200
    site.drain()
    assert [check.ok for check in checks_of(site, candidate)] == [True, False, True, True]
    assert checks_of(site, candidate)[1].code == "sealed"
    assert head(site, candidate)["state"] == "sealed"
    bundle = site.client.get(f"/v1/sessions/{candidate.session}/bundle", headers=bearer(site.token)).content
    found = verify_bundle(bundle, trusted=[site.store.identity.fingerprint])
    assert found.verdict == "incomplete"
    assert [event.fields["text"] for event in found.opened if event.kind == "prompt"] == ["before", "after"]


def test_checks_go_on_after_a_restart(site: Site) -> None:
    """Batches that were not checked when the collector ended are checked by the next process."""
    candidate = started(site.client, site.token)
    candidate.say("one")
    candidate.put(site.client, 0)
    site.client.__exit__(None, None, None)
    with running_site(site.data, site.token, clock=site.clock) as again:
        again.drain()
        assert [check.ok for check in checks_of(again, candidate)] == [True]
    site.client.__enter__()


def test_the_closing_event_closes(site: Site) -> None:
    """The session ends with the check of its closing batch."""
    candidate = started(site.client, site.token)
    candidate.say("one")
    candidate.close()
    candidate.put(site.client, 0)
    candidate.put(site.client, 1)
    assert head(site, candidate)["state"] == "open"
    site.drain()
    assert head(site, candidate)["closed"] is True


@pytest.mark.parametrize("totals", [{"proxy": 1}, {"proxy": 2, "hook": 1}, {}, None, [], {"proxy": "2"}])
def test_totals_that_contradict_do_not_close(site: Site, totals: Any) -> None:
    """A closing event whose totals are not what was received fails its check, and the session stays open."""
    candidate = started(site.client, site.token)
    candidate.say("one", "two")
    candidate.batch([candidate.event("closed", src="recorder", totals=totals, batches=2)])
    candidate.put(site.client, 0)
    candidate.put(site.client, 1)
    site.drain()
    assert head(site, candidate)["state"] == "open"
    assert [check.code for check in checks_of(site, candidate)] == [None, "totals"]


@pytest.mark.parametrize("counted", [0, 1])
def test_totals_may_count_the_closing_event(site: Site, counted: int) -> None:
    """Totals with and without the closing event itself are both accepted."""
    candidate = started(site.client, site.token)
    candidate.say("one")
    totals = {"proxy": 1, "recorder": counted}
    candidate.batch([candidate.event("closed", src="recorder", totals=totals, batches=1)])
    candidate.put(site.client, 0)
    candidate.put(site.client, 1)
    site.drain()
    assert head(site, candidate)["state"] == "sealed"


@pytest.mark.parametrize("src", ["hook", "candidate", "proxy", "launcher", "workspace"])
def test_nobody_but_the_recorder_closes(site: Site, src: str) -> None:
    """A closing event from another source ends nothing, and other events may follow it."""
    candidate = started(site.client, site.token)
    candidate.say("one")
    candidate.batch([candidate.event("closed", src=src, totals={"proxy": 1}, batches=2)])
    candidate.say("two")
    for n in range(3):
        candidate.put(site.client, n)
    site.drain()
    assert head(site, candidate)["state"] == "open"
    assert [check.code for check in checks_of(site, candidate)] == [None, None, None]
    candidate.close()
    candidate.put(site.client, 3)
    site.drain()
    assert head(site, candidate)["closed"] is True


def test_nothing_may_follow_the_closing_event(site: Site) -> None:
    """A closing event that is followed by another event, in its batch or a later one, does not close."""
    inside, after = started(site.client, site.token), started(site.client, site.token, email="b@example.com")
    inside.batch([inside.event("closed", src="recorder", totals={}, batches=0), inside.event("note", text="and")])
    after.close()
    after.say("and")
    inside.put(site.client, 0)
    after.put(site.client, 0)
    after.put(site.client, 1)
    site.drain()
    for candidate in (inside, after):
        assert head(site, candidate)["state"] == "open"
        assert checks_of(site, candidate)[0].code == "closed_not_last"


def test_kinds_outside_the_policy_are_discarded_and_said(site: Site) -> None:
    """Values of kinds that the candidate did not agree to are never shown, and the check counts them."""
    candidate = started(site.client, site.token)
    organisation, sealed = site.rows(select(Session.organisation, Session.policy_sealed))[0]
    sealer = site.store.of_session(organisation, candidate.session)
    policy = Policy.parse(sealer.unseal(sealed, "policy"))
    narrow = replace(policy, kinds=tuple(kind for kind in policy.kinds if kind != "note"))
    stored = sealer.seal(narrow.payload(), "policy")
    change(site, update(Session).values(policy_sealed=stored))
    candidate.batch([candidate.event("prompt", text="kept"), candidate.event("note", text="not agreed to")])
    candidate.close()
    candidate.put(site.client, 0)
    headers = bearer(site.token)
    live = site.client.get(f"/v1/sessions/{candidate.session}/events", headers=headers).text
    candidate.put(site.client, 1)
    site.drain()
    ended = site.client.get(f"/v1/sessions/{candidate.session}/events", headers=headers).text
    for text in (live, ended):
        assert "kept" in text
        assert "not agreed to" not in text
    assert [(check.ok, check.discarded) for check in checks_of(site, candidate)] == [(True, 1), (True, 0)]


def test_a_damaged_row_stops_nobody_else(site: Site) -> None:
    """A stored body that was changed fails its check; other sessions are still checked."""
    damaged, fine = started(site.client, site.token), started(site.client, site.token, email="f@example.com")
    damaged.say("one")
    damaged.put(site.client, 0)
    junk = bytes(100)
    change(site, update(Batch).values(body_sealed=junk))
    fine.say("one")
    fine.put(site.client, 0)
    site.drain()
    assert checks_of(site, damaged)[0].code == "storage_damaged"
    assert checks_of(site, fine)[0].ok


def test_the_policy_is_canonical(site: Site) -> None:
    """The policy's stored bytes are those that its consent names."""
    candidate = started(site.client, site.token)
    organisation, sealed = site.rows(select(Session.organisation, Session.policy_sealed))[0]
    data = site.store.of_session(organisation, candidate.session).unseal(sealed, "policy")
    assert Policy.parse(data).payload() == data


def test_a_session_that_was_closed_in_time_does_not_lapse(site: Site) -> None:
    """A closing event that waits for its check when upload time ends still closes the session as submitted."""
    candidate = started(site.client, site.token)
    candidate.close()
    candidate.put(site.client, 0)
    site.clock.pass_ms(200 * HOUR_MS)
    site.drain()  # sweeps first, as every start does
    evidence = site.client.get(f"/v1/sessions/{candidate.session}/evidence", headers=bearer(site.token)).json()
    close = open_envelope(Close, Envelope.from_json(evidence["close"]), site.store.identity.signer.public_key)
    assert close.outcome == "submitted"


@contextmanager
def limited(template: Template, folder: Path, limits: Limits) -> Generator[Site]:
    """A collector with these limits."""
    copy_data(template.data, folder)
    with running_site(folder, template.token, limits=limits) as site:
        yield site


def test_a_lost_key_stands_in_nobodys_way(template: Template, tmp_path: Path) -> None:
    """Sessions whose keys are lost do not keep others from being checked, and end when their time is over."""
    with limited(template, tmp_path / "data", Limits(check_batches=2)) as site:
        lost = started(site.client, site.token)
        for n in range(3):
            lost.say(f"nobody can open this any more {n}")
            lost.put(site.client, n)
        other = started(site.client, site.token, email="o@example.com")
        other.say("but this")
        other.put(site.client, 0)
        organisation = site.rows(select(Session.organisation))[0].organisation
        site.store.keys.destroy([session_key(organisation, lost.session)])
        site.drain()
        assert head(site, other)["checked"] == 0
        assert head(site, lost)["checked"] == -1
        site.clock.pass_ms(200 * HOUR_MS)
        site.drain()
        assert head(site, lost)["closed"]
        assert head(site, other)["closed"]
        site.clock.pass_ms(31 * 24 * HOUR_MS)
        site.drain()
        assert {row.state for row in site.rows(select(Session.state))} == {"erased"}


def test_one_round_holds_little(template: Template, tmp_path: Path) -> None:
    """A round opens no more batches than its limits allow, however large, but at least one, and all get checked."""
    with limited(template, tmp_path / "data", Limits(check_bytes=1)) as site:
        candidate = started(site.client, site.token)
        for n in range(3):
            candidate.say(f"text {n}")
            candidate.put(site.client, n)
        assert len(site.store.database.read_now(site.services.checks.oldest)) == 1
        site.drain()
        assert [check.ok for check in checks_of(site, candidate)] == [True] * 3


def test_what_is_very_large_when_opened_is_not_opened_again(template: Template, tmp_path: Path) -> None:
    """A batch that would make the session too large when opened is an unreadable span; the session still closes."""
    data = tmp_path / "data"
    copy_data(template.data, data)
    with running_site(data, template.token, limits=Limits(opened_bytes=300_000)) as site:
        candidate = started(site.client, site.token)
        candidate.say("before")
        candidate.say("x" * 200_000)
        candidate.say("y" * 200_000)
        candidate.say("after")
        candidate.close()
        for n in range(5):
            assert len(candidate.batches[n]) < 10_000
            assert candidate.put(site.client, n).status_code == 200
        path = f"/v1/sessions/{candidate.session}/events"
        live = site.client.get(path, headers=bearer(site.token)).json()["events"]
        site.drain()
        codes = [(check.ok, check.code) for check in checks_of(site, candidate)]
        assert codes == [(True, None), (True, None), (False, "opened_size"), (True, None), (True, None)]
        assert head(site, candidate)["state"] == "sealed"
        found = site.client.get(path, headers=bearer(site.token)).json()["events"]
        assert [event["seq"] for event in found] == [0, 1, 3, 4]
        assert len(live) >= len(found)
