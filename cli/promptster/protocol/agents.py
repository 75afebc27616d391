"""The agents that can be recorded: one line of facts each, for whoever names an agent without running or reading it.

Everything else about an agent is in its folder, ``promptster.agents.<id>``. ``docs/adding-an-agent.md`` says what a new
line means.
"""

from typing import Final, NamedTuple


class EditAnswer(NamedTuple):
    """How an agent's hook answers what an edit did: names of fields, those of its earlier versions too."""

    paths: tuple[str, ...] = ()
    """Fields with the file's path."""
    originals: tuple[str, ...] = ()
    """Fields with the whole file before the edit."""
    hunks: tuple[str, ...] = ()
    """Fields with the hunks of a patch, each an object with its lines."""


class AgentFacts(NamedTuple):
    """What candidate, collector and replay know of one agent."""

    id: str
    """Its name in events, policies and hook addresses, and the name of its folder."""
    name: str
    """Its name for people."""
    program: str
    """What people type to start it."""
    upstreams: tuple[str, ...] = ()
    """The providers that its traffic goes to, the usual one first; empty if only its hooks can be recorded."""
    marks: tuple[str, ...] = ()
    """Variables that it sets in what it runs, and that are not set in a person's terminal."""
    editor_file: str = ""
    """The file of a workspace that it reads when it runs inside an editor; empty if it has none."""
    sees_whole_files: bool = False
    """Whether it reports all of a file that it edits, and not only what changed."""
    edit_answer: EditAnswer = EditAnswer()
    """Where its hook's answer has the file and the patch; empty if it does not answer with them."""


CATALOGUE: Final = (
    AgentFacts(
        "claude", "Claude Code", "claude", ("anthropic",), ("CLAUDECODE",), ".claude/settings.local.json",
        sees_whole_files=True,
        edit_answer=EditAnswer(
            paths=("filePath", "notebook_path"),
            originals=("originalFile", "originalFileContents", "original_file"),
            hunks=("structuredPatch",),
        ),
    ),
    AgentFacts("codex", "Codex", "codex", ("openai", "chatgpt"), ("CODEX_THREAD_ID", "CODEX_SANDBOX")),
    AgentFacts("cursor", "Cursor", "cursor-agent", (), ("CURSOR_AGENT",), ".cursor/hooks.json"),
)  # fmt: skip
"""Every agent, in the order in which they are listed."""

IDS: Final = tuple(agent.id for agent in CATALOGUE)
PROGRAMS: Final = tuple(agent.program for agent in CATALOGUE)
"""What people type to start each of them."""
EDITORS: Final = tuple(agent.id for agent in CATALOGUE if agent.editor_file)
"""What people type after ``--ide`` of ``promptster start``."""
BY_ID: Final = {agent.id: agent for agent in CATALOGUE}
BY_PROGRAM: Final = {agent.program: agent for agent in CATALOGUE}
EDIT_ANSWER: Final = EditAnswer(
    paths=tuple(name for agent in CATALOGUE for name in agent.edit_answer.paths),
    originals=tuple(name for agent in CATALOGUE for name in agent.edit_answer.originals),
    hunks=tuple(name for agent in CATALOGUE for name in agent.edit_answer.hunks),
)
"""The fields of all of them."""
NOT_RECORDED: Final = {"gemini": ("GEMINI_CLI",), "opencode": (), "copilot": ()}
"""Programs of agents that cannot be recorded, each with the variables that it sets in what it runs."""


def one_of(words: tuple[str, ...]) -> str:
    """The words as a sentence lists them: ``claude, codex or cursor``."""
    return " or ".join(_parts(words))


def all_of(words: tuple[str, ...]) -> str:
    """The words as a sentence lists them: ``claude, codex and cursor``."""
    return " and ".join(_parts(words))


def _parts(words: tuple[str, ...]) -> list[str]:
    return [part for part in (", ".join(words[:-1]), *words[-1:]) if part]
