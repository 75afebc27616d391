"""The entry point that supervisors of version 0.1 use to restart their recorder, even after Promptster was upgraded.

They run ``python -m promptster.session.daemon FOLDER HANDLE``; the recorder itself is ``promptster.recorder.process``.
"""

from __future__ import annotations

import sys

from promptster.recorder.process import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
