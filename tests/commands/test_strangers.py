"""Another user of this computer takes the place of a stopped recorder: no command trusts them or sends them data."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.helpers.strangers import STRANGER, connect_as_stranger, needs_another_user, stranger_at

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.helpers.hiring import Hiring, Invited
    from tests.helpers.people import Answer


@pytest.fixture
def everybodys() -> Iterator[Path]:
    """A folder for everyone's temporary files, with a name short enough for sockets below it."""
    with tempfile.TemporaryDirectory(prefix="pt-", dir="/tmp") as name:
        Path(name).chmod(0o1777)
        yield Path(name)


@pytest.fixture
def invited(acme: Hiring, person_name: str, everybodys: Path) -> Iterator[Invited]:
    """A candidate whose folder is too deep for a socket, so that it is in a shared folder."""
    with acme.invited(f"{person_name}{'-deep' * 20}", TMPDIR=str(everybodys)) as person:
        person.start()
        yield person


def _reboot(invited: Invited, everybodys: Path) -> Path:
    """End everything and clear temporary files as a reboot does; returns the place that the sockets had."""
    (folder,) = everybodys.glob("promptster-*")
    invited.end_processes()
    shutil.rmtree(folder)
    return folder


def _refused(answer: Answer, folder: Path) -> None:
    """Check the answer: which folder, whose it is, and what to do."""
    assert answer.code not in {0, 2}
    assert f"{folder} is a folder that user" in answer.stderr
    assert "Nothing was sent there." in answer.stderr
    assert "XDG_RUNTIME_DIR=$(mktemp -d) promptster resume" in answer.stderr
    assert "unexpected fault" not in answer.stderr


@needs_another_user
def test_no_command_believes_a_stranger(invited: Invited, everybodys: Path, tmp_path: Path) -> None:
    """Every command that asks the recorder refuses, and the stranger's server receives no byte."""
    folder, heard = _reboot(invited, everybodys), tmp_path / "heard"
    (tmp_path / "claude").write_text("#!/bin/sh\n")
    (tmp_path / "claude").chmod(0o755)
    person = replace(invited.person, tools=tmp_path)
    calls = [
        ("status",),
        ("resume",),
        ("pause",),
        ("submit", "--yes"),
        ("run", "claude", "-p", "hello"),
        ("shell", "-c", "true"),
    ]
    with stranger_at(folder / "control.sock", heard):
        for words in calls:
            _refused(person.call(*words, cwd=invited.workspace), folder)
        assert sorted(path.name for path in folder.iterdir()) == ["control.sock"]
    assert heard.read_bytes() == b""


@needs_another_user
def test_the_way_on_works(invited: Invited, everybodys: Path, tmp_path: Path) -> None:
    """The printed command records again, and from then on every command finds the new folder by itself."""
    folder = _reboot(invited, everybodys)
    with stranger_at(folder / "control.sock", tmp_path / "heard"), tempfile.TemporaryDirectory(dir="/tmp") as own:
        moved = replace(invited.person, extra={**invited.person.extra, "XDG_RUNTIME_DIR": own})
        assert moved.result("resume")["state"] == "recording"
        assert invited.person.result("status")["running"] is True
        assert invited.person.result("submit", "--yes")["received"] > 0
    assert (tmp_path / "heard").read_bytes() == b""


@needs_another_user
@pytest.mark.parametrize("what", ["a stranger's process", "a file"])
def test_the_way_on_works_where_the_folder_is_ours(
    invited: Invited, everybodys: Path, tmp_path: Path, what: str
) -> None:
    """If something else is in place of the socket, the printed command removes it and recording resumes."""
    folder, heard = _reboot(invited, everybodys), tmp_path / "heard"
    with stranger_at(folder / "control.sock", heard) if what != "a file" else nullcontext():
        folder.mkdir(exist_ok=True)
        folder.chmod(0o700)
        os.chown(folder, os.geteuid(), os.getegid())
        if what == "a file":
            (folder / "control.sock").touch()
        answer = invited.person.call("status")
        assert str(folder / "control.sock") in answer.stderr
        command = answer.stderr.splitlines()[-1]
        subprocess.run(["sh", "-c", command], env=invited.person.environment(), check=True)
        assert invited.person.result("status")["running"] is True
    assert what == "a file" or heard.read_bytes() == b""


@needs_another_user
def test_a_way_on_from_a_place_of_somebody_elses(invited: Invited, everybodys: Path) -> None:
    """The owner of the temporary folder could replace ours at any time, so the printed command moves it elsewhere."""
    _reboot(invited, everybodys)
    os.chown(everybodys, STRANGER, STRANGER)
    answer = invited.person.call("resume")
    assert answer.code == 1
    assert f"user {STRANGER} can replace what is in {everybodys}" in answer.stderr
    command = answer.stderr.splitlines()[-1]
    subprocess.run(["sh", "-c", command], env=invited.person.environment(), check=True)
    assert invited.person.result("status")["running"] is True
    assert invited.session.run.parent.stat().st_uid == os.geteuid()
    shutil.rmtree(invited.session.run.parent, ignore_errors=True)


@needs_another_user
def test_withdrawing_needs_no_recorder(invited: Invited, everybodys: Path, tmp_path: Path) -> None:
    """A stranger in the recorder's place cannot prevent a withdrawal, and their folder is left alone."""
    folder = _reboot(invited, everybodys)
    with stranger_at(folder / "control.sock", tmp_path / "heard"):
        assert invited.person.result("withdraw", "--yes")["state"] == "withdrawn"
        assert (folder / "control.sock").exists()


@needs_another_user
def test_the_recorder_hears_nothing_from_a_stranger(invited: Invited, everybodys: Path) -> None:
    """Even if all permissions are open, the recorder checks who connects: no answer, and the next one works."""
    (folder,) = everybodys.glob("promptster-*")
    events = invited.person.result("status")["events"]
    folder.chmod(0o755)
    for name, data in (("control.sock", b'{"op": "launch"}\n'), ("hooks.sock", b"PSH1\x06claude\x00\x00\x00\x02{}")):
        (folder / name).chmod(0o666)
        assert connect_as_stranger(folder / name, data) == b""
        (folder / name).chmod(0o600)
    folder.chmod(0o700)
    assert invited.person.result("status")["events"] == events


def test_an_open_folder_is_closed_by_the_printed_command(invited: Invited, everybodys: Path) -> None:
    """After a chmod made the folder unsafe, the printed command makes it safe again, and nothing is lost meanwhile."""
    (folder,) = everybodys.glob("promptster-*")
    folder.chmod(0o755)
    answer = invited.person.call("status")
    assert answer.code == 1
    assert f"{folder} is open to other users of this computer" in answer.stderr
    assert f"\nchmod 700 {folder}\n" in answer.stderr
    folder.chmod(0o700)
    assert invited.person.result("status")["running"] is True
