"""The session's own git repository, which keeps earlier contents of the work tree.

It shares nothing with the candidate's repository, which may be rewritten, pruned or deleted. This module writes the
packs itself, with many contents in each; git only compares them.
"""

from __future__ import annotations

import hashlib
import os
import struct
import zlib
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from promptster.durable import make_missing_folders, sync, sync_folder, write_private
from promptster.errors import WorkspaceError, reason_of
from promptster.system.git import git

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from promptster.session.workspace.snapshot import FileEntry

_KINDS: Final = {"commit": 1, "tree": 2, "blob": 3}
_PACK_BYTES: Final = 1 << 30
"""Size at which a pack is finished and the next one is started; larger packs would need longer offsets."""
_FOLDER_MODE = b"40000"


class ObjectStore:
    """A bare repository in a private folder."""

    def __init__(self, folder: Path) -> None:
        """Name the folder; nothing is read or written."""
        self.folder = folder
        self._pack: _Pack | None = None
        self._added: set[str] = set()

    def prepare(self, form: str) -> bool:
        """Create the repository with this object format unless it exists; returns whether it is new."""
        if (self.folder / "HEAD").is_file():
            return False
        make_missing_folders(self.folder)
        arguments = ["init", "--quiet", "--bare", "--template=", f"--object-format={form}", "."]
        git(arguments, cwd=self.folder, private=True)
        return True

    @cached_property
    def form(self) -> str:
        """The hash that names objects."""
        config = (self.folder / "config").read_text(encoding="utf-8")
        return "sha256" if "sha256" in config else "sha1"

    @property
    def environment(self) -> dict[str, str]:
        """The environment that makes git use this repository and no configuration of a user or the system."""
        return {
            "GIT_DIR": str(self.folder),
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_ATTR_NOSYSTEM": "1",
        }

    def digest(self, size: int, kind: str = "blob") -> Any:
        """Return a running hash for an object of this size in bytes."""
        digest = hashlib.new(self.form, usedforsecurity=False)
        digest.update(b"%s %d\0" % (kind.encode(), size))
        return digest

    def name(self, data: bytes, kind: str = "blob") -> str:
        """Return the id of the object with this content."""
        digest = self.digest(len(data), kind)
        digest.update(data)
        return str(digest.hexdigest())

    def existing(self, oids: Iterable[str]) -> set[str]:
        """Return the ids of these that are kept."""
        asked = sorted(set(oids))
        if not asked:
            return set()
        query = "".join(f"{oid}\n" for oid in asked).encode()
        arguments = ["cat-file", "--batch-check=%(objectname) %(objecttype)"]
        answer = git(arguments, cwd=self.folder, env=self.environment, stdin=query)
        lines = [line.split(" ") for line in answer.decode("ascii").splitlines()]
        return {line[0] for line in lines if line[1:] == ["blob"]}

    def add(self, oid: str, data: bytes, kind: str = "blob") -> None:
        """Keep an object; it is readable and durable after ``flush``.

        Raises:
            WorkspaceError: it cannot be written.
        """
        if oid in self._added:
            return
        self._added.add(oid)
        try:
            self._pack = self._pack or _Pack(self.folder / "objects" / "pack", self.form)
            self._pack.add(oid, data, kind)
            if self._pack.size > _PACK_BYTES:
                self.flush()
        except OSError as error:
            raise self._not_written(error) from error

    def flush(self) -> None:
        """Make the added objects readable and durable.

        Raises:
            WorkspaceError: they cannot be written.
        """
        pack, self._pack = self._pack, None
        if pack is None:
            return
        try:
            pack.finish()
        except OSError as error:
            raise self._not_written(error) from error

    def tree(self, files: Mapping[bytes, FileEntry], *, keep: bool = False) -> str:
        """Return the id of the tree over these files; with ``keep`` it can be compared."""
        folders: dict[bytes, dict[bytes, tuple[bytes, str]]] = {b"": {}}
        for path, entry in files.items():
            if not entry.oid or path.endswith(b"/"):
                continue
            above, _, name = path.rpartition(b"/")
            folders.setdefault(above, {})[name] = (entry.mode.encode(), entry.oid)
            while above and (above := above.rpartition(b"/")[0]) not in folders:
                folders[above] = {}
        oid = ""
        for path in sorted(folders, key=lambda path: (path.count(b"/") + bool(path), path), reverse=True):
            oid = self._tree(folders[path], keep=keep)
            above, _, name = path.rpartition(b"/")
            if path:
                folders[above][name] = (_FOLDER_MODE, oid)
        return oid

    def diff(self, before: Mapping[bytes, FileEntry], after: Mapping[bytes, FileEntry]) -> str:
        """Return a unified diff between two sets of files whose contents are kept."""
        trees = [self.tree(before, keep=True), self.tree(after, keep=True)]
        self.flush()
        arguments = ["diff-tree", "-r", "-p", "--no-ext-diff", "--no-textconv", "--no-color", "--no-renames"]
        if not all(_is_text(path) for path in (*before, *after)):  # bytes that are not text are shown as numbers
            arguments = ["-c", "core.quotePath=true", *arguments]
        arguments += ["--src-prefix=a/", "--dst-prefix=b/", "--text", *trees]
        return git(arguments, cwd=self.folder, env=self.environment).decode("utf-8", "replace")

    def _tree(self, entries: Mapping[bytes, tuple[bytes, str]], *, keep: bool) -> str:
        """Return the id of one folder's tree; git sorts a folder as if its name ended in a slash."""
        in_order = sorted(entries, key=lambda name: name + b"/" if entries[name][0] == _FOLDER_MODE else name)
        data = b"".join(b"%s %s\0" % (entries[name][0], name) + bytes.fromhex(entries[name][1]) for name in in_order)
        oid = self.name(data, "tree")
        if keep:
            self.add(oid, data, "tree")
        return oid

    def _not_written(self, error: OSError) -> WorkspaceError:
        return WorkspaceError(
            f"cannot keep the workspace's files in {self.folder}: {reason_of(error)}",
            hint="Free some space, then run the same command again. Nothing recorded is lost.",
            code="workspace_storage",
        )


