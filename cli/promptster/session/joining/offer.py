"""Fetches what an invite offers, and verifies all of it.

Only what the invite's pinned key or a successor signed is trusted. No file of a session is written here, so a candidate
who refuses leaves no trace.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from typing import TYPE_CHECKING

from promptster.client import CollectorClient
from promptster.config import PinnedKeys
from promptster.errors import PromptsterError, SessionError, UsageError
from promptster.protocol.errors import NewerVersionError, PolicyTextError
from promptster.protocol.events.kinds import SESSION_KINDS, Kind
from promptster.protocol.invite import Invite, InviteCode
from promptster.protocol.policy import NOT_YET_RECORDED, Policy, require_own_text
from promptster.protocol.signing import Envelope, open_envelope
from promptster.session.current import CERTIFICATE
from promptster.session_folder.collector_keys import invite_of
from promptster.session_folder.folder import sessions_here
from promptster.session_folder.provider_addresses import address_lines, unusual_addresses
from promptster.session_folder.wording import one_line
from promptster.times import soon, until, utc

if TYPE_CHECKING:
    from promptster.client import Assessment
    from promptster.clock import Clock
    from promptster.config import Config
    from promptster.paths import Paths
    from promptster.protocol.key_succession import KeySuccession


@dataclass(frozen=True, kw_only=True)
class Offer:
    """What one invite offers, verified with the key that it pins."""

    code: InviteCode
    collector_url: str
    invite: Invite
    invite_envelope: Envelope
    policy: Policy
    policy_bytes: bytes
    """The exact bytes whose hash is in the consent."""
    assessment: Assessment
    keyfile: bytes
    """The collector's keys; only the one that the code names and its successors are trusted."""

    @property
    def policy_sha256(self) -> str:
        """The policy's hash as 64 hexadecimal digits."""
        return self.invite.policy_sha256


def locate_collector(code: InviteCode, option: str | None, config: Config) -> str:
    """Return the collector's address: from the option, the link or the configuration.

    Raises:
        UsageError: none of them names one.
    """
    url = option or code.collector_url or config.collector
    if url is None:
        raise UsageError("this code does not name its collector", hint="Pass the whole link, or add --collector URL.")
    return url


def fetch_offer(text: str, collector: str | None, config: Config, clock: Clock) -> Offer:
    """Read an invite, fetch what it offers, verify all of it.

    Raises:
        InviteError: the text is not an invite.
        CollectorError: the collector cannot be reached, does not know the invite, or has other keys than before.
        ProtocolError: a part is not signed by the key that the invite pins.
        SessionError: the parts do not belong together, the policy's text does not match its settings, it needs a newer
            version of Promptster, or the invite has expired or was used on this computer.
    """
    code = InviteCode.parse(text)
    _refuse_used_here(code, config.paths)
    url = locate_collector(code, collector, config)
    with CollectorClient(url, network=config.network) as client:
        answer = client.get_invite(code.invite_id, code.secret)
        url = client.url
    keys = PinnedKeys(config.paths).check(url, answer.keyfile)
    envelope = Envelope.from_json(answer.invite)
    invite = open_envelope(Invite, envelope, pinned_key(keys, code))
    _check(invite, code, answer.policy, clock)
    policy = _own_policy(answer.policy, invite)
    return Offer(
        code=code,
        collector_url=url,
        invite=invite,
        invite_envelope=envelope,
        policy=policy,
        policy_bytes=answer.policy,
        assessment=answer.assessment,
        keyfile=answer.keyfile,
    )


def _refuse_used_here(code: InviteCode, paths: Paths) -> None:
    """Refuse an invite that was used on this computer; asking the collector would report a second attempt."""
    for folder in sessions_here(paths).values():
        try:
            used = folder.has_document(CERTIFICATE) and invite_of(folder).invite_id == code.invite_id
        except PromptsterError:
            continue  # a damaged session cannot be compared
        if used:
            raise SessionError(
                "this invite was already used",
                hint="You used it on this computer: `promptster status` shows the last session.",
                code="invite_used",
            )


def pinned_key(keys: KeySuccession, code: InviteCode) -> bytes:
    """Return the collector's public key that the invite names.

    Raises:
        SessionError: it is not among the collector's keys.
    """
    key = keys.find(code.pin)
    if key is None:
        raise SessionError(
            "this collector is not the one that made the invite",
            hint="Check the address. If it is right, ask the hiring team before you continue.",
            code="collector_not_pinned",
        )
    return key


