"""Calls that several events tell of: each event finds its call, whatever came before."""

from __future__ import annotations

from promptster.capture.hook_side import pairing as twins_module
from promptster.capture.hook_side.pairing import KEPT, HookPairing

PLACE, ELSEWHERE = ("cursor", "c-1", ""), ("cursor", "c-2", "")
WORDS = ("shell", "npm test")


def test_each_event_without_an_id_confirms_one_call() -> None:
    """Two calls with the same words take two such events; a third tells of a call that nobody knew."""
    twins = HookPairing()
    for identifier in ("t-1", "t-2"):
        twins.begin(PLACE, WORDS, identifier)
    assert [twins.confirm(PLACE, WORDS) for _ in range(3)] == [True, True, False]
    assert not twins.confirm(ELSEWHERE, WORDS)


def test_what_ran_belongs_to_the_first_call_that_waits() -> None:
    """In the order in which they began; a call whose end was told waits no longer."""
    twins = HookPairing()
    for identifier in ("t-1", "t-2", "t-3"):
        twins.begin(PLACE, WORDS, identifier)
    twins.end(PLACE, "t-1")
    assert [twins.take(PLACE, WORDS) for _ in range(3)] == ["t-2", "t-3", ""]


def test_a_call_that_no_event_names_has_no_id() -> None:
    """It takes its turn, and lends its place to nobody."""
    twins = HookPairing()
    twins.begin(PLACE, WORDS, "")
    twins.begin(PLACE, WORDS, "t-2")
    assert [twins.confirm(PLACE, WORDS) for _ in range(2)] == [True, False]
    assert [twins.take(PLACE, WORDS) for _ in range(2)] == ["", "t-2"]


def test_ends_of_unknown_calls_change_nothing() -> None:
    """Also twice, and also where the same words wait elsewhere."""
    twins = HookPairing()
    twins.begin(PLACE, WORDS, "t-1")
    twins.end(ELSEWHERE, "t-1")
    twins.end(PLACE, "t-9")
    assert twins.take(PLACE, WORDS) == "t-1"
    twins.end(PLACE, "t-1")
    twins.end(PLACE, "t-1")


def test_only_so_many_wait() -> None:
    """The oldest are forgotten, and nothing grows without end."""
    twins = HookPairing()
    limit = twins_module.KEPT
    for number in range(limit + 1):
        twins.begin(PLACE, ("shell", str(number)), f"t-{number}")
    assert twins.take(PLACE, ("shell", "0")) == ""
    assert twins.take(PLACE, ("shell", str(limit))) == f"t-{limit}"
    twins.end(PLACE, "t-0")


def test_as_many_as_the_limit_wait() -> None:
    """The limit itself is not too many: the oldest of exactly that many calls is still known."""
    pairing = HookPairing()
    for number in range(KEPT):
        pairing.begin(PLACE, ("shell", str(number)), f"t-{number}")
    assert pairing.take(PLACE, ("shell", "0")) == "t-0"


def test_words_that_come_again_are_not_the_oldest() -> None:
    """What is begun again with the same words counts as new, and other words are forgotten first."""
    pairing = HookPairing()
    pairing.begin(PLACE, WORDS, "t-first")
    for number in range(KEPT - 1):
        pairing.begin(PLACE, ("shell", str(number)), f"t-{number}")
    pairing.begin(PLACE, WORDS, "t-again")
    pairing.begin(PLACE, ("shell", "one more"), "t-one-more")
    assert pairing.take(PLACE, ("shell", "0")) == ""
    assert [pairing.take(PLACE, WORDS) for _ in range(2)] == ["t-first", "t-again"]


def test_nothing_is_kept_of_calls_that_are_over() -> None:
    """A session of many hours holds as much in memory as one that began, however its calls ended."""
    pairing = HookPairing()
    for number in range(3):
        pairing.begin(PLACE, ("shell", str(number)), f"t-{number}")
        pairing.take(PLACE, ("shell", str(number)))
        pairing.end(PLACE, f"t-{number}")
        pairing.begin(PLACE, WORDS, f"u-{number}")
        pairing.end(PLACE, f"u-{number}")
        pairing.begin(PLACE, WORDS, "")
        pairing.take(PLACE, WORDS)
    assert (len(pairing._waiting), len(pairing._words)) == (0, 0)


def test_the_ids_of_the_same_words_are_bounded() -> None:
    """An agent that never says how its calls end, and always does the same, fills no memory with their ids."""
    pairing = HookPairing()
    for number in range(KEPT + 5):
        pairing.begin(PLACE, WORDS, f"t-{number}")
    assert len(pairing._words) == KEPT
