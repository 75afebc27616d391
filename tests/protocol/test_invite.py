"""Invite codes and links."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.vectors.world import World

from promptster.protocol.errors import InviteError
from promptster.protocol.invite import InviteCode, new_invite_code, secret_sha256
from promptster.protocol.signing import kid


def test_code_and_link_say_the_same() -> None:
    """Both have id, secret and pin; the link has the collector too."""
    world = World()
    code = world.code
    assert InviteCode.parse(code.code) == code
    linked = InviteCode.parse(code.link("https://collector.example"))
    assert linked.collector_url == "https://collector.example"
    assert (linked.invite_id, linked.secret, linked.pin) == (code.invite_id, code.secret, code.pin)
    assert code.pin == kid(world.collector.public_key)


def test_the_id_does_not_reveal_the_secret() -> None:
    """The collector stores the full hash; the id is its first half."""
    code = World().code
    assert InviteCode.parse(code.code).invite_id == code.invite_id
    assert len(secret_sha256(code.secret)) == 32


def test_a_secret_has_32_bytes() -> None:
    """A secret of another length is the caller's error."""
    with pytest.raises(InviteError) as caught:
        new_invite_code(b"short", bytes(32))
    assert (caught.value.code, caught.value.fault) == ("invite_secret", "local")


@given(st.text(max_size=120))
def test_any_text_is_refused_by_type(text: str) -> None:
    """Only an invite error is ever raised."""
    with pytest.raises(InviteError):
        InviteCode.parse(text)


@given(st.data())
def test_one_changed_character_is_noticed(data: st.DataObject) -> None:
    """A mistyped id or secret never passes; a mistyped pin is another pin."""
    code = World().code
    text = list(code.code)
    place = data.draw(st.integers(0, len(text) - 1))
    text[place] = data.draw(st.sampled_from("ABCabc019-_.").filter(lambda letter: letter != text[place]))
    try:
        read = InviteCode.parse("".join(text))
    except InviteError:
        return
    assert read.pin != code.pin
