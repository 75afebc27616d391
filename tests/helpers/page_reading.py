"""A replay's page in a real browser, and sessions so long that a reader can lose their place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.helpers.sessions import CLAUDE, Script

from promptster.replay.exporters import find
from promptster.replay.loading import from_opened

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tests.helpers.chromium import Browser, Page

    from promptster.protocol.events import OpenedEvent
    from promptster.replay.loading import ReplayHeading


def open_page(
    browser: Browser,
    folder: Path,
    events: Sequence[OpenedEvent],
    size: tuple[int, int] = (1280, 900),
    *,
    fragment: str = "",
    facts: ReplayHeading | None = None,
) -> Page:
    """The page of a session, opened at a size in CSS pixels and with an address that ends in ``fragment``."""
    file = folder / "replay.html"
    file.write_bytes(b"".join(find("html").export(from_opened(events, facts=facts))))
    page = browser.page()
    page.size(*size)
    page.go(file.as_uri() + fragment)
    return page


def settle(page: Page) -> None:
    """Wait until rows have found their height, which takes a few frames."""
    for _ in range(6):
        page.settle()


def long_session(turns: int) -> Script:
    """A session with tall outputs and edits here and there; every filter has something to show."""
    script = Script()
    script.add("candidate", "note", text="to begin with")
    script.add("recorder", "capture_degraded", detail="a disk")
    script.add("hook", "command", lane=1, command="ls", **CLAUDE)
    script.add("hook", "subagent_started", lane=2, agent_id="s", agent_type="Explore", **CLAUDE)
    for number in range(turns):
        script.prompt(f"prompt {number} " + "with words " * (number % 40))
        script.turn(f"answer {number} " + "and more " * (number % 90), tools=(f"t{number}",))
        changed: Any = ("file_edit", {"path": f"{number}.py", "before": "a\n", "after": "b\n", "operation": "modify"})
        output = "output\n" * (number % 60)
        script.tool(
            f"t{number}", "Edit", {"file_path": f"{number}.py"}, output, extra=changed if number % 7 == 0 else None
        )
        if number % 31 == 0:
            script.add("hook", "command", lane=1, command=f"make {number}", output="ok\n" * number, **CLAUDE)
            script.add("candidate", "note", text=f"note {number}")
    return script
