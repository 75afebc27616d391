"""Another agent is a folder, its recordings and a line in the catalogue: nothing else names it, and all of it works.

A folder here that has a ``catalogue_line.txt`` is an agent that is not in the tree; one of them has a ``program.py``
and can be started. A copy of the tree is made, its ``plugin`` is put into an agent's folder, its line at the end of the
catalogue, and the programs of that copy run.
``docs/adding-an-agent.md`` describes the same steps.

The tests in ``OTHERS`` run in a copy that has all of these agents. They are chosen by path: those about the repository
as a whole, the wire and its vectors, the agents, and those that show lists of agents in completion, policies, launching
and commands. ``LEFT_OUT`` are the slow ones among them that list no agents, and those that make such a copy themselves.
"""

from __future__ import annotations

import sys
from importlib.util import find_spec
from typing import TYPE_CHECKING

import pytest
from tests.helpers.added_agents import FOLDERS, Tree, files_that_name, tree_with
from tests.helpers.chromium import chromium, find_chromium
from tests.helpers.collector import collector
from tests.helpers.hiring import Hiring
from tests.helpers.page_reading import settle
from tests.helpers.people import Person
from tests.helpers.provider.script import Conversation, Script, ToolUse, Turn
from tests.helpers.provider.server import running
from tests.helpers.running import kill_and_wait, pid_of
from tests.helpers.waiting import wait_until

from promptster.protocol.agents import IDS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.helpers.hiring import Invited

(FOLDER,) = (folder for folder in FOLDERS if (folder / "program.py").is_file())
ID = FOLDER.name
PATIENCE_S = 60.0
OTHERS = (
    "tests/meta",
    "tests/protocol",
    "tests/agents",
    "tests/system/test_inside_agent.py",
    "tests/session/launch",
    "tests/collector/assessments/test_policies.py",
    "tests/test_completion.py::test_the_word_at_the_cursor",
    "tests/commands/test_agreed.py::test_what_a_team_states_is_what_a_candidate_reads",
    "tests/commands/test_agent_ended.py::test_the_shell_says_whether_agents_are_recorded_in_it",
)
"""Tests that a further agent could break."""
LEFT_OUT = (
    "tests/agents/test_fourth_agent.py",
    "tests/agents/test_further_agents.py",
    "tests/meta/test_deployment_page.py",
    "tests/meta/test_signals.py",
    "tests/protocol/test_verification.py",
    "tests/protocol/test_second_times.py",
)
MANY = 1500
"""Fewer tests than there are in the folders above; a selection that finds nothing would show nothing."""


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Tree:
    """The copy; it has what was in the tree, the folder and the line."""
    return tree_with([FOLDER], tmp_path_factory.mktemp("tree"))


@pytest.fixture
def hiring(tree: Tree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hiring]:
    """A collector and an owner whose programs are those of the copy."""
    with monkeypatch.context() as patched:
        patched.setenv("PYTHONPATH", tree.environ["PYTHONPATH"])
        with collector(tmp_path) as served:
            (tmp_path / "owner").mkdir()
            owner = Person(name="owner", home=tmp_path / "owner", extra=tree.environ)
            owner.result("login", "--collector", served.url, "--token-stdin", "--json", given=served.token)
            yield Hiring(running=served, owner=owner, folder=tmp_path)


def test_no_other_file_names_it() -> None:
    """Neither a table nor a test nor a document has to know it."""
    assert files_that_name(ID, outside=FOLDER) == []


def test_the_conformance_suite_runs_on_it(tree: Tree) -> None:
    """The suite uses its recordings, together with those of the earlier agents."""
    assert tree.run_conformance_suite(ID) >= 15


def test_the_other_tests_hold_with_every_added_agent(tmp_path: Path) -> None:
    """No test lists the agents of the tree: all pass in a tree that has more of them, of each shape."""
    tree = tree_with(FOLDERS, tmp_path / "tree")
    assert tree.run_tests("-n", "2", *OTHERS, *(f"--ignore={name}" for name in LEFT_OUT)) > MANY


@pytest.mark.skipif(find_spec("mypy") is None, reason="mypy is not installed here: nox -s types runs this")
def test_its_folder_fits_the_types(tree: Tree) -> None:
    """The Protocols are what it implements: a capability that was misspelled would be found."""
    tree.check_types(ID)


