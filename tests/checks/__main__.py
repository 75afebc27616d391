"""``python -m tests.checks``: what this repository checks about its own code, in addition to ruff and import-linter.

Each module here is one check: a function ``problems(root)`` that yields a sentence for each problem.
"""

from __future__ import annotations

import sys
from pathlib import Path

from tests.checks import locks, module_circles, module_length, wording

CHECKS = (module_length, module_circles, locks, wording)
ROOT = Path(__file__).parents[2]


def main(root: Path = ROOT) -> int:
    """Run every check on a repository and return the exit code."""
    found = [problem for check in CHECKS for problem in check.problems(root)]
    sys.stdout.write("".join(f"{problem}\n" for problem in found))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
