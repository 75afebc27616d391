"""Watching a collector's log: contradictions are reported and kept, and mere growth is not."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from tests.helpers.logs import ServedLog, leaves, serving_log

from promptster.config import Config, PinnedKeys
from promptster.protocol import merkle
from promptster.protocol.encoding import b64u_encode
from promptster.protocol.log_consistency import Relation, Shown, View, relate
from promptster.protocol.transparency_log import Checkpoint, cosign, sign_checkpoint
from promptster.watching.asking import CONTRADICTIONS, PATIENCE, LogFault, Split, remember, watch
from promptster.watching.kept import MOST, MOST_EVIDENCE, KeptLogs, NoteStanding


def _watch(config: Config, log: ServedLog, *seen: View) -> tuple[Split, ...]:
    watched = watch(config, log.url, seen=seen)
    assert watched.trouble is None
    return watched.splits


def _standings(config: Config, log: ServedLog) -> list[tuple[int, str]]:
    notes = KeptLogs(config.paths).log(log.key.public_key, log.origin).notes()
    return [(kept.size, kept.standing.value) for kept in notes]


def _evidence(split: Split) -> dict[str, object]:
    assert split.evidence is not None
    document: dict[str, object] = json.loads(Path(split.evidence).read_text())
    return document


def test_honest_growth_never_warns(config: Config, log: ServedLog) -> None:
    """Whatever is seen in between, every note is kept once and shown to be of one log with the others."""
    for size in (5, 5, 6, 9, 9, 16, 17, 40):
        log.entries = leaves(size)
        assert _watch(config, log, log.view(leaves(size // 2 + 1))) == ()
    assert {standing for _, standing in _standings(config, log)} == {"held"}
    assert [size for size, _ in _standings(config, log)] == [3, 4, 5, 6, 9, 16, 17, 21, 40]


def test_what_was_kept_is_asked_about_by_the_next_command(config: Config, log: ServedLog) -> None:
    """The first visit has nothing to compare; the second one asks for the proof from that note to the new one."""
    _watch(config, log)
    assert log.asked == ["/v1/log/checkpoint"]
    log.entries = leaves(8)
    _watch(config, log)
    assert log.asked[1:] == ["/v1/log/checkpoint", "/v1/log/consistency?from=5&to=8"]


def test_another_root_of_the_same_size_is_named_with_both_notes(config: Config, log: ServedLog) -> None:
    """The collector's folder was restored and continued: both signed notes are in the warning and in a file."""
    before = log.signed()
    assert _watch(config, log) == ()
    log.entries = leaves(5, fork=4)
    (split,) = _watch(config, log)
    assert (split.kind, split.kept, split.shown) == (LogFault.EQUIVOCATION, before, log.signed())
    document = _evidence(split)
    assert [document[name] for name in ("kind", "kept", "shown")] == ["equivocation", before, log.signed()]
    for note in (before, log.signed()):
        Checkpoint.parse(note).verify(log.key.public_key)
    assert sorted(_standings(config, log)) == [(5, "held"), (5, "split")]


def test_a_fork_that_grew_cannot_be_proved(config: Config, log: ServedLog) -> None:
    """With another size too, the proof from the forked log leads to another root, which is reported at every visit."""
    _watch(config, log)
    log.entries = leaves(9, fork=4)
    for _ in range(2):
        (split,) = _watch(config, log)
        assert split.kind is LogFault.NOT_CONTINUED
        assert [Checkpoint.parse(note).size for note in (split.kept, split.shown)] == [5, 9]
    log.entries = leaves(11, fork=4)
    assert [Checkpoint.parse(split.shown).size for split in _watch(config, log)] == [9, 11]
    assert _standings(config, log) == [(5, "held"), (9, "split"), (11, "split")]


