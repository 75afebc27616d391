"""Routes that need no credential."""

from dataclasses import dataclass
from importlib.metadata import version

from litestar import MediaType, Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath

from promptster_collector.access.guard import ACCESS
from promptster_collector.access.principal import ANYONE
from promptster_collector.store.keys.identity import PublicKeys
from promptster_collector.web.pages import INVITE_PAGE, PAGE_POLICY


@dataclass(frozen=True)
class Health:
    """The state of the collector."""

    status: str
    version: str


@get("/healthz", opt={ACCESS: ANYONE}, sync_to_thread=False)
def healthz() -> Health:
    """Report that the collector is running, and its version."""
    return Health(status="ok", version=version("promptster"))


@get("/v1/keys", opt={ACCESS: ANYONE}, sync_to_thread=False, media_type=MediaType.JSON)
def key_file(public_keys: NamedDependency[PublicKeys]) -> Response[bytes]:
    """The public keys, current and earlier ones: a key file's exact bytes."""
    return Response(public_keys.data, media_type=MediaType.JSON)


@get("/i/{invite:str}", opt={ACCESS: ANYONE}, sync_to_thread=False, media_type=MediaType.HTML)
def invite_page(invite: FromPath[str]) -> Response[str]:  # noqa: ARG001 - the same page for every invite, real or not
    """The page that an invite's link opens in a browser."""
    return Response(
        INVITE_PAGE,
        media_type=MediaType.HTML,
        headers={"content-security-policy": PAGE_POLICY, "cache-control": "public, max-age=3600"},
    )


ROUTES = [healthz, key_file, invite_page]
