"""Routes of assessments."""

from typing import Any

from litestar import Request, get, post
from litestar.di import NamedDependency
from litestar.params import JSONBody

from promptster.protocol.policy import AGENTS, PolicyV2
from promptster.times import utc
from promptster_collector.access.guard import ACCESS, principal_of
from promptster_collector.access.principal import INVITERS, TEAM
from promptster_collector.assessments.policies import policy_of
from promptster_collector.assessments.schemas import AssessmentAnswer, AssessmentList, AssessmentRequest
from promptster_collector.assessments.service import AssessmentDraft, AssessmentFacts, Assessments
from promptster_collector.errors import InvalidError
from promptster_collector.input_text import normalised_text, text_fault

_MAX_TITLE = 200
_MAX_REPOSITORY = 2000
_MAX_MINUTES = 7 * 24 * 60
_MAX_RETENTION = 180
_MAX_STATEMENT = 200


def _draft(data: JSONBody[AssessmentRequest]) -> AssessmentDraft:
    title = normalised_text(data.title)
    if (wrong := text_fault(title, "a title", most=_MAX_TITLE)) is not None:
        raise InvalidError(wrong, code="title")
    repository = data.repository or None
    if repository is not None and (len(repository) > _MAX_REPOSITORY or not repository.isprintable()):
        raise InvalidError(
            f"the repository must be a path or URL of at most {_MAX_REPOSITORY:,} printable characters",
            code="repository",
        )
    if not 0 <= data.time_limit_minutes <= _MAX_MINUTES:
        raise InvalidError("the time limit must be 0 (none) to 7 days", code="time_limit")
    if not 1 <= data.retention_days <= _MAX_RETENTION:
        raise InvalidError(f"sessions can be kept for 1 to {_MAX_RETENTION} days", code="retention")
    agents = AGENTS if data.agents is None else tuple(sorted(set(data.agents)))
    if not agents or set(agents) - set(AGENTS):
        raise InvalidError("agents must be one or more of " + ", ".join(AGENTS), code="agents")
    return AssessmentDraft(
        title=title,
        repository=repository,
        time_limit_minutes=data.time_limit_minutes,
        retention_days=data.retention_days,
        agents=agents,
        contact=_stated(data.contact, "a contact", "contact"),
        alternative=_stated(data.alternative, "an alternative", "alternative"),
        legal_basis=_stated(data.legal_basis, "a legal basis", "legal_basis"),
    )


def _stated(text: str | None, what: str, code: str) -> str | None:
    """A phrase for a sentence of the policy, without its full stop."""
    if text is None:
        return None
    phrase = normalised_text(text).rstrip(".")
    if (wrong := text_fault(phrase, what, most=_MAX_STATEMENT)) is not None:
        raise InvalidError(wrong, code=code)
    return phrase


def _answer(facts: AssessmentFacts) -> AssessmentAnswer:
    policy = policy_of(facts.policy)
    return AssessmentAnswer(
        id=facts.id,
        title=facts.title,
        repository=facts.repository,
        time_limit_minutes=facts.time_limit_minutes,
        retention_days=facts.retention_days,
        policy_sha256=facts.policy_sha256,
        created_at=utc(facts.created_ms),
        policy_version=policy.V,
        agents=list(policy.agents) if isinstance(policy, PolicyV2) else None,
        contact=policy.contact if isinstance(policy, PolicyV2) else None,
        alternative=policy.alternative if isinstance(policy, PolicyV2) else None,
        legal_basis=policy.legal_basis if isinstance(policy, PolicyV2) else None,
    )


@post("/v1/assessments", opt={ACCESS: INVITERS})
async def create_assessment(
    request: Request[Any, Any, Any], assessments: NamedDependency[Assessments], data: JSONBody[AssessmentRequest]
) -> AssessmentAnswer:
    """Create an assessment and its policy, which does not change later."""
    return _answer(await assessments.create(principal_of(request).organisation, _draft(data)))


@get("/v1/assessments", opt={ACCESS: TEAM})
async def list_assessments(
    request: Request[Any, Any, Any], assessments: NamedDependency[Assessments]
) -> AssessmentList:
    """The organisation's assessments."""
    listed = await assessments.list(principal_of(request).organisation)
    return AssessmentList(assessments=[_answer(facts) for facts in listed])


ROUTES = [create_assessment, list_assessments]
