"""Routes for the caller, their organisation and its tokens."""

from typing import Any

from litestar import Request, delete, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody

from promptster.times import utc
from promptster_collector.access.guard import ACCESS, principal_of
from promptster_collector.access.principal import OWNERS, TEAM, Role
from promptster_collector.access.tokens import ListedToken, Tokens
from promptster_collector.errors import InvalidError
from promptster_collector.input_text import normalised_text, text_fault
from promptster_collector.orgs.schemas import Me, TokenAnswer, TokenEntry, TokenList, TokenRequest
from promptster_collector.orgs.service import Organisations
from promptster_collector.settings import DAY_MS

_MAX_LABEL = 200
_MAX_DAYS = 365


@get("/v1/me", opt={ACCESS: TEAM})
async def me(request: Request[Any, Any, Any], organisations: NamedDependency[Organisations]) -> Me:
    """The caller's organisation and role."""
    principal = principal_of(request)
    name = await organisations.name(principal.organisation)
    return Me(organisation=name, role=principal.reader)


def _role(word: str) -> Role:
    try:
        return Role(word)
    except ValueError:
        *most, last = Role
        hint = f"Use {', '.join(most)} or {last}."
        raise InvalidError("unknown role", code="role", hint=hint) from None


def _label(text: str) -> str:
    label = normalised_text(text)
    if (wrong := text_fault(label, "a label", least=0, most=_MAX_LABEL)) is not None:
        raise InvalidError(wrong, code="label")
    return label


def _life_ms(days: int | None) -> int | None:
    if days is not None and not 1 <= days <= _MAX_DAYS:
        raise InvalidError(f"a token can be valid for 1 to {_MAX_DAYS} days", code="expires_in_days")
    return None if days is None else days * DAY_MS


@post("/v1/tokens", opt={ACCESS: OWNERS})
async def create_token(
    request: Request[Any, Any, Any], tokens: NamedDependency[Tokens], data: JSONBody[TokenRequest]
) -> TokenAnswer:
    """Create a token; it is shown only in this answer."""
    label, life_ms = _label(data.label), _life_ms(data.expires_in_days)
    made = await tokens.create(principal_of(request).organisation, _role(data.role), label=label, life_ms=life_ms)
    return TokenAnswer(id=made.id, token=made.token, role=made.role.value, label=label, expires_at=utc(made.expires_ms))


def _entry(token: ListedToken) -> TokenEntry:
    return TokenEntry(
        id=token.id,
        role=token.role.value,
        label=token.label,
        created_at=utc(token.created_ms),
        expires_at=utc(token.expires_ms),
        revoked_at=None if token.revoked_ms is None else utc(token.revoked_ms),
        active=token.active,
    )


@get("/v1/tokens", opt={ACCESS: OWNERS})
async def list_tokens(request: Request[Any, Any, Any], tokens: NamedDependency[Tokens]) -> TokenList:
    """The organisation's tokens, without the tokens themselves."""
    listed = await tokens.list(principal_of(request).organisation)
    return TokenList(tokens=[_entry(token) for token in listed])


@delete("/v1/tokens/{token:str}", opt={ACCESS: OWNERS})
async def revoke_token(request: Request[Any, Any, Any], tokens: NamedDependency[Tokens], token: FromPath[str]) -> None:
    """Revoke a token at once."""
    principal = principal_of(request)
    await tokens.revoke(principal.organisation, token, by=principal.token)


ROUTES = [me, create_token, list_tokens, revoke_token]
