"""Which header fields carry credentials."""

from __future__ import annotations

import pytest

from promptster.proxy.header_fields import split_credentials, without_response_credentials

SECRET = b"sk-0123456789abcdef"


@pytest.mark.parametrize(
    "name",
    [b"Authorization", b"x-api-key", b"API_KEY", b"apikey", b"Cookie", b"X-Goog-Api-Key", b"cf-aig-authorization"],
)
def test_credentials_are_taken_out_of_a_request(name: bytes) -> None:
    """The field is left out whole, and its secret is returned without the scheme."""
    shown, secrets = split_credentials(((b"Accept", b"*/*"), (name, b"Bearer " + SECRET), (b"X-Last", b"z")))
    assert shown == ((b"Accept", b"*/*"), (b"X-Last", b"z"))
    assert secrets == {SECRET}


@pytest.mark.parametrize("name", [b"X-Monkey", b"Keyboard", b"Author", b"X-Tokens-Left", b"Content-Type"])
def test_other_fields_are_kept_as_sent(name: bytes) -> None:
    """A name that only contains such a word does not mark a credential, however its value looks."""
    assert split_credentials(((name, SECRET),)) == (((name, SECRET),), frozenset())


def test_short_words_of_a_credential_are_no_secrets() -> None:
    """A scheme or a cookie's name is not searched for in recordings, although the field is left out."""
    shown, secrets = split_credentials(((b"Authorization", b"Basic short"), (b"Cookie", b"theme=dark; id=" + SECRET)))
    assert shown == ()
    assert secrets == {SECRET}


def test_what_a_provider_hands_out_is_left_out_of_a_response() -> None:
    """Cookies and similar fields are left out in any case of their names; the rest keeps its order."""
    fields = ((b"A", b"1"), (b"sEt-CoOkIe", b"s"), (b"Authentication-Info", b"n"), (b"B", b"2"))
    assert without_response_credentials(fields) == ((b"A", b"1"), (b"B", b"2"))
