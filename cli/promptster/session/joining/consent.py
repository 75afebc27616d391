"""Makes the consent to a verified offer, and checks the certificate that the collector issues for it."""

from __future__ import annotations

import hmac
import locale
from importlib.metadata import version
from typing import TYPE_CHECKING

from promptster.errors import ChoiceError, PromptsterError, SessionError, UsageError
from promptster.protocol.consent import Certificate, Consent
from promptster.protocol.errors import SignatureError
from promptster.protocol.signing import Envelope, open_envelope
from promptster.session.joining.offer import newer_needed

if TYPE_CHECKING:
    from promptster.deliver.trust import TrustedKeys
    from promptster.session.joining.offer import Offer
    from promptster.session_folder.choices import Choices

_SHA256_DIGITS = 64


class RefusedConsentError(PromptsterError):
    """The candidate did not agree, and nothing was changed."""

    default_code = "consent_refused"


class DeclinedError(ChoiceError):
    """The candidate read what would be recorded and said no."""

    default_code = "consent_refused"


def check_accepted_hash(offer: Offer, text: str) -> None:
    """Check the policy's hash that the candidate passed to consent without a terminal.

    Raises:
        UsageError: the text is not a hash.
        RefusedConsentError: it is the hash of another policy.
    """
    name, _, digits = text.strip().partition(":")
    digits = digits.lower()
    if name != "sha256" or len(digits) != _SHA256_DIGITS or set(digits) - set("0123456789abcdef"):
        raise UsageError("--accept-policy takes sha256:HEX", hint="`promptster policy LINK` prints it.")
    if not hmac.compare_digest(digits, offer.policy_sha256):
        raise RefusedConsentError(
            "the policy does not have this hash",
            hint="Nothing was changed. The policy may have changed: read it again with `promptster policy LINK`.",
            code="policy_hash",
        )


def make_consent(
    offer: Offer,
    *,
    session: str,
    session_public_key: bytes,
    choices: Choices,
    shown_ms: int,
    decided_ms: int,
) -> Consent:
    """Return the consent to this offer, not yet signed."""
    return Consent(
        organisation=offer.invite.organisation,
        invite=offer.invite.invite_id,
        policy_sha256=offer.policy_sha256,
        session=session,
        session_public_key=session_public_key,
        sealing_key_id=offer.invite.sealing_key_id,
        choices=choices.chosen(),
        locale=(locale.getlocale()[0] or "C")[:64],
        shown_ms=shown_ms,
        decided_ms=decided_ms,
        cli=version("promptster")[:64],
    )


def check_certificate(envelope: Envelope, keys: TrustedKeys, consent: Envelope) -> Certificate:
    """Return the certificate if the collector signed it for exactly this consent.

    Raises:
        ProtocolError: its signature is not valid.
        SessionError: its signer is neither the invite's key nor a successor, it belongs to another session, or it has
            limits that only a newer version knows.
    """
    agreed = Consent.parse(consent.payload)
    unverified = Certificate.parse(envelope.payload)
    try:
        key = keys.find(unverified.kid)
    except SignatureError:
        raise SessionError(
            "the certificate is signed by a key that the invite does not vouch for",
            hint="Someone may be intercepting the connection. Ask the hiring team before you continue.",
            code="certificate_signer",
        ) from None
    certificate = open_envelope(Certificate, envelope, key)
    same = (
        certificate.session == agreed.session
        and certificate.session_public_key == agreed.session_public_key
        and certificate.organisation == agreed.organisation
        and certificate.invite_id == agreed.invite
        and certificate.policy_sha256 == agreed.policy_sha256
        and certificate.consent_sha256 == consent.sha256
    )
    if not same:
        raise SessionError(
            "the certificate does not belong to this consent", hint="Tell the hiring team.", code="certificate_mismatch"
        )
    if certificate.unknown_limits:  # such a limit may say how the session is to be recorded
        raise newer_needed("this session needs a newer version of Promptster", so_far="Your consent is kept.")
    return certificate
