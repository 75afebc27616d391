"""The log clause read twice: the package and a reading from docs/protocol.md alone agree on every bundle."""

from __future__ import annotations

import ast
import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.helpers import second_reading
from tests.helpers.second_reading import LogReading, Stopped, read_log_clause
from tests.vectors.world import World

from promptster.protocol.bundle import write_bundle
from promptster.protocol.encoding import b64u_decode
from promptster.protocol.verdict import Effect, Verification
from promptster.protocol.verification import verify_bundle

FOLDER = Path(__file__).resolve().parents[1] / "vectors"


def _bundles() -> list[tuple[str, dict[str, Any]]]:
    read = [(path.stem, json.loads(path.read_bytes())) for path in sorted(FOLDER.glob("*/*.json"))]
    return [(name, vector) for name, vector in read if vector["kind"] == "bundle"]


BUNDLES = _bundles()


def _of_package(verification: Verification) -> LogReading | None:
    """What the package says about ``not_in_log``; ``None`` if it did not reach the log."""
    if verification.log is None:
        return None
    effects = {finding.effect for finding in verification.findings if finding.code == "not_in_log"}
    assert len(effects) <= 1
    assert effects <= {Effect.INCOMPLETE if verification.log.promised else Effect.NOTE}
    missing = {n for span in verification.log.missing for n in range(span.first, span.last + 1)}
    return LogReading(found=bool(effects), counts=verification.log.promised, missing=frozenset(missing))


def _second(data: bytes, trusted: list[str]) -> LogReading | None:
    try:
        return read_log_clause(data, trusted)
    except Stopped:
        return None


@pytest.mark.parametrize(("name", "vector"), BUNDLES, ids=[name for name, _ in BUNDLES])
def test_both_readings_agree_on_every_vector(name: str, vector: dict[str, Any]) -> None:
    """They agree on whether the log is reached, what is missing in it, and how that counts."""
    data, trusted = b64u_decode(vector["input"]["data"]), vector["input"]["trusted"]
    second = _second(data, trusted)
    assert second == _of_package(verify_bundle(data, trusted=trusted)), name
    expected = vector["expected"]
    assert (second is not None and second.found) == ("not_in_log" in expected["findings"])
    if second is not None and second.found and second.counts:
        assert expected["exit_code"] in {10, 11, 12, 13}


def test_the_vectors_show_both_effects() -> None:
    """In some bundles missing proofs count, in some they are a note, and in some none is missing."""
    seen: set[tuple[bool, bool]] = set()
    for _, vector in BUNDLES:
        second = _second(b64u_decode(vector["input"]["data"]), vector["input"]["trusted"])
        if second is not None:
            seen.add((second.found, second.counts))
    assert seen == {(True, True), (True, False), (False, True), (False, False)}


def test_the_second_reading_is_one() -> None:
    """The second reading shares no code with the first."""
    tree = ast.parse(Path(second_reading.__file__).read_text())
    named = [alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names]
    named += [node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    assert not [module for module in named if module.split(".")[0] in {"promptster", "promptster_collector", "tests"}]


@settings(max_examples=40, deadline=None)
@given(st.sets(st.integers(0, 2)), st.booleans(), st.sampled_from([None, 0, 1, 2**53 - 1]))
def test_whatever_is_taken_out_of_the_log_costs_what_the_certificate_says(
    left: set[int],
    checkpoint: bool,  # noqa: FBT001 - drawn
    log: int | None,
) -> None:
    """With the promise any missing proof gives exit code 11; without it, never more than a note."""
    world = World(log=log)
    parts = world.parts()
    proofs = tuple(proof for proof in parts.proofs if proof.n in left)
    changed = dataclasses.replace(parts, proofs=proofs, checkpoint=parts.checkpoint if checkpoint else None)
    data = write_bundle(changed)
    verification = verify_bundle(data, trusted=world.trusted)
    assert _second(data, world.trusted) == _of_package(verification)
    if proofs and not checkpoint:
        assert verification.exit_code == 10
    else:
        whole = left == {0, 1, 2}
        assert verification.exit_code == (0 if whole or not log else 11)
        assert {finding.code for finding in verification.findings} == (set() if whole else {"not_in_log"})
