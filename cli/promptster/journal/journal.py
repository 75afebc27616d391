"""The journal: an append-only, encrypted, chained record of a session's events that survives disk failures.

``append`` returns once its records are durable, or raises. After it raised, ``reopen`` must succeed before the next
try, and records that never became durable are written again, to a new file. A failed fsync is never repeated on the
same descriptor, because the second call may wrongly report success. ``promptster.journal.reading`` defines the format
on disk.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from promptster.journal.disk import write_all, write_whole
from promptster.journal.limits import JournalLimits
from promptster.journal.reading import (
    FILE_HEADER,
    RECORD_HEADER,
    SUFFIX,
    JournalFile,
    RecordCipher,
    Scan,
    chain_after_header,
    file_header,
    holds,
    journal_names,
    link,
    read,
    scan,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from promptster.journal.disk import Files


@dataclass(frozen=True, kw_only=True)
class Recovery:
    """The damage found when a journal was opened; all zero after an orderly end."""

    torn_bytes: int = 0
    """Bytes after the last valid record, moved aside."""
    refused_files: int = 0
    """Files that continue nothing, moved aside."""

    @property
    def clean(self) -> bool:
        """Whether nothing had to be moved aside."""
        return not self.torn_bytes and not self.refused_files


class Journal:
    """The open journal of one session; one thread writes it."""

    def __init__(
        self,
        files: Files,
        folder: Path,
        cipher: RecordCipher,
        session: str,
        random: Callable[[int], bytes],
        *,
        file_limit: int = JournalLimits.file,
    ) -> None:
        """Open the existing files, keep their longest valid prefix, and make it durable.

        Raises:
            OSError: the folder cannot be read or made durable.
        """
        self._files = files
        self._folder = folder
        self._cipher = cipher
        self._session = session
        self._random = random
        self._file_limit = file_limit
        self._handle: int | None = None
        self._size = 0
        files.make_folder(folder)
        self._found = scan(files, folder, cipher, session)
        self.next_seq = self._found.next_seq
        """The seq of the next record."""
        self._chain = self._found.last_chain
        self.recovery = self._repair(self._found)
        """What was moved aside."""

    def records(self, *, start: int = 0) -> Iterator[tuple[int, bytes]]:
        """Yield every durable record from ``start`` on; safe while another thread appends."""
        return read(self._files, self._found, self._cipher, start=start)

    def free_bytes(self) -> int:
        """Free space on the journal's disk, in bytes."""
        return self._files.free_bytes(self._folder)

    def append(self, entries: Sequence[bytes]) -> None:
        """Make the next records durable; they take the seqs from ``next_seq`` on.

        Raises:
            OSError: none of them counts as durable; ``reopen`` must follow.
        """
        pending = bytearray()
        links, ends = [self._chain], list[int]()
        for seq, data in enumerate(entries, start=self.next_seq):
            sealed = self._cipher.seal(data, position=seq, random=self._random)
            links.append(link(links[-1], seq, sealed))
            pending += RECORD_HEADER.pack(len(sealed), seq, links[-1][:16])
            pending += sealed
            ends.append(len(pending))
        handle = self._writable(len(pending))
        write_all(self._files, handle, pending)
        self._files.sync(handle)
        journal_file = self._found.files[-1]
        journal_file.ends.extend(self._size + end for end in ends)
        journal_file.chain.extend(links[1:])
        self._size += len(pending)
        self.next_seq, self._chain = self.next_seq + len(entries), links[-1]

    def jump(self, *, base: int, first: int, entries: Sequence[bytes]) -> None:
        """Continue at ``first`` with ``entries``; records from ``base`` on no longer count. All or nothing.

        Raises:
            OSError: nothing changed.
            ValueError: the journal does not reach ``base``, or numbers would run backwards.
        """
        self.close()
        chain = scan(self._files, self._folder, self._cipher, self._session).chain_before(base)
        if chain is None or first < base:
            raise ValueError("a journal can continue only after what it holds")
        header = file_header(base=base, first=first, chain=chain)
        content = bytearray(header)
        last = chain_after_header(header, base=base, first=first, chain=chain)
        for seq, data in enumerate(entries, start=first):
            sealed = self._cipher.seal(data, position=seq, random=self._random)
            last = link(last, seq, sealed)
            content += RECORD_HEADER.pack(len(sealed), seq, last[:16])
            content += sealed
        write_whole(self._files, self._next_path(), bytes(content))
        self._found = scan(self._files, self._folder, self._cipher, self._session)
        self.next_seq, self._chain = self._found.next_seq, self._found.last_chain

    def jumped(self, *, base: int, first: int) -> bool:
        """Whether the journal contains this jump."""
        return any((journal_file.base, journal_file.first) == (base, first) for journal_file in self._found.files)

    def reopen(self) -> None:
        """Close the file after a failed ``append``, and check that the durable records still exist.

        While a disk is full this happens repeatedly, so only the last file's records are read.

        Raises:
            OSError: the disk cannot be read.
            JournalLostError: records that were durable can no longer be read.
        """
        self.close()
        if not holds(self._files, self._folder, self._found):
            raise JournalLostError("records that were durable can no longer be read")

    def close(self) -> None:
        """Close the file; a later ``append`` begins a new one."""
        handle, self._handle, self._size = self._handle, None, 0
        if handle is not None:
            with contextlib.suppress(OSError):
                self._files.close(handle)

    def _writable(self, needed: int) -> int:
        """The handle of the current file, or of a new file if there is none or it is full."""
        if self._handle is not None and self._size + needed <= self._file_limit:
            return self._handle
        if self._handle is not None and self._size <= FILE_HEADER.size:
            return self._handle
        self.close()
        path = self._next_path()
        handle = self._files.open_append(path, create=True)
        self._handle, self._size = handle, FILE_HEADER.size
        journal_file = JournalFile(path=path, base=self.next_seq, first=self.next_seq, before=self._chain)
        write_all(self._files, handle, file_header(base=self.next_seq, first=self.next_seq, chain=self._chain))
        self._files.sync_folder(self._folder)
        self._found.files.append(journal_file)
        return handle

    def _next_path(self) -> Path:
        names = journal_names(self._files, self._folder)
        index = int(names[-1].removesuffix(SUFFIX)) + 1 if names else 0
        return self._folder / f"{index:08d}{SUFFIX}"

    def _repair(self, found: Scan) -> Recovery:
        """Make the prefix durable and remove what does not belong to it; a file that cannot be moved is left."""
        torn = found.torn_bytes
        kept = next((index for index in reversed(range(len(found.files))) if found.files[index].counts), -1)
        surplus = found.files[kept + 1 :]
        del found.files[kept + 1 :]
        old = self._copy_last(found.files[kept]) if found.files else None
        for journal_file in (*surplus, *([old] if old else ())):
            self._remove(journal_file)
        for path in found.refused:
            self._set_aside(path)
        self._files.sync_folder(self._folder)
        return Recovery(torn_bytes=torn, refused_files=len(found.refused))

    def _copy_last(self, last: JournalFile) -> JournalFile:
        """Replace the last file by a new file with its valid records; return the old one.

        A sync is not enough: after a failed sync the system may show records that will never reach the disk.
        """
        data = self._files.read(last.path)
        copy = self._next_path()
        write_whole(self._files, copy, data[: last.end])
        old = replace(last)
        last.path, last.size = copy, last.end
        return old

    def _remove(self, journal_file: JournalFile) -> None:
        """Delete a file that is empty or was copied; if it has bytes after its valid records, move it aside."""
        if journal_file.end < journal_file.size:
            self._set_aside(journal_file.path)
            return
        with contextlib.suppress(OSError):
            self._files.unlink(journal_file.path)

    def _set_aside(self, path: Path) -> None:
        with contextlib.suppress(OSError):
            self._files.rename(path, path.with_name(path.name + ".torn"))


class JournalLostError(Exception):
    """Durable records can no longer be read; only a restart of the recorder, which recovers, can continue."""
