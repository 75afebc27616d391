"""Before each prompt of an editor's agent the hook asks whether a recorder runs."""

from __future__ import annotations

import ast
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from tests.helpers.strangers import needs_another_user, stranger_at

import promptster_hooks
from promptster_hooks import alive

_SCRIPT = Path(promptster_hooks.__file__).resolve().parent / "alive.py"


def _ask(*arguments: str) -> tuple[int, bytes, bytes]:
    done = subprocess.run(
        [sys.executable, "-I", "-S", str(_SCRIPT), *arguments], input=b"{}", capture_output=True, check=False
    )
    return done.returncode, done.stdout, done.stderr


def test_with_a_recorder_the_prompt_passes_in_silence() -> None:
    """A recorder takes connections, even while a supervisor starts the next one; nothing is printed."""
    with tempfile.TemporaryDirectory(prefix="ph-") as name, socket.socket(socket.AF_UNIX) as listening:
        listening.bind(f"{name}/s")
        listening.listen()
        assert _ask(f"{name}/s") == (0, b"", b"")
    assert _ask() == (0, b"", b"")  # called wrongly, it does not stop a prompt either


@pytest.mark.parametrize("what", ["nothing", "no folder", "left behind"])
def test_without_one_it_is_stopped_with_a_word(what: str) -> None:
    """After a reboot, a deletion of the session's folder, or a kill, the message names two commands."""
    with tempfile.TemporaryDirectory(prefix="ph-") as name:
        address = f"{name}/none/s" if what == "no folder" else f"{name}/s"
        if what == "left behind":
            with socket.socket(socket.AF_UNIX) as gone:
                gone.bind(address)
        code, out, err = _ask(address)
    assert (code, out) == (alive.STOP_PROMPT, b"")
    assert b"the recorder is not running" in err
    assert b"`promptster resume`" in err
    assert b"`promptster restore`" in err


@needs_another_user
def test_a_stranger_records_nothing(tmp_path: Path) -> None:
    """Another user's socket in that place is not a recorder."""
    with stranger_at(tmp_path / "run" / "s", tmp_path / "heard"):
        assert _ask(str(tmp_path / "run" / "s"))[0] == alive.STOP_PROMPT


def test_it_loads_nothing_heavy() -> None:
    """The cost is paid by every prompt."""
    tree = ast.parse(_SCRIPT.read_text(encoding="utf-8"))
    assert {name.name for node in tree.body if isinstance(node, ast.Import) for name in node.names} == {
        "posix",
        "sys",
        "_socket",
    }
