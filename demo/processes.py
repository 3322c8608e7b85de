"""Questions about processes, asked so that a recycled process id does not mislead."""

from __future__ import annotations

from pathlib import Path

import psutil  # type: ignore[import-untyped]


def works_in(pid: int, folder: Path) -> bool:
    """Whether a live process has this id and ``folder`` as its working folder."""
    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return False
        return Path(process.cwd()).samefile(folder)
    except (psutil.Error, OSError):
        return False


def started_at(pid: int) -> float | None:
    """When the live process of this id started, in seconds since 1970; None without one.

    Id and start time together name a process for good.
    """
    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return None
        return float(process.create_time())
    except psutil.Error:
        return None