def _check(invite: Invite, code: InviteCode, policy: bytes, clock: Clock) -> None:
    if invite.kid != code.pin or invite.invite_id != code.invite_id:
        raise SessionError(
            "the collector returned a different invite", hint="Tell the hiring team.", code="invite_mismatch"
        )
    if not hmac.compare_digest(hashlib.sha256(policy).hexdigest(), invite.policy_sha256):
        raise _other_policy()
    now = clock.wall_ms()
    if invite.expires <= now:
        raise SessionError(
            f"this invite expired on {soon(invite.expires, now)}",
            hint=f"Ask {one_line(invite.organisation)} for a new one.",
            code="invite_expired",
        )


def _other_policy() -> SessionError:
    return SessionError(
        "the policy is not the one that the invite names", hint="Tell the hiring team.", code="policy_mismatch"
    )


def _own_policy(data: bytes, invite: Invite) -> Policy:
    """Return the policy if its text matches its settings, because the settings are what is enforced."""
    try:
        policy = Policy.parse(data)
        if policy.organisation != invite.organisation:
            raise _other_policy()
        require_own_text(policy)
    except NewerVersionError as error:
        raise newer_needed("this invite needs a newer version of Promptster") from error
    except PolicyTextError as error:
        organisation = one_line(invite.organisation)
        raise SessionError(
            "the policy's text does not match its settings",
            hint=f"Nothing was changed. Do not use this invite. Tell {organisation} that its collector offers a text "
            "that differs from its settings.",
            code=error.code,
        ) from error
    if not _can_be_kept(policy):
        raise newer_needed("this invite needs a newer version of Promptster")
    return policy


def _can_be_kept(policy: Policy) -> bool:
    """Return whether this program records no more than the policy's text says.

    It always uses the agents' hooks and always records the events of the session itself, so it cannot keep a policy
    that excludes the hooks or some of these events.
    """
    return policy.hooks and all(policy.allows(kind) for kind in SESSION_KINDS - NOT_YET_RECORDED)


def newer_needed(message: str, *, so_far: str = "Nothing was changed.") -> SessionError:
    """Return the error for something that only a later version of Promptster understands."""
    return SessionError(
        message, hint=f"{so_far} Update Promptster, then run the same command again.", code="newer_version"
    )


def policy_document(offer: Offer) -> dict[str, object]:
    """Return what ``promptster policy --json`` prints."""
    policy = offer.policy
    return {
        "sha256": offer.policy_sha256,
        "text": policy.text,
        "organisation": offer.invite.organisation,
        "title": offer.policy.title,
        "repository": offer.assessment.repository,
        "time_limit_minutes": policy.time_limit_minutes,
        "retention_days": policy.retention_days,
        "unusual_providers": {address.name: address.url for address in unusual_addresses(policy.providers)},
        "collector": offer.collector_url,
        "expires_at": utc(offer.invite.expires),
    }


def policy_page(offer: Offer, now_ms: int) -> str:
    """Return the policy's text for a person, with the details of the invite."""
    unusual = unusual_addresses(offer.policy.providers)
    lines = [
        f'{one_line(offer.invite.organisation)} invites you to "{one_line(offer.policy.title)}".',
        f"Collector: {offer.collector_url}",
        f"The invite is valid {until(offer.invite.expires, now_ms)}.",
        *([f"Task: {one_line(offer.assessment.repository)}"] if offer.assessment.repository else []),
        *(["Your agent's traffic, with your API key, goes to an unusual address:"] if unusual else []),
        *address_lines(unusual),
        "",
        offer.policy.text,
    ]
    return "\n".join(lines)


def in_short(offer: Offer) -> list[tuple[str, str]]:
    """Return the rows of the consent screen: time, what is and is not recorded, and the candidate's rights."""
    policy = offer.policy
    kept = f"The recording is kept for {policy.retention_days} day{'s' if policy.retention_days != 1 else ''}."
    limit = policy.time_limit_minutes
    time = f"{limit} minute{'s' if limit != 1 else ''} from when you agree." if limit else "No limit is set."
    return [
        ("Time", f"{time} {kept}"),
        ("Recorded", _recorded(policy)),
        ("Not", "Your screen, keyboard, camera, browser and other programs."),
        ("Rights", "See, pause or stop it as you work. Withdraw at any time."),
    ]


_IN_SHORT = (
    ("prompts", Kind.PROMPT),
    ("answers", Kind.MODEL_RESPONSE),
    ("tool calls", Kind.TOOL_CALL),
    ("edits", Kind.FILE_EDIT),
    ("commands", Kind.COMMAND),
)


def _recorded(policy: Policy) -> str:
    """Return what this policy allows to be recorded, as a sentence."""
    words = ", ".join(word for word, kind in _IN_SHORT if policy.allows(kind))
    return f"{words[:1].upper()}{words[1:]}; your final changes." if words else "Your final changes."
