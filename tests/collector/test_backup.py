"""Backups and restores: data and keys are separate, keys are kept for some days only, and ended things stay ended."""

from __future__ import annotations

import itertools
import json
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from sqlalchemy import select
from tests.collector.test_erasure import PLANTED, contents, ended, withdraw
from tests.helpers.candidate import bearer, earlier_receipt, started
from tests.helpers.collector import RunningCollector, run_command
from tests.helpers.site import Site, copy_data, make_template, running_site

from promptster_collector.errors import OptionError, SetupError
from promptster_collector.settings import DAY_MS, Settings
from promptster_collector.store.backup import DATA, KEYS, make_backup
from promptster_collector.store.backup_keys import BackupKeys
from promptster_collector.store.backup_source import BackupSource
from promptster_collector.store.data_folder import as_stated, require_data_folder, state_days
from promptster_collector.store.restore import finish_restore
from promptster_collector.store.schema import LogOrigin


def backed_up(site: Site, target: Path, *, days: int = 7) -> Path:
    """A backup of a site that keeps running."""
    keys = BackupKeys(site.settings.backup_keys)
    make_backup(site.settings, target, keys=keys, days=days, now_ms=site.clock.ms)
    return target


def restore(*words: str | Path) -> tuple[int, dict[str, str]]:
    """Run the command and return its exit code, and its result or its error."""
    done = run_command("restore", *words, "--json")
    document = json.loads(done.stdout)
    return done.returncode, document.get("error", document)


def folder_of(site: Site, target: Path) -> Path:
    """A copy of a site's data folder as it is now."""
    site.copy_to(target)
    return target


def test_a_backup_gives_everything_back_but_what_ended(site: Site, tmp_path: Path) -> None:
    """Everything is restored, also what was sealed; what was withdrawn, revoked or used since stays so."""
    kept = ended(site, texts=["kept words"])
    gone = ended(site, texts=PLANTED, email="gone@example.com")
    made = site.client.post("/v1/tokens", headers=bearer(site.token), json={"role": "reviewer", "label": ""}).json()
    backup = backed_up(site, tmp_path / "backup")
    before = site.client.get(f"/v1/sessions/{kept.session}/events", headers=bearer(site.token)).json()
    withdraw(site, gone)
    site.client.delete(f"/v1/tokens/{made['id']}", headers=bearer(site.token))
    late = ended(site, email="late@example.com")
    target = folder_of(site, tmp_path / "target")
    for name in ("control", "keystore", "segments"):
        shutil.rmtree(target / name)
    words = (backup, "--data", target, "--tombstones-copy", site.data / "tombstones")
    assert restore(*words, "--yes") == (0, {"restored": str(target)})
    found = [text for text in PLANTED for data in contents(target) if text.encode() in data]
    assert found == []
    assert not list(target.glob(".restore*"))
    with running_site(target, site.token, clock=site.clock) as restored:
        path = f"/v1/sessions/{kept.session}/events"
        assert restored.client.get(path, headers=bearer(site.token)).json() == before
        assert gone.session not in restored.store.keys.owners()
        answer = restored.client.get(f"/v1/sessions/{gone.session}/events", headers=bearer(site.token))
        assert (answer.status_code, answer.json()["code"]) == (410, "withdrawn")
        assert restored.client.get("/v1/me", headers=bearer(made["token"])).json()["code"] == "token_revoked"
        assert restored.client.get(f"/v1/sessions/{late.session}/events", headers=bearer(site.token)).status_code == 404
        assert [row.number for row in restored.rows(select(LogOrigin.number))] == [0, 1]


