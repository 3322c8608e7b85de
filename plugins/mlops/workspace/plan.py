"""Deploy: what is handed from the check of a window to the tasks that score and publish it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from mlops.core.period import Period, split
from mlops.store.tables import VersionRow
from mlops.vocabulary import batch_subject


def _between(start: str, end: str) -> Period:
    return Period(start=datetime.fromisoformat(start), end=datetime.fromisoformat(end))


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
        return _between(self.start, self.end)


def batch_name(version: VersionRow, window: Period, *, by_rule: bool) -> str:
    """One window scored by one version: ``flight_delay/2013-07/v3``, or with ``/rule`` behind."""
    return batch_subject(version.model, window.label(), version.number, by_rule=by_rule)


@dataclass(frozen=True)
class Plan:
    """A batch: one window scored by one version, cut into shards.

    :ivar parts: how many shards; each is computed when it is asked for, so that a plan stays small
        however many there are.
    :ivar by_rule: whether the rule scores that was signed with the version, and not its model.
    :ivar chosen_at: when the version was chosen, by the store's clock. Planned again it is the
        same plan; where two versions have scored a window, the one chosen last is shown.
    """

    batch: str
    model: str
    version: int
    package_digest: str
    window: str
    window_start: str
    window_end: str
    rows: int
    unseen: dict[str, int]
    parts: int
    by_rule: bool
    chosen_at: str = field(compare=False)

    @property
    def model_version(self) -> int:
        """What the predictions name as their version: 0 where no version made them."""
        return 0 if self.by_rule else self.version

    @property
    def period(self) -> Period:
        """The window."""
        return _between(self.window_start, self.window_end)

    @property
    def shards(self) -> tuple[Shard, ...]:
        """The parts of the window, the same ones each time."""
        return tuple(
            Shard(
                batch=self.batch,
                shard=number,
                start=part.start.isoformat(),
                end=part.end.isoformat(),
            )
            for number, part in enumerate(split(self.period, self.parts))
        )

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Plan:
        """Rebuild a plan that was handed on between tasks."""
        return cls(**value)


@dataclass(frozen=True)
class Scored:
    """What was written for a shard, and in which state of the database its rows were read.

    Written again, it is the same, although the database has changed since.
    """

    batch: str
    shard: int
    rows: int
    unseen: dict[str, int]
    snapshot: str = field(compare=False)
    lsn: str = field(compare=False)
