"""The reader's place in a real browser: hundreds of filters tried at random, and links that open what they name."""

from __future__ import annotations

import json
import random
from itertools import islice
from typing import TYPE_CHECKING, Any

import pytest
from tests.helpers.page_reading import long_session, open_page, settle
from tests.helpers.plausible import plausible

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from tests.helpers.chromium import Browser, Page

    from promptster.protocol.events import OpenedEvent

GROUPS = ["Prompts", "Answers", "Tools", "Edits", "Commands", "Subagents", "Session", "Capture"]
WORDS = ["prompt 1", "answer 77", "output", "nowhere", "and more"]
AS_READ = 20
"""Pixels below the toolbar that must be seen of an entry for it to be the one that is read."""
FEWEST, MOST = 100, 400
"""Tries at one width; after the fewest, more are made only until enough of them could be judged while filtered."""
EXACT = 2
"""Pixels; a browser scrolls by whole ones, so that half of one is seen, never more: no rounding adds up."""
TRIES = """(async (tries) => {
  const tools = document.getElementById("tools");
  const list = document.getElementById("list");
  const index = JSON.parse(document.getElementById("index").textContent);
  const frames = (left) => new Promise((done) => {
    const next = () => (left-- ? requestAnimationFrame(next) : done());
    next();
  });
  const edge = () => (getComputedStyle(tools).position === "sticky" ? tools.getBoundingClientRect().bottom : 0);
  const seen = (least = AS_READ) => {
    const line = edge();
    const rows = [...list.querySelectorAll(".row")]
      .map((row) => [Number(row.dataset.number), row.getBoundingClientRect()])
      .filter(([, box]) => box.bottom > line + least && box.top < innerHeight - Math.min(least, EXACT))
      .map(([number, box]) => [number, box.top - line]);
    return {
      rows, first: rows.length ? rows[0][0] : null, begins: list.getBoundingClientRect().top >= line + 8,
      end: scrollY < 2 || scrollY > document.documentElement.scrollHeight - innerHeight - 2,
    };
  };
  /* Whether all that is in view is drawn: what is not yet has the height of an estimate. What is left to be drawn
     later is the content of a row, so that the row itself always counts as visible. */
  const drawn = () => {
    const inView = (node) => node.getBoundingClientRect().bottom > 0 && node.getBoundingClientRect().top < innerHeight;
    return [...list.querySelectorAll(".row")].every(
      (row) => !inView(row) || row.firstElementChild.checkVisibility({ contentVisibilityAuto: true })
    ) && ![...list.querySelectorAll(":scope > div:not([data-done])")].some(inView);
  };
  const press = (name) => [...tools.querySelectorAll("button")].find((each) => each.textContent === name).click();
  const found = (words) => new Promise((done) => {
    const search = tools.querySelector("input");
    const count = document.getElementById("count");
    const watch = new MutationObserver(() => { watch.disconnect(); done(); });
    watch.observe(count, { childList: true });
    search.value = words;
    search.dispatchEvent(new Event("input"));
  });
  const choose = (lane) => {
    const select = tools.querySelector("select");
    select.value = lane;
    select.dispatchEvent(new Event("change"));
  };
  const acts = {
    press: (names) => names.map((name) => () => press(name)),
    search: (words) => [() => found(words), () => found("")],
    lane: (number) => [() => choose(number), () => choose("-1")],
  };
  const results = [];
  for (const { at, opened, by, act, what } of tries) {
    scrollTo({ top: at * document.documentElement.scrollHeight, behavior: "instant" });
    await frames(2);
    if (opened !== null) {
      const line = edge();
      const whole = (box) => box.top > line && box.bottom < innerHeight;
      const heads = [...list.querySelectorAll(".row")].filter((row) => whole(row.getBoundingClientRect()))
        .map((row) => row.querySelector("button.head")).filter((head) => head);
      if (heads.length) heads[Math.floor(opened * heads.length)].click();
    }
    scrollBy({ top: by, behavior: "instant" });
    do await frames(2); while (!drawn());
    while (act === "search" && list.querySelector(":scope > div:not([data-done])")) await frames(1);
    const was = seen();
    const between = [];
    for (const each of acts[act](what)) {
      await each();
      await frames(3);
      between.push(seen(0));
    }
    between.pop();
    /* What was just enough to be read, or just in view at the end, may now be less by half a pixel, and what was just
       too little may now be enough: only where an entry is can be told exactly, not which is the first that is read. */
    results.push({ was, between, now: seen(0) });
  }
  return results;
})(""".replace("AS_READ", str(AS_READ)).replace("EXACT", str(EXACT))
"""Each try: go somewhere, perhaps open an entry, scroll, set a filter, take it off; what was seen each time."""


