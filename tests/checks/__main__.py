"""``python -m tests.checks``: what this repository checks about its own code, beside what ruff and import-linter check.

Each module here is one check: a function ``problems(root)`` that yields a sentence for each problem.
"""

from __future__ import annotations

import sys
from pathlib import Path

from tests.checks import module_circles, module_length

CHECKS = (module_length, module_circles)
ROOT = Path(__file__).parents[2]


def main() -> int:
    """Run every check; returns the exit code."""
    found = [problem for check in CHECKS for problem in check.problems(ROOT)]
    sys.stdout.write("".join(f"{problem}\n" for problem in found))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
