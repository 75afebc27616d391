"""Where messages and results go."""

from __future__ import annotations

import errno
import io
import json

import pytest

from promptster.errors import PromptsterError
from promptster.streams import OutputError
from promptster.ui.output import Output, json_document


def _output(*, json: bool) -> tuple[Output, io.StringIO, io.StringIO]:
    stdout, stderr = io.StringIO(), io.StringIO()
    return Output(json, stdout=stdout, stderr=stderr), stdout, stderr


def test_with_json_standard_output_is_exactly_one_document() -> None:
    """Messages go to standard error, the result alone to standard output."""
    out, stdout, stderr = _output(json=True)
    out.say("hello")
    out.note("progress")
    out.result({"session": "x"})
    assert json.loads(stdout.getvalue()) == {"session": "x"}
    assert stderr.getvalue() == "hello\nprogress\n"


def test_without_json_words_go_to_standard_output_and_the_result_is_silent() -> None:
    """A person reads text, not documents."""
    out, stdout, stderr = _output(json=False)
    out.result({"session": "x"})
    out.say("hello")
    assert (stdout.getvalue(), stderr.getvalue()) == ("hello\n", "")


def test_an_error_is_one_document_or_two_lines() -> None:
    """A script and a person get the same three texts."""
    error = PromptsterError("it broke", hint="try again", code="broken")
    out, stdout, stderr = _output(json=True)
    out.error(error)
    assert json.loads(stdout.getvalue()) == {"error": {"code": "broken", "message": "it broke", "hint": "try again"}}
    out, stdout, stderr = _output(json=False)
    out.error(error)
    assert (stdout.getvalue(), stderr.getvalue()) == ("", "error: it broke\ntry again\n")


class _Full(io.StringIO):
    """A stream on a full disk."""

    def flush(self) -> None:
        """Fail as the operating system does."""
        raise OSError(errno.ENOSPC, "No space left on device")


def test_a_result_that_does_not_arrive_is_an_error_and_words_beside_it_are_not() -> None:
    """The reader of a result must know that it is incomplete; a note that cannot be shown stops nothing."""
    with pytest.raises(OutputError, match="cannot write to standard output: disk full"):
        Output(json=True, stdout=_Full(), stderr=io.StringIO()).result({"session": "x"})
    Output(json=True, stdout=io.StringIO(), stderr=_Full()).note("beside")


def test_nothing_that_is_printed_can_steer_a_terminal() -> None:
    """Text is escaped; JSON is ASCII without control characters."""
    hostile = "\x1b[2J\u202e\x7f\x9b"
    out, stdout, _ = _output(json=False)
    out.say(hostile)
    assert stdout.getvalue() == "\\x1b[2J\\u202e\\x7f\\x9b\n"
    document = json_document({"text": hostile})
    assert document.isascii()
    assert document.isprintable()
    assert json.loads(document) == {"text": hostile}


def test_progress_is_lines_where_there_is_no_terminal() -> None:
    """A log file gets no control sequences."""
    out, _, stderr = _output(json=False)
    out.progress("1 of 2")
    out.progress("2 of 2")
    out.progress_end()
    assert stderr.getvalue() == "1 of 2\n2 of 2\n"
