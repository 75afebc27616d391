"""Reading the page in a real browser: filters keep the place, the toolbar hides nothing, all can be reached."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from tests.helpers.page_reading import long_session, open_page, settle
from tests.helpers.plausible import plausible
from tests.helpers.sessions import CLAUDE, Script

if TYPE_CHECKING:
    from pathlib import Path

    from tests.helpers.chromium import Browser, Page

    from promptster.protocol.events import OpenedEvent

PRESS = "[...document.querySelectorAll('#tools button')].find((b) => b.textContent === '{}').click()"
TYPE = (
    "(() => {{ const search = document.querySelector('#tools input'); search.value = '{}';"
    " search.dispatchEvent(new Event('input')); }})()"
)
KEY = "document.dispatchEvent(new KeyboardEvent('keydown', {{key: '{}', bubbles: true}}))"
READ = """(() => {
  const edge = Math.max(document.getElementById("tools").getBoundingClientRect().bottom, 0);
  const row = [...document.querySelectorAll(".row")].find((each) => each.getBoundingClientRect().bottom > edge + 20);
  return row && [Number(row.dataset.number), Math.round(row.getBoundingClientRect().top - edge)];
})()"""
"""The number of the row below the toolbar, and how far below."""
IN_WINDOW = """(() => {
  const edge = Math.max(document.getElementById("tools").getBoundingClientRect().bottom, 0);
  const inside = (box) => box.bottom > edge + 10 && box.top < innerHeight;
  return [...document.querySelectorAll(".row")].filter((each) => inside(each.getBoundingClientRect()))
    .map((each) => Number(each.dataset.number));
})()"""
"""The numbers of the rows that can be seen."""
MARKED = """(() => {
  const row = document.querySelector(".row.now").getBoundingClientRect();
  return [row.top - document.getElementById("tools").getBoundingClientRect().bottom, row.top < innerHeight];
})()"""
"""How far below the toolbar the marked row begins, and whether it is in the window."""
SETTLED = "new Promise((done) => {{ const look = () => {} ? done() : requestAnimationFrame(look); look(); }})"


def _middle(events: list[OpenedEvent]) -> int:
    """A tool call in the middle."""
    return next(event.seq for event in events[len(events) // 2 :] if event.kind == "tool_call")


def _index(page: Page) -> list[Any]:
    found: list[Any] = json.loads(page.run("document.getElementById('index').textContent"))["rows"]
    return found


def _read(page: Page) -> list[int]:
    settle(page)
    found: list[int] = page.run(READ)
    return found


@pytest.mark.parametrize("width", [1280, 390])
def test_a_filter_keeps_the_moment(browser: Browser, tmp_path: Path, width: int) -> None:
    """The row that is read keeps its position, or the nearest in time takes it; without the filter all is as before."""
    events = long_session(200).events
    page = open_page(browser, tmp_path, events, (width, 900))
    index = _index(page)
    page.run(f"location.hash = '#s{_middle(events)}'")
    settle(page)
    page.run("scrollBy(0, 300)")
    was = _read(page)
    assert was[0] > 150
    for name, bit in (("Prompts", 1), ("Edits", 8), ("Everything", 0), ("Open all", 0)):
        page.run(PRESS.format(name))
        settle(page)
        far = {place: abs(row[3] - index[was[0]][3]) for place, row in enumerate(index) if not bit or row[0] & bit}
        assert min(far[place] for place in page.run(IN_WINDOW)) == min(far.values())
        assert bit or _read(page)[0] == was[0]
        page.run(PRESS.format(name))
        assert _read(page)[0] == was[0]


def test_a_search_keeps_the_moment_also_when_it_finds_nothing(browser: Browser, tmp_path: Path) -> None:
    """The closest match comes into view; when the search is cleared, the reader is back at the same place."""
    events = long_session(200).events
    page = open_page(browser, tmp_path, events)
    page.run(f"location.hash = '#s{_middle(events)}'")
    was = _read(page)
    index = _index(page)
    for words, found in (("prompt 7 ", True), ("nowhere", False), ("prompt", True), ("", True)):
        page.run(TYPE.format(words))
        marks = "document.querySelectorAll('#list mark').length > 0"
        empty = "document.body.dataset.rows === '0'"
        whole = "document.querySelectorAll('#list mark').length === 0 && document.body.dataset.rows !== '0'"
        page.run(SETTLED.format(marks if words and found else empty if words else whole))
        if words == "prompt":
            assert abs(index[_read(page)[0]][3] - index[was[0]][3]) < 60_000
    assert _read(page)[0] == was[0]


def test_what_was_opened_and_marked_stays_so_through_a_filter(browser: Browser, tmp_path: Path) -> None:
    """The row that a link opened is still open, the marked row still marked, and the next step starts from there."""
    events = long_session(200).events
    page = open_page(browser, tmp_path, events)
    page.run(f"location.hash = '#s{_middle(events)}'")
    settle(page)
    marked = page.run("document.querySelector('.row.now').dataset.number")
    page.run(PRESS.format("Everything"))
    settle(page)
    assert page.run("document.querySelector('.row.now').dataset.number") == marked
    assert page.run("document.querySelector('.row.now button.head').getAttribute('aria-expanded')") == "true"
    page.run(PRESS.format("Edits"))
    settle(page)
    page.run(KEY.format("j"))
    assert abs(int(page.run("document.querySelector('.row.now').dataset.number")) - int(marked)) < 40


@pytest.mark.parametrize("size", [(1280, 900), (900, 700), (700, 500), (390, 844)])
def test_no_step_ends_under_the_toolbar(browser: Browser, tmp_path: Path, size: tuple[int, int]) -> None:
    """n, p, j, k and links bring their row below the toolbar, however many lines that has."""
    events = long_session(200).events
    page = open_page(browser, tmp_path, events, size)
    for key in "nnnjjnkpn":
        page.run(KEY.format(key))
        settle(page)
        below, inside = page.run(MARKED)
        assert inside
        assert below >= 0 or size[0] <= 640  # there the toolbar scrolls away with the page
    page.run(f"location.hash = '#s{_middle(events)}'")
    settle(page)
    below, inside = page.run(MARKED)
    assert inside
    assert page.run("document.querySelector('.row.now').getBoundingClientRect().top") >= 0


@pytest.mark.parametrize("size", [(1280, 500), (900, 400), (390, 500)])
def test_a_step_back_to_a_tall_entry_ends_at_its_beginning(
    browser: Browser, tmp_path: Path, size: tuple[int, int]
) -> None:
    """If an entry is taller than the window, k shows its beginning, as j does."""
    script = Script()
    for number in range(6):
        script.prompt(f"prompt {number}")
        script.turn("a line of the answer\n" * 60)
    page = open_page(browser, tmp_path, script.events, size)
    tall = 0
    for key in "jjjjjjkkkkkk":
        page.run(KEY.format(key))
        settle(page)
        below, _ = page.run(MARKED)
        tall += page.run("document.querySelector('.row.now').getBoundingClientRect().height > innerHeight")
        assert below >= -1 or size[0] <= 640
        assert page.run("document.querySelector('.row.now').getBoundingClientRect().top") >= -1
    assert tall > 4


def test_code_that_scrolls_can_be_reached_by_the_keyboard(browser: Browser, tmp_path: Path) -> None:
    """Every box that scrolls takes the focus and has a name, in view or not, at desktop and at phone width."""
    script = Script()
    for event in plausible():
        script.add(event.src, event.kind, lane=event.lane, **event.fields)
    for number in range(40):
        script.tool(f"x{number}", "Bash", {"command": "seq"}, "".join(f"{n}\n" for n in range(number * 3)))
    script.turn("Look:\n```\n" + "code\n" * 90 + "```\n")
    for width in (1440, 390):
        page = open_page(browser, tmp_path, script.events, (width, 900))
        page.run(PRESS.format("Open all"))
        page.run("dispatchEvent(new Event('beforeprint'))")
        settle(page)
        boxes = page.run(
            "[...document.querySelectorAll('pre')].map((box) => [box.scrollHeight > box.clientHeight + 1, box.tabIndex,"
            " box.getAttribute('role'), Boolean(box.getAttribute('aria-label'))])"
        )
        assert sum(scrolls for scrolls, *_ in boxes) > 20
        assert all(role == "group" and named for _, _, role, named in boxes)
        assert all(tab == 0 for scrolls, tab, *_ in boxes if scrolls)
        assert any(tab == -1 for _, tab, *_ in boxes)
    assert page.run("document.querySelector('aside').tabIndex") == 0


def test_only_changes_are_painted_as_changes(browser: Browser, tmp_path: Path) -> None:
    """Names of files and places are not; a removed line ``-- x`` and an added ``++ x`` are."""
    script = Script()
    diff = (
        "diff --git a/q.sql b/q.sql\n--- a/q.sql\n+++ b/q.sql\n@@ -1,2 +1,2 @@\n o\x1bne\n--- two\n+++ 2\n"
        "\\ No newline at end of file\n"
    )
    script.add("workspace", "submission_final", diff=diff, manifest=[{"path": "q.sql", "status": "modified"}])
    page = open_page(browser, tmp_path, script.events)
    page.run(PRESS.format("Open all"))
    painted = page.run(
        "[...document.querySelectorAll('pre.diff > span')].map((line) => [line.textContent.slice(0, 6),"
        " getComputedStyle(line).backgroundColor !== 'rgba(0, 0, 0, 0)'])"
    )
    assert painted == [
        ["diff -", False], ["--- a/", False], ["+++ b/", False], ["@@ -1,", False], [" o\\u{1", False],
        ["--- tw", True], ["+++ 2", True], ["\\ No n", False],
    ]  # fmt: skip
    assert page.run("getComputedStyle(document.querySelector('pre.diff .ctl')).display") == "inline"


def test_the_work_is_one_step_from_the_top(browser: Browser, tmp_path: Path) -> None:
    """After sixty subagents the list is still in the first window of a desktop, with a link to it at every width."""
    script = Script()
    for number in range(60):
        who: dict[str, Any] = {**CLAUDE, "agent_id": f"s{number}"}
        script.add("hook", "subagent_started", lane=number + 2, agent_type=f"Explore {number}", **who)
    script.add(
        "workspace", "submission_final", diff="@@ -0,0 +1 @@\n+x", manifest=[{"path": "a.py", "status": "added"}]
    )
    top = "document.querySelector('{}').getBoundingClientRect().bottom"
    page = open_page(browser, tmp_path, script.events)
    assert page.run(top.format("#submitted")) < 900
    page.run("scrollTo(0, 1e6)")
    settle(page)
    assert 0 < page.run(top.format("#submitted")) < 900
    page = open_page(browser, tmp_path, script.events, (390, 900))
    assert page.run(top.format(".to-submission a")) < 2 * 900
    page.run("document.querySelector('.to-submission a').click()")
    settle(page)
    assert -1 <= page.run("document.querySelector('#submitted').getBoundingClientRect().top") < 900


def test_a_conversation_shows_as_many_rows_as_its_list_says(browser: Browser, tmp_path: Path) -> None:
    """The number next to a conversation equals the number above the timeline when only it is shown."""
    page = open_page(browser, tmp_path, plausible())
    listed = page.run("[...document.querySelectorAll('.lanes small')].map((each) => Number(each.textContent))")
    shown = page.run(
        "[...document.querySelectorAll('#tools option')].slice(1).map((each) => { const choice ="
        " document.querySelector('#tools select'); choice.value = each.value;"
        " choice.dispatchEvent(new Event('change'));"
        " return Number(document.body.dataset.rows); })"
    )
    assert listed == shown


CONTRASTS = """[...document.querySelectorAll("mark")].map((mark) => {
  const light = (colour) => colour.match(/[0-9.]+/g).slice(0, 3).map((part) => part / 255)
    .map((part) => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4)
    .reduce((sum, part, which) => sum + part * [0.2126, 0.7152, 0.0722][which], 0);
  const { color, backgroundColor } = getComputedStyle(mark);
  const [low, high] = [light(color), light(backgroundColor)].sort((one, other) => one - other);
  return (high + 0.05) / (low + 0.05);
})"""
"""The contrast between each marked word and its background."""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_what_was_searched_for_can_be_read_wherever_it_stands(browser: Browser, tmp_path: Path, scheme: str) -> None:
    """In prompts, subjects, notes, marks, code and changes the contrast is at least 4.5 to 1, by day and by night."""
    page = open_page(browser, tmp_path, plausible())
    page.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
    page.run(TYPE.format("e"))
    page.run(SETTLED.format("document.querySelector('mark')"))
    page.run("dispatchEvent(new Event('beforeprint'))")
    settle(page)
    for place in (".subject", ".note", ".prose", "pre.diff .a", "pre.diff .h", ".label"):
        assert page.run(f"document.querySelectorAll('{place} mark').length") > 0, place
    assert min(page.run(CONTRASTS)) >= 4.5


@pytest.mark.parametrize("width", [1280, 390])
def test_a_place_inside_a_tall_entry_is_kept(browser: Browser, tmp_path: Path, width: int) -> None:
    """A reader far down in a long prompt keeps the place when a filter shows it too, or is removed."""
    script = Script()
    for number in range(60):
        script.wait(30_000)
        text = "\n".join(f"line {line} of {number}" for line in range(80 if number % 7 == 3 else 1))
        script.add("hook", "prompt", lane=1, text=text, **CLAUDE)
        script.add("hook", "command", lane=1, command=f"ls {number}", **CLAUDE)
    page = open_page(browser, tmp_path, script.events, (width, 900))
    page.run("location.hash = '#s62'")
    settle(page)
    page.run("scrollBy(0, 700)")
    settle(page)
    number, off = _read(page)
    assert off < -600
    for name, is_shown in (("Prompts", True), ("Commands", False)):
        page.run(PRESS.format(name))
        settle(page)
        assert (_read(page)[0] == number) == is_shown
        assert not is_shown or abs(_read(page)[1] - off) < 24
        page.run(PRESS.format(name))
        settle(page)
        assert _read(page)[0] == number
        assert abs(_read(page)[1] - off) < 24
