"""What several signed checkpoints say about one log."""

from __future__ import annotations

import dataclasses
import hashlib
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.helpers import second_trees
from tests.vectors.world import ORIGIN, START, World

from promptster.protocol import merkle
from promptster.protocol.errors import LogError
from promptster.protocol.key_succession import next_key, write_keyfile
from promptster.protocol.log_consistency import Pair, Relation, Shown, View, compare, relate
from promptster.protocol.signing import SigningKey, fingerprint
from promptster.protocol.transparency_log import Checkpoint, sign_checkpoint
from promptster.protocol.verification import verify_parts

LEAVES = [hashlib.sha256(bytes([number])).digest() for number in range(40)]
KEY = World().log


def _view(leaves: list[bytes], *shown: int, origin: str = ORIGIN, world: World | None = None) -> View:
    """A signed checkpoint over these leaves, with proofs for some of them."""
    key = KEY if world is None else world.log
    note = sign_checkpoint(origin=origin, size=len(leaves), root=merkle.root(leaves), key=key)
    items = [Shown(leaves[index], index, tuple(merkle.inclusion_proof(leaves, index))) for index in shown]
    return View(Checkpoint.parse(note), key.public_key, tuple(items))


def _forked(size: int, at: int) -> list[bytes]:
    """A log that has other leaves from ``at`` on."""
    return [*LEAVES[:at], *(hashlib.sha256(leaf).digest() for leaf in LEAVES[at:size])]


def test_two_roots_of_one_size_contradict_each_other() -> None:
    """The signed notes alone are the proof; the same note twice adds nothing."""
    one, other = _view(LEAVES[:5]), _view(_forked(5, 4))
    assert relate(one, other) is Relation.EQUIVOCATION
    assert relate(one, _view(LEAVES[:5])) is Relation.SAME
    assert [pair.relation for pair in compare([one, other, one])] == [Relation.EQUIVOCATION]
    assert compare([one, one]) == ()
    assert compare([]) == ()


@given(st.data())
def test_honest_growth_is_never_called_a_contradiction(data: st.DataObject) -> None:
    """This holds for all sizes, and whatever leaves are shown."""
    sizes = data.draw(st.lists(st.integers(0, 40), min_size=2, max_size=4))
    views = [
        _view(LEAVES[:size], *(data.draw(st.sets(st.integers(0, size - 1), max_size=4)) if size else ()))
        for size in sizes
    ]
    found = compare(views)
    assert {pair.relation for pair in found} <= {Relation.CONSISTENT, Relation.UNDECIDED}
    assert len(found) == len(list(combinations(set(sizes), 2)))
    assert all(pair.small.checkpoint.size < pair.large.checkpoint.size for pair in found)


@given(st.data())
def test_a_fork_is_never_called_consistent(data: st.DataObject) -> None:
    """Some leaf of the smaller log differs from the larger one's, whatever is shown of both."""
    small = data.draw(st.integers(1, 39))
    large = data.draw(st.integers(small + 1, 40))
    forked = _forked(small, data.draw(st.integers(0, small - 1)))
    one = _view(forked, *data.draw(st.sets(st.integers(0, small - 1), max_size=4)))
    other = _view(LEAVES[:large], *data.draw(st.sets(st.integers(0, large - 1), max_size=4)))
    assert relate(one, other) in {Relation.UNDECIDED, Relation.EQUIVOCATION}
    assert relate(other, one) is relate(one, other)


@pytest.mark.parametrize("size", range(1, 20))
def test_all_that_is_shown_of_the_larger_tree_decides(size: int) -> None:
    """With a proof for each leaf, a larger tree can be compared with every smaller one and with every fork."""
    large = _view(LEAVES[:size], *range(size))
    for small in range(size):
        assert relate(_view(LEAVES[:small]), large) is Relation.CONSISTENT
        for at in range(small):
            assert relate(_view(_forked(small, at)), large) is Relation.EQUIVOCATION


def test_a_leaf_shown_twice_tells_a_fork() -> None:
    """If two logs differ at a leaf that both show, nothing else is needed."""
    one, other = _view(_forked(5, 4), 4), _view(LEAVES[:9], 4)
    assert relate(dataclasses.replace(one, shown=()), other) is Relation.EQUIVOCATION
    one, other = _view(_forked(6, 4), 4), _view(LEAVES[:11], 4)
    assert relate(one, other) is Relation.EQUIVOCATION
    assert relate(_view(_forked(6, 4), 0), _view(LEAVES[:11], 8)) is Relation.UNDECIDED


def test_what_is_shown_of_one_tree_is_put_together() -> None:
    """Two bundles under one checkpoint decide together what neither decides alone."""
    fork, one, other = _view(_forked(7, 6)), _view(LEAVES[:21], 5), _view(LEAVES[:21], 6)
    assert [relate(fork, view) for view in (one, other)] == [Relation.UNDECIDED, Relation.EQUIVOCATION]
    assert [pair.relation for pair in compare([fork, one])] == [Relation.UNDECIDED]
    assert [pair.relation for pair in compare([one, fork, other])] == [Relation.EQUIVOCATION]


