"""Where recorders of version 0.1 are started: a supervisor that runs while Promptster is upgraded restarts them here.

It runs ``python -m promptster.session.daemon FOLDER HANDLE``; the recorder itself is ``promptster.recorder.process``.
"""

from __future__ import annotations

import sys

from promptster.recorder.process import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
