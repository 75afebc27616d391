"""The journal keeps its promises, whatever the disk does."""

from __future__ import annotations

import contextlib
import errno
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.helpers.certified import SeededBytes
from tests.helpers.disk import MemoryDisk, PowerLossError, seeded

from promptster.journal.disk import Files
from promptster.journal.journal import Journal, JournalLostError
from promptster.journal.limits import JournalLimits
from promptster.protocol.sealing import JournalCipher

if TYPE_CHECKING:
    from collections.abc import Callable

FOLDER = Path("/journal")
SESSION = "AAAAAAAAAAAAAAAAAAAAAA"
CIPHER = JournalCipher(b"k" * 32, SESSION)


def opened(disk: Files, *, cipher: JournalCipher = CIPHER, file_limit: int = JournalLimits.file) -> Journal:
    """The journal on this disk."""
    return Journal(disk, FOLDER, cipher, SESSION, SeededBytes(), file_limit=file_limit)


def contents(disk: Files) -> list[bytes]:
    """The records that a reader finds there."""
    return [data for _, data in opened(disk).records()]


def entries(count: int, *, start: int = 0, size: int = 40) -> list[bytes]:
    """Distinguishable data."""
    return [b"%d:" % number + bytes(size) for number in range(start, start + count)]


def nth(word: str, number: int, error: Exception) -> Callable[[str, int], None]:
    """A disturbance that makes one call of a kind fail."""
    left = number

    def disturb(name: str, _call: int) -> None:
        nonlocal left
        left -= name == word
        if name == word and not left:
            raise error

    return disturb


def journals(disk: MemoryDisk) -> list[Path]:
    """The journal's own files."""
    return [path for path in disk.paths() if path.suffix == ".journal"]


def test_what_was_appended_is_read_back_in_order() -> None:
    """Records are read once each, in order, after any number of reopenings."""
    disk = MemoryDisk()
    for part in range(3):
        opened(disk).append(entries(4, start=4 * part))
    journal = opened(disk)
    assert [seq for seq, _ in journal.records()] == list(range(12))
    assert contents(disk) == entries(12)
    assert journal.recovery.clean


def test_reading_can_start_anywhere() -> None:
    """Readers that know the beginning ask for the rest."""
    disk = MemoryDisk()
    opened(disk).append(entries(5))
    opened(disk).append(entries(5, start=5))
    assert [seq for seq, _ in opened(disk).records(start=7)] == [7, 8, 9]


def test_nothing_is_readable_without_the_key() -> None:
    """No data is in the clear, and another session's key reads nothing."""
    disk = MemoryDisk()
    opened(disk).append([b"a prompt that nobody else should read"])
    raw = b"".join(disk.read(path) for path in disk.paths())
    assert b"prompt" not in raw
    assert opened(disk, cipher=JournalCipher(b"x" * 32, SESSION)).next_seq == 0


def test_a_full_file_is_followed_by_a_new_one() -> None:
    """Files rotate at their limit, and a record larger than the limit is stored too."""
    disk = MemoryDisk()
    journal = opened(disk, file_limit=2000)
    wanted = entries(30, size=200) + entries(1, start=30, size=5000) + entries(3, start=31)
    for data in wanted:
        journal.append([data])
    assert len(journals(disk)) > 5
    assert contents(disk) == wanted


def test_a_torn_tail_is_kept_aside_and_told() -> None:
    """Half a record at the end loses only that record; its bytes are kept in a separate file."""
    disk = MemoryDisk()
    opened(disk).append(entries(5))
    path = journals(disk)[-1]
    handle = disk.open_append(path, create=False)
    disk.truncate(handle, disk.size(path) - 3)
    journal = opened(disk)
    assert journal.next_seq == 4
    assert journal.recovery.torn_bytes > 0
    assert any(other.suffix == ".torn" for other in disk.paths())
    journal.append([b"later"])
    assert contents(disk) == [*entries(4), b"later"]


