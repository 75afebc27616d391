"""One self-contained page for people: no network, no markup from captured text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from promptster.replay.page.document import document

if TYPE_CHECKING:
    from collections.abc import Iterator

    from promptster.replay.loading import Replay


class HtmlExporter:
    """The page."""

    name = "html"
    media_type = "text/html; charset=utf-8"
    suffix = ".html"
    needs_bundle = False

    def export(self, replay: Replay) -> Iterator[bytes]:
        """The page in pieces."""
        for piece in document(replay):
            yield piece.encode()


EXPORTER = HtmlExporter()