def test_data_and_keys_are_apart(site: Site, tmp_path: Path) -> None:
    """Neither part alone opens anything: no key in the data, the keys sealed, no master key; all files are 0600."""
    ended(site, texts=["secret words"])
    backup = backed_up(site, tmp_path / "backup")
    files = {path.relative_to(backup).as_posix() for path in backup.rglob("*") if path.is_file()}
    segments = {name for name in files if name.startswith(f"{DATA}/segments/")}
    assert len(segments) == 1
    assert files - segments == {f"{DATA}/control.sqlite3", f"{DATA}/settings.json", f"{DATA}/backup.json", KEYS}
    assert {path.stat().st_mode & 0o777 for path in backup.rglob("*") if path.is_file()} == {0o600}
    assert {path.stat().st_mode & 0o777 for path in (backup, backup / DATA, backup / DATA / "segments")} == {0o700}
    master = (site.data / "master.key").read_bytes()
    (key,) = BackupKeys(site.settings.backup_keys).all()
    for data in contents(backup):
        assert b"secret words" not in data
        assert b"wrapped_keys" not in data
        assert master not in data
        assert key.key not in data


@pytest.mark.parametrize("days", [1, 7])
def test_a_backup_of_keys_ends_with_its_days(site: Site, tmp_path: Path, days: int) -> None:
    """The sweep destroys the backup's key when the days are over, and not before; then nobody can open it."""
    ended(site)
    backup = backed_up(site, tmp_path / "backup", days=days)
    keys = BackupKeys(site.settings.backup_keys)
    source = BackupSource.find(backup, None)
    site.clock.pass_ms(days * DAY_MS - 1)
    site.drain()
    assert source.open_keystore(site.settings, keys, site.clock.ms).startswith(b"SQLite format 3")
    site.clock.pass_ms(1)
    site.drain()
    assert list(site.settings.backup_keys.iterdir()) == []
    with pytest.raises(SetupError) as refused:
        source.open_keystore(site.settings, keys, site.clock.ms)
    assert refused.value.code == "expired"
    with pytest.raises(SetupError) as back:  # a clock that is put back does not bring the key back
        source.open_keystore(site.settings, keys, site.clock.ms - 5 * DAY_MS)
    assert back.value.code == "backup_key_missing"


def test_a_restore_destroys_keys_whose_days_are_over(site: Site, tmp_path: Path) -> None:
    """The keys are destroyed even if no collector was running when the days ended."""
    backup = backed_up(site, tmp_path / "backup", days=1)
    keys = BackupKeys(site.settings.backup_keys)
    with pytest.raises(SetupError) as refused:
        BackupSource.find(backup, None).open_keystore(site.settings, keys, site.clock.ms + DAY_MS)
    assert refused.value.code == "expired"
    assert keys.all() == []


def test_a_restore_needs_the_newest_tombstones_and_a_yes(site: Site, tmp_path: Path) -> None:
    """Without either, or with tombstones older than the backup, nothing is changed."""
    old = folder_of(site, tmp_path / "old")
    withdraw(site, ended(site, seal=False))
    backup = backed_up(site, tmp_path / "backup")
    target = folder_of(site, tmp_path / "target")
    (target / "tombstones" / "ended.jsonl").unlink()
    before = {path: path.read_bytes() for path in target.rglob("*") if path.is_file()}
    copy = site.data / "tombstones"
    code, error = restore(backup, "--data", target, "--yes")
    assert (code, error["code"]) == (1, "tombstones_missing")
    assert "--tombstones-copy" in error["hint"]
    code, error = restore(backup, "--data", target, "--tombstones-copy", tmp_path, "--yes")
    assert (code, error["code"]) == (1, "tombstones_missing")
    code, error = restore(backup, "--data", target, "--tombstones-copy", old / "tombstones", "--yes")
    assert (code, error["code"]) == (1, "tombstones_missing")
    code, error = restore(backup, "--data", target, "--tombstones-copy", copy)
    assert (code, error["code"]) == (5, "confirmation_needed")
    done = run_command("restore", backup, "--data", target, "--tombstones-copy", copy)
    assert (done.returncode, "Nothing was changed." in done.stderr) == (5, True)
    (target / "serve.lock").unlink()
    assert {path: path.read_bytes() for path in target.rglob("*") if path.is_file()} == before
    assert restore(backup, "--data", target, "--tombstones-copy", copy, "--yes")[0] == 0


