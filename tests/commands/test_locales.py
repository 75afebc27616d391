"""Sessions in folders of any name, started and continued in any locale."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.helpers.hiring import Hiring

_PLACES = {
    "posix": {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    "utf-8": {"PYTHONUTF8": "1"},
}


@pytest.mark.parametrize("later", _PLACES)
def test_a_session_begun_where_letters_are_bytes(acme: Hiring, later: str) -> None:
    """A session begun in a locale of bytes can be submitted in any locale, and its editor files are removed."""
    with acme.invited(f"\u06a9\u0627\u0631-\U0001f98a-{later}", **_PLACES["posix"]) as begun:
        assert len(begun.start("--ide", "claude", "--ide", "cursor")["ide_files"]) == 2
        hooks = json.loads((begun.workspace / ".cursor" / "hooks.json").read_bytes())
        assert "\U0001f98a" in hooks["hooks"]["stop"][0]["command"]
        assert begun.person.result("resume")["state"] == "recording"
        (begun.workspace / "\u5b57.txt").write_text("text")
        person = replace(begun.person, extra=_PLACES[later])
        assert person.result("status")["running"] is True
        assert person.result("submit", "--yes")["received"] > 0
        assert "Your copy:\n~/" in person.call("submit", "--yes").stderr
        assert not (begun.workspace / ".cursor").exists()


def test_a_session_that_was_begun_where_paths_are_letters(acme: Hiring) -> None:
    """A session begun in a UTF-8 locale is found, and can end, in a locale in which names are bytes."""
    with acme.invited("\u06a9\u0627\u0631-\u5b57") as begun:
        begun.start()
        person = replace(begun.person, extra=_PLACES["posix"])
        assert person.result("status")["running"] is True
        assert person.result("stop", "--yes")["state"] == "stopped"
