"""What is planted in a session is never in clear on a disk, and gone for good after withdrawal."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from tests.helpers.assessment import Assessment, assessment
from tests.helpers.collector import RunningCollector
from tests.helpers.people import Person

BACKED_UP = ("control", "segments")
"""What an operator backs up as the collector's data; key store, master key and tombstones are separate."""


def _planted(what: str, count: int) -> list[str]:
    return [f"{what}-{number:03d}-Zq7vKx{number * 7919 % 9973:04d}" for number in range(count)]


def _conversation(workspace: Path, marks: Sequence[str]) -> dict[str, Any]:
    """A conversation whose answers, thinking, edits and commands carry the marks."""
    text, thinking, written, printed = marks[:4]
    tools = [
        {"name": "Write", "input": {"file_path": str(workspace / "planted.txt"), "content": f"{written}\n"}},
        {"name": "Bash", "input": {"command": f"echo {printed}"}},
    ]
    return {"prompt": "planted", "turns": [{"text": text, "thinking": thinking, "tools": tools}, {"text": "Done."}]}


def _hits(folder: Path, marks: Iterable[str], *, beside: Iterable[Path] = ()) -> list[str]:
    """The marks that are in clear in a file below ``folder``, by name or content, as text or in an encoding of JSON."""
    skipped = {path.resolve() for path in beside}
    found: list[str] = []
    wanted = [(mark, mark.encode(), mark.encode("utf-16-le")) for mark in marks]
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.is_symlink() and path.resolve() not in skipped:
            data = path.read_bytes()
            found += [
                f"{mark} in {path}" for mark, *forms in wanted if mark in path.name or any(f in data for f in forms)
            ]
    return found


def _state_folders(person: Person) -> list[Path]:
    return [person.home / name / "promptster" for name in (".local/state", ".local/share", ".config", ".cache")]


def test_no_planted_secret_stands_in_clear_in_any_file_that_we_wrote(tmp_path: Path, running: RunningCollector) -> None:
    """None of 50 secrets (keys, prompts, answers, files, output, names, e-mails) is in clear, during and after."""
    keys, prompts, names = _planted("sk-ant-api03", 3), _planted("prompt", 30), _planted("Name", 2)
    emails = [f"{mark.lower()}@example.com" for mark in _planted("mail", 2)]
    inside = _planted("inside", 13)
    workspace = tmp_path / "workspace"
    stage_environment = {"ANTHROPIC_API_KEY": keys[0], "ANTHROPIC_AUTH_TOKEN": keys[1], "CODEX_API_KEY": keys[2]}
    marks = [*keys, *prompts, *names, *emails, *inside]
    assert len(marks) == 50
    with assessment(tmp_path, running, [_conversation(workspace, inside)], **stage_environment) as stage:
        stage.start(stage.invite(name=" ".join(names), email=emails[0]))
        stage.recruiter.result("token", "create", "--role", "reviewer", "--label", emails[1])
        assert stage.work(f"planted {' '.join(prompts)} {' '.join(inside[4:])}").code == 0
        ours = [running.data, *_state_folders(stage.candidate), *_state_folders(stage.recruiter)]
        assert [hit for folder in ours for hit in _hits(folder, marks)] == []
        submitted = stage.candidate.result("submit", "--yes", cwd=stage.workspace)
        bundle = Path(submitted["bundle"])
        assert prompts[0].encode() in bundle.read_bytes()
        assert [hit for folder in ours for hit in _hits(folder, marks, beside=[bundle])] == []
    running.stop()
    assert _hits(running.data, marks) == []


def _readable(stage: Assessment, marks: Sequence[str]) -> list[str]:
    """Marks that the owner of the organisation can still read through any route that shows a session."""
    shown = [stage.recruiter.call("sessions", "--json").stdout]
    for form in ("bundle", "html", "jsonl"):
        target = stage.folder / f"after.{form}"
        stage.recruiter.call("export", stage.session, "--format", form, "-o", str(target), "--force")
        if target.exists():
            shown.append(target.read_bytes().decode(errors="replace"))
    return [mark for mark in marks if any(mark in text for text in shown)]


def _restore(running: RunningCollector, backup: Path) -> None:
    for name in BACKED_UP:
        shutil.rmtree(running.data / name)
        shutil.copytree(backup / name, running.data / name)


def _back_up(running: RunningCollector, backup: Path) -> None:
    for name in BACKED_UP:
        shutil.copytree(running.data / name, backup / name)


def _record(stage: Assessment, marks: Sequence[str], name: str, email: str) -> None:
    stage.start(stage.invite(name=name, email=email))
    assert stage.work(f"planted {' '.join(marks)}").code == 0


def test_after_withdrawal_a_restored_backup_of_the_data_tells_nothing(
    tmp_path: Path, running: RunningCollector
) -> None:
    """After a withdrawal while recording, yesterday's data with today's keys reveals none of 100 planted strings."""
    marks, inside = _planted("planted", 94), _planted("inside", 4)
    name, email = "Name-Zq7vKx0001", "mail-zq7vkx0002@example.com"
    everything = [*marks, *inside, name, email]
    assert len(everything) == 100
    with assessment(tmp_path, running, [_conversation(tmp_path / "workspace", inside)]) as stage:
        _record(stage, marks, name, email)
        stage.delivered()
        target = tmp_path / "before.jsonl"
        stage.recruiter.call("export", stage.session, "--format", "jsonl", "-o", str(target))
        assert marks[0] in target.read_text()
        running.stop()
        _back_up(running, tmp_path / "backup")
        running.start()
        withdrawn = stage.candidate.result("withdraw", "--yes")
        assert "tombstone" in json.dumps(withdrawn)
        assert _readable(stage, everything) == []
        running.stop()
        _restore(running, tmp_path / "backup")
        running.start()
        assert _readable(stage, everything) == []
        running.stop()
        assert _hits(running.data, everything) == []
        assert [hit for folder in _state_folders(stage.candidate) for hit in _hits(folder, everything)] == []
        running.start()


def test_after_withdrawal_of_a_sealed_session_its_segment_tells_nothing(
    tmp_path: Path, running: RunningCollector
) -> None:
    """The same holds for a session that was submitted and sealed before it was withdrawn."""
    marks, inside = _planted("sealed", 20), _planted("inside", 4)
    with assessment(tmp_path, running, [_conversation(tmp_path / "workspace", inside)]) as stage:
        _record(stage, marks, "Ada Sealed", "ada.sealed@example.com")
        stage.candidate.result("submit", "--yes", cwd=stage.workspace)
        running.stop()
        _back_up(running, tmp_path / "backup")
        running.start()
        assert _readable(stage, marks)
        for kept in stage.folder.glob("after.*"):
            kept.unlink()
        assert stage.candidate.result("withdraw", "--yes")["tombstone"]
        running.stop()
        _restore(running, tmp_path / "backup")
        running.start()
        assert _readable(stage, [*marks, *inside, "Ada Sealed", "ada.sealed@example.com"]) == []
