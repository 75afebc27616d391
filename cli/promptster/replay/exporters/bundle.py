"""The signed bundle itself, byte for byte."""

from __future__ import annotations

from typing import TYPE_CHECKING

from promptster.replay.errors import ExportError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from promptster.replay.loading import Replay


class BundleExporter:
    """Returns the bundle unchanged."""

    name = "bundle"
    media_type = "application/vnd.promptster.bundle"
    suffix = ".promptster"
    needs_bundle = True

    def export(self, replay: Replay) -> Iterator[bytes]:
        """The bundle's own bytes.

        Raises:
            ExportError: the replay was not read from a bundle.
        """
        if replay.bundle is None:
            raise ExportError(
                "this session has no bundle yet",
                hint="Use -f html or -f jsonl, or submit it first.",
                code="no_bundle",
            )
        yield replay.bundle


EXPORTER = BundleExporter()
