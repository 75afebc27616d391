"""Absence, times and silence read twice: the package and a reading from docs/protocol.md alone agree."""

from __future__ import annotations

import ast
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.helpers import second_times
from tests.helpers.second_times import TimesReading, read_times
from tests.vectors.good_times import MINUTE, at, session

from promptster.protocol.bundle import read_bundle, write_bundle
from promptster.protocol.encoding import b64u_decode
from promptster.protocol.plausibility import ABSENCES, TIMES
from promptster.protocol.verdict import GapKind
from promptster.protocol.verification import verify_bundle

FOLDER = Path(__file__).resolve().parents[1] / "vectors"


def _vectors() -> list[tuple[str, dict[str, Any]]]:
    read = [(path.stem, json.loads(path.read_bytes())) for path in sorted(FOLDER.glob("good/*.json"))]
    return [(name, vector) for name, vector in read if vector["kind"] in {"bundle", "told"}]


VECTORS = _vectors()


def _of_package(data: bytes, trusted: list[str]) -> TimesReading:
    verification = verify_bundle(data, trusted=trusted)
    return TimesReading(
        notes=frozenset({finding.code for finding in verification.findings} & (ABSENCES | TIMES)),
        silences=tuple((gap.seq, gap.to_seq or 0) for gap in verification.gaps if gap.kind is GapKind.SILENCE),
    )


@pytest.mark.parametrize(("name", "vector"), VECTORS, ids=[name for name, _ in VECTORS])
def test_both_readings_agree_on_every_good_bundle(name: str, vector: dict[str, Any]) -> None:
    """They agree on absent events, impossible times, and the recorder's silences."""
    data = b64u_decode(vector["input"]["data"])
    assert read_times(data) == _of_package(data, vector["input"]["trusted"]), name


def test_the_vectors_show_every_note_and_silence() -> None:
    """Every note is in some vector, and some vector has none."""
    told = [read_times(b64u_decode(vector["input"]["data"])) for _, vector in VECTORS]
    assert frozenset[str]().union(*(each.notes for each in told)) == ABSENCES | TIMES
    assert {bool(each.silences) for each in told} == {True, False}
    assert TimesReading(notes=frozenset(), silences=()) in told


def test_the_second_reading_is_one() -> None:
    """The second reading shares no code with the first."""
    tree = ast.parse(Path(second_times.__file__).read_text())
    named = [alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names]
    named += [node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    assert not [module for module in named if module.split(".")[0] in {"promptster", "promptster_collector", "tests"}]


_WORDS = (
    "recorder capture_heartbeat", "recorder capture_heartbeat", "recorder capture_heartbeat", "proxy prompt",
    "hook prompt", "hook capture_heartbeat", "recorder capture_clock_jump", "hook capture_clock_jump",
    "candidate paused", "recorder paused", "hook paused", "candidate resumed", "recorder resumed",
    "recorder capture_recovered", "recorder opened", "candidate consent", "workspace submission_baseline",
    "workspace submission_final", "recorder closed", "hook closed",
)  # fmt: skip
_STEPS = st.sampled_from(
    [0, 1, 1000, 4999, 5001, MINUTE, 2 * MINUTE, 2 * MINUTE + 1, 6 * MINUTE, -1, -5000, -5001, -6 * MINUTE]
)


@settings(max_examples=250, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(_WORDS), _STEPS, _STEPS, st.integers(0, 8)), min_size=2, max_size=9),
    st.lists(st.integers(0, 20), min_size=3, max_size=3),
    st.integers(-1, 8),
)
def test_both_readings_agree_on_whatever_a_session_tells(
    steps: list[tuple[str, int, int, int]], minutes: list[int], left_out: int
) -> None:
    """They agree for any kinds from any sources, with any times and times of receipt, and perhaps an event missing."""
    ms, mono = 20 * MINUTE, 20 * MINUTE
    told = [at(ms, "recorder opened")]
    for word, step, mono_step, received in steps:
        ms, mono = max(0, ms + step), max(0, mono + mono_step)
        fields: dict[str, Any] = {"counts": {"received": received}} if word.endswith("heartbeat") else {}
        told.append(at(ms, word, mono=mono, **fields))
    third = len(told) // 3
    world, data = session(told, (third, third, len(told) - 2 * third), [minute * 2 * MINUTE for minute in minutes])
    if left_out >= 0:
        parts = read_bundle(data)
        events = tuple(public for seq, public in enumerate(parts.events) if seq != left_out)
        data = write_bundle(replace(parts, events=events))
    assert read_times(data) == _of_package(data, world.trusted)