def _large() -> list[OpenedEvent]:
    """Two hundred and fifty turns, tall and short, every kind among them, the work submitted at the end."""
    script = long_session(250)
    diff = "diff --git a/q.py b/q.py\n--- a/q.py\n+++ b/q.py\n@@ -1,40 +1,40 @@\n" + "-old\n+new\n" * 40
    script.add("workspace", "submission_final", diff=diff, manifest=[{"path": "q.py", "status": "modified"}])
    return script.events


def _tries(chance: random.Random) -> Iterator[dict[str, Any]]:
    while True:
        act = chance.choice(["press", "press", "press", "press", "search", "lane"])
        one, other = chance.sample(GROUPS, 2)
        presses = chance.choice([[one, one], [one, one], [one, other, one, other], ["Everything"] * 2])
        what: Any = {"press": presses, "search": chance.choice(WORDS), "lane": chance.choice(["1", "2"])}[act]
        opened = chance.random() if chance.random() < 0.5 else None
        at = chance.choice([chance.random(), chance.random(), chance.random() * 0.03, 1 - chance.random() * 0.03])
        yield {"at": at, "opened": opened, "by": chance.randrange(-400, 400), "act": act, "what": what}


def _results(page: Page, tries: Iterable[dict[str, Any]]) -> Iterator[tuple[dict[str, Any], Any]]:
    """What was seen at each, a few at a time: a busy machine takes minutes for all, and silence counts as a fault."""
    tries = iter(tries)
    while some := list(islice(tries, 5)):
        yield from zip(some, page.run(f"{TRIES}{json.dumps(some)})"), strict=True)


@pytest.mark.parametrize(("width", "height"), [(1440, 900), (1024, 768), (390, 844)])
def test_no_filter_ever_moves_the_place(browser: Browser, tmp_path: Path, width: int, height: int) -> None:
    """Of a hundred tries or more at each width none ends more than two pixels away.

    Each filter rebuilds the list, so that each is set and removed while rows are still being built. Only a search
    begins with a whole list: until the typing has paused the browser itself keeps the place, by whole pixels each time
    that rows come in. Between setting a filter and removing it, the entry that was read keeps its position if it is
    shown; otherwise the entry nearest in time below the toolbar does, unless the filtered page begins or ends before
    that.
    """
    events = _large()
    page = open_page(browser, tmp_path, events, (width, height))
    index: list[Any] = json.loads(page.run("document.getElementById('index').textContent"))["rows"]
    tries = islice(_tries(random.Random(width)), MOST)  # noqa: S311 - tries, not secrets
    filtered = 0  # how many depends on which rows were built at the moment; a slow machine has fewer
    for number_of_try, (tried, result) in enumerate(_results(page, tries)):
        if number_of_try >= FEWEST and filtered > 10:
            break
        was: dict[int, float] = dict(result["was"]["rows"])
        now: dict[int, float] = dict(result["now"]["rows"])
        off = [abs(now.get(number, 1e6) - top) for number, top in was.items()]
        assert max(off, default=0) <= EXACT, (tried, result)
        if tried["act"] != "press" or result["was"]["begins"] or tried["what"][0] == "Everything":
            continue
        read, between = result["was"]["first"], result["between"][0]
        bit = 1 << GROUPS.index(tried["what"][0])
        near = {n: abs(row[3] - index[read][3]) for n, row in enumerate(index) if row[0] & bit and not row[2]}
        if between["end"] or not near:
            continue
        filtered += 1
        shown: dict[int, float] = dict(between["rows"])
        nearest = [number for number in near if near[number] == min(near.values())]
        wanted = {number: was[number] if number == read else 8 for number in nearest}
        off = [abs(shown.get(number, 1e6) - top) for number, top in wanted.items()]
        assert min(off) <= EXACT, (tried, result)
    assert filtered > 10
    assert page.problems == []


