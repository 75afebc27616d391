"""The page in a real browser: hostile sessions run and request nothing, large ones open and can be read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from tests.helpers.page_reading import open_page
from tests.helpers.plausible import plausible
from tests.helpers.sessions import CLAUDE, Script

from promptster.replay.exporters import find
from promptster.replay.loading import ReplayHeading, from_opened
from promptster.replay.page.markup import visible

if TYPE_CHECKING:
    from pathlib import Path

    from tests.helpers.chromium import Browser

    from promptster.protocol.events import OpenedEvent

HOSTILE = (
    "<script>window.ran = 1</script>",
    "</script><script>window.ran = 1</script>",
    "<!--<script>",
    "--><script>window.ran = 1</script>",
    "<img src=x onerror='window.ran = 1'>",
    "<img src='http://127.0.0.1:9/seen.png'>",
    "<svg/onload=window.ran=1>",
    "<iframe srcdoc='<script>parent.ran = 1</script>'></iframe>",
    "<link rel=stylesheet href='http://127.0.0.1:9/seen.css'><style>@import 'http://127.0.0.1:9/seen.css'</style>",
    "<meta http-equiv=refresh content='0;url=http://127.0.0.1:9/gone'>",
    "<a href='javascript:window.ran = 1' id=index class=rows>x</a>",
    "<base href='http://127.0.0.1:9/'>",
    "<form action='http://127.0.0.1:9/'><button autofocus onfocus='window.ran = 1'>x</button></form>",
    "\" onmouseover='window.ran = 1' autofocus onfocus='window.ran = 1' x=\"",
    "' style='background: url(http://127.0.0.1:9/seen.png)' '",
    "{{constructor.constructor('window.ran = 1')()}}${window.ran = 1}`+(window.ran = 1)+`",
    "</title></style></textarea></noscript></template><script>window.ran = 1</script>",
    "\x1b]52;c;ZXZpbA==\x07\x1b[2J\x1b[31mred\x9b31m",
    "\u202eexe.txt\u2066 \u200f\ufeff \U000e0041\U000e0042",
    "__proto__",
    "\u2028\u2029\x00\x85",
    "```\n<script>window.ran = 1</script>\n``` `<b>`",
    "A" * 400_000,
    ("<b>" * 20_000) + "\n",
)
OPEN_ALL = "[...document.querySelectorAll('#tools button')].find((b) => b.textContent === 'Open all').click()"
FILL = "dispatchEvent(new Event('beforeprint'))"


def _hostile() -> list[OpenedEvent]:
    script = Script()
    for number, text in enumerate(HOSTILE):
        lane: dict[str, Any] = {"lane": number + 1, "agent": text, "agent_session": text, "agent_id": text}
        script.add("hook", "prompt", text=text, **lane)
        script.add("proxy", "prompt", text=text + " ", prompt_id=text, **lane)
        request = script.add("proxy", "model_request", model=text, provider=text, purpose="work", **lane)
        script.add("proxy", "model_response", refs=(request,), attempt=1, outcome="cut", text=text, **lane)
        script.add(
            "proxy", "model_response", refs=(request,), attempt=2, outcome="complete", text=text, thinking=text, **lane
        )
        script.add("proxy", "tool_call", tool_use_id=text[:50] + str(number), name=text, input={text: text}, **lane)
        script.add("hook", "tool_result", tool_use_id=text[:50] + str(number), name=text, content=text, **lane)
        script.add(
            "hook", "file_edit", tool_use_id=text[:50] + str(number), path=text, before=text, after=text + "x", **lane
        )
        script.add("hook", "command", command=text, output=text, error_output=text, cwd=text, exit_code=1, **lane)
        script.add("hook", "subagent_started", agent_type=text, prompt=text, **lane)
        script.add("hook", "permission", name=text, decision=text, input=text, **lane)
        script.add("hook", "agent_other", raw_kind=text, payload={"x": [text]}, **lane)
        script.add("candidate", "note", text=text)
        script.add("candidate", "paused", reason=text)
        script.add("candidate", "resumed", reason=text)
        script.add("recorder", "capture_gap", source=text, detail=text)
        script.add(
            "workspace", "submission_final", diff=text, manifest=[{"path": text, "status": text, "reason": text}]
        )
    return script.events


def test_a_hostile_session_runs_nothing_and_asks_for_nothing(browser: Browser, tmp_path: Path) -> None:
    """With every field full of attacks only the page's own script runs, no request is made, and all is shown."""
    text = HOSTILE[1]
    page = open_page(
        browser, tmp_path, _hostile(), facts=ReplayHeading(title=text, organisation=text, candidate=text, session=text)
    )
    page.run(OPEN_ALL)
    page.run(FILL)
    page.settle()
    assert page.run("typeof window.ran") == "undefined"
    assert page.problems == []
    assert [url for url in page.requests if not url.startswith("file://")] == []
    assert len(page.requests) == 1
    assert (
        page.run("document.querySelectorAll('#list script, #list img, #list iframe, #list b b, #list form').length")
        == 0
    )
    assert page.run("document.querySelectorAll('script').length") == page.run(
        "document.querySelectorAll('script[type=\"application/json\"]').length + 1"
    )
    shown = page.run("document.querySelector('#list').textContent")
    for attack in HOSTILE[:2]:
        assert attack in shown
    assert "\u202e" not in shown
    assert "\\u{202e}" in shown
    assert "\\u{1b}]52;c;" in shown


