"""Which ignored files are listed one by one: names and sizes decide, within limits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from promptster.session.workspace.ignored_files import FolderSummary, sort_out

if TYPE_CHECKING:
    from pathlib import Path


def put(root: Path, name: str, size: int) -> None:
    """Write a file of this size."""
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x" * size)


def test_within_the_limits_everything_is_hashed(tmp_path: Path) -> None:
    """Single files and files of ignored folders are hashed; ours are left out."""
    put(tmp_path, "a.log", 1)
    put(tmp_path, "build/x", 2)
    put(tmp_path, "build/deep/y", 3)
    put(tmp_path, "build/ours", 3)
    found = sort_out(tmp_path, [b"a.log", b"build/"], ours={b"build/ours"})
    assert sorted(found.hashed) == [b"a.log", b"build/deep/y", b"build/x"]
    assert (found.large, found.summaries) == ({}, {})


def test_a_folder_beyond_a_limit_takes_nothing_from_the_others(tmp_path: Path) -> None:
    """A folder may exceed the number or the size; the limits are shared by all that is listed."""
    for n in range(4):
        put(tmp_path, f"many/{n}", 1)
    put(tmp_path, "big/x", 100)
    put(tmp_path, "small/x", 5)
    put(tmp_path, "small/y", 5)
    listed = [b"many/", b"big/", b"small/"]
    found = sort_out(tmp_path, listed, files_limit=3, bytes_limit=20)
    assert sorted(found.hashed) == [b"small/x", b"small/y"]
    assert found.summaries == {b"many/": FolderSummary(count=4, size=4), b"big/": FolderSummary(count=1, size=100)}


def test_files_that_stand_alone_have_the_same_limits(tmp_path: Path) -> None:
    """A file that is too large is listed by its size; too many in a folder are listed as that folder."""
    put(tmp_path, "big.log", 100)
    put(tmp_path, "small.log", 1)
    for n in range(3):
        put(tmp_path, f"src/{n}.log", 1)
    listed = [b"big.log", b"small.log", b"src/0.log", b"src/1.log", b"src/2.log", b"gone.log"]
    found = sort_out(tmp_path, listed, files_limit=5, bytes_limit=20)
    assert found.large == {b"big.log": 100}
    assert found.summaries == {b"src/": FolderSummary(count=3, size=3)}
    assert found.hashed == [b"gone.log", b"small.log"]
