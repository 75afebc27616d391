"""The vectors: their files are what the generator writes, and each has the result that it names."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.vectors.generate import files
from tests.vectors.running import KINDS, outcome

FOLDER = Path(__file__).resolve().parents[1] / "vectors"
PATHS = sorted(path.relative_to(FOLDER).as_posix() for path in FOLDER.glob("*/*.json"))


def _read(path: str) -> dict[str, Any]:
    vector: dict[str, Any] = json.loads((FOLDER / path).read_bytes())
    return vector


def test_the_files_are_what_the_generator_writes() -> None:
    """No file was edited by hand, is missing or is left over."""
    generated = files()
    assert sorted(generated) == PATHS
    assert [path for path in PATHS if (FOLDER / path).read_bytes() != generated[path]] == []


def test_there_are_enough_of_them() -> None:
    """At least 30 good and 60 hostile ones, and every kind has a good one."""
    good = [path for path in PATHS if path.startswith("good/")]
    hostile = [path for path in PATHS if path.startswith("hostile/")]
    assert len(good) >= 30
    assert len(hostile) >= 60
    assert {_read(path)["kind"] for path in good} == set(KINDS)


@pytest.mark.parametrize("path", PATHS)
def test_a_vector_comes_out_as_it_says(path: str) -> None:
    """The package finds the facts, or the name of the refusal, that the file names."""
    vector = _read(path)
    assert list(vector) == ["what", "kind", "input", "expected"]
    assert outcome(vector["kind"], vector["input"]) == vector["expected"]


@pytest.mark.parametrize("path", [path for path in PATHS if path.startswith("hostile/")])
def test_a_hostile_vector_is_never_accepted(path: str) -> None:
    """A vector that is named hostile is refused by name, or does not verify."""
    expected = _read(path)["expected"]
    assert "error" in expected or expected["exit_code"] != 0
