"""An invite's offer is believed only if it is signed under the key that the invite pins."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.helpers.answering import Answering
from tests.helpers.inviting import FixedClock, Inviting

from promptster.config import Config, PinnedKeys
from promptster.errors import CollectorError, PromptsterError, SessionError, UsageError
from promptster.protocol.documents import encode
from promptster.protocol.encoding import b64u_encode
from promptster.protocol.errors import SignatureError
from promptster.protocol.policy import NEWEST_TEXT, Policy, make_policy, policy_sha256, render_text
from promptster.protocol.signing import SigningKey
from promptster.session.joining.consent import RefusedConsentError, check_accepted_hash
from promptster.session.joining.offer import fetch_offer, policy_document, policy_page

if TYPE_CHECKING:
    from promptster.session.joining.offer import Offer


def test_an_honest_offer_is_taken_and_writes_nothing(server: Answering, config: Config, tmp_path: Path) -> None:
    """Asking for and reading an offer writes no file."""
    inviting = Inviting(repository="https://example.com/task.git")
    server.answer.body = inviting.offer()
    offer = fetch_offer(inviting.code.link(server.url), None, config, FixedClock())
    assert offer.policy_sha256 in str(policy_document(offer))
    page = policy_page(offer, offer.invite.expires - 3_600_000)
    assert 'Acme invites you to "Build a parser".' in page
    assert "(60 min left)" in page
    assert offer.policy.text in page
    assert offer.assessment.repository == "https://example.com/task.git"
    assert list(tmp_path.iterdir()) == []


def test_an_offer_under_an_older_key_still_holds_after_a_rotation(server: Answering, config: Config) -> None:
    """The pinned key is found at any place of the succession."""
    inviting = Inviting()
    inviting.rotate()
    server.answer.body = inviting.offer()
    assert fetch_offer(inviting.code.link(server.url), None, config, FixedClock()).invite.kid == inviting.key.kid


def dishonest() -> list[tuple[str, bytes, Inviting]]:
    """Answers that differ from the honest one in one respect each."""
    found: list[tuple[str, bytes, Inviting]] = []
    inviting, stranger = Inviting(), Inviting()
    found.append(("another collector's keys and invite", stranger.offer(), inviting))
    inviting = Inviting()
    found.append(("another key file", inviting.offer(keys=Inviting().offer_keys()), inviting))
    forged = Inviting(secret=inviting.secret, key=inviting.key)
    envelope = Inviting(secret=inviting.secret).invite
    found.append(("an invite signed by somebody else", forged.offer(invite=envelope.to_json()), inviting))
    other = replace(inviting.policy, retention_days=180)
    swapped = Inviting(key=inviting.key, secret=inviting.secret, policy=other)
    found.append(("another policy than the signed one", swapped.offer(invite=inviting.invite.to_json()), inviting))
    other_name = make_policy(organisation="Evil", title="Build a parser", providers={})
    found.append(
        (
            "another organisation's policy",
            Inviting(key=inviting.key, secret=inviting.secret, policy=other_name).offer(),
            inviting,
        )
    )
    changed = Inviting(key=inviting.key, secret=inviting.secret, changes={"invite_id": "A" * 22})
    found.append(("another invite", changed.offer(), inviting))
    expired = Inviting(key=inviting.key, secret=inviting.secret, changes={"expires": 1})
    found.append(("an expired invite", expired.offer(), inviting))
    return found


@pytest.mark.parametrize("position", range(7))
def test_a_dishonest_offer_is_refused(server: Answering, config: Config, position: int) -> None:
    """Each dishonest answer is refused with its own code, before anything is shown."""
    _, answer, inviting = dishonest()[position]
    server.answer.body = answer
    with pytest.raises(PromptsterError) as caught:
        fetch_offer(inviting.code.link(server.url), None, config, FixedClock())
    assert caught.value.code in {
        "collector_not_pinned",
        "signature_mismatch",
        "policy_mismatch",
        "invite_mismatch",
        "invite_expired",
    }
    assert isinstance(caught.value, SessionError | SignatureError)


KEPT = Path(__file__).resolve().parents[2] / "protocol" / "policies"
"""Policies of each version, exactly as they were offered."""


def kept(name: str) -> Policy:
    """A policy of an earlier version, exactly as it was offered."""
    return Policy.parse((KEPT / f"{name}.json").read_bytes())


def asked_for(server: Answering, config: Config, policy: Policy) -> Offer:
    """The result of asking for an invite with this policy, which its collector signed."""
    inviting = Inviting(policy=policy)
    server.answer.body = inviting.offer()
    return fetch_offer(inviting.code.link(server.url), None, config, FixedClock())


@pytest.mark.parametrize("name", ["version-1-first", "version-1", "version-2", "version-2-text-3"])
def test_a_policy_of_each_version_can_be_agreed_to(server: Answering, config: Config, name: str) -> None:
    """Policies of version 1 can be agreed to as well; the collector learns which versions this program reads."""
    assert asked_for(server, config, kept(name)).policy == kept(name)
    assert server.asked[-1].headers["promptster-policy"] == "2"


def lies() -> list[Policy]:
    """Policies whose text says less than their settings, or more."""
    lie = "Acme asks to record your work.\nNothing but the final difference, for one day, to api.anthropic.com only.\n"
    found: list[Policy] = []
    for name in ("version-1", "version-2", "version-2-text-3"):
        honest = kept(name)
        found += [
            replace(honest, text=lie, retention_days=180, analysis_by_llm=True),
            replace(honest, text=honest.text + "It is deleted the next day.\n"),
            replace(
                honest, text=honest.text.replace("- the agent's commands, with folder, output and exit code\n", "")
            ),
            replace(honest, providers={**honest.providers, "anthropic": "https://llm.acme.example"}),
            replace(honest, retention_days=180),
            replace(honest, text=honest.text.rstrip("\n")),
        ]
    for name, other in (
        ("version-2", "version-1"),
        ("version-2", "version-2-text-3"),
        ("version-2-text-3", "version-2"),
    ):
        found.append(replace(kept(name), text=kept(other).text))
    return found


@pytest.mark.parametrize("position", range(21))
def test_a_text_that_is_not_that_of_the_settings_is_refused(
    server: Answering, config: Config, tmp_path: Path, position: int
) -> None:
    """It is refused although the collector signed it: the settings would apply. Nothing is shown or written."""
    with pytest.raises(SessionError) as caught:
        asked_for(server, config, lies()[position])
    assert (caught.value.code, caught.value.exit_code) == ("policy_text", 1)
    assert caught.value.hint is not None
    assert caught.value.hint.startswith("Nothing was changed. Do not use this invite.")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "changes",
    [
        {"text_version": NEWEST_TEXT + 1},
        {"at_limit": "submit"},
        {"models": ("m-1",)},
        {"reader_systems": ("ats",)},
        {"v": 3},
    ],
)
def test_what_only_a_newer_version_knows_asks_for_an_update(
    server: Answering, config: Config, tmp_path: Path, changes: dict[str, Any]
) -> None:
    """A later version of the policy or its text, or an unknown setting, asks for an update instead of consent."""
    policy = kept("version-2-text-3")
    version = changes.pop("v", None)
    inviting = Inviting(policy=replace(policy, **changes))
    if version is not None:
        later = encode({**json.loads(policy.payload()), "v": version, "later": True})
        inviting.changes["policy_sha256"] = policy_sha256(later)
        server.answer.body = inviting.offer(policy=b64u_encode(later))
    else:
        server.answer.body = inviting.offer()
    with pytest.raises(SessionError) as caught:
        fetch_offer(inviting.code.link(server.url), None, config, FixedClock())
    assert (caught.value.code, caught.value.exit_code) == ("newer_version", 1)
    assert caught.value.hint == "Nothing was changed. Update Promptster, then run the same command again."
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["version-1", "version-2", "version-2-text-3"])
@pytest.mark.parametrize("setting", ["hooks", "submission_final", "capture_heartbeat", "opened", "consent"])
def test_a_text_that_says_less_than_this_program_always_does_is_not_offered(
    server: Answering, config: Config, tmp_path: Path, name: str, setting: str
) -> None:
    """Hooks are used and the session's course recorded under any policy, so a text without them is refused."""
    policy = kept(name)
    narrow = {"kinds": tuple(kind for kind in policy.kinds if kind != setting)}
    less = replace(policy, **({"hooks": False} if setting == "hooks" else narrow))
    with pytest.raises(SessionError) as caught:
        asked_for(server, config, replace(less, text=render_text(less)))
    assert (caught.value.code, caught.value.exit_code) == ("newer_version", 1)
    assert list(tmp_path.iterdir()) == []


