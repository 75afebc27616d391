"""docs/protocol.md names everything that the package does: codes, findings, kinds, fields, members."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest
from tests.vectors.good import documents
from tests.vectors.running import KINDS as VECTOR_KINDS
from tests.vectors.world import World

import promptster.protocol
from promptster.protocol import bundle
from promptster.protocol.documents import DocumentType
from promptster.protocol.events.base import OfAgent
from promptster.protocol.events.kinds import FIELD_TYPES, KINDS, Kind
from promptster.protocol.events.sources import Source
from promptster.protocol.finding_codes import FindingCode
from promptster.protocol.verdict import CLAIM

TEXT = (Path(__file__).resolve().parents[2] / "docs" / "protocol.md").read_text()
SOURCES = {path.name: path.read_text() for path in Path(promptster.protocol.__path__[0]).rglob("*.py")}
LETTER = {"text": "T", "json": "J", "int": "I", "bool": "B", "bytes": "Y"}


def _codes() -> set[str]:
    calls = r'(?:code=|(?<!default_)code = )"([a-z_]+)"'
    codes = {code for source in SOURCES.values() for code in re.findall(calls, source)}
    points = {f"{what}_{how}" for what in ("public_key", "signature_point") for how in ("not_canonical", "small_order")}
    return codes | points | set(FindingCode)


@pytest.mark.parametrize("code", sorted(_codes()))
def test_every_code_is_in_the_norm(code: str) -> None:
    """Another implementer finds the name of every refusal and finding."""
    assert f"`{code}`" in TEXT


@pytest.mark.parametrize("kind", sorted(Kind))
def test_every_kind_is_in_the_norm_with_its_fields(kind: Kind) -> None:
    """The table is the one that the package enforces."""
    [row] = [
        line
        for line in TEXT.splitlines()
        if line.startswith("| `") and f"`{kind}`" in line.split("|")[1] and line.count("|") == 3
    ]
    cells = row.split("|")
    listed = dict(re.findall(r"\b([a-z_0-9]+) ([TJIBY])\b", cells[2]))
    expected = {name: LETTER[FIELD_TYPES[name]] for name in KINDS[kind]}
    if "*" in cells[1]:
        assert expected.keys() >= set(OfAgent.__struct_fields__)
        expected = {
            name: letter for name, letter in expected.items() if name not in OfAgent.__struct_fields__ or name in listed
        }
    assert listed == expected


@pytest.mark.parametrize("name", sorted(DocumentType))
def test_every_document_is_in_the_norm_with_its_fields(name: str) -> None:
    """Every type's row lists exactly its fields."""
    [row] = [line for line in TEXT.splitlines() if line.startswith(f"| `{name}` |") and "·" in line]
    listed = {entry.split()[0] for entry in row.split("|")[2].split(" · ")}
    assert listed == {field.name for field in dataclasses.fields(documents(World())[name])}


def test_members_sources_kinds_of_vectors_and_the_claim_are_in_the_norm() -> None:
    """Everything that a file can contain is documented."""
    words = [*bundle.REQUIRED, *bundle.OPTIONAL, *VECTOR_KINDS, *Source]
    assert [word for word in words if f"`{word}`" not in TEXT] == []
    plain = re.sub(r"\s+", " ", TEXT.replace("**", ""))
    assert CLAIM in plain
