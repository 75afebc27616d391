"""What a replay is compared with: read a bundle, verify it, and write every text escaped, without any layout."""

from __future__ import annotations

import sys
from pathlib import Path

from promptster.replay.loading import from_bundle
from promptster.replay.narration import narrate
from promptster.ui.escape import escape_text


def main() -> None:
    """Write the texts of the bundle that the first argument names."""
    replay = from_bundle(Path(sys.argv[1]).read_bytes(), ())
    for entry in replay.timeline.entries:
        for passage in narrate(entry).passages:
            sys.stdout.write(escape_text(passage.text) + "\n")


if __name__ == "__main__":
    main()