def test_an_empty_log_has_one_root() -> None:
    """A signed note for size 0 with another root contradicts every larger one."""
    nothing = _view([])
    assert relate(nothing, _view(LEAVES[:3])) is Relation.CONSISTENT
    note = sign_checkpoint(origin=ORIGIN, size=0, root=LEAVES[0], key=KEY)
    odd = View(Checkpoint.parse(note), KEY.public_key)
    assert relate(odd, _view(LEAVES[:3])) is Relation.EQUIVOCATION


def test_logs_are_told_apart_by_key_and_origin() -> None:
    """Another origin, as after a restore, or another collector's key is another log, so nothing contradicts."""
    views = [_view(LEAVES[:3]), _view(_forked(3, 0), origin=f"{ORIGIN}/1"), _view(_forked(3, 1), world=World("other"))]
    assert compare(views) == ()


def test_the_pairs_of_a_fork_are_all_found() -> None:
    """Three logs of one size are three contradictions; an honest pair among them is not reported."""
    views = [_view(LEAVES[:4]), _view(_forked(4, 3)), _view(_forked(4, 2)), _view(LEAVES[:2])]
    found = compare(views)
    assert len(found) == 6
    told = [(pair.small.checkpoint.size, pair.large.checkpoint.size, pair.relation) for pair in found]
    assert told.count((4, 4, Relation.EQUIVOCATION)) == 3
    assert told.count((2, 4, Relation.UNDECIDED)) == 3


def test_verification_gives_the_view() -> None:
    """A bundle's checkpoint has its key and the leaves that its proofs show; a stranger's log is left out."""
    world = World()
    parts = world.parts()
    found = verify_parts(parts, trusted=world.trusted)
    assert found.log is not None
    view = found.log.view
    assert view is not None
    assert parts.checkpoint is not None
    assert view.checkpoint == Checkpoint.parse(parts.checkpoint)
    assert view.public_key == world.log.public_key
    assert len(view.shown) == len(parts.proofs)
    assert compare([view, dataclasses.replace(view, shown=())]) == ()
    for part, hashed in view.subtrees.items():
        assert part[0] + part[1] <= view.checkpoint.size
        assert len(hashed) == 32
    newer = SigningKey.generate(world.random)
    records = [*world.key_records, next_key(world.collector, newer.public_key, created_ms=START)]
    appended = world.parts(keys=write_keyfile(records), key=newer)
    strange = verify_parts(
        dataclasses.replace(appended, certificate=newer.sign(world.certificate_document(kid=newer.kid))),
        trusted=[fingerprint(newer.public_key)],
    )
    assert strange.log is not None
    assert strange.log.view is None


@given(st.integers(1, 40), st.data())
def test_a_proof_shows_the_subtrees_that_it_names(size: int, data: st.DataObject) -> None:
    """Each shown subtree has the hash that its leaves give."""
    index = data.draw(st.integers(0, size - 1))
    proof = merkle.inclusion_proof(LEAVES[:size], index)
    shown = merkle.shown_subtrees(leaf=LEAVES[index], index=index, size=size, proof=proof)
    assert shown[index, 1] == LEAVES[index]
    for (start, count), hashed in shown.items():
        assert count & (count - 1) == 0
        assert hashed == merkle.root(LEAVES[start : start + count])
    parts = merkle.complete_subtrees(size)
    assert sum(count for _, count in parts) == size
    over = merkle.root_over([merkle.root(LEAVES[start : start + count]) for start, count in parts])
    assert over == merkle.root(LEAVES[:size])


def test_a_pair_is_a_value() -> None:
    """Pairs can be compared and stored."""
    one, other = _view(LEAVES[:2]), _view(LEAVES[:3])
    assert compare([other, one]) == (Pair(one, other, Relation.UNDECIDED),)
    with pytest.raises(LogError):
        one.checkpoint.verify(bytes(32))


@given(st.data())
def test_both_readings_agree_on_every_pair(data: st.DataObject) -> None:
    """The package and a reading from docs/protocol.md agree on any two trees, forked or not."""

    def drawn() -> tuple[View, dict[str, object]]:
        size = data.draw(st.integers(0, 20))
        leaves = _forked(size, data.draw(st.integers(0, size)))
        shown = data.draw(st.sets(st.integers(0, size - 1), max_size=5)) if size else set[int]()
        paths = {index: (leaves[index], merkle.inclusion_proof(leaves, index)) for index in shown}
        return _view(leaves, *shown), {"size": size, "root": second_trees.head(leaves), "shown": paths}

    (one, read), (other, read_other) = drawn(), drawn()
    assert relate(one, other) == second_trees.relation(read, read_other)
