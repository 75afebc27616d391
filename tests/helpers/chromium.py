"""A real, headless Chromium driven through its debugging pipe, so that no port is opened."""

from __future__ import annotations

import base64
import fcntl
import json
import os
import select
import shutil
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Generator

_PATIENCE_S = 60
"""Seconds of silence after which the test no longer waits for the browser."""
_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--disable-extensions", "--hide-scrollbars", "--mute-audio", "--remote-debugging-pipe",
)  # fmt: skip
_SHIM = "import os,sys; os.dup2(int(sys.argv[1]),3); os.dup2(int(sys.argv[2]),4); os.execv(sys.argv[3], sys.argv[3:])"


def find_chromium() -> str | None:
    """The browser's path, if one is installed."""
    return next((path for name in _NAMES if (path := shutil.which(name))), None)


class BrowserError(Exception):
    """The browser refused a command, or exited."""


@dataclass
class Page:
    """One page, with its requests and its console output."""

    _browser: Browser
    _session: str
    requests: list[str] = field(default_factory=list[str])
    """Addresses that the page or anything in it asked for."""
    problems: list[str] = field(default_factory=list[str])
    """Exceptions and messages of the browser's log."""

    def go(self, url: str) -> None:
        """Load an address and wait for its load event."""
        self.call("Page.navigate", url=url)
        self._browser.wait_for("Page.loadEventFired", self._session)

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Run one command of the debugging protocol."""
        return self._browser.call(method, self._session, **parameters)

    def run(self, expression: str) -> Any:
        """Evaluate an expression as a person at the console would. The page's own policy does not apply to it."""
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in answer:
            raise BrowserError(json.dumps(answer["exceptionDetails"])[:500])
        return answer["result"].get("value")

    def settle(self) -> None:
        """Wait until two frames were drawn."""
        self.run("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")

    def size(self, width: int, height: int, *, scale: float = 1) -> None:
        """The viewport in CSS pixels."""
        self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=scale, mobile=False
        )

    def screenshot(self) -> bytes:
        """A screenshot as PNG."""
        return base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"])


class Browser:
    """The process and its pipe."""

    def __init__(self, writer: IO[bytes], reader: IO[bytes]) -> None:
        """Speak through the two ends; ``reader`` is unbuffered."""
        self._writer, self._reader = writer, reader
        self._waiting: bytearray = bytearray()
        self._last = 0
        self._pages: dict[str, Page] = {}
        self._seen: list[tuple[str, str]] = []

    def call(self, method: str, session: str | None = None, **parameters: Any) -> dict[str, Any]:
        """Send a command and wait for its answer."""
        self._last += 1
        message: dict[str, Any] = {"id": self._last, "method": method, "params": parameters}
        if session:
            message["sessionId"] = session
        self._writer.write(json.dumps(message).encode() + b"\0")
        self._writer.flush()
        while True:
            answer = self._read()
            if answer.get("id") == self._last:
                if "error" in answer:
                    raise BrowserError(f"{method}: {answer['error']}")
                result: dict[str, Any] = answer["result"]
                return result

    def wait_for(self, event: str, session: str) -> None:
        """Wait until a page sent an event."""
        while (event, session) not in self._seen:
            self._read()
        self._seen.clear()

    def page(self) -> Page:
        """A new, empty page."""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        page = self._pages[session] = Page(self, session)
        for domain in ("Page", "Runtime", "Network", "Log"):
            page.call(f"{domain}.enable")
        self._seen.clear()
        return page

    def _read(self) -> dict[str, Any]:
        while (end := self._waiting.find(b"\0")) < 0:
            ready, _, _ = select.select([self._reader], [], [], _PATIENCE_S)
            data: bytes = self._reader.read(1 << 20) if ready else b""
            if not data:
                raise BrowserError("the browser left" if ready else "the browser hangs")
            self._waiting.extend(data)
        message: dict[str, Any] = json.loads(self._waiting[:end])
        del self._waiting[: end + 1]
        page = self._pages.get(message.get("sessionId", ""))
        method, parameters = message.get("method", ""), message.get("params", {})
        self._seen.append((method, message.get("sessionId", "")))
        if page and method == "Network.requestWillBeSent":
            page.requests.append(parameters["request"]["url"])
        elif page and method == "Runtime.exceptionThrown":
            page.problems.append(json.dumps(parameters["exceptionDetails"])[:500])
        elif page and method == "Log.entryAdded":
            page.problems.append(parameters["entry"]["text"])
        elif page and method == "Page.javascriptDialogOpening":
            page.problems.append(f"dialog: {parameters['message']}")
        return message


@contextmanager
def chromium(path: str, **environment: str) -> Generator[Browser]:
    """A browser with a new, empty profile and, if given, more environment variables; it ends with the block."""
    down_read, down_write = _pipe()
    up_read, up_write = _pipe()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        command = [
            sys.executable,
            "-c",
            _SHIM,
            str(down_read),
            str(up_write),
            path,
            *_FLAGS,
            f"--user-data-dir={profile}",
        ]
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=(down_read, up_write),
            cwd=Path(profile),
            env={**os.environ, "HOME": profile, **environment},
        )
        os.close(down_read)
        os.close(up_write)
        with os.fdopen(down_write, "wb") as writer, os.fdopen(up_read, "rb", buffering=0) as reader:
            browser = Browser(writer, reader)
            try:
                yield browser
            finally:
                process.kill()
                process.wait()


def _pipe() -> tuple[int, int]:
    """A pipe whose file descriptors are above the numbers that the browser expects."""
    ends: list[int] = []
    for end in os.pipe():
        ends.append(fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 10))
        os.close(end)
    return ends[0], ends[1]