@pytest.mark.parametrize("at", [0.35, 0.7, 1])
def test_what_counts_as_drawn_keeps_its_height(browser: Browser, tmp_path: Path, at: float) -> None:
    """Entries far away have estimated heights at first; from when all in view are drawn, none of them moves.

    The tests of places measure only then. The list is whole before, so that nothing else changes a height.
    """
    page = open_page(browser, tmp_path, _large(), (1024, 768))
    seen = page.run(f"""{TRIES.split("const results")[0]}
      while (list.querySelector(":scope > div:not([data-done])")) await frames(1);
      scrollTo({{ top: {at} * document.documentElement.scrollHeight, behavior: "instant" }});
      const results = [drawn(), seen().rows];
      while (!drawn()) await frames(1);
      results.push(seen().rows);
      await frames(10);
      results.push(seen().rows);
      return results;
    }})()""")
    counted, estimated, at_first, later = seen
    assert estimated != at_first, "the entries had their heights at once: nothing was tried"
    assert counted is False
    assert at_first == later


@pytest.mark.parametrize("by", [-2, -1, 1, 2])
def test_a_touch_between_two_filters_is_kept(browser: Browser, tmp_path: Path, by: int) -> None:
    """The next filter keeps the position of a small scroll that followed the removal of the first one."""
    page = open_page(browser, tmp_path, _large(), (1280, 900))
    seen = page.run(f"""{TRIES.split("const results")[0]}
      const results = [];
      scrollTo({{ top: 9000, behavior: "instant" }});
      do await frames(2); while (!drawn());
      for (const act of acts.press(["Tools", "Tools"])) {{ act(); await frames(3); }}
      scrollBy({{ top: {by}, behavior: "instant" }});
      results.push(seen().rows[0]);
      for (const act of acts.press(["Tools", "Tools"])) {{ act(); await frames(3); }}
      results.push(seen().rows[0]);
      return results;
    }})()""")
    assert seen[0][0] == seen[1][0]
    assert abs(seen[0][1] - seen[1][1]) < 1, seen


@pytest.mark.parametrize("left", [12.2, 12.6, 13.2])
def test_an_entry_of_which_little_is_left_stays_where_it_is(browser: Browser, tmp_path: Path, left: float) -> None:
    """The end of an entry just below the toolbar shows as much of it after a filter as before."""
    page = open_page(browser, tmp_path, _large(), (1280, 900))
    seen = page.run(f"""{TRIES.split("const results")[0]}
      const results = [];
      scrollTo({{ top: 9000, behavior: "instant" }});
      do await frames(3); while (!drawn());  // a busy browser draws the entries of a new place later
      const bottom = () => row.getBoundingClientRect().bottom - tools.offsetHeight - 8;
      let row = [...list.querySelectorAll(".row")].find((each) => each.getBoundingClientRect().top > 200);
      document.getElementById("list").style.marginTop = (({left} - bottom()) % 1) + "px";
      await frames(3);
      scrollBy({{ top: bottom() - {left}, behavior: "instant" }});
      do await frames(2); while (!drawn());
      const number = row.dataset.number;
      results.push(bottom());
      for (const act of acts.press(["Everything", "Everything"])) {{ act(); await frames(3); }}
      for (row = null; !row; row = list.querySelector(`.row[data-number="${{number}}"]`)) await frames(1);
      results.push(bottom());
      return results;
    }})()""")
    assert abs(seen[0] - left) < 0.6, seen
    assert abs(seen[0] - seen[1]) <= 0.6, seen


def test_open_all_and_back_keeps_what_is_read(browser: Browser, tmp_path: Path) -> None:
    """Entries change their height all over the page, but the one that is read does not move."""
    page = open_page(browser, tmp_path, _large(), (1280, 900))
    chance = random.Random(7)  # noqa: S311 - tries, not secrets
    tries = [
        {"at": chance.random(), "opened": None, "by": 0, "act": "press", "what": ["Open all", "Open all"]}
        for _ in range(25)
    ]
    for _, result in _results(page, tries):
        number = result["was"]["first"]
        for later in (*result["between"], result["now"]):
            assert abs(dict(later["rows"])[number] - dict(result["was"]["rows"])[number]) <= EXACT, result


