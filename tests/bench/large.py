"""A bundle as large as that of a long day with an agent: real signatures, texts of every shape."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.helpers.bundles import Bundler
from tests.helpers.sessions import CLAUDE, Script

if TYPE_CHECKING:
    from collections.abc import Iterator

_SENTENCE = (
    "the limiter keeps one bucket for every client and fills it again as time passes so a burst is let through while "
    "the rate holds; naïve clocks drift, Ἀριθμός and 漢字 stand in names, and “quotes” come from the issue tracker"
)
_CODE = """
    def allow(self, client: str, *, cost: float = {n}.0) -> bool:
        \"\"\"Take ``cost`` tokens of {client}'s bucket if they are there.\"\"\"
        with self._lock:
\t\tnow = self._clock()
            tokens, then = self._buckets.get(client, (float(self.burst), now))
            return min(self.burst, tokens + (now - then) * self.rate) >= cost

"""
_OUTPUT = "\x1b[32mPASSED\x1b[0m tests/test_limiter.py::test_a_burst_of_{n}_passes [{n:>3}%] in 0.0{n}s\r\n"
_ROUND_BYTES = 310_000
"""About what one round adds to the bundle."""


def _prose(seed: int, size: int) -> str:
    """Paragraphs with list items among them."""
    return "\n\n".join(_paragraphs(seed, size))


def _paragraphs(seed: int, size: int) -> Iterator[str]:
    words = _SENTENCE.split()
    written = place = 0
    while written < size:
        picked = [words[(seed * 7 + place + step * (1 + seed % 3)) % len(words)] for step in range(60 + place % 90)]
        text = ("- " if place % 4 == 3 else "") + " ".join(picked)
        written, place = written + len(text), place + 1
        yield text


def _code(seed: int, size: int) -> str:
    return "".join(_CODE.format(n=n, client=f"client{seed}") for n in range(size // len(_CODE)))


def _output(size: int) -> str:
    return "".join(_OUTPUT.format(n=n % 100) for n in range(size // len(_OUTPUT)))


def large_session(megabytes: int) -> Script:
    """A session whose bundle has about this size."""
    script = Script()
    script.add("recorder", "opened", cli_version="0.1.0", platform="Linux", choices={}, path_check={})
    for number in range(megabytes * 1_000_000 // _ROUND_BYTES):
        _round(script, number)
    script.add("recorder", "closed", totals=dict(script.numbers), batches=1)
    return script


def _round(script: Script, number: int) -> None:
    script.prompt(_prose(number, 1_500))
    read, ran, edit = (f"toolu_{number}_{name}" for name in ("read", "ran", "edit"))
    code = _code(number, 40_000)
    script.turn(_prose(number + 1, 6_000), tools=(read, ran, edit), thinking=_prose(number + 2, 12_000))
    script.tool(read, "Read", {"file_path": f"src/limiter{number}.py"}, code)
    output = _output(50_000)
    command = {"command": "python -m pytest -q", "cwd": "/home/ada/task", "exit_code": 0, "output": output}
    script.tool(ran, "Bash", {"command": "python -m pytest -q"}, output, extra=("command", command))
    after = code.replace("_lock", "_guard")
    change = {"path": f"src/limiter{number}.py", "operation": "modify", "before": code, "after": after}
    script.tool(edit, "Edit", {"file_path": f"src/limiter{number}.py"}, "Edited", extra=("file_edit", change))
    script.add("hook", "agent_other", lane=1, raw_kind="Status", payload={"text": _prose(number + 3, 4_000)}, **CLAUDE)


def large_bundle(megabytes: int) -> bytes:
    """The bundle of ``large_session``."""
    return Bundler().bundle(large_session(megabytes).events)
