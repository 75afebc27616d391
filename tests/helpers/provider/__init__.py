"""The project's own provider on loopback: it answers from a script in the formats of two real APIs, faults included.

In a test: ``async with Provider(script) as provider`` or ``with running(script) as provider`` (a thread). From a
shell: ``python -m tests.helpers.provider --script S --port 0 --ready-file F --log L [--var NAME=VALUE]``; the ready
file then holds the base URL (Anthropic; Codex adds ``/v1``), and the log gets one JSON line for each exchange, with
its bytes.

A script in JSON::

    {"conversations": [
        {"prompt": "piece of the prompt",
         "turns": [
            {"thinking": "...", "text": "...", "tools": [{"name": "Bash", "input": {"command": "ls"}}]},
            {"text": "done", "faults": [{"kind": "status", "status": 429, "retry_after": 1}], "pace_ms": 20}
         ]}
     ],
     "side": [{"contains": "piece of the body", "text": "answer to a title or classifier call"}],
     "encoding": "br"}
"""
