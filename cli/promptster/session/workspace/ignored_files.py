"""Which ignored files of a work tree are listed one by one, and which folders stand for too many.

Links are never followed, and nothing here opens a file: names and sizes decide.
"""

from __future__ import annotations

import stat
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from promptster.system.folder_walk import Descent

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator
    from pathlib import Path

FILES_LIMIT: Final = 2000
"""Ignored files that are listed one by one."""
BYTES_LIMIT: Final = 64 * 1024 * 1024
"""Bytes of ignored files that are hashed."""


@dataclass(frozen=True, kw_only=True)
class Pile:
    """Files that one folder stands for."""

    count: int
    size: int
    """The sum of their sizes, in bytes."""


@dataclass(kw_only=True)
class Ignored:
    """What to do with the ignored files of a work tree."""

    hashed: list[bytes] = field(default_factory=list[bytes])
    """Files to be hashed."""
    large: dict[bytes, int] = field(default_factory=dict[bytes, int])
    """Files that are listed by their size only."""
    piles: dict[bytes, Pile] = field(default_factory=dict[bytes, Pile])
    """Folders, each ending in a slash."""


def sort_out(
    root: Path,
    listed: Iterable[bytes],
    *,
    ours: Collection[bytes] = (),
    files_limit: int = FILES_LIMIT,
    bytes_limit: int = BYTES_LIMIT,
) -> Ignored:
    """Decide for each ignored path, folder by folder: one that goes beyond a limit is listed as a whole.

    Args:
        root: the work tree, by its real path.
        listed: ignored files, and folders with a slash at their end, as git lists them.
        ours: paths that are left out.
        files_limit: files that may be listed one by one.
        bytes_limit: bytes that may be hashed.
    """
    with Descent(root) as descent:
        return _sort_out(descent, listed, ours, files_limit, bytes_limit)


def _sort_out(
    descent: Descent, listed: Iterable[bytes], ours: Collection[bytes], files_limit: int, bytes_limit: int
) -> Ignored:
    found = Ignored()
    alone: dict[bytes, list[tuple[bytes, int]]] = defaultdict(list)
    for path in sorted(listed):
        if path.endswith(b"/"):
            files = [(name, size) for name, size in _below(descent, path) if name not in ours]
            total = sum(size for _, size in files)
            if len(files) > files_limit or total > bytes_limit:
                found.piles[path] = Pile(count=len(files), size=total)
                continue
            found.hashed += [name for name, _ in files]
            files_limit, bytes_limit = files_limit - len(files), bytes_limit - total
        elif path not in ours:
            alone[path[: path.rfind(b"/") + 1]].append((path, _size(descent, path)))
    for folder, files in alone.items():
        if len(files) > files_limit:
            found.piles[folder or b"./"] = Pile(count=len(files), size=sum(size for _, size in files))
            continue
        files_limit -= len(files)
        for path, size in files:
            if size > bytes_limit:
                found.large[path] = size
            else:
                found.hashed.append(path)
                bytes_limit -= size
    return found


def _below(descent: Descent, folder: bytes) -> Iterator[tuple[bytes, int]]:
    """Every file and link below a folder with its size; a folder that cannot be read has none."""
    waiting = [folder]
    while waiting:
        here = waiting.pop()
        try:
            for name, facts in descent.entries(here):
                if stat.S_ISDIR(facts.st_mode):
                    waiting.append(here + name + b"/")
                elif stat.S_ISREG(facts.st_mode) or stat.S_ISLNK(facts.st_mode):
                    yield here + name, facts.st_size
        except OSError:
            continue


def _size(descent: Descent, path: bytes) -> int:
    try:
        facts = descent.facts(path)
    except OSError:
        return 0
    return 0 if facts is None else facts.st_size