def test_any_flipped_bit_ends_the_prefix_before_it() -> None:
    """Damage is never read as data: the result is always an exact prefix, and the journal continues from there."""
    chance = seeded(7)
    for _ in range(150):
        disk = MemoryDisk()
        opened(disk).append(entries(3))
        opened(disk).append(entries(3, start=3))
        path = chance.choice(journals(disk))
        disk.flip(path, chance.randrange(disk.size(path)), chance.randrange(8))
        journal = opened(disk)
        found = [data for _, data in journal.records()]
        assert found == entries(6)[: len(found)]
        assert len(found) < 6
        journal.append([b"next"])
        assert contents(disk) == [*found, b"next"]


def test_a_deleted_file_ends_the_prefix() -> None:
    """Without the file before them, later records have no place; they are set aside."""
    disk = MemoryDisk()
    for part in range(3):
        opened(disk).append(entries(2, start=2 * part))
    disk.unlink(journals(disk)[1])
    journal = opened(disk)
    assert journal.next_seq == 2
    assert journal.recovery.refused_files == 1
    journal.append([b"next"])
    assert contents(disk) == [*entries(2), b"next"]


def test_a_failed_sync_is_not_believed_later() -> None:
    """After fsync failed, the records are written into a new file: the cache may show what is not on the disk."""
    disk = MemoryDisk()
    journal = opened(disk)
    journal.append(entries(2))

    def fail_first_sync(name: str, _number: int) -> None:
        if name == "sync":
            disk.on_call = None
            raise OSError(errno.EIO, "io error")

    disk.on_call = fail_first_sync
    with pytest.raises(OSError, match="io error"):
        journal.append(entries(2, start=2))
    assert journal.next_seq == 2
    journal.reopen()
    journal.append(entries(2, start=2))
    assert len(journals(disk)) == 2
    assert contents(disk.crash(seeded(1))) == entries(4)


@pytest.mark.parametrize("seed", range(8))
def test_what_was_superseded_does_not_come_back(seed: int) -> None:
    """Records of a failed sync that a new file replaced stay out, even after their file was copied."""
    disk = MemoryDisk()
    journal = opened(disk)
    journal.append(entries(2))
    syncs = 0

    def fail(name: str, _number: int) -> None:
        nonlocal syncs
        syncs += name == "sync"
        if name == "sync":
            raise OSError(errno.EIO, "io error")
        if name == "write" and syncs:
            raise PowerLossError

    disk.on_call = fail
    with pytest.raises(OSError, match="io error"):
        journal.append(entries(2, start=90))
    journal.reopen()
    with pytest.raises(PowerLossError):
        journal.append(entries(2, start=90))
    disk.on_call = None
    assert opened(disk).next_seq == 2
    assert contents(disk.crash(seeded(seed))) == entries(2)


def test_a_short_write_is_continued() -> None:
    """A disk that takes few bytes at a time is asked again."""
    disk = MemoryDisk()
    disk.shorten = lambda size: min(size, 7)
    opened(disk).append(entries(3))
    disk.shorten = None
    assert contents(disk) == entries(3)


def test_a_disk_that_takes_nothing_is_an_error() -> None:
    """Zero bytes without an error would be an endless loop."""
    disk = MemoryDisk()
    journal = opened(disk)
    disk.shorten = lambda _size: 0
    with pytest.raises(OSError, match="accepted no bytes"):
        journal.append(entries(1))


@pytest.mark.parametrize("word", ["open", "write", "sync", "sync_folder"])
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO])
def test_every_failing_call_leaves_the_promise_intact(word: str, number: int) -> None:
    """Whichever call fails, and however often, nothing promised is lost, and what was refused can be written later."""
    disk = MemoryDisk()
    journal = opened(disk)
    journal.append(entries(2))
    left = 3

    def fail(name: str, _call: int) -> None:
        nonlocal left
        if name == word and left:
            left -= 1
            raise OSError(number, "refused")

    journal.close()
    disk.on_call = fail
    for _ in range(3):
        with pytest.raises(OSError, match="refused"):
            journal.append(entries(2, start=2))
        journal.reopen()
    disk.on_call = None
    journal.append(entries(2, start=2))
    assert contents(disk) == entries(4)
    assert contents(disk.crash(seeded(2))) == entries(4)