def test_a_restore_says_what_it_lacks(site: Site, tmp_path: Path) -> None:
    """A missing master key, backup or key part, another folder, or a changed byte is named, and nothing is changed."""
    backup = backed_up(site, tmp_path / "backup")
    target = folder_of(site, tmp_path / "target")
    tail = ("--data", target, "--tombstones-copy", site.data / "tombstones", "--yes")
    assert restore(tmp_path / "none", *tail)[1]["code"] == "no_backup"
    assert restore(backup / DATA, *tail)[1]["code"] == "no_key_backup"
    assert restore(backup / DATA, "--keys", site.data / "master.key", *tail)[1]["code"] == "no_key_backup"
    sealed = (backup / KEYS).read_bytes()
    (backup / KEYS).write_bytes(sealed[:-1] + bytes([sealed[-1] ^ 1]))
    assert restore(backup, *tail)[1]["code"] == "damaged"
    (backup / KEYS).write_bytes(sealed)
    (target / "master.key").rename(target / "elsewhere")
    assert restore(backup, *tail)[1]["code"] == "master_key"
    (target / "elsewhere").rename(target / "master.key")
    shutil.rmtree(target / "backup-keys")
    assert restore(backup, *tail)[1]["code"] == "backup_key_missing"
    assert restore(backup, *tail, "--keep-keys")[0] == 0


_KILLED_AT = """
import os, signal, sys
from promptster_collector.__main__ import main

folder, left = os.path.realpath(sys.argv[1]), int(sys.argv[2])

def hook(event, arguments):
    global left
    if event == "os.rename":
        paths = [os.fspath(path) for path in arguments[:2]]
        if not all(path.startswith(os.path.join(folder, ".restore.")) for path in paths):
            left -= 1
            if left < 0:
                os.kill(os.getpid(), signal.SIGKILL)

sys.addaudithook(hook)
sys.exit(main(sys.argv[3:]))
"""
"""A restore that is killed in front of one of the steps by which it changes something outside its draft."""


def test_a_restore_that_is_killed_leaves_the_old_data_or_the_new(site: Site, tmp_path: Path) -> None:
    """Killed before any step, the folder is served as it was or as in the backup, and nothing else is left."""
    ended(site)
    backup = backed_up(site, tmp_path / "backup")
    ended(site, email="late@example.com")
    stopped = folder_of(site, tmp_path / "stopped")
    seen: list[int] = []
    for step in itertools.count():
        target = tmp_path / f"target{step}"
        copy_data(stopped, target)
        words = ("restore", backup, "--data", target, "--tombstones-copy", site.data / "tombstones", "--yes")
        done = subprocess.run(
            [sys.executable, "-c", _KILLED_AT, target, str(step), *map(str, words)], capture_output=True, check=False
        )
        if (target / "restoring").exists():
            with pytest.raises(SetupError, match="was interrupted"):
                require_data_folder(Settings(data=target))
        finish_restore(Settings(data=target))
        assert list(target.glob(".restore.*")) == []
        with running_site(target, site.token, clock=site.clock) as found:
            listed = found.client.get("/v1/sessions", headers=bearer(site.token)).json()["sessions"]
            assert {entry["state"] for entry in listed} == {"sealed"}
            seen.append(len(listed))
        shutil.rmtree(target)
        if done.returncode == 0:
            break
        assert done.returncode == -signal.SIGKILL, done.stderr
    assert (seen[0], seen[-1], seen) == (2, 1, sorted(seen, reverse=True))
    assert seen.count(1) >= len(("record", "checkpoint", *("old", "new") * 3, "done"))


