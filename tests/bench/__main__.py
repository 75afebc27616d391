"""How long ``promptster replay --all`` of a large bundle takes, compared with writing its plain text: ``nox -s bench``.

Both run in processes of their own, in turn, and the best of each counts. Compared are seconds of processor time, which
other programs on the machine hardly change; the first line is timed by the clock. Nothing is compared with another run.
"""

from __future__ import annotations

import argparse
import os
import pty
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from tests.bench.large import large_bundle
from tests.helpers.people import BIN

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(__file__).parents[2]
MOST_RATIO = 2.0
"""How many times as long as the plain text the replay may take."""
MOST_FIRST_S = 1.0
"""When the first line is there at the latest."""


class Measured(NamedTuple):
    """One run."""

    first_s: float
    """Until the first bytes came."""
    whole_s: float
    """Until the last ones did."""
    busy_s: float
    """Seconds of processor time."""
    size: int
    """How many there were."""


def run(words: Sequence[str], environ: dict[str, str], *, terminal: bool = False) -> Measured:
    """Run a program and read what it writes, through a pipe or as a terminal of 80 columns."""
    reader, writer = pty.openpty() if terminal else os.pipe()
    began = time.perf_counter()
    process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=writer, env=environ, cwd=ROOT)
    os.close(writer)
    first_s, size = 0.0, 0
    while data := _read(reader):
        first_s = first_s or time.perf_counter() - began
        size += len(data)
    _, status, used = os.wait4(process.pid, 0)
    code = process.returncode = os.waitstatus_to_exitcode(status)
    whole_s = time.perf_counter() - began
    os.close(reader)
    if code not in (0, 13):
        raise SystemExit(f"{words[0]} ended with {code}")
    return Measured(first_s, whole_s, used.ru_utime + used.ru_stime, size)


def _read(reader: int) -> bytes:
    try:
        return os.read(reader, 1 << 20)
    except OSError:  # Linux answers EIO after a program closed its terminal
        return b""


def best(runs: Sequence[Measured]) -> Measured:
    """The smallest of each time."""
    firsts, wholes, busies, sizes = zip(*runs, strict=True)
    return Measured(min(firsts), min(wholes), min(busies), sizes[0])


def main() -> int:
    """Measure, print, and return an exit code that says whether the bounds were kept."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument(
        "--megabytes", type=int, default=130, help="about how large the bundle is (default: %(default)s)"
    )
    parser.add_argument("--runs", type=int, default=3, help="how often each is run (default: %(default)s)")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "large.promptster"
        file.write_bytes(large_bundle(asked.megabytes))
        environ = {**os.environ, "HOME": folder, "COLUMNS": "80", "PYTHONUTF8": "1", "PYTHONPYCACHEPREFIX": folder}
        environ.pop("PYTHONDONTWRITEBYTECODE", None)  # installed code is compiled: the first run of each does that
        replay = [str(BIN / "promptster"), "replay", str(file), "--all"]
        plain = [sys.executable, "-m", "tests.bench.plain", str(file)]
        print(f"bundle: {file.stat().st_size / 1e6:.1f} MB; the least of {asked.runs} runs each")
        kept = True
        for place, terminal in (("to a pipe", False), ("to a terminal", True)):
            found = [
                (run(plain, environ, terminal=terminal), run(replay, environ, terminal=terminal))
                for _ in range(asked.runs)
            ]
            peer, told = (best(runs) for runs in zip(*found, strict=True))
            ratio = told.busy_s / peer.busy_s
            kept = kept and ratio <= MOST_RATIO and told.first_s <= MOST_FIRST_S
            for name, one in (("plain text", peer), ("replay --all", told)):
                print(
                    f"{name:<12} {place:<13} {one.whole_s:7.2f} s, {one.busy_s:6.2f} s busy, {one.size / 1e6:6.1f} MB"
                )
            print(f"    {ratio:.2f} times the plain text, first line after {told.first_s:.2f} s")
    said = "kept" if kept else "not kept"
    print(f"bounds: {MOST_RATIO} times the plain text, first line within {MOST_FIRST_S} s: {said}")
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