def test_a_proof_that_comes_late_settles_it(config: Config, log: ServedLog) -> None:
    """A collector that gave a wrong proof once and a right one later has one log after all."""
    _watch(config, log)
    log.entries, log.lie = leaves(8), [bytes(32)]
    assert len(_watch(config, log)) == 1
    log.lie = None
    assert _watch(config, log) == ()
    assert _standings(config, log) == [(5, "held"), (8, "held")]


def test_a_bundle_of_a_fork_is_told_before_anything_is_asked(config: Config, log: ServedLog) -> None:
    """The log shows everyone the old history and one reader another: the reader's own note contradicts it."""
    _watch(config, log)
    forked = leaves(9, fork=4)
    proof = tuple(merkle.inclusion_proof(forked, 4))
    seen = View(log.view(forked).checkpoint, log.key.public_key, (Shown(forked[4], 4, proof),))
    assert relate(log.view(), seen) is Relation.EQUIVOCATION
    log.refuse = (503, "busy")
    (split,) = _watch(config, log, seen)
    assert split.kind is LogFault.EQUIVOCATION
    assert [Checkpoint.parse(note).size for note in (split.kept, split.shown)] == [5, 9]


@pytest.mark.parametrize("lie", [[], [bytes(32)], [bytes(32)] * 3, [bytes(32)] * 200])
def test_a_lying_proof_is_told(config: Config, log: ServedLog, lie: list[bytes]) -> None:
    """A log that grew but gives a wrong proof is reported like one that did not."""
    _watch(config, log)
    log.entries, log.lie = leaves(8), lie
    (split,) = _watch(config, log)
    assert split.kind is LogFault.NOT_CONTINUED
    assert _evidence(split)["shown"] == log.signed()


def test_a_size_that_was_signed_and_is_denied_is_told(config: Config, log: ServedLog) -> None:
    """The log says that it has no such entries, right after signing that it has."""
    _watch(config, log)
    log.note, log.entries = log.signed(leaves(8)), leaves(7)
    (split,) = _watch(config, log)
    assert split.kind is LogFault.NOT_CONTINUED


def test_a_smaller_log_later_was_put_back(config: Config, log: ServedLog) -> None:
    """Its entries are the same, but signed ones after them are gone: the warning shows what it had signed."""
    _watch(config, log)
    before, log.entries = log.signed(), leaves(3)
    (split,) = _watch(config, log)
    assert (split.kind, split.kept, split.shown) == (LogFault.ROLLED_BACK, before, log.signed())
    assert log.handed_in == [before]
    log.entries = []
    (split,) = _watch(config, log)
    assert (split.kind, split.kept, split.shown) == (LogFault.ROLLED_BACK, before, "")


def test_a_checkpoint_by_another_key_is_no_checkpoint_of_this_log(config: Config, log: ServedLog) -> None:
    """It is reported and never kept with the log's own notes, so that it cannot replace one of them."""
    _watch(config, log)
    stranger = ServedLog(seed="mallory").key
    log.note = sign_checkpoint(origin=log.origin, size=9, root=bytes(32), key=stranger)
    (split,) = _watch(config, log)
    assert (split.kind, split.shown) == (LogFault.FOREIGN_KEY, log.note)
    assert _standings(config, log) == [(5, "held")]


def test_a_restored_log_is_another_log(config: Config, log: ServedLog) -> None:
    """A new origin that continues from the last known checkpoint is correct; going back to the old one is not."""
    _watch(config, log)
    begun = [merkle.leaf_hash(log.signed().encode()), *leaves(3, fork=0)]
    log.number, log.entries = 1, begun[:2]
    assert _watch(config, log) == ()
    log.entries = begun
    assert _watch(config, log) == ()
    log.number, log.entries = 0, leaves(9)
    (split,) = _watch(config, log)
    assert split.kind is LogFault.ROLLED_BACK
    assert [Checkpoint.parse(note).origin for note in (split.kept, split.shown)] == [
        "promptster.log/acme/1",
        "promptster.log/acme/0",
    ]