def test_help_and_completion_name_it(tree: Tree, tmp_path: Path) -> None:
    """It appears wherever agents are listed; a list that is too long for its line is not shown there."""
    person = Person(name="ada", home=tmp_path, extra=tree.environ)
    for words in (("--help",), ("run", "--help"), ("shell", "--help"), ("__complete", "run", "")):
        shown = person.call(*words).stdout
        assert ID in shown or (words == ("--help",) and "start an agent with" in shown)
        assert max(len(line) for line in shown.splitlines()) <= 80
    assert f"{IDS[-1]}|{ID}" in person.call("assessment", "create", "--help").stdout
    assert person.call("run", "nobodys-agent").stderr.splitlines()[1].endswith(f" or {ID}.")


def _script(workspace: Path) -> Script:
    def turns(name: str) -> tuple[Turn, ...]:
        write = ToolUse(name="write_file", input={"path": str(workspace / name), "content": f"{name}\n"})
        return (Turn(text=f"Now {name}.", tools=(write,)), Turn(text=f"Wrote {name}."))

    return Script(
        conversations=(
            Conversation(prompt="Write the first file", turns=turns("one.txt")),
            Conversation(prompt="Write the second file", turns=turns("two.txt")),
        )
    )


def _install(folder: Path) -> None:
    folder.mkdir()
    program = folder / ID
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -I "{FOLDER / "program.py"}" "$@"\n')
    program.chmod(0o755)


def _killed_and_restored(invited: Invited) -> None:
    """Kill the recorder, and wait until its supervisor has started another one."""
    file = next(invited.state.glob("sessions/*/recorder.pid"))
    before = pid_of(file)
    kill_and_wait(before)

    def is_restored() -> bool:
        status = invited.person.call("status", "--json")
        return pid_of(file) not in {0, before} and status.code == 0 and bool(status.document["restarts"] == 1)

    wait_until(is_restored, "another recorder", PATIENCE_S)


def test_it_is_recorded_from_start_to_replay(hiring: Hiring, tree: Tree, tmp_path: Path) -> None:
    """Allowed by a policy, started, seen by proxy and hooks, recorded across a kill, submitted, read by its name."""
    assessment = hiring.assessment("Two files", "--agent", ID)
    _install(tmp_path / "tools")
    with hiring.invited("ada", assessment=assessment, **tree.environ, ANTHROPIC_API_KEY="sk-ant-made-up") as invited:
        person = Person(name="ada", home=invited.person.home, extra=invited.person.extra, tools=tmp_path / "tools")
        with running(_script(invited.workspace)) as provider:
            started = invited.start("--upstream", f"anthropic={provider.anthropic_url}")
            refused = person.call("run", "codex", "exec", "x", cwd=invited.workspace)
            assert refused.code == 125
            assert f"`promptster run {ID}`" in refused.stderr
            first = person.call("run", ID, "-p", "Write the first file", cwd=invited.workspace)
            assert (first.code, first.stdout) == (0, "Now one.txt.\nWrote one.txt.\n"), first.stderr
            _killed_and_restored(invited)
            second = person.call("run", ID, "-p", "Write the second file", cwd=invited.workspace)
            assert (second.code, second.stdout) == (0, "Now two.txt.\nWrote two.txt.\n"), second.stderr
        events = person.call("inspect", "--json").stdout
        assert events.count('"sk-ant-made-up"') == 0
        person.result("submit", "--yes", "--json")
    session = started["session"]
    shown = hiring.owner.call("replay", session, "--all")
    assert shown.code == 0, [shown.stderr, *hiring.running.log[-20:]]
    name = (FOLDER / "catalogue_line.txt").read_text(encoding="utf-8").split('"')[3]
    assert name in shown.stdout
    for words in ("Write the first file", "Write the second file", "Wrote two.txt.", "one.txt", "two.txt"):
        assert words in shown.stdout
    assert f"<{ID}-context>" not in shown.stdout
    lines = hiring.owner.call("export", session, "--format", "jsonl", "--output", str(tmp_path / "events.jsonl"))
    assert lines.code == 0, lines.stderr
    told = (tmp_path / "events.jsonl").read_text(encoding="utf-8")
    for source in ("proxy", "hook"):
        assert f'"sources":["{source}"' in told
    assert "capture_hook_silent" not in told
    page = tmp_path / "session.html"
    saved = hiring.owner.call("export", session, "--format", "html", "--output", str(page))
    assert saved.code == 0, saved.stderr
    _page_shows(page, name)


def _page_shows(page: Path, name: str) -> None:
    """Check that the page has its turns under its name, and that a browser, if there is one, shows them."""
    assert name in page.read_text(encoding="utf-8")
    path = find_chromium()
    if path is None:
        return
    with chromium(path) as browser:
        opened = browser.page()
        opened.size(1280, 900)
        opened.go(page.as_uri())
        settle(opened)
        text = str(opened.run("document.body.innerText"))
        assert name in text
        assert "Write the second file" in text
        assert opened.problems == []
