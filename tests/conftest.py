"""What all tests share: they play people of their own, whoever runs them, an agent included."""

from __future__ import annotations

import os

from promptster.session.inside_agent import MARKS

for _name in MARKS:
    os.environ.pop(_name, None)