def test_the_script_shows_unseen_characters_as_the_rest_does(browser: Browser, tmp_path: Path) -> None:
    """For all of Unicode, alone and between other characters, the script does what the markup's escaper does."""
    companions = ("{}", "a{}b", "\u06cc{}\u062e", "\u094d{}x", "👩{}💻", "❤{}", "葛{}", "🏴{}", "\u1820{}")
    codes = (*range(9), *range(11, 0x3000), *range(0xFB00, 0x10000), *range(0x1BC00, 0x1BD00), *range(0xE0000, 0xE1000))
    letters = [chr(code) for code in codes if chr(code) != "`"]
    script = Script()
    texts = [
        "\n".join(form.format(letter) for letter in letters[first : first + 5000])
        for form in companions
        for first in range(0, len(letters), 5000)
    ]
    for text in texts:
        script.add("candidate", "note", text=text)
    page = open_page(browser, tmp_path, script.events)
    page.run("document.querySelectorAll('#list .more').forEach((button) => button.click())")
    found = page.run("[...document.querySelectorAll('#list .prose')].map((node) => node.textContent)")
    assert found == [visible(text) for text in texts]


def test_the_detection_detects(browser: Browser, tmp_path: Path) -> None:
    """The same attacks in a page without protection do run and make requests, so the test above would see them."""
    file = tmp_path / "open.html"
    file.write_text("<!doctype html><body>" + HOSTILE[0] + HOSTILE[5])
    page = browser.page()
    page.go(file.as_uri())
    assert page.run("window.ran") == 1
    assert "http://127.0.0.1:9/seen.png" in page.requests


def test_markup_that_gets_in_is_stopped_by_the_pages_own_policy(browser: Browser, tmp_path: Path) -> None:
    """If text became markup after all, the page's own policy would refuse script and requests."""
    page = open_page(browser, tmp_path, plausible())
    page.run(
        "document.body.insertAdjacentHTML('beforeend', \"<img src='http://127.0.0.1:9/x.png' onerror='window.ran = 1'>"
        "<iframe src='http://127.0.0.1:9/frame'></iframe><div style='color: red' id=styled>x</div>\");"
        "const s = document.createElement('script'); s.textContent = 'window.ran = 1'; document.body.append(s);"
        "fetch('http://127.0.0.1:9/f').catch(() => 0)"
    )
    page.settle()
    assert page.run("typeof window.ran") == "undefined"
    assert page.run("document.getElementById('styled').style.color") == ""
    assert len(page.problems) >= 4
    assert all("Content Security Policy" in problem for problem in page.problems)