def _is_text(path: bytes) -> bool:
    try:
        path.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


class _Pack:
    """One pack that is being written, and its index."""

    def __init__(self, folder: Path, form: str) -> None:
        make_missing_folders(folder)
        self._folder, self._form = folder, form
        self._place = folder / f".new-{os.getpid()}.pack"
        flags = os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
        self._file = os.fdopen(os.open(self._place, flags, 0o600), "w+b")
        self._objects: list[tuple[bytes, int, int]] = []
        self.size = self._file.write(struct.pack(">4sII", b"PACK", 2, 0))

    def add(self, oid: str, data: bytes, kind: str) -> None:
        """Append an object."""
        first, rest = _KINDS[kind] << 4 | len(data) & 0x0F, len(data) >> 4
        head = bytearray()
        while rest:
            head.append(first | 0x80)
            first, rest = rest & 0x7F, rest >> 7
        head.append(first)
        packed = bytes(head) + zlib.compress(data, 1)
        self._objects.append((bytes.fromhex(oid), zlib.crc32(packed), self.size))
        self.size += self._file.write(packed)

    def finish(self) -> None:
        """Write the checksum and the index; the pack counts once both files exist."""
        with self._file as file:
            file.seek(0)
            file.write(struct.pack(">4sII", b"PACK", 2, len(self._objects)))
            file.seek(0)
            whole = hashlib.file_digest(file, lambda: hashlib.new(self._form, usedforsecurity=False)).digest()
            file.seek(0, os.SEEK_END)
            file.write(whole)
            file.flush()
            sync(file.fileno())
        name = f"pack-{whole.hex()}"
        self._place.replace(self._folder / f"{name}.pack")
        write_private(self._folder / f"{name}.idx", self._index(whole))
        sync_folder(self._folder)

    def _index(self, whole: bytes) -> bytes:
        self._objects.sort()
        counts = [0] * 256
        for oid, _, _ in self._objects:
            counts[oid[0]] += 1
        total, fan = 0, list[int]()
        for count in counts:
            fan.append(total := total + count)
        number = len(self._objects)
        data = struct.pack(">4sI256I", b"\xfftOc", 2, *fan)
        data += b"".join(oid for oid, _, _ in self._objects)
        data += struct.pack(f">{number}I", *(crc for _, crc, _ in self._objects))
        data += struct.pack(f">{number}I", *(offset for _, _, offset in self._objects)) + whole
        return data + hashlib.new(self._form, data, usedforsecurity=False).digest()
