"""Deploy: what is handed from the check of a window to the tasks that score and publish it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from mlops.core.period import Period


@dataclass(frozen=True)
class Shard:
    """A part of a window: the rows whose time is in ``[start, end)``."""

    batch: str
    shard: int
    start: str
    end: str

    @property
    def period(self) -> Period:
        """The part of the window that the shard covers."""
        return Period(
            start=datetime.fromisoformat(self.start), end=datetime.fromisoformat(self.end)
        )


@dataclass(frozen=True)
class Plan:
    """A batch: one window scored by one version, cut into shards."""

    batch: str
    model: str
    version: int
    package_digest: str
    window: str
    window_start: str
    window_end: str
    rows: int
    unseen: dict[str, int]
    shards: tuple[Shard, ...]

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Plan:
        """Rebuild a plan that was handed on between tasks."""
        return cls(**{**value, "shards": tuple(Shard(**shard) for shard in value["shards"])})


@dataclass(frozen=True)
class Scored:
    """What was written for a shard."""

    batch: str
    shard: int
    rows: int
    unseen: dict[str, int]