def test_a_restore_that_was_cut_off_is_ended_by_the_next(site: Site, tmp_path: Path) -> None:
    """The next restore finishes it even if that one fails; missing parts are reported, and nothing is removed."""
    ended(site)
    backup = backed_up(site, tmp_path / "backup")
    target = folder_of(site, tmp_path / "target")
    left = target / ".restore.0a0b0c0d"
    left.mkdir()
    (target / "control").rename(left / "control")
    (target / "restoring").write_text(left.name)
    (backup / KEYS).write_bytes(b"damaged")
    tail = ("--data", target, "--tombstones-copy", target / "tombstones", "--yes")
    assert restore(backup, *tail)[1]["code"] == "no_key_backup"
    assert not left.exists()
    with running_site(target, site.token, clock=site.clock) as restored:
        assert restored.client.get("/v1/me", headers=bearer(site.token)).status_code == 200
    for name in (left.name, "elsewhere", ""):
        left.mkdir()
        (target / "control").rename(target / "away")
        (target / "restoring").write_text(name)
        assert restore(backup, *tail)[1]["code"] == "incomplete_restore"
        assert left.exists()
        left.rmdir()
        (target / "restoring").unlink()
        (target / "away").rename(target / "control")


def test_what_a_killed_restore_left_behind_goes_when_it_is_served(site: Site, tmp_path: Path) -> None:
    """The leftovers contain keys and a master key, so that what ends later might be read with them."""
    target = folder_of(site, tmp_path / "target")
    left = target / ".restore.0a0b0c0d"
    left.mkdir()
    (left / "master.key").write_bytes(b"old keys")
    running = RunningCollector(data=target, token=site.token, fingerprint="")
    running.start()
    running.stop()
    assert not left.exists()


def test_tombstones_that_are_older_than_the_key_store_are_refused(site: Site, tmp_path: Path) -> None:
    """The copy is newer than the backup but not the newest: the current key store knows that more has ended."""
    backup = backed_up(site, tmp_path / "backup")
    first, second = (ended(site, seal=False, email=f"c{number}@example.com") for number in range(2))
    withdraw(site, first)
    older = tmp_path / "older"
    shutil.copytree(site.data / "tombstones", older)
    withdraw(site, second)
    target = folder_of(site, tmp_path / "target")
    (target / "tombstones" / "ended.jsonl").unlink()
    code, error = restore(backup, "--data", target, "--tombstones-copy", older, "--yes")
    assert (code, error["code"]) == (1, "tombstones_missing")
    copy = site.data / "tombstones"
    assert restore(backup, "--data", target, "--tombstones-copy", copy, "--yes")[0] == 0


def test_another_collectors_parts_are_not_put_together(site: Site, tmp_path: Path) -> None:
    """Data of one collector and keys of another open nothing, and another's tombstones say nothing about this one."""
    backup = backed_up(site, tmp_path / "backup")
    other = make_template(tmp_path / "other").data
    before = {path: path.read_bytes() for path in other.rglob("*") if path.is_file()}
    tail = ("--data", other, "--yes")
    assert restore(backup, "--tombstones-copy", other / "tombstones", *tail)[1]["code"] == "backup_key_missing"
    words = (backup, "--keep-keys", "--tombstones-copy", other / "tombstones", *tail)
    assert restore(*words)[1]["code"] == "other_collector"
    (other / "serve.lock").unlink()
    assert {path: path.read_bytes() for path in other.rglob("*") if path.is_file()} == before
    ended(site)
    mine = folder_of(site, tmp_path / "mine")
    copy = tmp_path / "copy"
    copy.mkdir()
    (copy / "ended.jsonl").touch()
    with running_site(other, "") as running:
        started_there = running.services.organisations.create(name="Other", owner_email="o@example.com")
        candidate = started(running.client, started_there.token.token)
        for n in range(3):
            candidate.say("hello")
            candidate.put(running.client, n)
        running.drain()
    shutil.copy(other / "tombstones" / "checkpoint.json", copy)
    with pytest.raises(SetupError, match="belongs to another collector"), running_site(mine, site.token, copy=copy):
        pass


