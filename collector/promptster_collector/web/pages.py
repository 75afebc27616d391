"""The page behind an invite's link: says what this is and how to start. Static; it sees no part of the secret."""

from __future__ import annotations

import base64
import hashlib
from typing import Final

STYLE: Final = (
    "body{font:1rem/1.6 system-ui,sans-serif;max-width:38rem;margin:4rem auto;padding:0 1.25rem;color:#1c2024;"
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
<p>You will work on a task with your own AI coding agent, on your own machine. Promptster records what happens between
you and that agent during the assessment, if you agree: your prompts, the model's answers, tool calls, file edits and
commands. It does not record your screen, your keyboard or anything outside the assessment.</p>
<p>Nothing is recorded before you have read the policy and agreed to it. Refusing leaves nothing behind.</p>
<h2>How to start</h2>
<p>Install the program, then paste the whole link of this page, with everything behind the <code>#</code> sign:</p>
<pre>promptster policy LINK    shows what would be recorded; changes nothing
promptster start LINK     shows the policy, asks, and starts</pre>
<p>The part behind the <code>#</code> sign is a one-time secret. Your browser did not send it to this server; do not
share it. The link works once, and for a limited time.</p>
</body>
</html>
"""


def _source_hash(text: str) -> str:
    return "'sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() + "'"


PAGE_POLICY: Final = (
    f"default-src 'none'; style-src {_source_hash(STYLE)}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""The page's own content security policy: no script, no request, this style only."""
