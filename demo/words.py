"""How the demo speaks of things on this machine."""

from __future__ import annotations

from pathlib import Path


def from_here(path: Path) -> Path:
    """A path in the shortest form for the current folder."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path
