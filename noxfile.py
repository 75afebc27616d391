"""The project's chores, each in an environment of its own: ``nox -l`` lists them, ``nox -s NAME`` runs one."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import nox

nox.needs_version = ">=2024.10"
nox.options.sessions = ["tests", "lint", "types"]
nox.options.reuse_existing_virtualenvs = True
nox.options.error_on_missing_interpreters = True

ROOT = Path(__file__).parent
PYTHONS = ["3.11", "3.12", "3.13", "3.14"]
CODE = ["cli", "collector", "hooks", "tests", "noxfile.py"]


def _locked(*names: str) -> list[str]:
    """What pip installs first: the collector's libraries, the build backend and the named groups, each by hash."""
    files = [f"requirements/{name}.txt" for name in ("collector", "build", *names)]
    return ["--require-hashes", *(word for file in files for word in ("-r", file))]


EDITABLE = ["--no-deps", "--no-build-isolation", "-e", "."]
"""What pip installs then: this tree, built with what was just installed."""


def _install(session: nox.Session, *names: str) -> None:
    """Install the distribution, the collector with it, and the named dependency groups, all as locked."""
    session.install(*_locked(*names))
    session.install(*EDITABLE)


COVERED = 95
"""Per cent of the lines and branches of all three packages that the tests reach at least."""


def _run_tests(session: nox.Session, python: str, *, is_measured: bool = False) -> None:
    """Run the tests with this interpreter, and measure all code, also in other processes, if that is asked for."""
    if session.posargs:
        session.run(python, "-m", "pytest", *session.posargs, external=True)
        return
    session.run(python, "-m", "coverage", "run", "-m", "pytest", "tests/protocol", external=True)
    session.run(python, "-m", "coverage", "report", "--fail-under=100", external=True)
    rest = ("-m", "pytest", "-m", "not e2e and not kills", "--numprocesses=3", "--ignore=tests/protocol")
    if not is_measured:
        session.run(python, *rest, external=True)
        return
    settings = "--rcfile=tests/coverage.toml"
    session.run(python, "-m", "coverage", "erase", settings, external=True)
    session.run(python, "-m", "coverage", "run", settings, *rest, external=True)
    session.run(python, "-m", "coverage", "combine", "-q", settings, ".coverage", ".coverage.all", external=True)
    session.run(python, "-m", "coverage", "report", settings, f"--fail-under={COVERED}", external=True)


def _interpreter(version: str) -> str | None:
    """The first interpreter of a version on PATH that runs; pyenv has names there for versions that are not set up."""
    for folder in os.get_exec_path():
        program = Path(folder) / f"python{version}"
        if os.access(program, os.X_OK):
            words = [str(program), "-c", "import sys; print('%d.%d' % sys.version_info[:2])"]
            if subprocess.run(words, capture_output=True, check=False, text=True).stdout.strip() == version:
                return str(program)
    return None


@nox.session
def tests(session: nox.Session) -> None:
    """Run the tests in random order; they must cover the shared wire to the last branch, and nearly all of the rest."""
    _install(session, "tests")
    _run_tests(session, "python", is_measured=True)


@nox.session(venv_backend="none")
@nox.parametrize("version", PYTHONS, ids=PYTHONS)
def tests_on(session: nox.Session, version: str) -> None:
    """Run the tests on each version of Python that is on PATH, and name the versions that are not."""
    program = _interpreter(version)
    if program is None:
        session.skip(f"Python {version} is not on PATH")
    folder = session.cache_dir / f"tests-on-{version}"
    python = str(folder / "bin" / "python")
    if not folder.exists():
        session.run(program, "-m", "venv", str(folder), external=True)
    for words in (_locked("tests"), EDITABLE):
        session.run(python, "-m", "pip", "install", "-q", *words, external=True)
    _run_tests(session, python)


@nox.session
def lint(session: nox.Session) -> None:
    """Check style, spelling, wording, dependencies, who may import whom, and the page's scripts."""
    _install(session, "lint")
    session.run("ruff", "check", *CODE)
    session.run("ruff", "format", "--check", *CODE)
    session.run("lint-imports", "--no-cache")
    session.run("codespell", "--quiet-level=3", *CODE, "docs", "README.md", "CONTRIBUTING.md", "SECURITY.md", "changes")
    session.run("deptry", "cli", "collector", "hooks")
    session.run("validate-pyproject", "pyproject.toml")
    session.run("python", "-m", "tests.checks")
    with session.chdir("tests/page"):
        session.run("npm", "ci", "--silent", external=True)
        session.run("npm", "run", "--silent", "types", external=True)
        session.run("npm", "run", "--silent", "lint", external=True)


@nox.session
def types(session: nox.Session) -> None:
    """Check types with mypy and pyright, both strict."""
    _install(session, "tests", "types", "dev")
    session.run("mypy")
    session.run("pyright")
    session.run("pytest", "-q", "-p", "no:randomly", "tests/agents", "-k", "fit_the_types or fits_the_types")