def test_what_an_agent_does_may_be_left_out_of_a_policy(server: Answering, config: Config) -> None:
    """Of what an agent does, only the kinds that the policy names are recorded."""
    policy = replace(kept("version-2"), kinds=tuple(kind for kind in kept("version-2").kinds if kind != "command"))
    less = replace(policy, text=render_text(policy))
    assert asked_for(server, config, less).policy == less


@pytest.mark.parametrize(("brief", "code"), [("\ud800", "collector_answer"), (["a"], "collector_answer")])
def test_a_task_that_is_no_text_is_no_answer(server: Answering, config: Config, brief: object, code: str) -> None:
    """The task is recorded as it is, so it must be text."""
    inviting = Inviting()
    task = {"title": "Build a parser", "repository": None, "time_limit_minutes": 0, "brief": brief}
    server.answer.body = inviting.offer(assessment=task)
    with pytest.raises(CollectorError) as caught:
        fetch_offer(inviting.code.link(server.url), None, config, FixedClock())
    assert caught.value.code == code


def test_a_rotated_key_cannot_speak_for_an_invite_of_another(server: Answering, config: Config) -> None:
    """The invite must be signed by the pinned key, not by any key of the succession."""
    inviting = Inviting()
    new: SigningKey = inviting.rotate()
    imitation = Inviting(key=new, secret=inviting.secret, changes={"kid": new.kid})
    server.answer.body = inviting.offer(invite=imitation.invite.to_json())
    with pytest.raises(SignatureError):
        fetch_offer(inviting.code.link(server.url), None, config, FixedClock())