def test_nothing_is_overwritten_and_nothing_is_left_behind(site: Site, tmp_path: Path) -> None:
    """An existing destination is refused, and a backup that fails leaves neither a folder nor a key."""
    taken = tmp_path / "taken"
    taken.mkdir()
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "nowhere")
    for target in (taken, link, tmp_path / "no" / "folder", site.data / "backup", site.data / "segments" / "backup"):
        with pytest.raises(OptionError):
            backed_up(site, target)
    (site.data / "keystore" / "keystore.sqlite3").rename(tmp_path / "moved")
    (site.data / "keystore" / "keystore.sqlite3").write_bytes(b"this is no database" * 100)
    before = sorted(tmp_path.iterdir())
    with pytest.raises(SetupError):
        backed_up(site, tmp_path / "backup")
    assert sorted(tmp_path.iterdir()) == before
    assert BackupKeys(site.settings.backup_keys).all() == []


def test_a_backup_is_whole_while_batches_come(site: Site, tmp_path: Path) -> None:
    """Every row has its key, and every session in it verifies and can continue."""
    candidate = started(site.client, site.token)
    for number in range(12):
        candidate.say(f"text {number}")
    stop = threading.Event()

    def back_up() -> None:
        number = 0
        while not stop.is_set() and number < 20:
            backed_up(site, tmp_path / f"backup{number}")
            number += 1

    thread = threading.Thread(target=back_up)
    thread.start()
    try:
        for n in range(12):
            assert candidate.put(site.client, n).status_code == 200
    finally:
        stop.set()
        thread.join(60)
    backup = max(tmp_path.glob("backup*"), key=lambda path: int(path.name.removeprefix("backup")))
    target = tmp_path / "target"
    target.mkdir()
    shutil.copy2(site.data / "master.key", target)
    shutil.copytree(site.settings.backup_keys, target / "backup-keys")
    assert restore(backup, "--data", target, "--tombstones-copy", site.data / "tombstones", "--yes")[0] == 0
    with running_site(target, site.token, clock=site.clock) as restored:
        path = f"/v1/sessions/{candidate.session}/head"
        stored = restored.client.get(path, headers=bearer(candidate.access_token)).json()["next"]
        for n in range(stored, 12):
            assert candidate.put(restored.client, n, earlier_receipt(candidate.receipts[n])).status_code == 200
        restored.drain()
        path = f"/v1/sessions/{candidate.session}/evidence"
        assert len(restored.client.get(path, headers=bearer(site.token)).json()["receipts"]) == 12


def test_what_is_stated_is_kept_in_the_data_folder(site: Site) -> None:
    """The stated number of days is stored in the folder for every command, and cannot be set below a backup's life."""
    settings = site.settings
    assert as_stated(settings).key_backup_days is None
    state_days(settings, 7, now_ms=site.clock.ms)
    assert as_stated(Settings(data=settings.data)).key_backup_days == 7
    key = BackupKeys(settings.backup_keys).make(now_ms=site.clock.ms, days=7)
    with pytest.raises(OptionError) as refused:
        state_days(settings, 3, now_ms=site.clock.ms)
    assert refused.value.code == "key_backups_live"
    assert as_stated(settings).key_backup_days == 7
    state_days(settings, None, now_ms=site.clock.ms)
    assert as_stated(settings).key_backup_days is None
    BackupKeys(settings.backup_keys).destroy(key.name)
    state_days(settings, 0, now_ms=site.clock.ms)
    assert as_stated(settings).key_backup_days == 0


def test_no_days_means_no_backup_of_keys(site: Site, tmp_path: Path) -> None:
    """A collector that states 0 days backs up its data only."""
    state_days(site.settings, 0, now_ms=site.clock.ms)
    done = run_command("backup", tmp_path / "backup", "--data", site.data, "--json")
    made = json.loads(done.stdout)
    assert (made["keystore"], made["until"]) == (None, None)
    assert not (tmp_path / "backup" / KEYS).exists()


@pytest.mark.parametrize("word", ["8", "-1", "week", ""])
def test_only_days_that_are_kept_can_be_stated(site: Site, word: str) -> None:
    """More than 7 days, or something that is not a number, is refused before anything is served."""
    done = run_command("serve", "--data", site.data, "--port", "0", f"--key-backup-days={word}", "--json")
    assert (done.returncode, json.loads(done.stdout)["error"]["code"]) == (2, "key_backup_days")
    assert as_stated(site.settings).key_backup_days is None