@pytest.mark.parametrize("size", [1, 2, 7])
@pytest.mark.parametrize("known", [None, 3])
def test_a_new_log_that_drops_what_was_known_is_told_once(
    config: Config, log: ServedLog, size: int, known: int | None
) -> None:
    """Its first leaf is not a checkpoint, or is one over fewer entries than this computer was shown."""
    _watch(config, log)
    before = log.signed()
    first = leaves(1, fork=0)[0] if known is None else merkle.leaf_hash(log.signed(leaves(known)).encode())
    log.number, log.entries = 1, [first, *leaves(size - 1)]
    (split,) = _watch(config, log)
    assert (split.kind, split.kept, split.shown) == (LogFault.RESTARTED, before, log.signed())
    assert _evidence(split)["kept"] == before
    assert split.kind not in CONTRADICTIONS
    log.entries = [first, *leaves(size)]
    assert _watch(config, log) == ()


def test_a_new_log_is_asked_about_until_it_answers(config: Config, log: ServedLog) -> None:
    """A collector that gives its checkpoint and no proof is not trusted to continue, and that is reported."""
    _watch(config, log)
    log.number, log.entries, log.proofless = 1, leaves(4, fork=0), True
    kinds = [[split.kind for split in _watch(config, log)] for _ in range(PATIENCE)]
    assert kinds == [[]] * (PATIENCE - 1) + [[LogFault.NO_PROOF]]
    log.proofless = False
    assert [split.kind for split in _watch(config, log)] == [LogFault.RESTARTED]
    assert _watch(config, log) == ()


@pytest.mark.parametrize("everything", [False, True])
def test_a_collector_that_answers_and_never_proves_is_told(config: Config, log: ServedLog, *, everything: bool) -> None:
    """It is reported from the third time in a row on, until there is a proof."""
    _watch(config, log)
    before, log.entries = log.signed(), leaves(8)
    for _ in range(2):
        log.refuse, log.proofless = ((503, "busy") if everything else None), True
        for _ in range(PATIENCE - 1):
            assert _watch(config, log) == ()
        (split,) = _watch(config, log)
        assert (split.kind, split.kept, split.origin) == (LogFault.NO_PROOF, before, log.origin)
        assert split.shown == ("" if everything else log.signed())
        assert [split.kind for split in _watch(config, log)] == [LogFault.NO_PROOF]
        log.refuse, log.proofless = None, False
        assert _watch(config, log) == ()
        before, log.entries = log.signed(), leaves(len(log.entries) + 2)


def test_a_collector_that_never_had_these_routes_is_not_told(config: Config, log: ServedLog) -> None:
    """A version without these routes, as 0.1, withholds nothing."""
    log.refuse = (404, "not_found")
    for _ in range(2 * PATIENCE):
        assert _watch(config, log, log.view()) == ()


@pytest.mark.parametrize("refuse", [(503, "busy"), (500, "internal"), (429, "rate_limited"), (404, "not_found")])
def test_what_cannot_be_asked_now_is_asked_later(config: Config, log: ServedLog, refuse: tuple[int, str]) -> None:
    """A bundle's note is kept silently; when the collector answers again it is compared with the others."""
    _watch(config, log)
    log.refuse = refuse
    assert _watch(config, log, log.view(leaves(7, fork=6))) == ()
    assert _standings(config, log) == [(5, "held"), (7, "new")]
    log.refuse, log.entries = None, leaves(8)
    (split,) = _watch(config, log)
    assert (split.kind, split.shown) == (LogFault.NOT_CONTINUED, log.signed(leaves(7, fork=6)))
    assert _standings(config, log) == [(5, "held"), (7, "split"), (8, "held")]


def test_a_collector_that_is_away_breaks_nothing(config: Config, log: ServedLog, tmp_path: Path) -> None:
    """Without an answer, what was seen is kept all the same."""
    with serving_log(ServedLog(entries=leaves(5))) as gone:
        PinnedKeys(config.paths).pin(gone.url, gone.keyfile)
    watched = watch(config, gone.url, seen=[log.view()])
    assert (watched.splits, watched.trouble) == ((), None)
    assert _standings(config, log) == [(5, "new")]
    assert (tmp_path / "state" / "logs").is_dir()