@nox.session
def docs(session: nox.Session) -> None:
    """Build the documentation with its diagrams; a warning, or a diagram that cannot be drawn, is an error."""
    _install(session, "docs")
    words = ["-b", "html", "-E", "-a", "-n", "-W", "--keep-going", "-q", "docs", "docs/_build/html"]
    session.run("sphinx-build", *words, env={"MMDC": str(_diagram_program(session))})


def _diagram_program(session: nox.Session) -> Path:
    """Mermaid's command line in the locked versions, installed into the clone's cache unless it is there already."""
    folder, source = ROOT / ".cache" / "mermaid", ROOT / "docs" / "diagrams"
    locked, installed = source / "package-lock.json", folder / "installed"
    if not installed.exists() or installed.read_bytes() != locked.read_bytes():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for file in (source / "package.json", locked):
            shutil.copy(file, folder)
        words = ["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", str(folder)]
        session.run(*words, external=True, silent=True, env={"PUPPETEER_SKIP_DOWNLOAD": "1"})
        shutil.copy(locked, installed)  # last, so that an interrupted installation is not taken for a whole one
    return folder / "node_modules" / ".bin" / "mmdc"


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


@nox.session(venv_backend="none")
def dev(session: nox.Session) -> None:
    """Install everything that an editor and the git hooks need into ``.venv``, as locked."""
    python = str(ROOT / ".venv" / "bin" / "python")
    for words in (_locked("tests", "lint", "types", "dev"), EDITABLE):
        session.run(python, "-m", "pip", "install", "-q", *words, external=True)


LOCKED_GROUPS = ["tests", "lint", "types", "docs", "build", "release", "dev"]


@nox.session
def lock(session: nox.Session) -> None:
    """Write the pinned versions and hashes in requirements/ anew; ``-- --upgrade`` raises what can be raised."""
    session.install("--require-hashes", "-r", "requirements/release.txt")
    common = ["--universal", "--python-version=3.11", "--no-emit-index-url", "--no-annotate", "--quiet"]
    compiled = ("uv", "pip", "compile", *common, "--custom-compile-command=nox -s lock")
    groups = [f"--group={name}" for name in LOCKED_GROUPS]
    constraints = "requirements/constraints.txt"
    session.run(*compiled, *session.posargs, "pyproject.toml", "--all-extras", *groups, f"--output-file={constraints}")
    hashed = (*compiled, *session.posargs, "--generate-hashes", f"--constraints={constraints}")
    for name in LOCKED_GROUPS:
        session.run(*hashed, f"--group={name}", f"--output-file=requirements/{name}.txt")
    session.run(*hashed, "pyproject.toml", "--output-file=requirements/runtime.txt")
    session.run(*hashed, "pyproject.toml", "--extra=collector", "--output-file=requirements/collector.txt")


@nox.session
def minimums(session: nox.Session) -> None:
    """Run the tests with the oldest versions that pyproject.toml allows, on the oldest Python."""
    session.install("--require-hashes", "-r", "requirements/release.txt")
    oldest, folder = str(session.cache_dir / "minimums.txt"), session.cache_dir / "minimums"
    words = ("--resolution=lowest-direct", f"--python-version={PYTHONS[0]}", "--no-emit-index-url", "--quiet")
    session.run("uv", "pip", "compile", *words, "pyproject.toml", "--all-extras", "--group=tests", "-o", oldest)
    session.run("uv", "venv", "--quiet", "--clear", f"--python={PYTHONS[0]}", str(folder))
    python = str(folder / "bin" / "python")
    session.run("uv", "pip", "install", "--quiet", "--python", python, "-r", oldest)
    session.run("uv", "pip", "install", "--quiet", "--python", python, "--no-deps", "-e", ".")
    _run_tests(session, python)


@nox.session
def release(session: nox.Session) -> None:
    """Make the files of a release of the current commit in dist/: built twice, checked, pinned and summed."""
    session.install("--require-hashes", "-r", "requirements/release.txt", "-r", "requirements/build.txt")
    session.run("python", "-m", "tests.release")


@nox.session
def release_check(session: nox.Session) -> None:
    """Install the files in dist/ with pip, pipx and uv on each Python on PATH (or ``-- PYTHON...``), and use them."""
    session.install("--require-hashes", "-r", "requirements/release.txt")
    pythons = {version: _interpreter(version) for version in PYTHONS}
    missing = [version for version, program in pythons.items() if program is None]
    if missing and not session.posargs:
        session.warn(f"not on PATH, so not tried: Python {', '.join(missing)}")
    found = [program for program in pythons.values() if program]
    session.run("python", "-m", "tests.release.trial", *(session.posargs or found))
