"""Calls that several events report: each event finds its call, whatever came before."""

from __future__ import annotations

from promptster.capture.hook_side.pairing import KEPT, HookPairing

PLACE, OTHER_PLACE = ("cursor", "c-1", ""), ("cursor", "c-2", "")
WORDS = ("shell", "npm test")


def test_each_event_without_an_id_confirms_one_call() -> None:
    """Two calls with the same text match two such events; a third event reports an unknown call."""
    pairing = HookPairing()
    for identifier in ("t-1", "t-2"):
        pairing.begin(PLACE, WORDS, identifier)
    assert [pairing.confirm(PLACE, WORDS) for _ in range(3)] == [True, True, False]
    assert not pairing.confirm(OTHER_PLACE, WORDS)


def test_what_ran_belongs_to_the_first_call_that_waits() -> None:
    """Calls match in the order in which they began; a call whose end was reported no longer waits."""
    pairing = HookPairing()
    for identifier in ("t-1", "t-2", "t-3"):
        pairing.begin(PLACE, WORDS, identifier)
    pairing.end(PLACE, "t-1")
    assert [pairing.take(PLACE, WORDS) for _ in range(3)] == ["t-2", "t-3", ""]


def test_a_call_that_no_event_names_has_no_id() -> None:
    """It takes its turn, and its place goes to no other call."""
    pairing = HookPairing()
    pairing.begin(PLACE, WORDS, "")
    pairing.begin(PLACE, WORDS, "t-2")
    assert [pairing.confirm(PLACE, WORDS) for _ in range(2)] == [True, False]
    assert [pairing.take(PLACE, WORDS) for _ in range(2)] == ["", "t-2"]


def test_ends_of_unknown_calls_change_nothing() -> None:
    """This holds for a repeated end, and if the same text waits elsewhere."""
    pairing = HookPairing()
    pairing.begin(PLACE, WORDS, "t-1")
    pairing.end(OTHER_PLACE, "t-1")
    pairing.end(PLACE, "t-9")
    assert pairing.take(PLACE, WORDS) == "t-1"
    pairing.end(PLACE, "t-1")
    pairing.end(PLACE, "t-1")


def test_only_so_many_wait() -> None:
    """The oldest are forgotten, so the memory is bounded."""
    pairing = HookPairing()
    limit = KEPT
    for number in range(limit + 1):
        pairing.begin(PLACE, ("shell", str(number)), f"t-{number}")
    assert pairing.take(PLACE, ("shell", "0")) == ""
    assert pairing.take(PLACE, ("shell", str(limit))) == f"t-{limit}"
    pairing.end(PLACE, "t-0")


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
    assert [len(kept) for kept in vars(pairing).values()] == [0, 0]


def test_the_ids_of_the_same_words_are_bounded() -> None:
    """An agent that never says how its calls end, and always does the same, fills no memory with their ids."""
    pairing = HookPairing()
    for number in range(KEPT + 5):
        pairing.begin(PLACE, WORDS, f"t-{number}")
    assert [len(kept) for kept in vars(pairing).values()] == [1, KEPT]
