"""``promptster verify A B ...``: each file by itself, and whether their collector showed all of them one log."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.helpers.bundles import Bundler
from tests.helpers.certified import Certified
from tests.helpers.people import BIN, Person
from tests.helpers.plausible import plausible
from tests.helpers.terminal import Terminal

from promptster.__main__ import main
from promptster.paths import Paths
from promptster.protocol import merkle
from promptster.protocol.bundle import read_bundle, write_bundle
from promptster.protocol.transparency_log import LogProof, log_leaf, sign_checkpoint
from promptster.protocol.verification import verify_bundle
from promptster.watching.kept import KeptLogs

EVENTS = plausible()


def _logged(*, extra: int = 0, fork: bool = False, closed: bool = True) -> tuple[bytes, Certified]:
    """A bundle whose receipts are in a log with more entries after them; a fork has other entries before them."""
    certified = Certified(limits={"log": 1})
    data = Bundler(certified).bundle(EVENTS, closed=closed)
    parts = read_bundle(data)
    before = [merkle.leaf_hash(b"fork" if fork else b"common")]
    leaves = [*before, *(log_leaf(receipt) for receipt in parts.receipts)]
    leaves += [merkle.leaf_hash(b"later %d" % number) for number in range(extra)]
    note = sign_checkpoint(
        origin="acme.example/receipts", size=len(leaves), root=merkle.root(leaves), key=certified.log_key
    )
    proofs = tuple(
        LogProof(n=n, index=n + 1, proof=tuple(merkle.inclusion_proof(leaves, n + 1)))
        for n in range(len(parts.receipts))
    )
    return write_bundle(replace(parts, checkpoint=note, proofs=proofs)), certified


@pytest.fixture
def logged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Bundles of one collector: its log, the same log later, and a fork of it; and its key file. Home is empty."""
    for name in ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    for name, (data, certified) in {
        "early": _logged(),
        "late": _logged(extra=4),
        "fork": _logged(fork=True),
        "fork-late": _logged(extra=4, fork=True),
        "open": _logged(closed=False),
    }.items():
        (tmp_path / f"{name}.promptster").write_bytes(data)
        (tmp_path / "log.keys").write_bytes(certified.keyfile)
    return tmp_path


def _several(capsys: pytest.CaptureFixture[str], *names: str, trust: str = "log.keys") -> tuple[int, dict[str, Any]]:
    words = [name if name == "-" or "." in name else f"{name}.promptster" for name in names]
    code = main(["verify", *words, "--trust", trust, "--json"])
    document: dict[str, Any] = json.loads(capsys.readouterr().out)
    return code, document


