"""The one zip form."""

from __future__ import annotations

import io
import zipfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from promptster.protocol.archive import Member, read_archive, write_archive
from promptster.protocol.errors import BundleError, ChecksumError

_MEMBERS = [Member("one.json", b"{}"), Member("blocks/two", bytes(100)), Member("three", b"")]


def test_members_survive_in_order() -> None:
    """What is written is read back, and equal members give equal bytes."""
    data = write_archive(_MEMBERS)
    assert read_archive(data) == _MEMBERS
    assert write_archive(_MEMBERS) == data


def test_any_zip_program_can_read_it() -> None:
    """The form is a plain zip with stored members."""
    with zipfile.ZipFile(io.BytesIO(write_archive(_MEMBERS))) as reader:
        assert reader.testzip() is None
        assert [(info.filename, reader.read(info)) for info in reader.infolist()] == [tuple(m) for m in _MEMBERS]


def test_a_reader_of_the_standard_library_writes_the_same_bytes() -> None:
    """A bundle that ``zipfile`` unpacks and packs again has the same bytes."""
    written, again = write_archive(_MEMBERS), io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(written)) as reader, zipfile.ZipFile(again, "w") as writer:
        for info in reader.infolist():
            writer.writestr(info, reader.read(info))
    assert again.getvalue() == written


def test_what_other_programs_write_is_refused() -> None:
    """Other times, versions and attributes are refused."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as writer:
        for member in _MEMBERS:
            writer.writestr(member.name, member.data)
    with pytest.raises(BundleError) as caught:
        read_archive(buffer.getvalue())
    assert caught.value.code == "not_canonical"


@settings(max_examples=400)
@given(st.data())
def test_any_changed_byte_is_refused_by_type(data: st.DataObject) -> None:
    """Inside a member it is a wrong checksum, anywhere else a wrong form."""
    written = bytearray(write_archive(_MEMBERS))
    place = data.draw(st.integers(0, len(written) - 1))
    written[place] ^= data.draw(st.integers(1, 255))
    inside = 38 <= place < 40 or 80 <= place < 180
    with pytest.raises(ChecksumError if inside else BundleError) as caught:
        read_archive(bytes(written))
    assert isinstance(caught.value, ChecksumError) == inside


@given(st.binary(max_size=100))
def test_any_bytes_are_refused_by_type(data: bytes) -> None:
    """Only a bundle error is ever raised."""
    for content in (data, b"PK\x03\x04" + data):
        with pytest.raises(BundleError):
            read_archive(content)


def test_more_than_a_plain_zip_can_hold_is_refused() -> None:
    """Neither too many members nor too many bytes are written or read."""
    with pytest.raises(BundleError) as caught:
        write_archive(_MEMBERS, max_members=len(_MEMBERS) - 1)
    assert (caught.value.code, caught.value.fault) == ("bundle_size", "local")
    data = write_archive(_MEMBERS, max_members=len(_MEMBERS), max_size=len(write_archive(_MEMBERS)))
    with pytest.raises(BundleError):
        read_archive(data, max_members=1)
    with pytest.raises(BundleError):
        write_archive(_MEMBERS, max_size=len(data) - 1)
