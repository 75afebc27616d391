"""Header fields, and which of them carry credentials: those are forwarded, but never shown to an observer."""

from __future__ import annotations

import re
from typing import Final

Headers = tuple[tuple[bytes, bytes], ...]
"""Header fields in order, names in the case in which they were sent."""

_CREDENTIAL_FIELD: Final = re.compile(
    rb"(?:^|[-_])(?:api-?key|key|token|secret|password|auth|authorization|credentials?|cookie)(?:$|[-_])"
)
"""Names of request fields that carry credentials, for any provider."""
_CREDENTIAL: Final = re.compile(rb"[A-Za-z0-9._~+/|-]{16,}=*")
"""A word in such a field that is long enough to be a secret, unlike the name of a scheme or a cookie."""
_RESPONSE_CREDENTIALS: Final = frozenset({b"set-cookie", b"set-cookie2", b"authentication-info", b"proxy-authenticate"})


def split_credentials(headers: Headers) -> tuple[Headers, frozenset[bytes]]:
    """A request's fields without those that carry credentials, and the secrets in the removed ones."""
    shown, secrets = list[tuple[bytes, bytes]](), list[bytes]()
    for name, value in headers:
        if _CREDENTIAL_FIELD.search(name.lower()):
            secrets += _CREDENTIAL.findall(value)
        else:
            shown.append((name, value))
    return tuple(shown), frozenset(secrets)


def without_response_credentials(headers: Headers) -> Headers:
    """A response's fields without those in which a provider hands out credentials."""
    return tuple(item for item in headers if item[0].lower() not in _RESPONSE_CREDENTIALS)