@pytest.mark.parametrize("note", ["", "<html>", "no\nsuch\nthing\n", "\ud7ff" * 10])
def test_what_is_no_note_is_passed_over(config: Config, log: ServedLog, note: str) -> None:
    """If another program answers, nothing is kept or reported."""
    log.note = note
    assert _watch(config, log) == ()
    assert not (config.paths.state / "logs").exists()


def test_an_unknown_collector_is_not_watched(config: Config, log: ServedLog) -> None:
    """Without a pinned key it is unknown whose notes these are: nothing is asked and nothing is kept."""
    stranger = ServedLog(seed="mallory", entries=leaves(3))
    with serving_log(stranger):
        assert watch(config, stranger.url, seen=[stranger.view()]).splits == ()
    assert stranger.asked == []
    assert _watch(config, log, stranger.view()) == ()
    assert _standings(config, stranger) == []


def test_notes_of_another_collector_are_never_mixed_in(config: Config, log: ServedLog) -> None:
    """A second collector under the same origin has a log of its own."""
    with serving_log(ServedLog(seed="other", entries=leaves(5, fork=0))) as other:
        PinnedKeys(config.paths).pin(other.url, other.keyfile)
        assert _watch(config, log) == ()
        assert _watch(config, other) == ()
    assert _standings(config, log) == _standings(config, other) == [(5, "held")]


def test_a_disk_that_refuses_is_told_and_stops_nothing(config: Config, log: ServedLog) -> None:
    """If the state folder cannot be written, the command continues with a warning."""
    config.paths.state.write_bytes(b"not a folder")
    watched = watch(config, log.url)
    assert watched.splits == ()
    assert watched.trouble


def test_damaged_notes_are_passed_over(config: Config, log: ServedLog) -> None:
    """A file that is not what the log signed is ignored; the others still count."""
    _watch(config, log)
    folder = KeptLogs(config.paths).log(log.key.public_key, log.origin).folder
    (path,) = folder.glob("*.held")
    (folder / f"{7:016d}-{'0' * 64}.held").write_text(path.read_text().replace("\n5\n", "\n7\n"))
    (folder / f"{8:016d}-{'0' * 64}.held").write_bytes(b"\xff")
    (folder / f"{9:016d}-{'0' * 64}.odd").write_bytes(path.read_bytes())
    assert _standings(config, log) == [(5, "held")]
    log.entries = leaves(6)
    assert _watch(config, log) == ()


def test_a_note_with_a_witness_is_kept_like_any_other(config: Config, log: ServedLog) -> None:
    """More signature lines change nothing about which tree a note names."""
    witness = ServedLog(seed="witness").key
    log.note = cosign(log.signed(), name="witness.example", key=witness, at_ms=1_000)
    assert _watch(config, log, log.view()) == ()
    assert _standings(config, log) == [(5, "held")]


def test_files_are_the_users_own_and_bounded(config: Config, log: ServedLog) -> None:
    """Notes are the exact signed bytes, 0600; if there are too many, the oldest are removed, like old evidence."""
    kept = KeptLogs(config.paths).log(log.key.public_key, log.origin)
    log.entries = leaves(MOST + 10)
    for size in range(1, MOST + 10):
        kept.keep(log.view(log.entries[:size]), NoteStanding.HELD)
    notes = kept.notes()
    assert [entry.size for entry in notes] == list(range(10, MOST + 10))
    assert {path.stat().st_mode & 0o777 for path in kept.folder.iterdir()} == {0o600}
    assert kept.folder.stat().st_mode & 0o777 == 0o700
    assert notes[0].path.read_text() == log.signed(log.entries[:10])
    for number in range(MOST_EVIDENCE + 3):
        made = kept.keep_evidence({"kind": "equivocation", "kept": str(number), "shown": ""})
        assert (made is None) == (number >= MOST_EVIDENCE)
    again = kept.keep_evidence({"kind": "equivocation", "kept": "0", "shown": "", "found_ms": 7})
    assert again is not None
    assert "found_ms" not in again.read_text()


