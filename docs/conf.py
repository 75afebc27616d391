"""Settings of the documentation's build."""

project = "Promptster"
author = "Promptster contributors"
copyright = "2026, Promptster contributors"  # noqa: A001

extensions = ["myst_parser"]
myst_enable_extensions = ["deflist"]
myst_heading_anchors = 4
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = "Promptster"
