"""What a person reads about a collector's log, and the exit code."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pytest
from tests.helpers.logs import ServedLog, leaves

from promptster.commands.log_watch import watch_log
from promptster.config import Config
from promptster.ui.output import Output
from promptster.watching.asking import PATIENCE

if TYPE_CHECKING:
    pass


@pytest.fixture
def config(config: Config, log: ServedLog) -> Config:
    """The settings of a user who knows the collector and has seen its log."""
    assert _told(config, log) == (0, "")
    return config


def _told(config: Config, log: ServedLog) -> tuple[int, str]:
    """The exit code, and the text on standard error."""
    words = io.StringIO()
    code, _ = watch_log(Output(json=False, stdout=io.StringIO(), stderr=words), config, log.url)
    return code, words.getvalue()


def test_a_new_log_that_may_have_a_reason_changes_no_exit_code(config: Config, log: ServedLog) -> None:
    """Both points are named, and where they are kept; the next command does not repeat it."""
    log.number, log.entries = 1, leaves(2, fork=0)
    code, said = _told(config, log)
    assert code == 0
    assert said.startswith(
        f"warning: {log.url} started a new log, and did not show that it continues the previous one\n"
    )
    assert "  before: 5 entries, root " in said
    assert "  now:    2 entries, root " in said
    assert _told(config, log) == (0, "")


def test_a_missing_proof_changes_no_exit_code(config: Config, log: ServedLog) -> None:
    """The message is calm and names no two points, since there is nothing to compare."""
    log.entries, log.proofless = leaves(8), True
    said = [_told(config, log) for _ in range(PATIENCE)]
    assert said[:-1] == [(0, "")] * (PATIENCE - 1)
    code, words = said[-1]
    assert code == 0
    assert words.startswith(f"warning: {log.url} has answered several times without proving that its log only grew")
    assert "before:" not in words


def test_a_contradiction_has_exit_code_10(config: Config, log: ServedLog) -> None:
    """An honest collector cannot show it, so the command fails without a question."""
    log.entries = leaves(9, fork=4)
    code, said = _told(config, log)
    assert code == 10
    assert "cannot show that its log continues the one it showed before" in said