def test_a_large_session_opens_at_once_and_is_whole(browser: Browser, tmp_path: Path) -> None:
    """Of 5,000 events only what is in view is built at first; every row can be reached, and searched."""
    script = Script()
    number = 0
    while len(script.events) < 5000:
        if number % 10 == 0:
            script.prompt(f"prompt {number}")
        script.turn(f"answer {number} " + "with words " * 30, tools=(f"t{number}",))
        script.tool(f"t{number}", "Bash", {"command": f"make step-{number}"}, "output\n" * 30, hook=number % 3 > 0)
        number += 1
    page = open_page(browser, tmp_path, script.events)
    rows = int(page.run("document.body.dataset.rows"))
    assert rows > 1000
    assert page.run("document.querySelectorAll('.row').length") <= rows
    page.run(FILL)
    assert page.run("document.querySelectorAll('.row').length") == rows
    last = max(event.seq for event in script.events if event.kind == "tool_call" and event.src == "proxy")
    page.run(f"location.hash = '#s{last}'")
    page.settle()
    assert page.run("document.querySelector('.row.now .subject').textContent") == f"make step-{number - 1}"
    page.run(
        "const i = document.querySelector('#tools input');i.value = 'make step-77'; i.dispatchEvent(new Event('input'))"
    )
    page.run("new Promise((done) => setTimeout(done, 400))")
    assert page.run("[...document.querySelectorAll('.row > .body > .head .subject')].map((n) => n.textContent)") == [
        "make step-77", *(f"make step-{n}" for n in range(770, min(780, number))),
    ]  # fmt: skip
    assert page.problems == []


def test_filters_show_what_they_name(browser: Browser, tmp_path: Path) -> None:
    """A filter shows a kind, a conversation, or everything: the count says what is not shown."""
    page = open_page(browser, tmp_path, plausible())
    press = "[...document.querySelectorAll('#tools button')].find((b) => b.textContent === '{}').click()"
    labels = "[...document.querySelectorAll('.row .head b')].map((n) => n.textContent)"
    page.run(press.format("Prompts"))
    assert page.run(labels) == ["Prompt"] * 5
    page.run(press.format("Commands"))
    assert page.run(labels) == ["Prompt", "Prompt", "Bash", "Prompt", "Bash", "Prompt", "Prompt"]
    page.run(press.format("Prompts"))
    page.run(press.format("Commands"))
    page.run("const s = document.querySelector('#tools select'); s.value = '2'; s.dispatchEvent(new Event('change'))")
    assert page.run(labels) == ["Subagent started", "Grep", "Subagent finished"]
    page.run(
        "const s2 = document.querySelector('#tools select'); s2.value = '-1'; s2.dispatchEvent(new Event('change'))"
    )
    page.run(press.format("Everything"))
    assert (
        page.run("document.getElementById('count').textContent") == page.run("document.body.dataset.rows") + " entries"
    )
    assert "Rate limiter for an API" in page.run("document.querySelector('#list').textContent")


def test_the_keyboard_reaches_everything(browser: Browser, tmp_path: Path) -> None:
    """Keys move through the page: j and k by rows, n and p by prompts, o opens, / searches; a focused row is marked."""
    page = open_page(browser, tmp_path, plausible())
    press = "document.dispatchEvent(new KeyboardEvent('keydown', {{key: '{}', bubbles: true}}))"
    now = "document.querySelector('.row.now .head b').textContent"
    page.run(press.format("n"))
    assert page.run(now) == "Prompt"
    for key in "jj":
        page.run(press.format(key))
    assert page.run(now) == "Read"
    page.run(press.format("o"))
    assert page.run("document.querySelector('.row.now button').getAttribute('aria-expanded')") == "true"
    assert "class RateLimiter" in page.run("document.querySelector('.row.now').innerText")
    page.run(press.format("k"))
    assert page.run(now) == "Answer"
    page.run(press.format("/"))
    assert page.run("document.activeElement.type") == "search"