def test_a_journal_that_vanished_is_told_apart_from_a_disk_that_fails() -> None:
    """If durable records are gone while the recorder runs, continuing would reuse the numbers of what was promised."""
    disk = MemoryDisk()
    journal = opened(disk)
    journal.append(entries(2))
    for path in journals(disk):
        disk.unlink(path)
    with pytest.raises(JournalLostError):
        journal.reopen()


def test_looking_again_after_a_failure_reads_one_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """This holds for any length of session and any number of refusals; a missing or damaged file is noticed."""
    disk = MemoryDisk()
    journal = opened(disk, file_limit=500)
    for number in range(12):
        journal.append(entries(1, start=number))
    first, *_, last = journals(disk)
    read: list[Path] = []
    reading = disk.read

    def counted(path: Path) -> bytes:
        read.append(path)
        return reading(path)

    monkeypatch.setattr(disk, "read", counted)
    disk.on_call = nth("sync", 1, OSError(errno.EIO, "refused"))
    with pytest.raises(OSError, match="refused"):
        journal.append([b"x" * 400])
    journal.reopen()
    assert read == [last]
    disk.flip(last, 200, 0)
    with pytest.raises(JournalLostError):
        journal.reopen()
    disk.flip(last, 200, 0)
    journal.reopen()
    disk.unlink(first)
    with pytest.raises(JournalLostError):
        journal.reopen()


def test_a_jump_moves_the_numbers_on() -> None:
    """After a jump, records before its base count, later old ones do not, and numbering continues at its first."""
    disk = MemoryDisk()
    journal = opened(disk)
    journal.append(entries(6))
    journal.jump(base=4, first=10, entries=[b"ten", b"eleven"])
    assert journal.next_seq == 12
    journal.append([b"twelve"])
    again = opened(disk)
    assert list(again.records()) == [*enumerate(entries(4)), (10, b"ten"), (11, b"eleven"), (12, b"twelve")]
    assert again.jumped(base=4, first=10)
    assert not again.jumped(base=4, first=11)


def test_a_second_jump_may_replace_the_first() -> None:
    """A jump whose base is the first jump's beginning lets none of that one's records count."""
    disk = MemoryDisk()
    journal = opened(disk)
    journal.append(entries(3))
    journal.jump(base=2, first=5, entries=[b"five"])
    journal.jump(base=5, first=9, entries=[b"nine"])
    assert list(opened(disk).records()) == [*enumerate(entries(2)), (9, b"nine")]


def test_a_jump_never_goes_backwards_or_over_a_hole() -> None:
    """Numbers only grow, and only from existing records."""
    journal = opened(MemoryDisk())
    journal.append(entries(3))
    with pytest.raises(ValueError, match="continue only after"):
        journal.jump(base=2, first=1, entries=[])
    with pytest.raises(ValueError, match="continue only after"):
        journal.jump(base=7, first=9, entries=[])


@pytest.mark.parametrize("before", [0, 5])
def test_a_jump_without_records_survives_any_number_of_starts(before: int) -> None:
    """What is promised after a jump is kept, even if nothing followed it at the next starts."""
    disk = MemoryDisk()
    journal = opened(disk)
    if before:
        journal.append(entries(before))
    journal.jump(base=before, first=9, entries=[])
    for _ in range(2):
        assert (opened(disk).next_seq, opened(disk).recovery.clean) == (9, True)
    opened(disk).append([b"nine"])
    for _ in range(2):
        again = opened(disk)
        assert list(again.records()) == [*enumerate(entries(before)), (9, b"nine")]
        assert again.recovery.clean
        assert again.jumped(base=before, first=9)


