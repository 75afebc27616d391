"""What can go wrong with a replay itself; what is wrong with a bundle is the protocol's word."""

from __future__ import annotations

from promptster.errors import PromptsterError


class ExportError(PromptsterError):
    """A session cannot be exported in the format asked for."""

    default_code = "export"
