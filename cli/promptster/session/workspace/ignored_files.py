"""Decides which ignored files of a work tree are listed one by one, and which folders are listed as a whole.

Links are never followed and no file is opened: names and sizes decide.
"""

from __future__ import annotations

import stat
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from promptster.system.folder_reader import FolderReader

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator
    from pathlib import Path

FILES_LIMIT: Final = 2000
"""Ignored files that are listed one by one."""
BYTES_LIMIT: Final = 64 * 1024 * 1024
"""Bytes of ignored files that are hashed."""


@dataclass(frozen=True, kw_only=True)
class FolderSummary:
    """A folder that is listed instead of its files."""

    count: int
    size: int
    """The sum of the files' sizes, in bytes."""


@dataclass(kw_only=True)
class Ignored:
    """How the ignored files of a work tree are listed."""

    hashed: list[bytes] = field(default_factory=list[bytes])
    """Files to be hashed."""
    large: dict[bytes, int] = field(default_factory=dict[bytes, int])
    """Files that are listed by their size only."""
    summaries: dict[bytes, FolderSummary] = field(default_factory=dict[bytes, FolderSummary])
    """Folders that are listed as a whole, by path with a trailing slash."""


def sort_out(
    root: Path,
    listed: Iterable[bytes],
    *,
    ours: Collection[bytes] = (),
    files_limit: int = FILES_LIMIT,
    bytes_limit: int = BYTES_LIMIT,
) -> Ignored:
    """Decide for each ignored path, folder by folder; a folder that exceeds a limit is listed as a whole.

    Args:
        root: the work tree, by its real path.
        listed: ignored files, and folders with a trailing slash, as git lists them.
        ours: paths to leave out.
        files_limit: files that may be listed one by one.
        bytes_limit: bytes that may be hashed.
    """
    with FolderReader(root) as reader:
        return _sort_out(reader, listed, ours, files_limit, bytes_limit)


def _sort_out(
    reader: FolderReader, listed: Iterable[bytes], ours: Collection[bytes], files_limit: int, bytes_limit: int
) -> Ignored:
    found = Ignored()
    alone: dict[bytes, list[tuple[bytes, int]]] = defaultdict(list)
    for path in sorted(listed):
        if path.endswith(b"/"):
            files = [(name, size) for name, size in _below(reader, path) if name not in ours]
            total = sum(size for _, size in files)
            if len(files) > files_limit or total > bytes_limit:
                found.summaries[path] = FolderSummary(count=len(files), size=total)
                continue
            found.hashed += [name for name, _ in files]
            files_limit, bytes_limit = files_limit - len(files), bytes_limit - total
        elif path not in ours:
            alone[path[: path.rfind(b"/") + 1]].append((path, _size(reader, path)))
    for folder, files in alone.items():
        if len(files) > files_limit:
            found.summaries[folder or b"./"] = FolderSummary(count=len(files), size=sum(size for _, size in files))
            continue
        files_limit -= len(files)
        for path, size in files:
            if size > bytes_limit:
                found.large[path] = size
            else:
                found.hashed.append(path)
                bytes_limit -= size
    return found


def _below(reader: FolderReader, folder: bytes) -> Iterator[tuple[bytes, int]]:
    """Yield every file and link below a folder with its size; a folder that cannot be read yields nothing."""
    waiting = [folder]
    while waiting:
        here = waiting.pop()
        try:
            for name, facts in reader.entries(here):
                if stat.S_ISDIR(facts.st_mode):
                    waiting.append(here + name + b"/")
                elif stat.S_ISREG(facts.st_mode) or stat.S_ISLNK(facts.st_mode):
                    yield here + name, facts.st_size
        except OSError:
            continue


def _size(reader: FolderReader, path: bytes) -> int:
    try:
        facts = reader.facts(path)
    except OSError:
        return 0
    return 0 if facts is None else facts.st_size