def test_a_note_that_is_held_stays_held(config: Config, log: ServedLog) -> None:
    """A fork that is shown afterwards does not replace the history that was seen first."""
    _watch(config, log)
    honest = log.view()
    forked = log.view(leaves(5, fork=3))
    assert [split.kind for split in _watch(config, log, forked)] == [LogFault.EQUIVOCATION]
    assert [split.kind for split in _watch(config, log, honest)] == [LogFault.EQUIVOCATION]
    roots = {kept.standing: kept.view.checkpoint.root for kept in KeptLogs(config.paths).log(*honest.log).notes()}
    assert roots == {NoteStanding.HELD: honest.checkpoint.root, NoteStanding.SPLIT: forked.checkpoint.root}


def test_notes_that_came_with_other_answers_are_kept_too(config: Config, log: ServedLog) -> None:
    """Evidence has a checkpoint at every answer; what the log did not sign is ignored."""
    notes = [log.signed(leaves(2)), "nothing", ServedLog(seed="mallory", entries=leaves(4)).signed()]
    assert watch(config, log.url, notes=notes).splits == ()
    assert _standings(config, log) == [(2, "held"), (5, "held")]
    (split,) = watch(config, log.url, notes=[log.signed(leaves(2, fork=1))]).splits
    assert split.kind is LogFault.EQUIVOCATION


def test_a_lying_proof_is_kept_with_the_notes(config: Config, log: ServedLog) -> None:
    """The evidence has the collector's answer."""
    _watch(config, log)
    log.entries, log.lie = leaves(8), [bytes(32), bytes(range(32))]
    (split,) = _watch(config, log)
    assert _evidence(split)["proof"] == [b64u_encode(item) for item in log.lie]


def test_several_commands_at_once_never_warn(config: Config, log: ServedLog) -> None:
    """The log grows while many commands look at it: each may see another head, and none of them contradicts."""
    growing = threading.Lock()

    def look(number: int) -> tuple[Split, ...]:
        with growing:
            log.entries = leaves(max(len(log.entries), 5 + number))
        return watch(config, log.url, seen=[log.view(leaves(1 + number % 5))]).splits

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(look, range(40))) == [()] * 40
    assert _watch(config, log) == ()


def test_a_log_that_two_commands_see_first_is_one_log(config: Config, log: ServedLog) -> None:
    """Whichever of them writes last, it is remembered once; twice would look like a return to an old log."""
    logs = KeptLogs(config.paths)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(logs.add_head, [log.key.public_key] * 40, [log.origin] * 40))
    (path,) = (config.paths.state / "logs").glob("*/heads")
    assert path.read_text() == f"{log.origin}\n"
    path.write_text(f"{log.origin}\n" * 2)
    _watch(config, log)
    log.entries = leaves(9)
    assert _watch(config, log) == ()


def test_a_recorder_keeps_what_it_was_shown_on_the_way(config: Config, log: ServedLog) -> None:
    """It needs no request and never fails; the next command has it proved, or reports it."""
    for note in (log.signed(leaves(5, fork=2)), "nothing", ServedLog(seed="mallory", entries=leaves(4)).signed()):
        remember(config.paths, log.url, note)
    remember(config.paths, "https://unknown.example", log.signed())
    assert log.asked == []
    assert _standings(config, log) == [(5, "new")]
    (split,) = _watch(config, log)
    assert split.kind is LogFault.EQUIVOCATION
    kept = config.paths.state / "logs"
    kept.rename(kept.with_name("elsewhere"))
    kept.write_bytes(b"not a folder")
    remember(config.paths, log.url, log.signed(leaves(3)))
