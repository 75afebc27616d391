"""docs/cli.md lists every command, every exit code and every variable of ours, and the programs agree with it."""

# pyright: reportPrivateUsage=false

from __future__ import annotations

import ast
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.helpers.bundles import Bundler
from tests.helpers.plausible import plausible
from tests.helpers.resting import resting_session
from tests.helpers.servers import ready_text
from tests.helpers.terminal import Terminal
from typer.main import get_command

import promptster
import promptster_collector
import promptster_hooks
from promptster.commands import GROUPS, run
from promptster.errors import LaunchError
from promptster.protocol import verdict
from promptster.protocol.agents import PROGRAMS, one_of
from promptster.session.launch import launcher
from promptster_collector.__main__ import app

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "cli.md").read_text()
OF_SOME_COMMANDS = {10, 11, 12, 13, 125, 126, 127}
"""Exit codes whose row names every command that can end with them."""
PROMPTSTER = (sys.executable, "-m", "promptster")


def section(title: str) -> str:
    """The text below a heading."""
    return TEXT.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def rows(title: str) -> list[tuple[str, ...]]:
    """The cells of every table below a heading, without the tables' own headings."""
    lines = [line for line in section(title).splitlines() if line.startswith("|")]
    found = [tuple(cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]) for line in lines]
    return [row for row, below in zip(found, [*found[1:], ("",)], strict=True) if not {row[0], below[0]} & {"---"}]


def sources() -> Iterator[ast.Module]:
    """Every module of the three packages, parsed."""
    for package in (promptster, promptster_collector, promptster_hooks):
        for file in Path(package.__path__[0]).rglob("*.py"):
            yield ast.parse(file.read_text())


def test_every_command_is_told_in_its_own_words() -> None:
    """The tables are the programs' own, in their order; the agents that there are, only the program lists."""
    own = [(name, text.replace(one_of(PROGRAMS), "an agent")) for group in GROUPS for name, text in group.items()]
    expected = [(f"`promptster {name}`", text) for name, text in own]
    below = getattr(get_command(app), "commands", {})
    expected += [(f"`promptster-collector {name}`", each.short_help) for name, each in below.items()]
    assert rows("Commands") == expected


def exit_codes(module: ast.Module) -> Iterator[int]:
    """The numbers that a module's error classes and calls give to ``exit_code``."""
    for node in ast.walk(module):
        match node:
            case (
                ast.keyword(arg="exit_code", value=ast.Constant(value=int(code)))
                | ast.AnnAssign(target=ast.Name(id="exit_code"), value=ast.Constant(value=int(code)))
                | ast.Assign(targets=[ast.Name(id="exit_code")], value=ast.Constant(value=int(code)))
            ):
                yield code
            case _:
                pass


def test_the_table_has_every_exit_code_and_no_other() -> None:
    """The exit codes of errors, verdicts and ``run`` are those of the document."""
    produced = {0, *(code for module in sources() for code in exit_codes(module))}
    produced |= {code for _, code in verdict._VERDICTS.values()}
    produced |= {LaunchError("").exit_code, run.OUR_FAILURE, launcher.NOT_EXECUTABLE, launcher.NOT_FOUND}
    assert [int(code) for code, _ in rows("Exit codes")] == sorted(produced)


def test_every_variable_of_ours_is_told() -> None:
    """The document has every name in the code that begins with PROMPTSTER_, and no other."""
    texts = [node.value for module in sources() for node in ast.walk(module) if isinstance(node, ast.Constant)]
    in_code = {text for text in texts if isinstance(text, str) and re.fullmatch("PROMPTSTER_[A-Z_]+", text)}
    assert set(re.findall(r"PROMPTSTER_[A-Z_]+", section("Environment variables"))) == in_code


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """The home of a person with a session whose recorder does not run, bundles of every kind and a broken agent."""
    resting_session(tmp_path, workspace=tmp_path)
    bundler = Bundler()
    events = plausible()
    whole = bundler.bundle(events)
    (tmp_path / "acme.keys").write_bytes(bundler.certified.keyfile)
    (tmp_path / "whole").write_bytes(whole)
    (tmp_path / "open").write_bytes(Bundler().bundle(events, closed=False))
    changed = bytearray(whole)
    changed[changed.index(b"token bucket")] ^= 1
    (tmp_path / "changed").write_bytes(changed)
    (tmp_path / "cut").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "codex").touch()
    return tmp_path


def environment(home: Path) -> dict[str, str]:
    """That home alone, and a PATH with only the broken agent."""
    return {"HOME": str(home), "PATH": str(home / "bin"), "TERM": "dumb"}


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (0, ["status"]),
        (0, ["verify", "whole", "--trust", "acme.keys"]),
        (1, ["policy", "not an invite"]),
        (1, ["withdraw", "nobodys", "--yes"]),
        (2, ["status", "--nope"]),
        (4, ["sessions"]),
        (5, ["stop"]),
        (5, ["stop", "--json"]),
        (10, ["verify", "changed", "--trust", "acme.keys"]),
        (11, ["verify", "open", "--trust", "acme.keys"]),
        (12, ["verify", "cut"]),
        (12, ["replay", "cut"]),
        (12, ["export", "cut", "-f", "jsonl", "-o", "-"]),
        (13, ["verify", "whole"]),
        (125, ["run", "nobodys-agent"]),
        (126, ["run", "codex"]),
        (127, ["run", "claude"]),
    ],
    ids=str,
)
def test_a_real_process_ends_with_its_code(home: Path, code: int, words: list[str]) -> None:
    """Each code that needs neither a person nor an agent is provoked; its row names the command."""
    done = subprocess.run(
        [*PROMPTSTER, *words],
        cwd=home,
        env=environment(home),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code, done.stdout + done.stderr
    (meaning,) = (row[1] for row in rows("Exit codes") if row[0] == str(code))
    assert code not in OF_SOME_COMMANDS or f"`{words[0]}`" in meaning


def test_a_persons_no_and_ctrl_c_have_their_codes(home: Path) -> None:
    """At a terminal ``stop`` asks: a no is 3, Ctrl-C is 130, and the session is unchanged."""
    before = (home / ".local/state/promptster/sessions" / ("A" * 22) / "session.json").read_bytes()
    with Terminal([*PROMPTSTER, "stop"], environ=environment(home), cwd=home) as terminal:
        terminal.wait_for(r"\(yes/no\)")
        terminal.type("no")
        assert terminal.end() == 3
    with Terminal([*PROMPTSTER, "stop"], environ=environment(home), cwd=home) as terminal:
        terminal.wait_for(r"\(yes/no\)")
        terminal.interrupt()
        assert terminal.end() == 130
    assert (home / ".local/state/promptster/sessions" / ("A" * 22) / "session.json").read_bytes() == before


def test_ctrl_c_is_how_serve_ends_well(tmp_path: Path) -> None:
    """The one program that runs until it is stopped has its own exit code for that, and its row says so."""
    data, ready = tmp_path / "data", tmp_path / "ready"
    collector = (sys.executable, "-m", "promptster_collector")
    made = [*collector, "init", "--data", str(data), "--org", "Acme", "--owner-email", "ada@example.com"]
    subprocess.run(made, check=True, capture_output=True)
    words = [*collector, "serve", "--data", str(data), "--port", "0", "--ready-file", str(ready)]
    with subprocess.Popen(
        words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as serve:
        ready_text(ready, serve)
        serve.send_signal(signal.SIGINT)
    assert serve.returncode == 0
    (meaning,) = (row[1] for row in rows("Exit codes") if row[0] == "130")
    assert "`promptster-collector serve`" in meaning
