"""A whole, realistic session: an engineer builds a rate limiter with an agent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.helpers.sessions import CLAUDE, Script

if TYPE_CHECKING:
    from promptster.protocol.events import OpenedEvent

_LIMITER_BEFORE = '''"""Limits how often a client may call."""

import time


class RateLimiter:
    def __init__(self, rate, burst):
        self.rate = rate
        self.burst = burst

    def allow(self, client):
        raise NotImplementedError
'''
_LIMITER_AFTER = '''"""Limits how often a client may call: a token bucket per client."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable


class RateLimiter:
    """``burst`` tokens at most, refilled at ``rate`` tokens a second."""

    def __init__(self, rate: float, burst: int, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.rate = rate
        self.burst = burst
        self._clock = clock
        self._lock = threading.Lock()
        self._buckets: dict[str, tuple[float, float]] = {}

    def allow(self, client: str) -> bool:
        with self._lock:
            now = self._clock()
            tokens, then = self._buckets.get(client, (float(self.burst), now))
            tokens = min(self.burst, tokens + (now - then) * self.rate)
            allowed = tokens >= 1
            self._buckets[client] = (tokens - allowed, now)
            return allowed
'''
_TESTS = """from limiter import RateLimiter


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_burst_passes_and_the_next_call_waits() -> None:
    clock = Clock()
    limiter = RateLimiter(rate=1, burst=3, clock=clock)
    assert [limiter.allow("ada") for _ in range(4)] == [True, True, True, False]
    clock.now += 1
    assert limiter.allow("ada")


def test_clients_do_not_share_a_bucket() -> None:
    limiter = RateLimiter(rate=1, burst=1, clock=Clock())
    assert limiter.allow("ada")
    assert limiter.allow("grace")
"""
_FAILURE = """F.                                                                       [100%]
=================================== FAILURES ===================================
________________ test_a_burst_passes_and_the_next_call_waits __________________
E       assert [True, True, True, True] == [True, True, True, False]
1 failed, 1 passed in 0.04s
"""
_DIFF = """diff --git a/limiter.py b/limiter.py
index 3c1f0aa..9e02b7d 100644
--- a/limiter.py
+++ b/limiter.py
@@ -1,12 +1,27 @@
-\"\"\"Limits how often a client may call.\"\"\"
+\"\"\"Limits how often a client may call: a token bucket per client.\"\"\"
\x20
+from __future__ import annotations
+
+import threading
 import time
+from collections.abc import Callable
diff --git a/test_limiter.py b/test_limiter.py
new file mode 100644
--- /dev/null
+++ b/test_limiter.py
@@ -0,0 +1,3 @@
+from limiter import RateLimiter
+
+
"""
_EXPLORER = "a3f19c"


def plausible() -> list[OpenedEvent]:
    """The session's events in order."""
    script = Script()
    _opening(script)
    _reading(script)
    _building(script)
    _checking(script)
    _closing(script)
    return script.events


def _opening(script: Script) -> None:
    script.add(
        "candidate",
        "consent",
        policy_sha256="9f2c" * 16,
        choices={"hooks": True},
        locale="en_GB",
        decided_ms=script.now_ms,
    )
    script.add(
        "recorder", "opened", cli_version="0.1.0", platform="Linux 6.1", choices={}, path_check={"anthropic": "401"}
    )
    script.add(
        "workspace", "submission_baseline", commit="4be1c0d2", tree="77aa01", repository="rate-limiter", manifest=[]
    )
    script.turn("Rate limiter for an API", purpose="title", after_ms=9_000)


def _reading(script: Script) -> None:
    script.prompt(
        "Read limiter.py and how it is used. I want a token bucket per client, safe under threads, with an injectable "
        "clock so that we can test it without sleeping. Tell me your plan before you change anything.",
        after_ms=14_000,
    )
    script.turn(
        "I'll look at the module and at every place that calls it.",
        tools=("toolu_01", "toolu_02"),
        thinking="Two reads can run at once.",
    )
    script.tool("toolu_01", "Read", {"file_path": "limiter.py"}, _LIMITER_BEFORE)
    script.tool(
        "toolu_02", "Task", {"description": "Find callers", "prompt": "Find every caller of RateLimiter"},
        "Two callers: api/middleware.py:31 and jobs/mailer.py:12. Both pass a client id and test the boolean.",
        takes_ms=6200,
    )  # fmt: skip
    who: dict[str, Any] = {**CLAUDE, "agent_id": _EXPLORER}
    script.add(
        "hook", "subagent_started", lane=2, agent_type="Explore", prompt="Find every caller of RateLimiter", **who
    )
    script.tool(
        "toolu_03", "Grep", {"pattern": "RateLimiter\\(", "path": "."},
        "api/middleware.py:31: limiter = RateLimiter(rate=5, burst=10)\njobs/mailer.py:12:limiter = RateLimiter(1, 1)",
        lane=2, agent_id=_EXPLORER,
    )  # fmt: skip
    script.add(
        "hook", "subagent_stopped", lane=2, agent_type="Explore", text="Two callers, both test the boolean.", **who
    )
    script.turn(
        "Here is my plan:\n\n1. Keep the constructor's signature and add a keyword-only `clock`.\n2. One bucket per "
        "client: `(tokens, last refill)`, refilled lazily on each call.\n3. One lock around read-modify-write; the "
        "section is short.\n4. Tests with a hand-moved clock.\n\nBoth callers keep working unchanged. Shall I go on?",
    )


def _building(script: Script) -> None:
    script.prompt("Yes. But write the tests first, and let me see them fail.", after_ms=41_000)
    overloaded = {"outcome": "error", "status": 529, "error": {"type": "overloaded_error"}}
    broken = {"outcome": "cut", "status": 200, "text": "I'll start with the tests, and"}
    script.turn("I'll start with the tests.", tools=("toolu_04",), faults=(overloaded, broken))
    script.tool(
        "toolu_04", "Write", {"file_path": "test_limiter.py", "content": _TESTS}, "File created successfully",
        extra=("file_edit", {"path": "test_limiter.py", "operation": "create", "before": "", "after": _TESTS}),
    )  # fmt: skip
    script.turn("Now run them: they should fail, as nothing is implemented.", tools=("toolu_05",))
    command = {
        "command": "python -m pytest -q",
        "cwd": "/home/ada/assessment",
        "exit_code": 1,
        "output": _FAILURE,
        "duration_ms": 1340,
    }
    script.tool(
        "toolu_05",
        "Bash",
        {"command": "python -m pytest -q"},
        _FAILURE,
        takes_ms=1340,
        is_error=True,
        extra=("command", command),
    )
    script.add("candidate", "paused", reason="the doorbell", after_ms=8_000)
    script.add("candidate", "resumed", reason="", after_ms=184_000)
    script.prompt("Good, they fail for the right reason. Now implement it.", after_ms=9_000)
    script.turn("Implementing the bucket.", tools=("toolu_06",))
    script.tool(
        "toolu_06", "Write", {"file_path": "limiter.py", "content": _LIMITER_AFTER}, "File updated successfully",
        extra=("file_edit", {"path": "limiter.py", "operation": "modify", "before": _LIMITER_BEFORE,
               "after": _LIMITER_AFTER}),
    )  # fmt: skip


def _checking(script: Script) -> None:
    script.turn("", tools=("toolu_07",))
    passed = "..                                                                       [100%]\n2 passed in 0.03s\n"
    command = {
        "command": "python -m pytest -q",
        "cwd": "/home/ada/assessment",
        "exit_code": 0,
        "output": passed,
        "duration_ms": 1210,
    }
    script.tool(
        "toolu_07", "Bash", {"command": "python -m pytest -q"}, passed, takes_ms=1210, extra=("command", command)
    )
    script.turn("Both tests pass. The lock is held only while a bucket is read and written.")
    script.prompt(
        "What happens with a million clients that each call once? Does this dict ever shrink?", after_ms=45_000
    )
    script.turn(
        "No, it grows without bound: a bucket stays for every client ever seen. A full bucket carries no "
        "information, so it can be dropped: I can remove buckets that have been idle for `burst / rate` seconds, at "
        "most once in that time.",
    )
    script.prompt(
        "Right. Leave it as it is, but say so in the docstring; the caller has eleven clients.", after_ms=18_000
    )
    script.turn("", tools=("toolu_08",))
    after = _LIMITER_AFTER.replace(
        "tokens a second.", "tokens a second. Buckets are kept for good: meant for few clients."
    )
    script.tool(
        "toolu_08",
        "Edit",
        {"file_path": "limiter.py", "old_string": "a second.", "new_string": "…"},
        "Edited",
        hook=False,
    )
    script.add("recorder", "capture_hook_silent", tool_use_id="toolu_08", name="Edit", agent="claude", after_ms=2_000)
    script.add(
        "proxy", "file_edit", lane=1, tool_use_id="toolu_08", path="limiter.py", operation="modify",
        before=_LIMITER_AFTER, after=after, **CLAUDE,
    )  # fmt: skip
    script.turn("Done. The docstring now says that buckets are kept for good and that this is meant for few clients.")


def _closing(script: Script) -> None:
    script.add(
        "candidate",
        "note",
        text="I chose not to evict idle buckets: eleven known clients, and less code to explain.",
        after_ms=30_000,
    )
    script.add(
        "workspace", "submission_final", commit="4be1c0d2", tree="a91b22", diff=_DIFF, after_ms=4_000,
        manifest=[
            {"path": "limiter.py", "status": "modified", "size": 1003, "sha256": "5e" * 32, "shown": True},
            {"path": "test_limiter.py", "status": "added", "size": 612, "sha256": "7c" * 32, "shown": True},
            {"path": "docs/bucket.png", "status": "added", "size": 48213, "sha256": "1f" * 32, "shown": False,
             "reason": "binary"},
        ],
    )  # fmt: skip
    script.add("recorder", "closed", totals=dict(script.numbers), batches=6)
