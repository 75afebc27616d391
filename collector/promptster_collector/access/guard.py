"""The guard before every route: it admits the callers that the route's access rule names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from litestar.routes import HTTPRoute

from promptster_collector.access.principal import Access, Credential, Principal
from promptster_collector.errors import ForbiddenError, NotFoundError, Refusal, UnauthorizedError

if TYPE_CHECKING:
    from litestar import Request
    from litestar.connection import ASGIConnection
    from litestar.handlers import BaseRouteHandler

    from promptster_collector.access.tokens import Tokens

ACCESS = "access"
"""The key under which a route declares its access rule."""
_PRINCIPAL = "principal"


def bearer_of(connection: ASGIConnection[Any, Any, Any, Any]) -> str:
    """The bearer credential of a request.

    Raises:
        UnauthorizedError: there is none.
    """
    scheme, _, credential = connection.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not credential or not credential.isascii():
        raise UnauthorizedError("a bearer token is needed", headers={"www-authenticate": "Bearer"})
    return credential.strip()


def _admit(access: Access, principal: Principal, session: object) -> None:
    if principal.role is None:
        if not access.candidate:
            raise ForbiddenError("candidates cannot do this")
        if session != principal.session:
            raise NotFoundError("there is no such session")
    elif principal.role not in access.roles:
        raise ForbiddenError(f"{principal.role.value}s cannot do this")


def _methods(connection: ASGIConnection[Any, Any, Any, Any]) -> list[str]:
    """The methods of the requested route, without OPTIONS, which the framework adds."""
    template = connection.scope["path_template"]
    found = {
        str(method)
        for route in connection.app.routes
        if isinstance(route, HTTPRoute) and route.path_format == template
        for method in route.methods
    }
    return sorted(found - {"OPTIONS"})


class Guard:
    """Checks a request against its route's access rule before the body is read."""

    def __init__(self, tokens: Tokens) -> None:
        self._tokens = tokens

    async def __call__(self, connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
        """Refuse the request, or store its principal for the route.

        Raises:
            UnauthorizedError: no usable credential.
            ForbiddenError: the role does not allow it.
            NotFoundError: another candidate's session.
            GoneError: a candidate's session that has been erased.
        """
        access = cast("Access | None", handler.opt.get(ACCESS))
        if access is None:  # only the OPTIONS answers that the framework adds
            raise Refusal(
                "this route does not support this method",
                code="method_not_allowed",
                status=405,
                headers={"allow": ", ".join(_methods(connection))},
            )
        if access.credential is not Credential.BEARER:
            return
        session = connection.path_params.get("session")
        principal = await self._tokens.principal(bearer_of(connection), session=session)
        _admit(access, principal, session)
        connection.scope["state"][_PRINCIPAL] = principal


def principal_of(request: Request[Any, Any, Any]) -> Principal:
    """The caller that the guard admitted."""
    return cast("Principal", request.scope["state"][_PRINCIPAL])
