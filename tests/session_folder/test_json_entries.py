"""Removing our entries from a file that others changed after us."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptster.session_folder.json_entries import NotAnObjectError, remove_entries


def _json(value: Any) -> bytes:
    return json.dumps(value).encode()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text("abc", max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text("xyz", min_size=1, max_size=2), inner, max_size=3)
    ),
    max_leaves=8,
)
OBJECTS = st.dictionaries(st.text("xyz", min_size=1, max_size=2), JSON, max_size=4)


@given(OBJECTS, OBJECTS)
def test_an_untouched_file_becomes_what_it_was(before: dict[str, Any], written: dict[str, Any]) -> None:
    """If nobody changed it after us, the former bytes come back exactly."""
    assert remove_entries(_json(before), _json(written), _json(written)) == _json(before)


def test_a_file_that_has_nothing_of_ours_stays_byte_for_byte() -> None:
    """A file that was replaced stays as it was written, and no message says that it has our entries."""
    now = b'{"theirs":   1,\n "list": [1]}'
    assert remove_entries(b'{"mine": 1}\n', b'{"mine": 1, "ours": 2}', now) == now
    assert remove_entries(None, b'{"ours": {"a": 1}}', now) == now


@given(OBJECTS, OBJECTS)
def test_where_we_changed_nothing_everything_stays(before: dict[str, Any], now: dict[str, Any]) -> None:
    """What others did to entries that are not ours is kept."""
    result = remove_entries(_json(before), _json(before), _json(now))
    assert result is not None
    assert json.loads(result) == now


def test_our_entries_go_and_theirs_stay() -> None:
    """This holds in lists and objects, at every depth."""
    before = {"env": {"A": "1"}, "hooks": {"Stop": [{"command": "theirs"}]}}
    written = {"env": {"A": "1", "URL": "ours"}, "hooks": {"Stop": [{"command": "theirs"}, {"command": "ours"}]}}
    now = {
        "env": {"A": "2", "URL": "ours", "B": "new"},
        "hooks": {"Stop": [{"command": "ours"}, {"command": "another"}], "Start": []},
    }
    result = remove_entries(_json(before), _json(written), _json(now))
    assert result is not None
    assert json.loads(result) == {
        "env": {"A": "2", "B": "new"},
        "hooks": {"Stop": [{"command": "another"}], "Start": []},
    }


def test_a_file_that_was_absent_goes_if_nothing_of_others_is_left() -> None:
    """An empty shell of ours is not left over."""
    written = {"version": 1, "hooks": {"stop": [{"command": "ours"}]}}
    assert remove_entries(None, _json(written), _json({**written, "hooks": {}})) is None
    assert remove_entries(None, _json(written), _json({"version": 1})) is None


def test_a_file_that_others_began_to_use_stays_readable() -> None:
    """The version that we wrote stays, because the file would not be valid without it."""
    written = {"version": 1, "hooks": {"stop": [{"command": "ours"}]}}
    now = {"version": 1, "hooks": {"stop": [{"command": "ours"}, {"command": "theirs"}]}}
    result = remove_entries(None, _json(written), _json(now))
    assert result is not None
    assert json.loads(result) == {"version": 1, "hooks": {"stop": [{"command": "theirs"}]}}


def test_a_value_that_we_replaced_comes_back() -> None:
    """It comes back unless it was set again meanwhile."""
    before, written = {"off": True, "x": 1}, {"off": False, "x": 1}
    assert (
        remove_entries(_json(before), _json(written), _json({"off": False, "x": 2}))
        == b'{\n  "off": true,\n  "x": 2\n}\n'
    )
    assert remove_entries(_json(before), _json(written), _json({"off": None, "x": 1})) == _json({"off": None, "x": 1})


@pytest.mark.parametrize("now", [b"{", b"[]", b"\xff"])
def test_what_is_no_object_is_not_guessed_at(now: bytes) -> None:
    """The caller then leaves the file unchanged and says so."""
    with pytest.raises(NotAnObjectError):
        remove_entries(b"{}", b'{"a":1}', now)
