"""The collector's program with a standard output that is full, closed, or not read to its end."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from tests.helpers.collector import COMMAND

FULL = Path("/dev/full")
CALLS = ("--help", "init --help", "storage-map", "storage-map --json", "completion bash", "nope --json")


@pytest.mark.skipif(not FULL.exists(), reason="only Linux has a device that is always full")
@pytest.mark.parametrize("words", CALLS)
def test_a_full_disk_is_said_in_words(words: str) -> None:
    """The exit code is 1 and the message one line, without a system error number or a traceback."""
    with FULL.open("wb") as full:
        done = subprocess.run([*COMMAND, *words.split()], stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, "error: cannot write to standard output: disk full\n")


@pytest.mark.parametrize("words", CALLS)
def test_a_closed_output_is_no_fault(words: str) -> None:
    """The work is done, and its exit code is the same as ever."""
    done = subprocess.run(
        ["sh", "-c", 'exec "$@" >&-', "sh", *COMMAND, *words.split()], stderr=subprocess.PIPE, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (2 if "nope" in words else 0, "")


@pytest.mark.parametrize("words", CALLS)
def test_a_reader_that_left_is_not_complained_about(words: str) -> None:
    """Standard error stays empty, and the exit code is one that docs/cli.md lists."""
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run([*COMMAND, *words.split()], stdout=writer, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writer)
    assert (done.returncode, done.stderr) == (2 if "nope" in words else 1, "")
