"""The formats that a session can be exported in: one file each, found by name."""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules
from typing import TYPE_CHECKING

from promptster.replay.errors import ExportError

if TYPE_CHECKING:
    from promptster.replay.exporters.interface import Exporter


def names() -> tuple[str, ...]:
    """Every format's name, sorted."""
    found = (module.name for module in iter_modules(__path__))
    return tuple(sorted(name for name in found if name != "interface" and not name.startswith("_")))


def find(name: str) -> Exporter:
    """The exporter of this name.

    Raises:
        ExportError: there is none.
    """
    if name not in names():
        raise ExportError(
            f"no export format named {name}",
            hint=f"Use {', '.join(names()[:-1])} or {names()[-1]}.",
            code="unknown_format",
        )
    exporter: Exporter = import_module(f"{__name__}.{name}").EXPORTER
    return exporter
