"""Settings of the documentation's build."""

import json
import os
import shutil
import tempfile
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
_HERE = Path(__file__).parent
_BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_browser = next((found for name in _BROWSERS if (found := shutil.which(name))), None)
_settings = Path(tempfile.mkdtemp(prefix="promptster-docs-")) / "puppeteer.json"
_settings.write_text(
    json.dumps(
        {
            **({"executablePath": _browser} if _browser else {}),
            "args": ["--no-sandbox"] if os.getuid() == 0 else [],  # Chromium refuses its sandbox to root
        }
    )
)
mermaid_output_format = "svg"
mermaid_cmd = os.environ.get("MMDC", "mmdc")
mermaid_params = ["-p", str(_settings), "-c", str(_HERE / "diagrams" / "mermaid.json"), "-b", "white"]
mermaid_verbose = True
