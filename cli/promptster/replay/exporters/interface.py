"""What an exporter is: a name, a media type, and a replay's bytes in one format."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator

    from promptster.replay.loading import Replay


class Exporter(Protocol):
    """One format. A module of this package exposes one as ``EXPORTER``; its file's name is the format's."""

    name: str
    """The word after ``--format``."""
    media_type: str
    """For an HTTP answer."""
    suffix: str
    """Ending of a file's name, with its dot."""
    needs_bundle: bool
    """Whether it can only hand on a bundle's own bytes."""

    def export(self, replay: Replay) -> Iterator[bytes]:
        """The file, in pieces.

        Raises:
            ExportError: this replay cannot be written in this format.
        """
        ...
