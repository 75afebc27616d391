"""Write the vectors: ``python tests/vectors/generate.py`` from the repository's root.

Each file says what it shows, what goes in, and what must come out; docs/protocol.md lists the kinds. Binary is
base64url, or hexadecimal where people compare it. Everything follows from seeds and never from a library's choices, so
that a test can compare the files with this program, and the package with the files.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
FOLDER = Path(__file__).resolve().parent


def render(vector: dict[str, Any]) -> bytes:
    """A vector as the bytes of its file."""
    return json.dumps(vector, indent=1, ensure_ascii=False, sort_keys=False).encode() + b"\n"


def files() -> dict[str, bytes]:
    """Every vector's file by its path below this folder."""
    from tests.vectors import good, good_views, hostile  # noqa: PLC0415 - found only once the root is on the path

    rendered: dict[str, bytes] = {}
    for folder, module in (("good", good), ("good", good_views), ("hostile", hostile)):
        for name, vector in module.vectors():
            path = f"{folder}/{name}.json"
            if path in rendered:
                raise ValueError(f"two vectors are named {path}")
            rendered[path] = render(vector)
    return rendered


def main() -> None:
    """Replace the files in both folders."""
    wanted = files()
    for old in [*FOLDER.glob("good/*.json"), *FOLDER.glob("hostile/*.json")]:
        if old.relative_to(FOLDER).as_posix() not in wanted:
            old.unlink()
    for path, data in wanted.items():
        target = FOLDER / path
        target.parent.mkdir(exist_ok=True)
        target.write_bytes(data)
    sys.stdout.write(f"{len(wanted)} vectors\n")


if __name__ == "__main__":
    sys.path[:0] = [str(ROOT)]
    main()
