"""The project's chores, each in an environment of its own: ``nox -l`` lists them, ``nox -s NAME`` runs one."""

from __future__ import annotations

from pathlib import Path

import nox

nox.needs_version = ">=2024.10"
nox.options.sessions = ["tests", "lint", "types"]
nox.options.reuse_existing_virtualenvs = True
nox.options.error_on_missing_interpreters = True

ROOT = Path(__file__).parent
PYPROJECT = nox.project.load_toml(ROOT / "pyproject.toml")
CODE = ["cli", "collector", "hooks", "tests", "noxfile.py"]


def _install(session: nox.Session, *groups: str) -> None:
    """Install the distribution, the collector with it, and the named dependency groups."""
    wanted = [requirement for group in groups for requirement in nox.project.dependency_groups(PYPROJECT, group)]
    session.install("-e", ".[collector]", *wanted)


@nox.session
def tests(session: nox.Session) -> None:
    """Run the tests in random order; the shared wire must be covered to the last branch."""
    _install(session, "tests")
    if session.posargs:
        session.run("pytest", *session.posargs)
        return
    session.run("coverage", "run", "-m", "pytest", "tests/protocol")
    session.run("coverage", "report", "--fail-under=100")
    session.run("pytest", "-m", "not e2e and not kills", "--numprocesses=3", "--ignore=tests/protocol")


@nox.session
def lint(session: nox.Session) -> None:
    """Check style, spelling, docstrings, dependencies and who may import whom."""
    _install(session, "lint")
    session.run("ruff", "check", *CODE)
    session.run("ruff", "format", "--check", *CODE)
    session.run("lint-imports", "--no-cache")
    session.run("codespell", "--quiet-level=3", *CODE, "docs", "README.md", "CONTRIBUTING.md", "SECURITY.md")
    session.run("interrogate", "cli", "collector", "hooks")
    session.run("deptry", "cli", "collector", "hooks")
    session.run("validate-pyproject", "pyproject.toml")


@nox.session
def types(session: nox.Session) -> None:
    """Check types with mypy and pyright, both strict."""
    _install(session, "tests", "types")
    session.install("nox")
    session.run("mypy")
    session.run("pyright")


@nox.session
def docs(session: nox.Session) -> None:
    """Build the documentation; a warning is an error."""
    _install(session, "docs")
    session.run("sphinx-build", "-b", "html", "-n", "-W", "--keep-going", "-q", "docs", "docs/_build/html")


@nox.session
def e2e(session: nox.Session) -> None:
    """Install the real Claude Code and Codex from npm and record them end to end, with faults and real kills."""
    _install(session, "tests")
    side_by_side = ("-p", "no:randomly", "--numprocesses=3", "--maxschedchunk=1")
    session.run("pytest", "-m", "e2e or kills", *side_by_side, *(session.posargs or ["tests"]))


@nox.session
def bench(session: nox.Session) -> None:
    """Measure the replay of a large bundle beside writing its plain text; fails if it takes more than twice as long."""
    _install(session)
    session.run("python", "-m", "tests.bench", *session.posargs)


@nox.session
def demo(session: nox.Session) -> None:
    """Play recruiter, candidate and reviewer on this machine; ends with a verified bundle and an HTML replay."""
    _install(session)
    session.run("python", "-m", "tests.demo", *session.posargs)