@pytest.mark.parametrize("word", ["open", "write", "sync", "sync_folder"])
@pytest.mark.parametrize("number", [1, 2])
def test_what_a_dying_recorder_began_is_tidied_once(word: str, number: int) -> None:
    """The start after a death in the middle of a write may report it; later starts find the journal in order."""
    disk = MemoryDisk()
    journal = opened(disk)
    journal.append(entries(3))
    journal.close()
    disk.on_call = nth(word, number, OSError(errno.EIO, "refused"))
    with contextlib.suppress(OSError):
        journal.append([b"not promised"])
    disk.on_call = None
    found = contents(disk)
    assert found[:3] == entries(3)
    for _ in range(2):
        again = opened(disk)
        assert again.recovery.clean
        assert [data for _, data in again.records()] == found


class Machine:
    """Writes groups of records, makes jumps, and loses power at a chosen call, again and again."""

    def __init__(self, seed: int) -> None:
        self.chance = seeded(seed)
        self.disk = MemoryDisk()
        self.promised: list[tuple[int, bytes]] = []
        self.tried: list[tuple[int, bytes]] = []
        self.jumping: list[tuple[int, bytes]] | None = None
        """What the records would be if the jump under way had succeeded."""
        self.next_seq = 0
        """The number that follows what was promised."""
        self.count = 0

    def live(self) -> None:
        """One life: open, check, write until the power is lost."""
        stop_at = self.disk.calls + self.chance.randint(1, 40)
        fails = self.chance.random() < 0.3

        def disturb(_name: str, number: int) -> None:
            if number >= stop_at:
                raise PowerLossError
            if fails and self.chance.random() < 0.1:
                raise OSError(self.chance.choice([errno.EIO, errno.ENOSPC]), "refused")

        self.disk.on_call = disturb
        self.disk.shorten = (lambda size: self.chance.randint(1, size)) if self.chance.random() < 0.3 else None
        try:
            journal = opened(self.disk, file_limit=700)
            self.check(list(journal.records()), journal.next_seq)
            while True:
                if self.chance.random() < 0.1:
                    self.jump(journal)
                self.write(journal)
        except PowerLossError:
            pass
        except OSError:
            pass  # the journal could not be opened, or not jump; the next life tries again
        self.disk.on_call = None
        if self.chance.random() < 0.6:  # else only the process died, and the cache outlived it
            self.disk = self.disk.crash(self.chance)

    def jump(self, journal: Journal) -> None:
        """Jump to a later number, with some records or none; from some record on, the old ones no longer count."""
        base = self.chance.choice([*(seq for seq, _ in self.promised[-3:]), journal.next_seq])
        first = base + self.chance.randint(0, 9)
        group = [b"%d" % (self.count + number) for number in range(self.chance.randint(0, 2))]
        self.count += len(group)
        self.jumping = [entry for entry in self.promised if entry[0] < base] + list(enumerate(group, start=first))
        journal.jump(base=base, first=first, entries=group)
        self.promised, self.jumping, self.next_seq = self.jumping, None, journal.next_seq

    def write(self, journal: Journal) -> None:
        """Write one group, repeated until the disk takes it."""
        group = [b"%d" % (self.count + number) for number in range(self.chance.randint(1, 4))]
        self.count += len(group)
        numbered = list(enumerate(group, start=journal.next_seq))
        self.tried = [*self.promised, *numbered]
        while True:
            try:
                journal.append(group)
            except OSError:
                journal.reopen()
                continue
            self.promised += numbered
            self.next_seq = journal.next_seq
            return

    def check(self, found: list[tuple[int, bytes]], next_seq: int) -> None:
        """Check that everything promised is read once, in order, followed at most by what was being written."""
        if self.jumping is not None and found == self.jumping:
            self.promised = self.tried = self.jumping
        elif found == self.promised:
            assert next_seq == self.next_seq
        assert found[: len(self.promised)] == self.promised
        assert found == self.tried[: len(found)]
        self.promised, self.tried, self.jumping, self.next_seq = found, list(found), None, next_seq


@pytest.mark.parametrize("seed", range(40))
def test_power_loss_at_any_call(seed: int) -> None:
    """Over thousands of power losses at every kind of call, what ``append`` returned from is never lost or doubled."""
    machine = Machine(seed)
    for _ in range(60):
        machine.live()
    journal = opened(machine.disk, file_limit=700)
    machine.check(list(journal.records()), journal.next_seq)
    assert machine.promised