def test_several_files_are_checked_one_by_one_and_together(logged: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A log that grew is no contradiction, whichever file comes first; each file has its own document."""
    for names in (("early", "late"), ("late", "early"), ("early", "early")):
        code, document = _several(capsys, *names)
        assert (code, document["verdict"]) == (0, "verified")
        assert [entry["file"] for entry in document["files"]] == [f"{name}.promptster" for name in names]
        assert [entry["verdict"] for entry in document["files"]] == ["verified", "verified"]
        assert (document["equivocations"], document["undecided"], document["kept_checkpoints"]) == ([], [], 0)
        assert main(["verify", *(f"{name}.promptster" for name in names), "--trust", "log.keys"]) == 0
        lines = capsys.readouterr().out.splitlines()
        assert lines[0] == f"{names[0]}.promptster:"
        assert sum(line.startswith("VERIFIED: ") for line in lines) == 2
        assert lines[-1] == "Log: all files are consistent with one history."
    assert not (logged / "home").exists()


@pytest.mark.parametrize(("one", "other"), [("early", "fork"), ("late", "fork"), ("fork-late", "early")])
def test_two_histories_are_evidence_with_both_notes(
    logged: Path, capsys: pytest.CaptureFixture[str], one: str, other: str
) -> None:
    """Of one size, and of two sizes if the proofs show enough: each verifies, and together they have exit code 10."""
    notes = [read_bundle((logged / f"{name}.promptster").read_bytes()).checkpoint for name in (one, other)]
    code, document = _several(capsys, one, other)
    assert (code, document["verdict"]) == (10, "equivocation")
    assert [entry["verdict"] for entry in document["files"]] == ["verified", "verified"]
    (found,) = document["equivocations"]
    assert found["origin"] == "acme.example/receipts"
    assert {entry["note"] for entry in found["checkpoints"]} == set(notes)
    assert sorted(entry["found_in"] for entry in found["checkpoints"]) == sorted(
        [[f"{one}.promptster"], [f"{other}.promptster"]]
    )
    assert main(["verify", f"{one}.promptster", f"{other}.promptster", "--trust", "log.keys"]) == 10
    shown = capsys.readouterr().out
    said = " ".join(shown.split())
    assert said.startswith("EQUIVOCATION: the log acme.example/receipts was shown with two different histories.")
    assert shown.endswith("\nDo not rely on it: the log has two histories. See EQUIVOCATION above.\n")
    for note in notes:
        assert note is not None
        assert f"\n\n{note}\n" in shown


def test_signed_notes_can_be_copied_from_a_terminal(logged: Path) -> None:
    """A terminal narrower than a signature wraps it by itself: no line is ended or indented inside a note."""
    notes = [read_bundle((logged / f"{name}.promptster").read_bytes()).checkpoint for name in ("early", "fork")]
    person = Person(name="reader", home=logged / "home")
    words = [str(BIN / "promptster"), "verify", "early.promptster", "fork.promptster", "--trust", "log.keys"]
    with Terminal(words, environ=person.environment(), cwd=logged) as terminal:
        assert terminal.end() == 10
        shown = terminal.shown.replace("\r\n", "\n")
    assert "Checkpoint covering" in shown
    for note in notes:
        assert note is not None
        assert max(map(len, note.splitlines())) > 80
        assert f"\n\n{note}\n" in shown


@pytest.mark.parametrize(
    ("names", "last"),
    [
        (("early", "late"), ["Log: all files are consistent with one history."]),
        (
            ("early", "cut"),
            [
                "Log: not compared, because there is no checkpoint in cut.promptster",
                "Log: the files that were compared are consistent with one history.",
            ],
        ),
        (
            ("early", "other"),
            [
                "Log: the files come from 2 logs. Only files from the same log can be compared.",
                "Log: the files that were compared are consistent with one history.",
            ],
        ),
        (("cut",) * 2, ["Log: none of the files has a log checkpoint, so they cannot be compared."]),
    ],
)
def test_what_was_not_compared_is_not_called_the_same(
    logged: Path, capsys: pytest.CaptureFixture[str], names: tuple[str, ...], last: list[str]
) -> None:
    """A file that cannot be read, and one of another log, agree with nothing."""
    (logged / "cut.promptster").write_bytes((logged / "early.promptster").read_bytes()[:100])
    (logged / "other.promptster").write_bytes(Bundler(Certified(seed=7, limits={"log": 1})).bundle(EVENTS))
    main(["verify", *(f"{name}.promptster" for name in names), "--trust", "log.keys"])
    said = capsys.readouterr().out.rpartition("\n\n")[2]
    assert " ".join(said.split()) == " ".join(last)


def test_one_file_is_held_against_what_was_kept(logged: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """This computer was shown the other history before: one bundle is enough to notice, and nothing is written."""
    view = verify_bundle((logged / "early.promptster").read_bytes(), trusted=()).log
    assert view is not None
    assert view.view is not None
    KeptLogs(Paths.from_environment()).log(*view.view.log).keep(view.view)
    before = sorted((logged / "home").rglob("*"))
    code, document = _several(capsys, "early")
    assert (code, document["verdict"], document["kept_checkpoints"]) == (0, "verified", 1)
    code, document = _several(capsys, "fork")
    assert (code, document["verdict"]) == (10, "equivocation")
    assert document["findings"] == []
    (found,) = document["equivocations"]
    assert sorted(entry["found_in"][0] for entry in found["checkpoints"]) == [
        "fork.promptster",
        "kept on this computer",
    ]
    assert main(["verify", "fork.promptster", "--trust", "log.keys"]) == 10
    assert "(kept on this computer):" in capsys.readouterr().out
    assert sorted((logged / "home").rglob("*")) == before


def test_what_nothing_shows_is_said(logged: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With two sizes and no sufficient proof, neither agreement nor contradiction is claimed."""
    for name in ("early", "fork-late"):
        parts = read_bundle((logged / f"{name}.promptster").read_bytes())
        (logged / f"{name}.promptster").write_bytes(write_bundle(replace(parts, proofs=parts.proofs[:1])))
    code, document = _several(capsys, "early", "fork-late")
    assert (code, document["verdict"], document["equivocations"]) == (10, "equivocation", document["equivocations"])
    for name in ("early", "fork-late"):
        parts = read_bundle((logged / f"{name}.promptster").read_bytes())
        (logged / f"{name}.promptster").write_bytes(write_bundle(replace(parts, proofs=())))
    code, document = _several(capsys, "early", "fork-late")
    assert (code, document["verdict"]) == (11, "incomplete")
    assert document["undecided"] == [[["early.promptster"], ["fork-late.promptster"]]]
    assert main(["verify", "early.promptster", "fork-late.promptster", "--trust", "log.keys"]) == 11
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1] == "To have the collector prove it: promptster export SESSION"
    assert lines[-3].startswith("Log: nothing here shows whether early.promptster and fork-late.promptster")


def test_of_several_files_the_gravest_code_counts(logged: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The order is 12, 10, 13, 11, 0, as in docs/protocol.md; equivocation is 10."""
    data = (logged / "early.promptster").read_bytes()
    (logged / "cut.promptster").write_bytes(data[:100])
    flipped = bytearray(data)
    flipped[data.index(b"token bucket")] ^= 1
    (logged / "flipped.promptster").write_bytes(flipped)
    (logged / "stranger.promptster").write_bytes(Bundler(Certified(seed=7)).bundle(EVENTS))
    single = {"cut": 12, "flipped": 10, "stranger": 13, "open": 11, "late": 0}
    for place, (worse, code) in enumerate(single.items()):
        for better in list(single)[place:]:
            for names in ((worse, better), (better, worse)):
                told, document = _several(capsys, *names)
                assert told == code, names
                assert {entry["file"] for entry in document["files"]} == {f"{name}.promptster" for name in names}
    assert _several(capsys, "early", "fork", "stranger")[0] == 10
    code, document = _several(capsys, "early", "fork", "cut")
    assert (code, document["verdict"]) == (12, "unreadable")
    assert len(document["equivocations"]) == 1


def test_standard_input_is_one_of_several(
    logged: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Standard input can be one of the files, but only once."""
    data = (logged / "fork.promptster").read_bytes()
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(data)))
    code, document = _several(capsys, "early", "-")
    assert (code, [entry["file"] for entry in document["files"]]) == (10, ["early.promptster", "standard input"])
    assert main(["verify", "-", "-"]) == 2
    assert "can be read only once" in capsys.readouterr().err