def test_a_control_that_was_used_keeps_the_focus(browser: Browser, tmp_path: Path) -> None:
    """The toolbar is redrawn by its own buttons; the focus stays on the button that was used, whatever its label."""
    page = open_page(browser, tmp_path, plausible())
    count = page.run("document.querySelectorAll('#tools button').length")
    for number in range(count):
        for _ in range(2):
            page.run(f"(document.querySelectorAll('#tools button')[{number}]).focus()")
            page.run("document.activeElement.click()")
            focused = "[...document.querySelectorAll('#tools button')].indexOf(document.activeElement)"
            assert page.run(focused) == number


@pytest.mark.parametrize(("width", "height"), [(1280, 800), (390, 844), (320, 600)])
def test_no_width_scrolls_sideways(browser: Browser, tmp_path: Path, width: int, height: int) -> None:
    """At desktop and phone widths, with long unbroken text everywhere, the page stays inside its window."""
    script = Script()
    for event in [*plausible(), *_hostile()[-34:]]:
        script.add(event.src, event.kind, lane=event.lane, **event.fields)
    script.add("proxy", "tool_call", lane=1, tool_use_id="w", name="W" * 300, input={"command": "w" * 3000}, **CLAUDE)
    page = open_page(browser, tmp_path, script.events, facts=ReplayHeading(title="T" * 300, session="s" * 300))
    page.size(width, height)
    page.run(OPEN_ALL)
    page.run(FILL)
    page.settle()
    assert page.run("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("width", [688, 1000])
def test_a_printed_page_has_all_within_its_edges(browser: Browser, tmp_path: Path, width: int) -> None:
    """On paper nothing scrolls or is hidden: each box and each long text is whole, and there is no toolbar."""
    script = Script()
    for event in plausible():
        script.add(event.src, event.kind, lane=event.lane, **event.fields)
    script.turn("It begins.\n" + "A long answer.\n" * 1500 + "It ends.\n\n```\n" + "code\n" * 90 + "```\n")
    file = tmp_path / "replay.html"
    file.write_bytes(b"".join(find("html").export(from_opened(script.events))))
    page = browser.page()
    page.size(width, 1000)
    page.go(file.as_uri())
    page.run("[...document.querySelectorAll('#tools button')].find((b) => b.textContent === 'Open all').click()")
    page.run("dispatchEvent(new Event('beforeprint'))")
    page.call("Emulation.setEmulatedMedia", media="print")
    page.settle()
    assert page.run("document.documentElement.scrollWidth") == width
    assert page.run("document.getElementById('tools').checkVisibility()") is False
    assert page.run("[...document.querySelectorAll('.prose')].some((each) => each.innerText.includes('It ends.'))")
    assert page.run("document.querySelectorAll('.more').length") == 0
    assert page.run("[...document.querySelectorAll('pre')].every((box) => box.scrollHeight <= box.clientHeight + 1)")


def test_without_script_the_summary_stands(browser: Browser, tmp_path: Path) -> None:
    """With scripts disabled the page still shows verdict, counts, gaps and submission, and says what is missing."""
    file = tmp_path / "replay.html"
    file.write_bytes(b"".join(find("html").export(from_opened(plausible()))))
    page = browser.page()
    page.call("Emulation.setScriptExecutionDisabled", value=True)
    page.go(file.as_uri())
    text = page.run("document.body.innerText")
    assert "This page proves nothing by itself" in text
    assert "recording was paused: the doorbell" in text
    assert "Scripts are switched off. The timeline and the links into it need this page's own script" in text
    assert "`" not in page.run("document.getElementById('timeline').innerText")


@pytest.mark.parametrize("before", ["", "a"])
def test_a_long_text_is_not_cut_within_a_character(browser: Browser, tmp_path: Path, before: str) -> None:
    """An emoji at the end of what is shown at first is whole or left out; it is never shown as an unseen character."""
    script = Script()
    script.add("candidate", "note", text=before + "\U0001f600" * 5000)
    page = open_page(browser, tmp_path, script.events)
    assert page.run("document.querySelectorAll('.more').length") == 1
    assert page.run("document.querySelectorAll('.ctl').length") == 0