def test_keys_that_do_not_continue_the_pinned_ones_are_refused(server: Answering, config: Config) -> None:
    """A known collector that presents other keys is refused before consent."""
    known, other = Inviting(), Inviting()
    PinnedKeys(config.paths).pin(server.url, encode(known.offer_keys()))
    server.answer.body = other.offer()
    with pytest.raises(CollectorError) as caught:
        fetch_offer(other.code.link(server.url), None, config, FixedClock())
    assert caught.value.code == "collector_keys_changed"


def test_a_code_without_a_link_needs_an_address(server: Answering, config: Config) -> None:
    """The address comes from the option, the link, or the settings, in this order."""
    inviting = Inviting()
    server.answer.body = inviting.offer()
    with pytest.raises(UsageError):
        fetch_offer(inviting.code.code, None, config, FixedClock())
    assert fetch_offer(inviting.code.code, server.url + "/", config, FixedClock()).collector_url == server.url
    signed_in = replace(config, collector=server.url)
    assert fetch_offer(inviting.code.code, None, signed_in, FixedClock()).collector_url == server.url
    elsewhere = inviting.code.link("http://127.0.0.1:9")
    assert fetch_offer(elsewhere, server.url, config, FixedClock()).collector_url == server.url


def test_only_the_offered_policys_hash_is_consent(server: Answering, config: Config) -> None:
    """A typo is a usage error; another hash is a refusal."""
    inviting = Inviting()
    server.answer.body = inviting.offer()
    offer = fetch_offer(inviting.code.link(server.url), None, config, FixedClock())
    check_accepted_hash(offer, f"sha256:{offer.policy_sha256}")
    check_accepted_hash(offer, f" sha256:{offer.policy_sha256.upper()} ")
    with pytest.raises(RefusedConsentError):
        check_accepted_hash(offer, "sha256:" + os.urandom(32).hex())
    for text in (offer.policy_sha256, "sha256:", "sha1:" + "0" * 64, "sha256:" + "g" * 64):
        with pytest.raises(UsageError):
            check_accepted_hash(offer, text)
