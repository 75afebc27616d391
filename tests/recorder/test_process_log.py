"""Logs say what happened, without content."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from promptster.recorder.process_log import Log, describe

if TYPE_CHECKING:
    from pathlib import Path


def raised(error: Exception) -> Exception:
    """The error with a trace."""

    def fail() -> None:
        raise error

    try:
        fail()
    except Exception as caught:  # noqa: BLE001 - whatever a test gave
        return caught
    raise AssertionError


def test_an_exception_is_its_type_and_its_places() -> None:
    """The text of an exception quotes what was being read, so it is left out."""
    told = describe(raised(ValueError("a prompt: plant-77")))
    assert told.startswith("ValueError@test_process_log.raised:")
    assert "plant" not in told
    assert describe(raised(OSError(28, "/home/candidate/secret"))).startswith("OSError[28]@")


def test_lines_have_a_time_a_word_and_numbers(tmp_path: Path) -> None:
    """Each line is easy to read for people and programs."""
    handle = os.open(tmp_path / "log", os.O_CREAT | os.O_WRONLY | os.O_APPEND)
    log = Log(handle, now=lambda: 12.5)
    log.write("start", restarts=3)
    log.fault("upload", raised(KeyError("x")))
    lines = (tmp_path / "log").read_text().splitlines()
    assert lines[0] == "12500 start restarts=3"
    assert lines[1].startswith("12500 fault where=upload error=KeyError@")
    os.close(handle)


def test_a_log_does_not_grow_for_ever(tmp_path: Path) -> None:
    """At one megabyte it starts over; a log that cannot be written does not stop the recorder."""
    path = tmp_path / "log"
    path.write_bytes(b"x" * (1024 * 1024 + 1))
    handle = os.open(path, os.O_WRONLY | os.O_APPEND)
    Log(handle).write("begun")
    assert path.stat().st_size < 100
    os.close(handle)
    Log(handle).write("nobody hears this")
