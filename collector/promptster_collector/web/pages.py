"""The page that an invite's link opens: what this is and how to start. It is static and sees no part of the secret."""

from __future__ import annotations

import base64
import hashlib
from typing import Final

STYLE: Final = (
    "body{font:1rem/1.6 system-ui,sans-serif;max-width:46rem;margin:4rem auto;padding:0 1.25rem;color:#1c2024;"
    "background:#fff}h1{font-size:1.5rem}code,pre{font-family:ui-monospace,monospace;background:#f2f4f6;"
    "border-radius:.25rem}code{padding:.1rem .3rem}pre{padding:.75rem 1rem;overflow:auto}"
    "@media(prefers-color-scheme:dark){body{color:#e6e8ea;background:#14171a}code,pre{background:#23282d}}"
)

INVITE_PAGE: Final = f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<title>You are invited to an assessment</title>
<style>{STYLE}</style>
</head>
<body>
<h1>You are invited to an assessment</h1>
<p>You will work on a task with your own AI coding agent, on your own computer. If you agree, Promptster records how you
work with the agent. Nothing is recorded before you have read the policy and agreed to it. If you refuse, nothing on
your computer changes.</p>
<h2>What is recorded</h2>
<pre>Yes  your prompts to the agent and its answers
Yes  its tool calls, file edits and commands
Yes  your changes to the task when you submit
No   your screen, keyboard, microphone and camera
No   your browser and other programs
No   anything before you agree or after the session ends</pre>
<h2>How to start</h2>
<p>Install Promptster as your invitation explains; if it does not, ask the team that invited you. Then copy the whole
link of this page, including the part after <code>#</code>, and run:</p>
<pre>promptster policy LINK    read what would be recorded; changes nothing
promptster start LINK     start your assessment</pre>
<p>The part after <code>#</code> is a one-time secret. Your browser did not send it to this server; do not share it.
The link works once, and only for a limited time.</p>
</body>
</html>
"""


def _source_hash(text: str) -> str:
    return "'sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() + "'"


PAGE_POLICY: Final = (
    f"default-src 'none'; style-src {_source_hash(STYLE)}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""The page's own content security policy: no script, no request, this style only."""
