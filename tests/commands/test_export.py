"""``promptster export``: from a file, offline; what is written, where, and what is refused."""

from __future__ import annotations

import json
import os
import re
import stat
import threading
from pathlib import Path

import pytest
from tests.helpers.bundles import Bundler
from tests.helpers.plausible import plausible

from promptster.__main__ import main
from promptster.paths import slug

MADE_BY_0_1 = Path(__file__).parent / "made_by_0_1"
"""A bundle, and what the first release's own commands made of it."""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a bundle in it; the person never signed in."""
    for name in ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "PROMPTSTER_COLLECTOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "ada.promptster").write_bytes(Bundler().bundle(plausible()))
    return tmp_path


@pytest.mark.parametrize(("form", "start"), [("bundle", b"PK"), ("html", b"<!doctype html>"), ("jsonl", b'{"seq":0')])
def test_every_format_is_written_for_its_owner_only(
    folder: Path, capsys: pytest.CaptureFixture[str], form: str, start: bytes
) -> None:
    """The file is complete, has mode 0600, and is the only one; the result names it."""
    before = {path.name for path in folder.iterdir()}
    assert main(["export", "ada.promptster", "--format", form, "-o", "out.file", "--json"]) == 0
    written = folder / "out.file"
    assert written.read_bytes().startswith(start)
    assert stat.S_IMODE(written.stat().st_mode) == 0o600
    assert {path.name for path in folder.iterdir()} == before | {"out.file"}
    document = json.loads(capsys.readouterr().out)
    assert document["file"] == str(written)
    assert document["bytes"] == written.stat().st_size
    assert document["verdict"] == "consistent"


def test_a_bundle_comes_out_byte_for_byte(folder: Path) -> None:
    """Exporting a bundle as a bundle changes nothing."""
    assert main(["export", "ada.promptster", "-o", "copy.promptster"]) == 0
    assert (folder / "copy.promptster").read_bytes() == (folder / "ada.promptster").read_bytes()


def test_without_a_name_one_is_made_up(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The name has the day, the title, the session and the format's ending, and is never an existing file's."""
    assert main(["export", "ada.promptster", "--format", "html", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    written = Path(document["file"])
    assert re.fullmatch(r"\d{4}-\d{2}-\d{2}-take-home-[\w-]{8}\.html", written.name)
    assert written.name.endswith(f"-{document['session'][:8]}.html")
    assert written.parent == folder
    assert written.is_file()
    assert main(["export", "ada.promptster", "--format", "html", "--json"]) == 2
    assert json.loads(capsys.readouterr().out)["error"]["code"] == "file_exists"
    assert main(["export", "ada.promptster", "--format", "html", "--force"]) == 0
    saved, verdict = capsys.readouterr().out.splitlines()
    assert saved.startswith(f"Saved as {written.name} (")
    assert saved.endswith(" kB). Only you can read it. It is not encrypted.")
    assert verdict == "Verdict: consistent."


def test_a_file_that_is_there_needs_force(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An existing file is not overwritten without ``--force``, least of all the source."""
    original = (folder / "ada.promptster").read_bytes()
    assert main(["export", "ada.promptster", "-o", "ada.promptster"]) == 2
    assert capsys.readouterr().err == "error: ada.promptster already exists\nAdd --force to replace it.\n"
    assert (folder / "ada.promptster").read_bytes() == original
    (folder / "out.html").write_text("mine")
    assert main(["export", "ada.promptster", "-f", "html", "-o", "out.html", "--force"]) == 0
    assert (folder / "out.html").read_bytes().startswith(b"<!doctype")
    (folder / "link").symlink_to("nowhere")
    assert main(["export", "ada.promptster", "-o", "link"]) == 2


@pytest.mark.parametrize("force", [(), ("--force",)])
def test_what_is_no_file_is_never_replaced(
    folder: Path, capsys: pytest.CaptureFixture[str], force: tuple[str, ...]
) -> None:
    """A pipe or a device is never replaced, even if the person may: other programs use it too."""
    os.mkfifo(folder / "pipe")
    assert main(["export", "ada.promptster", "-o", "pipe", *force]) == 2
    assert (
        capsys.readouterr().err == "error: pipe is not a file\nChoose a file with -o, or use - for standard output.\n"
    )
    assert (folder / "pipe").is_fifo()


@pytest.mark.parametrize("form", ["bundle", "html"])
def test_a_file_that_comes_meanwhile_is_not_replaced(
    folder: Path, capsys: pytest.CaptureFixture[str], form: str
) -> None:
    """If another program creates a file of that name while the session is read, it is kept."""
    os.mkfifo(folder / "pipe")

    def send() -> None:
        with (folder / "pipe").open("wb") as pipe:  # opens once the other end is read
            (folder / "out.file").write_text("theirs\n")
            pipe.write((folder / "ada.promptster").read_bytes())

    sender = threading.Thread(target=send)
    sender.start()
    before = {path.name for path in folder.iterdir()}
    assert main(["export", "pipe", "--format", form, "-o", "out.file"]) == 2
    sender.join()
    assert "out.file already exists" in capsys.readouterr().err
    assert (folder / "out.file").read_text() == "theirs\n"
    assert {path.name for path in folder.iterdir()} - before <= {"out.file"}


def test_standard_output_carries_the_export_alone(folder: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    """With -o - only the export's bytes are written, and no file."""
    assert main(["export", "ada.promptster", "-o", "-"]) == 0
    assert capfdbinary.readouterr().out == (folder / "ada.promptster").read_bytes()
    assert main(["export", "ada.promptster", "-o", "-", "-f", "jsonl"]) == 0
    lines = capfdbinary.readouterr().out.splitlines()
    assert all({"seq", "kind", "ms", "lane", "sources"} <= json.loads(line).keys() for line in lines)


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        ("Rate limiter", "rate-limiter"),
        ("../../etc/passwd", "etc-passwd"),
        ("Größe & Umfang: C:\\x", "groe-umfang-c-x"),
        ("速率限制", ""),
        ("CON", "con"),
        ("x" * 39 + " yy", "x" * 39),
        ("-rf *", "rf"),
    ],
)
def test_a_title_becomes_a_name_that_every_file_system_takes(title: str, expected: str) -> None:
    """The name has lower-case ASCII letters, digits and dashes, at most 40, without a dash at either end."""
    assert slug(title) == expected


@pytest.mark.parametrize(
    ("words", "code", "error"),
    [
        (["ada.promptster", "-o", "-", "--json"], 2, "usage"),
        (["ada.promptster", "--format", "pdf", "--json"], 2, "unknown_format"),
        (["ada.promptster", "-o", "missing/out", "--json"], 2, "usage"),
        (["ada.promptster", "-o", ".", "--json"], 2, "usage"),
        (["nothing.promptster", "--json"], 2, "no_such_source"),
        (["nothing", "--json"], 2, "no_such_source"),
        (["AAAAAAAAAAAAAAAAAAAAAA", "--json"], 4, "not_signed_in"),
    ],
)
def test_what_cannot_be_exported_is_refused_by_name(
    folder: Path, capsys: pytest.CaptureFixture[str], words: list[str], code: int, error: str
) -> None:
    """Every refusal has its code, and nothing is written."""
    before = sorted(folder.iterdir())
    assert main(["export", *words]) == code
    assert json.loads(capsys.readouterr().out)["error"]["code"] == error
    assert sorted(folder.iterdir()) == before


def test_lines_of_nothing_are_not_written(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An empty file of lines would read as a session in which nothing happened."""
    data = (folder / "ada.promptster").read_bytes()
    place = data.index(b"Take-home")
    (folder / "altered.promptster").write_bytes(data[:place] + b"Fake-home" + data[place + 9 :])
    assert main(["export", "altered.promptster", "--format", "jsonl", "-o", "out.jsonl"]) == 1
    assert not (folder / "out.jsonl").exists()
    error, hint = capsys.readouterr().err.splitlines()
    assert error.startswith("error: altered.promptster is ")
    assert hint == "To see why: promptster verify FILE"


def test_a_line_break_in_a_name_makes_no_line_of_ours(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An error is one line, whatever a file is called."""
    assert main(["export", str(folder / "a\nerror: b"), "-f", "jsonl"]) == 2
    assert "\nerror: b" not in capsys.readouterr().err


def test_a_bundle_of_the_first_release_reads_as_ever(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Its lines and its story are, letter for letter, what that release printed."""
    bundle = str(MADE_BY_0_1 / "session.promptster")
    assert main(["export", bundle, "--format", "jsonl", "-o", "lines.jsonl"]) == 0
    assert (folder / "lines.jsonl").read_bytes() == (MADE_BY_0_1 / "session.jsonl").read_bytes()
    capsys.readouterr()
    assert main(["replay", bundle]) == 0
    assert capsys.readouterr().out.endswith("\n\n" + (MADE_BY_0_1 / "story.txt").read_text())