def test_whoever_scrolls_is_let_go(browser: Browser, tmp_path: Path) -> None:
    """The place is kept while the page grows, but not against the reader; a filter then uses the new place."""
    events = _large()
    page = open_page(browser, tmp_path, events, (1280, 900), fragment=f"#s{len(events) // 2}")
    settle(page)
    top = "document.querySelector('.row.now').getBoundingClientRect().top"
    held = page.run(top)
    page.call("Input.dispatchMouseEvent", type="mouseWheel", x=400, y=600, deltaX=0, deltaY=300)
    page.run(
        f"new Promise((done) => {{ const look = () => {top} < {held} - 250 ? done() : requestAnimationFrame(look);"
        " look(); })"
    )
    settle(page)
    moved = page.run(top)
    assert moved < held - 250
    page.run("[...document.querySelectorAll('#tools button')].find((b) => b.textContent === 'Everything').click()")
    page.run("[...document.querySelectorAll('#tools button')].find((b) => b.textContent === 'Everything').click()")
    settle(page)
    assert abs(page.run(top) - moved) <= EXACT


def test_a_closed_entry_shows_its_head_alone(browser: Browser, tmp_path: Path) -> None:
    """Opened and closed again it is as high as before, and its content cannot be seen."""
    page = open_page(browser, tmp_path, plausible(), (1280, 900))
    page.run("window.one = [...document.querySelectorAll('.row')].find((row) => row.querySelector('button.head'))")
    page.run("one.scrollIntoView()")
    settle(page)
    height = "one.getBoundingClientRect().height"
    before = page.run(height)
    page.run("one.querySelector('button.head').click()")
    assert page.run(height) > before
    page.run("one.querySelector('button.head').click()")
    assert page.run(height) == before
    assert page.run("one.querySelector('.part').checkVisibility()") is False


LANDED = """(() => {
  const row = document.querySelector(".row.now");
  const tools = document.getElementById("tools");
  const edge = getComputedStyle(tools).position === "sticky" ? tools.getBoundingClientRect().bottom : 0;
  const diff = row.querySelector("pre.diff");
  return {
    label: row.querySelector(".head b").textContent,
    open: row.querySelector("button.head").getAttribute("aria-expanded"),
    below: row.getBoundingClientRect().top - edge,
    end: scrollY > document.documentElement.scrollHeight - innerHeight - 2,
    diff: Boolean(diff?.checkVisibility()) && diff.getBoundingClientRect().top < innerHeight,
  };
})()"""
SIZES = [(1440, 900), (1024, 700), (390, 844)]
LINKS = [".to-submission a:last-child", "#submitted a[href^='#s']"]


def _landed(page: Page) -> None:
    settle(page)
    found = page.run(LANDED)
    assert (found["label"], found["open"], found["diff"]) == ("Work submitted", "true", True)
    assert found["below"] >= 0
    assert found["below"] <= 12 or found["end"]  # a window that is taller than what follows


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("link", LINKS)
@pytest.mark.parametrize("by", ["click", "Enter"])
def test_a_link_to_the_difference_opens_it(
    browser: Browser, tmp_path: Path, size: tuple[int, int], link: str, by: str
) -> None:
    """By mouse and by keyboard, even after it was closed or filtered out, it is open and below the toolbar."""
    page = open_page(browser, tmp_path, _large(), size)

    enter: dict[str, Any] = {"key": "Enter", "code": "Enter", "windowsVirtualKeyCode": 13, "text": "\r"}

    def follow() -> None:
        if by == "click":
            page.run(f'document.querySelector("{link}").click()')
            return
        page.run(f'document.querySelector("{link}").focus()')
        for kind in ("keyDown", "keyUp"):
            page.call("Input.dispatchKeyEvent", type=kind, **enter)

    follow()
    _landed(page)
    page.run("document.querySelector('.row.now button.head').click()")
    page.run("scrollTo(0, 0)")
    settle(page)
    follow()
    _landed(page)
    page.run("[...document.querySelectorAll('#tools button')].find((b) => b.textContent === 'Prompts').click()")
    settle(page)
    follow()
    _landed(page)


@pytest.mark.parametrize("size", SIZES)
def test_an_address_with_the_difference_opens_it(browser: Browser, tmp_path: Path, size: tuple[int, int]) -> None:
    """An address with a fragment shows the difference; the same holds for an entry in the middle."""
    events = _large()
    last = next(event.seq for event in events if event.kind == "submission_final")
    _landed(open_page(browser, tmp_path, events, size, fragment=f"#s{last}"))
    middle = next(event.seq for event in events[len(events) // 2 :] if event.kind == "tool_call")
    page = open_page(browser, tmp_path, events, size, fragment=f"#s{middle}")
    settle(page)
    found = page.run(LANDED)
    assert (found["label"], found["open"]) == ("Edit", "true")
    assert 0 <= found["below"] <= 12
