"""Terminals, pipes and files in encodings with few letters: text appears as codes, and nothing fails."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest
from tests.helpers.people import BIN, Person

if TYPE_CHECKING:
    from pathlib import Path

_PLACES = {
    "ascii": {"PYTHONIOENCODING": "ascii"},
    "latin-1": {"PYTHONIOENCODING": "latin-1"},
    "cp437": {"PYTHONIOENCODING": "cp437"},
    "posix": {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    "utf-8": {"PYTHONIOENCODING": "utf-8"},
}


def _run(home: Path, place: str, *words: str | bytes, given: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    environ = Person(name="reader", home=home, extra=_PLACES[place]).environment()
    return subprocess.run(words, env=environ, cwd=home, input=given, capture_output=True, check=False)


@pytest.mark.parametrize("place", _PLACES)
@pytest.mark.parametrize("program", ["promptster", "promptster-collector"])
def test_no_word_of_the_call_is_a_fault(tmp_path: Path, place: str, program: str) -> None:
    """Letters that the output cannot hold, and bytes that are not text at all, are shown as codes."""
    for word in ("\u00fc\u5b57".encode(), b"\xff\xe4"):
        done = _run(tmp_path, place, str(BIN / program), word)
        assert done.returncode == 2
        assert done.stderr.startswith(b"error: ")
        assert b"fault" not in done.stderr


@pytest.mark.parametrize("place", _PLACES)
@pytest.mark.parametrize("given", ["\u00fc\u5b57\n".encode(), b"\xff\xfe\n"])
def test_no_byte_that_is_piped_in_is_a_fault(tmp_path: Path, place: str, given: bytes) -> None:
    """Bytes that are not text in the encoding of standard input are not a token, and the message says so."""
    words = (str(BIN / "promptster"), "login", "--collector", "http://127.0.0.1:9", "--token-stdin")
    done = _run(tmp_path, place, *words, given=given)
    assert (done.returncode, done.stderr.splitlines()[0]) == (2, b"error: not a token")
