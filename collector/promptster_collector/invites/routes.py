"""Routes of invites."""

from typing import Any

from litestar import Request, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody

from promptster.protocol.encoding import b64u_decode, b64u_encode
from promptster.protocol.policy import POLICY_HEADER
from promptster.protocol.signing import Envelope
from promptster.times import utc
from promptster_collector.access.guard import ACCESS, bearer_of, principal_of
from promptster_collector.access.principal import INVITED, INVITERS
from promptster_collector.access.rate_limits import sender_of
from promptster_collector.assessments.policies import require_reader
from promptster_collector.errors import InvalidError
from promptster_collector.input_text import is_email, normalised_text, text_fault
from promptster_collector.invites.redemption import Redemption
from promptster_collector.invites.redemption import Request as Redeeming
from promptster_collector.invites.schemas import (
    AssessmentForCandidate,
    InviteAnswer,
    InviteForCandidate,
    InviteRequest,
    RedeemAnswer,
    RedeemRequest,
)
from promptster_collector.invites.service import Invites
from promptster_collector.orgs.persons import PersonDetails
from promptster_collector.store.keys.identity import PublicKeys

_MAX_NAME = 200
_MAX_BOX = 1000


def _who(data: JSONBody[InviteRequest]) -> PersonDetails:
    name = normalised_text(data.name)
    if (wrong := text_fault(name, "a name", most=_MAX_NAME)) is not None:
        raise InvalidError(wrong, code="name")
    email = data.email.strip()
    if not is_email(email):
        raise InvalidError("not an e-mail address", code="email", hint="It looks like name@example.com.")
    return PersonDetails(name=name, email=email)


@post("/v1/assessments/{assessment:str}/invites", opt={ACCESS: INVITERS})
async def create_invite(
    request: Request[Any, Any, Any],
    invites: NamedDependency[Invites],
    assessment: FromPath[str],
    data: JSONBody[InviteRequest],
) -> InviteAnswer:
    """Invite one person; code and link are shown only in this answer."""
    principal = principal_of(request)
    made = await invites.create(
        principal.organisation, assessment, _who(data), by=principal.token or "", base_url=str(request.base_url)
    )
    return InviteAnswer(code=made.code, link=made.link, expires_at=utc(made.expires_ms))


@get("/v1/invites/{invite:str}", opt={ACCESS: INVITED})
async def show_invite(
    request: Request[Any, Any, Any],
    invites: NamedDependency[Invites],
    public_keys: NamedDependency[PublicKeys],
    invite: FromPath[str],
) -> InviteForCandidate:
    """The invite and its policy, for the holder of its secret."""
    facts, assessment = await invites.show(invite, bearer_of(request), sender=sender_of(request))
    require_reader(assessment.policy, request.headers.get(POLICY_HEADER))
    return InviteForCandidate(
        invite=facts.document.to_json(),
        policy=b64u_encode(assessment.policy),
        assessment=AssessmentForCandidate(
            title=assessment.title,
            repository=assessment.repository,
            time_limit_minutes=assessment.time_limit_minutes,
        ),
        keys=public_keys.document,
    )


@post("/v1/invites/{invite:str}/redeem", opt={ACCESS: INVITED}, status_code=200)
async def redeem_invite(
    request: Request[Any, Any, Any],
    *,
    invites: NamedDependency[Invites],
    redemption: NamedDependency[Redemption],
    public_keys: NamedDependency[PublicKeys],
    invite: FromPath[str],
    data: JSONBody[RedeemRequest],
) -> RedeemAnswer:
    """Exchange the invite for the session's certificate; a repeated request gets the same answer."""
    secret, sender = bearer_of(request), sender_of(request)
    await invites.find(invite, secret, sender=sender)  # without the secret nothing else is looked at
    if len(data.box) > _MAX_BOX:
        raise InvalidError("the encrypted content key is too long", code="box")
    redeeming = Redeeming(
        consent=Envelope.from_json(data.consent), redeem=Envelope.from_json(data.redeem), box=b64u_decode(data.box)
    )
    certificate = await redemption.redeem(invite, secret, redeeming, sender=sender)
    return RedeemAnswer(certificate=certificate.to_json(), keys=public_keys.document)


ROUTES = [create_invite, show_invite, redeem_invite]
