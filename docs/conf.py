"""Settings of the documentation's build."""

import os
import shutil
from pathlib import Path

project = "Promptster"
author = "Promptster contributors"
copyright = "2026, Promptster contributors"  # noqa: A001

extensions = ["myst_parser", "sphinxcontrib.mermaid"]
myst_enable_extensions = ["deflist"]
myst_fence_as_directive = ["mermaid"]
myst_heading_anchors = 4
exclude_patterns = ["_build", "diagrams"]
html_theme = "furo"
html_title = "Promptster"
html_static_path = ["static"]
html_css_files = ["diagrams.css"]

# Diagrams are drawn while the pages are built, by mermaid in a headless Chromium. The pages load no script for them.
_DIAGRAMS = Path(__file__).parent / "diagrams"
_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
if _browser := next((path for name in _NAMES if (path := shutil.which(name))), None):
    os.environ.setdefault("PUPPETEER_EXECUTABLE_PATH", _browser)
mermaid_output_format = "svg"
mermaid_cmd = os.environ.get("MMDC", "mmdc")
mermaid_params = ["-p", str(_DIAGRAMS / "puppeteer.json"), "-c", str(_DIAGRAMS / "mermaid.json"), "-b", "white"]
