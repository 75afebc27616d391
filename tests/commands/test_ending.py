"""Ending a session when things go wrong: the collector is away, the recorder is dead, the machine was restarted."""

from __future__ import annotations

import json
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.helpers.people import BIN
from tests.helpers.relay import Relay
from tests.helpers.running import kill_and_wait

from promptster.agents.hook_command import hook_command
from promptster.protocol.bundle import read_bundle

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.helpers.hiring import Hiring, Invited


@pytest.fixture
def relay(acme: Hiring) -> Iterator[Relay]:
    """The candidate's connection to the collector."""
    with Relay(acme.running.url) as made:
        yield made


@pytest.fixture
def invited(relay: Relay, invited: Invited) -> Invited:
    """A candidate with a running session, whose connection can be cut."""
    invited.start("--collector", relay.url)
    return invited


def edit(invited: Invited) -> None:
    """Work a little."""
    (invited.workspace / "answer.py").write_text("print(42)\n")


def submit_until_waiting(invited: Invited) -> str:
    """Submit while the collector is away, interrupt the wait, and return the screen."""
    process = subprocess.Popen(
        [str(BIN / "promptster"), "submit", "--yes"],
        env=invited.person.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    shown = ""
    for line in process.stdout:
        shown += line
        if "everything is kept" in line:
            break
    process.send_signal(2)
    shown += process.stdout.read()
    process.stdout.close()
    assert process.wait() == 130
    return shown


def test_a_submission_survives_a_collector_that_is_away(invited: Invited, relay: Relay) -> None:
    """After an interruption it continues later: nothing is asked twice, everything arrives, the bundle verifies."""
    edit(invited)
    relay.cut()
    shown = submit_until_waiting(invited)
    assert f"Cannot reach {relay.url}; trying again.\nYou can leave (Ctrl-C): everything is kept." in shown
    assert shown.endswith("Not finished. Everything is kept. Run `promptster submit`.\n")
    assert "error:" not in shown
    assert invited.person.result("status", "--json")["state"] == "closing"
    refused = invited.person.call("stop", "--yes", "--json")
    assert refused.document["error"]["code"] == "closing"
    relay.cut(cut=False)
    done = invited.person.result("submit", "--yes", "--json")
    assert done["events"] == done["received"]
    bundle = Path(done["bundle"])
    assert bundle.suffix == ".promptster"
    assert bundle.is_relative_to(invited.person.home / ".local" / "share" / "promptster")
    assert len(read_bundle(bundle.read_bytes()).events) == done["events"]
    assert invited.person.call("verify", str(bundle)).code == 0


def test_a_submission_survives_a_restart_of_the_machine(invited: Invited, relay: Relay) -> None:
    """If recorder and supervisor die while submitting, submit starts them again."""
    edit(invited)
    relay.cut()
    submit_until_waiting(invited)
    invited.end_processes()
    relay.cut(cut=False)
    done = invited.person.result("submit", "--yes", "--json")
    assert done["verdict"] == "verified"
    finals = [
        event for event in invited.person.result("inspect", "--json")["entries"] if event["kind"] == "submission_final"
    ]
    assert len(finals) == 1
    assert "+print(42)" in finals[0]["diff"]


def test_after_the_end_no_key_and_no_working_data_is_left(invited: Invited) -> None:
    """Only the access token and the batches stay, and nothing that could open them; no process is left running."""
    edit(invited)
    folder = invited.session
    before = json.loads(folder.secrets_file.read_bytes())
    (kept,) = (json.loads(text) for text in before.values())
    done = invited.person.result("submit", "--yes", "--json")
    (left,) = (json.loads(text) for text in json.loads(folder.secrets_file.read_bytes()).values())
    assert left == {"access_token": kept["access_token"]}
    for name in ("journal", "vault", "worktree", "touched", "spool"):
        assert not (folder.path / name).exists()
    assert list(folder.batches.glob("*.batch"))
    assert not (folder.documents / "request.json").exists()
    assert invited.processes() == []
    everything = b"".join(path.read_bytes() for path in invited.state.rglob("*") if path.is_file())
    assert kept["content_key"].encode() not in everything
    assert b"print(42)" not in everything
    assert Path(done["bundle"]).stat().st_mode & 0o077 == 0


def test_resume_goes_on_after_a_restart_of_the_machine(invited: Invited) -> None:
    """The session continues, and says that something was interrupted."""
    before = invited.person.result("status", "--json")
    invited.end_processes()
    gone = invited.person.result("status", "--json")
    assert (gone["running"], gone["state"]) == (False, "recording")
    resumed = invited.person.result("resume", "--json")
    assert resumed["state"] == "recording"
    assert resumed["events"] > before["events"]
    kinds = [entry["kind"] for entry in invited.person.result("inspect", "--json")["entries"]]
    assert "capture_recovered" in kinds


def test_resume_brings_a_supervisor_back(invited: Invited) -> None:
    """Without a supervisor the recorder keeps working, status reports it, and resume adds one at the same port."""
    before = invited.person.result("status")
    assert before["supervised"]
    supervisor, orphan = invited.processes()
    kill_and_wait(supervisor)
    alone = invited.person.result("status")
    assert (alone["state"], alone["supervised"]) == ("recording", False)
    assert "Run `promptster resume` to fix this." in invited.person.call("status").stdout
    resumed = invited.person.result("resume")
    assert (resumed["state"], resumed["port"]) == ("recording", before["port"])
    assert invited.person.result("status")["supervised"]
    assert orphan not in invited.processes()
    kill_and_wait(invited.processes()[1])
    assert invited.person.result("status")["restarts"] == 1


def test_a_pause_outlives_a_restart_of_the_machine(invited: Invited) -> None:
    """Recording never restarts by accident: only the candidate can resume."""
    invited.person.result("pause", "--json")
    invited.end_processes()
    assert invited.person.result("status", "--json")["state"] == "paused"
    assert invited.person.result("resume", "--json")["state"] == "recording"


@pytest.mark.parametrize("crashed", [False, True])
def test_after_stop_an_open_agents_hooks_leave_nothing(invited: Invited, *, crashed: bool) -> None:
    """The hooks of an agent that still runs end well and silently, and keep no prompt for later."""
    folder = invited.session
    words = [*hook_command(), "claude", str(folder.hook_socket), str(folder.spool)]
    if crashed:
        invited.end_processes()
        subprocess.run(words, input=b"{}", check=True)
        assert len(list(folder.spool.glob("*.hook"))) == 1
    invited.person.result("stop", "--yes", "--json")
    done = subprocess.run(words, input=b'{"prompt": "mine alone"}', capture_output=True, check=True)
    assert (done.stdout, done.stderr) == (b"", b"")
    assert not folder.spool.exists()


def test_withdrawing_works_with_a_dead_recorder(invited: Invited) -> None:
    """The signed withdrawal needs no process, and the tombstone is checked."""
    invited.end_processes()
    done = invited.person.result("withdraw", "--yes", "--json")
    assert done["state"] == "withdrawn"
    assert done["tombstone"]["payload"]
    assert done["backups_until"] is None


def test_withdrawing_while_the_collector_is_away_deletes_here_first(invited: Invited, relay: Relay) -> None:
    """Everything here is deleted at once; running the command again delivers the signed withdrawal."""
    relay.cut()
    first = invited.person.call("withdraw", "--yes", "--json")
    assert first.code == 1
    assert first.document["error"]["code"] == "collector_unreachable"
    why = f"deleted here, but not yet at Acme: cannot reach {relay.url}: the connection was cut"
    assert first.document["error"]["message"] == why
    told = invited.person.call("withdraw", "--yes")
    assert (told.code, told.stdout, told.stderr.split()) == (
        1,
        "",
        f"warning: {why} Run `promptster withdraw` again.".split(),
    )
    shown = invited.person.call("status").stdout.splitlines()
    assert shown[1:] == ["warning: deleted here, but not yet at Acme", "Next       promptster withdraw"]
    folder = invited.session.path
    assert not (folder / "journal").exists()
    assert not (folder / "batches").exists()
    assert not (folder / "secrets.json").exists()
    assert invited.processes() == []
    relay.cut(cut=False)
    relay.lose_answer_to(b"POST /v1/sessions/")
    assert invited.person.call("withdraw", "--yes", "--json").code == 1
    assert relay.lost == 1
    assert invited.person.result("withdraw", "--yes", "--json")["tombstone"]
    assert "Next" not in invited.person.call("status").stdout


def test_withdrawing_after_handing_in_survives_a_lost_answer(invited: Invited, relay: Relay) -> None:
    """The collector forgets the access token with the session; asking again still returns the tombstone."""
    edit(invited)
    invited.person.result("submit", "--yes", "--json")
    relay.lose_answer_to(b"DELETE /v1/sessions/")
    assert invited.person.call("withdraw", "--yes", "--json").code == 1
    assert relay.lost == 1
    assert invited.person.result("withdraw", "--yes", "--json")["tombstone"]


def test_an_earlier_session_can_be_withdrawn_by_its_name(
    invited: Invited, acme: Hiring, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """A second session on the same machine does not affect the first; the session's name is shown if it is needed."""
    edit(invited)
    earlier = invited.person.result("submit", "--yes", "--json")["session"]
    with acme.invited("a-second-invite") as second:
        link = second.link
    second = replace(invited, link=link, folder=tmp_path_factory.mktemp("second"))
    later = second.start()["session"]
    assert invited.person.result("withdraw", "--yes", "--json")["session"] == later
    again = invited.person.result("withdraw", "--json")
    assert (again["session"], again["again"], again["others"]) == (later, True, [earlier])
    assert f"promptster withdraw {earlier}" in invited.person.call("withdraw").stdout
    done = invited.person.result("withdraw", earlier, "--yes", "--json")
    assert (done["session"], bool(done["tombstone"])) == (earlier, True)
    assert invited.person.result("withdraw", earlier, "--yes", "--json")["tombstone"] == done["tombstone"]
    unknown = invited.person.call("withdraw", "nobody", "--yes", "--json")
    assert unknown.document["error"]["code"] == "no_session"


def test_submitting_needs_a_yes_also_in_a_script(invited: Invited) -> None:
    """Without a yes, the session continues."""
    for words in (("submit", "--json"), ("submit",)):
        assert invited.person.call(*words).code == 5
    assert invited.person.result("status", "--json")["state"] == "recording"


@pytest.mark.parametrize("ide", ["claude", "cursor"])
def test_editor_files_are_put_back_and_never_handed_in(acme: Hiring, ide: str) -> None:
    """Other people's entries stay, ours are added and removed, and neither baseline nor diff contains them."""
    with acme.invited(f"editor-{ide}") as invited:
        invited.workspace.mkdir()
        subprocess.run(["git", "init", "-q"], cwd=invited.workspace, check=True)
        files = {
            "claude": (".claude/settings.local.json", b'{"permissions":\t{"allow": ["Bash(ls)"]}}'),
            "cursor": (".cursor/hooks.json", b'{"version": 1,\n\n "hooks": {"stop": [{"command": "true"}]}}'),
        }
        name, theirs = files[ide]
        file = invited.workspace / name
        file.parent.mkdir()
        file.write_bytes(theirs)
        started = invited.start("--ide", ide)
        assert started["ide_files"] == [str(file)]
        assert file.read_bytes() != theirs
        edit(invited)
        done = invited.person.result("submit", "--yes", "--json")
        assert file.read_bytes() == theirs
        assert done["restored"] == [{"path": str(file), "outcome": "put back"}]
        entries = invited.person.result("inspect", "--json")["entries"]
        (final,) = [entry for entry in entries if entry["kind"] == "submission_final"]
        assert [entry["path"] for entry in final["manifest"]] == ["answer.py"]
        (baseline,) = [entry for entry in entries if entry["kind"] == "submission_baseline"]
        assert [entry["path"] for entry in baseline["manifest"]["files"]] == [name]


def test_two_editors_are_prepared_at_once(acme: Hiring) -> None:
    """The option may be repeated; both files are written, renewed after a restart, and removed."""
    with acme.invited("editors") as invited:
        started = invited.start("--ide", "cursor", "--ide", "claude")
        files = [invited.workspace / name for name in (".claude/settings.local.json", ".cursor/hooks.json")]
        assert started["ide_files"] == [str(file) for file in files]
        invited.end_processes()
        invited.person.result("resume")
        assert all(file.is_file() for file in files)
        stopped = invited.person.result("stop", "--yes")
        assert {entry["outcome"] for entry in stopped["restored"]} == {"put back"}
        assert not any(file.parent.exists() for file in files)


def test_restore_puts_back_after_a_crash(acme: Hiring) -> None:
    """With the recorder dead, the files are put back before anything else; a running session is not disturbed."""
    with acme.invited("crashed") as invited:
        invited.start("--ide", "claude")
        file = invited.workspace / ".claude" / "settings.local.json"
        assert file.is_file()
        assert invited.person.call("restore", "--json").document["error"]["code"] == "session_active"
        invited.end_processes()
        done = invited.person.result("restore", "--json")
        assert done["restored"] == [{"path": str(file), "outcome": "put back"}]
        assert not file.parent.exists()
        assert invited.person.result("restore", "--json") == {"restored": []}
        invited.person.result("resume", "--json")
        assert file.is_file()
        stopped = invited.person.result("stop", "--yes", "--json")
        assert stopped["restored"] == [{"path": str(file), "outcome": "put back"}]
        assert not file.parent.exists()
