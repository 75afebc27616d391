"""From an invite's text to an offer that is verified end to end.

What comes from the collector is believed only below the key that the invite pins. Nothing here writes a file: whoever
refuses leaves no trace.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from typing import TYPE_CHECKING

from promptster.client import CollectorClient
from promptster.config import PinnedKeys
from promptster.errors import PromptsterError, SessionError, UsageError
from promptster.protocol.errors import DocumentError, NewerVersionError
from promptster.protocol.events.kinds import SESSION_KINDS, Kind
from promptster.protocol.invite import Invite, InviteCode
from promptster.protocol.policy import NOT_YET_RECORDED, TEXT_DIFFERS, Policy, require_own_text
from promptster.protocol.signing import Envelope, open_envelope
from promptster.session.current import CERTIFICATE
from promptster.session_folder.collector_keys import invite_of
from promptster.session_folder.folder import sessions_here
from promptster.session_folder.provider_addresses import address_lines, unusual_addresses
from promptster.session_folder.wording import one_line, utc
from promptster.times import soon, until

if TYPE_CHECKING:
    from promptster.client import Assessment
    from promptster.clock import Clock
    from promptster.config import Config
    from promptster.paths import Paths
    from promptster.protocol.key_succession import KeySuccession


@dataclass(frozen=True, kw_only=True)
class Offer:
    """What one invite offers, verified under the key that it pins."""

    code: InviteCode
    collector_url: str
    invite: Invite
    invite_envelope: Envelope
    policy: Policy
    policy_bytes: bytes
    """The exact bytes whose hash the consent signs."""
    assessment: Assessment
    keyfile: bytes
    """The collector's keys; only the one that the code names and its successors are believed."""

    @property
    def policy_sha256(self) -> str:
        """64 hexadecimal digits, as the invite says and these bytes are."""
        return self.invite.policy_sha256


def locate_collector(code: InviteCode, option: str | None, config: Config) -> str:
    """The collector's address: the option, the link's own, or the one that is set.

    Raises:
        UsageError: none is known.
    """
    url = option or code.collector_url or config.collector
    if url is None:
        raise UsageError(
            "this code does not say which collector it belongs to", hint="Pass the whole link, or add --collector URL."
        )
    return url


def fetch_offer(text: str, collector: str | None, config: Config, clock: Clock) -> Offer:
    """Read an invite, fetch what it offers, verify all of it.

    Raises:
        InviteError: the text is no invite.
        CollectorError: the collector cannot be reached, does not know the invite, or has other keys than are pinned.
        ProtocolError: something is not signed by the key that the invite pins.
        SessionError: the parts do not belong together, the policy's text is not that of its settings, it needs a newer
            version of Promptster, or the invite is over, or was used on this computer.
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
    """Say who used an invite that was used here; asking its collector would raise an alarm about a second attempt."""
    for folder in sessions_here(paths).values():
        try:
            used = folder.has_document(CERTIFICATE) and invite_of(folder).invite_id == code.invite_id
        except PromptsterError:
            continue  # what cannot be read says nothing about this invite
        if used:
            raise SessionError(
                "this invite was already used",
                hint="You used it on this computer: `promptster status` shows the last session.",
                code="invite_used",
            )


def pinned_key(keys: KeySuccession, code: InviteCode) -> bytes:
    """The collector's public key that the invite names.

    Raises:
        SessionError: the collector does not hold it.
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
    """The policy, whose text is the one that follows from its settings: what is enforced is the settings."""
    try:
        policy = Policy.parse(data)
        if policy.organisation != invite.organisation:
            raise _other_policy()
        require_own_text(policy)
    except NewerVersionError as error:
        raise newer_needed("this invite needs a newer version of Promptster") from error
    except DocumentError as error:
        if error.code != TEXT_DIFFERS:
            raise
        organisation = one_line(invite.organisation)
        raise SessionError(
            "the policy's text does not say what its settings would do",
            hint=f"Nothing was changed. Do not use this invite. Tell {organisation} that its collector offers a text "
            "that differs from its settings.",
            code=error.code,
        ) from error
    if not _is_kept(policy):
        raise newer_needed("this invite needs a newer version of Promptster")
    return policy


def _is_kept(policy: Policy) -> bool:
    """Whether this program records no more than the text of such a policy says.

    It always uses the agents' hooks, and always records the session's own course: a text that says that the hooks are
    not used, or that announces a part of that course only, would be agreed to and not be kept.
    """
    return policy.hooks and all(policy.allows(kind) for kind in SESSION_KINDS - NOT_YET_RECORDED)


def newer_needed(message: str, *, so_far: str = "Nothing was changed.") -> SessionError:
    """What the collector offers is understood by a later version only."""
    return SessionError(
        message, hint=f"{so_far} Update Promptster, then run the same command again.", code="newer_version"
    )


def policy_document(offer: Offer) -> dict[str, object]:
    """What ``promptster policy --json`` answers."""
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
    """The policy as a person reads it, with what the invite adds."""
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
    """The consent screen's rows: how long, what, what not, and what one can do."""
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
    """Only what this policy allows."""
    words = ", ".join(word for word, kind in _IN_SHORT if policy.allows(kind))
    return f"{words[:1].upper()}{words[1:]}; your final changes." if words else "Your final changes."
