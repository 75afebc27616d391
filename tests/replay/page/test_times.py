"""Times on the page: the reader's own if its script runs, otherwise UTC with a note."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest
from tests.helpers.bundles import Bundler
from tests.helpers.chromium import chromium, find_chromium
from tests.helpers.plausible import plausible
from tests.helpers.sessions import START_MS, Script

from promptster.replay.exporters import find
from promptster.replay.loading import from_bundle, from_opened
from promptster.replay.page.instants import instant
from promptster.times import moment

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.helpers.chromium import Browser

ZONES = {
    "Asia/Kolkata": "UTC+05:30",
    "America/New_York": "UTC\N{MINUS SIGN}05:00",
    "America/St_Johns": "UTC\N{MINUS SIGN}03:30",
    "UTC": "UTC",
}
"""Zones, and how the page names them at the end of November."""
HOUR_MS = 3_600_000
TOLD = re.compile(r"\d{1,2} [A-Z][a-z]+ 20\d\d, \d\d:\d\d(?: UTC)?")


@pytest.fixture(scope="module", params=list(ZONES))
def abroad(request: pytest.FixtureRequest) -> Iterator[tuple[str, Browser]]:
    """A reader's zone, and a browser there."""
    path = find_chromium()
    if path is None:
        pytest.skip("no Chromium is installed: the page was not opened in a browser")
    zone: str = request.param
    with chromium(path, TZ=zone) as found:
        yield zone, found


def _bundled() -> bytes:
    """The page of a verified bundle: with a start, an end and a consent."""
    bundler = Bundler()
    bundle = bundler.bundle(plausible())
    return b"".join(find("html").export(from_bundle(bundle, bundler.certified.keys.fingerprints)))


def test_every_time_is_the_readers_own(abroad: tuple[str, Browser], tmp_path: Path) -> None:
    """Start, end and consent are as in a terminal there; the zone is in the head and in every tooltip."""
    zone, browser = abroad
    file = tmp_path / "replay.html"
    file.write_bytes(_bundled())
    page = browser.page()
    page.go(file.as_uri())
    told: list[Any] = page.run(
        "[...document.querySelectorAll('time')].map((each) => [Date.parse(each.dateTime), each.textContent,"
        " each.title, each.dateTime])"
    )
    assert len(told) == 3
    for number, (ms, text, title, machine) in enumerate(told):
        assert text == moment(ms, zone=ZoneInfo(zone)) + (f" ({ZONES[zone]})" if number == 0 else "")
        assert title == f"{ZONES[zone]}; {machine}"
    assert told[0][0] // 60_000 == (START_MS + 40) // 60_000
    page.run("document.querySelector('.checked details').open = true")
    shown = TOLD.findall(page.run("document.body.innerText"))
    assert shown == [moment(ms, zone=ZoneInfo(zone)) for ms, *_ in told]
    tips: list[Any] = page.run(
        "[...document.querySelectorAll('.when')].map((each) => [each.title, each.closest('.row').dataset.number])"
    )
    starts = page.run("JSON.parse(document.getElementById('index').textContent)")
    assert len(tips) > 10
    for tip, row in tips:
        ms = starts["start"] + starts["rows"][int(row)][3]
        assert tip.startswith(f"{moment(ms, zone=ZoneInfo(zone))} ({ZONES[zone]}; 2026-")
    assert page.problems == []


def test_all_months_and_both_halves_of_the_year_are_told_as_in_a_terminal(
    abroad: tuple[str, Browser], tmp_path: Path
) -> None:
    """This holds for every month's name, midnights, and clocks that were put forward and back."""
    zone, browser = abroad
    file = tmp_path / "replay.html"
    file.write_bytes(_bundled())
    page = browser.page()
    page.go(file.as_uri())
    moments = [START_MS + 13 * 24 * HOUR_MS * step + HOUR_MS * step for step in range(60)]
    found = page.run(f"{moments}.map((ms) => readersTime.moment(new Date(ms)))")
    assert found == [moment(ms, zone=ZoneInfo(zone)) for ms in moments]


def test_without_script_times_are_in_utc_and_say_so(browser: Browser, tmp_path: Path) -> None:
    """The text in the file is correct without the script."""
    file = tmp_path / "replay.html"
    file.write_bytes(_bundled())
    page = browser.page()
    page.call("Emulation.setScriptExecutionDisabled", value=True)
    page.call("Emulation.setTimezoneOverride", timezoneId="Asia/Kolkata")
    page.go(file.as_uri())
    text = page.run("document.body.textContent")
    shown = TOLD.findall(text.partition("The timeline needs this page's own script")[0])
    assert len(shown) == 3
    assert all(told.endswith(" UTC") for told in shown)
    assert moment(START_MS + 40, zone=ZoneInfo("UTC")) + " UTC" == shown[0]


def test_the_same_session_makes_the_same_page_in_every_zone(monkeypatch: pytest.MonkeyPatch) -> None:
    """No byte depends on where the page is made."""
    pages: set[bytes] = set()
    bundler = Bundler()
    bundle = bundler.bundle(plausible())
    try:
        for zone in ZONES:
            monkeypatch.setenv("TZ", zone)
            time.tzset()
            pages.add(b"".join(find("html").export(from_bundle(bundle, ()))))
    finally:
        monkeypatch.undo()
        time.tzset()
    assert len(pages) == 1


def test_a_page_without_a_timeline_tells_its_times_too(abroad: tuple[str, Browser], tmp_path: Path) -> None:
    """A bundle that cannot be opened still says when it was closed, in the reader's time."""
    zone, browser = abroad
    bundler = Bundler()
    bundle = bundler.bundle(plausible(), leave_out=frozenset(range(20)))
    file = tmp_path / "replay.html"
    file.write_bytes(b"".join(find("html").export(from_bundle(bundle, bundler.certified.keys.fingerprints))))
    page = browser.page()
    page.go(file.as_uri())
    told: list[Any] = page.run(
        "[...document.querySelectorAll('time')].map((each) => [Date.parse(each.dateTime), each.textContent])"
    )
    assert told
    assert [text for _, text in told] == [moment(ms, zone=ZoneInfo(zone)) for ms, _ in told]
    assert page.problems == []


@pytest.mark.parametrize("ms", [253_402_300_800_000 + 86_400_000, 8_640_000_000_000_001, 9_007_199_254_740_991])
def test_an_entry_at_a_time_that_no_calendar_holds_is_shown_with_all_others(
    browser: Browser, tmp_path: Path, ms: int
) -> None:
    """Its tooltip has the number; an impossible time costs the reader nothing else."""
    script = Script()
    script.prompt("as it should be")
    script.now_ms = ms - 40
    script.add("candidate", "note", text="far away")
    script.now_ms = START_MS + HOUR_MS
    script.prompt("afterwards")
    file = tmp_path / "replay.html"
    file.write_bytes(b"".join(find("html").export(from_opened(script.events))))
    page = browser.page()
    page.go(file.as_uri())
    titles = page.run("[...document.querySelectorAll('.row .when')].map((each) => each.title)")
    assert len(titles) == 3
    assert titles[1] == f"{ms} ms after 1970, event 2"
    assert TOLD.match(titles[0])
    assert TOLD.match(titles[2])
    assert page.problems == []


@pytest.mark.parametrize("ms", [-(10**17), 10**17, 10**30])
def test_a_time_that_no_calendar_holds_is_a_number(ms: int) -> None:
    """No other time is shown in its place."""
    assert instant(ms) == f"{ms} ms after 1970"
