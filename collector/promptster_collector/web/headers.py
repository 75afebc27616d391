"""Headers of every answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

_SECURITY: Final = {
    b"x-content-type-options": b"nosniff",
    b"x-frame-options": b"DENY",
    b"referrer-policy": b"no-referrer",
    b"cross-origin-resource-policy": b"same-origin",
    b"cross-origin-opener-policy": b"same-origin",
    b"cache-control": b"no-store",
    b"content-security-policy": b"default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
}
_TRANSPORT = (b"strict-transport-security", b"max-age=31536000")


def secured(headers: Iterable[tuple[bytes, bytes]], *, tls: bool) -> list[tuple[bytes, bytes]]:
    """An answer's headers with the security headers that it does not set itself."""
    said = list(headers)
    present = {name.lower() for name, _ in said}
    added = [(name, value) for name, value in _SECURITY.items() if name not in present]
    return [*said, *added, *([_TRANSPORT] if tls else [])]
