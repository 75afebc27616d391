"""The candidate's choices, as ``session.json`` contains them."""

from __future__ import annotations

from typing import Any

import pytest

from promptster.session_folder.choices import Choices, PathCheck

WRITTEN = {
    "accept_provider": "anthropic",
    "hooks_only": "claude,codex",
    "ide": "cursor",
    "path_check": {
        "anthropic": {"ok": True, "status": 401, "reason": ""},
        "openai": {"ok": False, "status": None, "reason": "openai could not be reached: no route"},
    },
}
"""A file of version 0.1."""


def test_a_file_of_an_earlier_version_reads_and_is_written_alike() -> None:
    """Each list and each check is read, and written with the same names and texts."""
    choices = Choices.from_json(WRITTEN)
    assert choices == Choices(
        ide=("cursor",),
        hooks_only=("claude", "codex"),
        accept_provider=("anthropic",),
        path_check={
            "anthropic": PathCheck(ok=True, status=401, reason=""),
            "openai": PathCheck(ok=False, status=None, reason="openai could not be reached: no route"),
        },
    )
    assert choices.to_json() == WRITTEN


def test_what_is_not_chosen_is_not_written() -> None:
    """The consent names only what was chosen, and never what was found out."""
    assert Choices.from_json({}) == Choices()
    assert Choices(ide=("claude", "cursor"), path_check=Choices.from_json(WRITTEN).path_check).chosen() == {
        "ide": "claude,cursor"
    }


def test_an_editor_is_added_once() -> None:
    """The order of the choices stays, and everything else too."""
    choices = Choices.from_json(WRITTEN).with_editor("claude")
    assert choices.with_editor("claude") == choices
    assert choices.to_json() == {**WRITTEN, "ide": "cursor,claude"}


@pytest.mark.parametrize(
    "value",
    [
        None,
        [],
        {"ide": ["claude"]},
        {"hooks_only": True},
        {"path_check": []},
        {"path_check": {"openai": True}},
        {"path_check": {"openai": {"ok": 1, "status": None, "reason": ""}}},
        {"path_check": {"openai": {"ok": True, "status": "401", "reason": ""}}},
        {"path_check": {"openai": {"ok": True, "status": 401}}},
    ],
)
def test_a_damaged_choice_is_refused(value: Any) -> None:
    """No value of another type is taken for a choice."""
    with pytest.raises(ValueError, match="not a"):
        Choices.from_json(value)
