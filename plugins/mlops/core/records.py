"""The frozen results that steps hand on: small, JSON both ways, nothing of any library in them.

Every record can be written with :func:`to_json` and read back with :func:`from_json`; the store
keeps them as JSONB, the reports draw them, the lineage maps them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import Field, dataclass, field, fields, is_dataclass
from types import UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

State = Literal["ok", "warn", "alarm", "not_enough_data"]
Record = TypeVar("Record")


def stored_as(key: str) -> dict[str, str]:
    """The metadata of a field that keeps its first name in JSON, since stored keys never change."""
    return {"stored_as": key}


@dataclass(frozen=True)
class Check:
    """One thing that was looked at, with what was found and what was expected."""

    name: str
    passed: bool
    found: str
    expected: str
    subject: str = ""


@dataclass(frozen=True)
class Metrics:
    """How good a model's scores are on some rows, by the metrics of its target.

    :ivar values: each metric by its name, and figures that describe the rows, such as the number
        of positives; None for a metric that the rows do not define.
    """

    rows: int
    values: Mapping[str, float | None]

    def __getitem__(self, name: str) -> float | None:
        """A metric by its name.

        :raises KeyError: the target does not have it.
        """
        return self.values[name]

    def write_json(self) -> dict[str, Any]:
        """One object, in which ``rows`` is a key like the others."""
        return {"rows": self.rows, **self.values}

    @classmethod
    def read_json(cls, value: Mapping[str, Any]) -> Metrics:
        """Read what :meth:`write_json` wrote."""
        return cls(value["rows"], {name: item for name, item in value.items() if name != "rows"})


@dataclass(frozen=True)
class Slice:
    """The metrics of the rows where ``column`` is ``value``."""

    column: str
    value: str
    metrics: Metrics


@dataclass(frozen=True)
class Evaluation:
    """What validation measured on the test rows.

    :ivar importance: permutation importance, the loss of the target's main metric when a feature's
        column is shuffled (Breiman 2001), largest first.
    :ivar details: what the target adds, plain JSON values; only the target knows its keys.
    """

    metrics: Metrics
    slices: tuple[Slice, ...]
    importance: tuple[tuple[str, float], ...]
    details: Mapping[str, Any]

    def __getitem__(self, name: str) -> Any:
        """A part of the details by its name.

        :raises KeyError: the target does not give it.
        """
        return self.details[name]

    def write_json(self) -> dict[str, Any]:
        """One object, in which the keys of the details stand beside the others."""
        return {
            "metrics": self.metrics.write_json(),
            "slices": [to_json(item) for item in self.slices],
            "importance": [list(item) for item in self.importance],
            **self.details,
        }

    @classmethod
    def read_json(cls, value: Mapping[str, Any]) -> Evaluation:
        """Read what :meth:`write_json` wrote."""
        own = ("metrics", "slices", "importance")
        return cls(
            metrics=Metrics.read_json(value["metrics"]),
            slices=tuple(from_json(Slice, item) for item in value["slices"]),
            importance=tuple((name, loss) for name, loss in value["importance"]),
            details={name: item for name, item in value.items() if name not in own},
        )


@dataclass(frozen=True)
class CandidateResult:
    """One technique that was tried; losers are kept as well."""

    name: str
    technique: str
    params: tuple[tuple[str, str], ...]
    metrics: Metrics
    fit_seconds: float
    chosen: bool


@dataclass(frozen=True)
class GateResult:
    """One registered criterion and what was measured.

    :ivar name: as reports print it: ``auc by origin``; ``bound`` likewise: ``≥ 0.7``.
    :ivar measured: None if it could not be measured; ``note`` then has the reason.
    :ivar kind: the kind of criterion: ``metric``, ``slice``, ``champion``, or one from outside.
    :ivar metric: the metric that was measured; None for a kind without one.
    :ivar column: the column of a slice.
    :ivar direction: on which side of ``limit`` the measured value has to lie.
    """

    name: str
    bound: str
    measured: float | None
    passed: bool
    note: str
    kind: str
    metric: str | None
    column: str | None
    direction: Literal["at_least", "at_most"]
    limit: float

    @staticmethod
    def upgrade_json(value: Mapping[str, Any]) -> Mapping[str, Any]:
        """Records of before 0.2 have what was measured in words only."""
        if "kind" in value:
            return value
        metric, _, column = value["name"].partition(" by ")
        metric, _, champion = metric.partition(" against ")
        sign, _, limit = value["bound"].partition(" ")
        return {
            "note": "",
            **value,
            "kind": "slice" if column else "champion" if champion else "metric",
            "metric": metric,
            "column": column or None,
            "direction": "at_least" if sign == "≥" else "at_most",
            "limit": float(limit),
        }


@dataclass(frozen=True)
class FeatureDrift:
    """How far one feature (or the score) of a window is from its reference.

    :ivar statistic: name of the statistic whose ``value`` this is: ``psi``.
    :ivar expected_by_chance: its average where nothing has drifted; None if that is not known.
    :ivar mean_shift: in standard deviations of the reference; None for names and constants.
    """

    feature: str
    state: State
    statistic: str
    value: float
    expected_by_chance: float | None
    null_share: float
    null_share_reference: float
    unseen_share: float
    mean_shift: float | None
    rows: int

    @staticmethod
    def upgrade_json(value: Mapping[str, Any]) -> Mapping[str, Any]:
        """Records of before 0.2 have PSI under its own name, since there was no other statistic."""
        if "psi" not in value:
            return value
        earlier = {"psi": "value", "psi_expected_by_chance": "expected_by_chance"}
        return {"statistic": "psi", **{earlier.get(k, k): item for k, item in value.items()}}


@dataclass(frozen=True)
class Performance:
    """How the live version did in a window, as far as labels have arrived."""

    state: State
    metric: str
    bound: str
    measured: float | None
    metrics: Metrics | None
    rows: int
    labels: int


@dataclass(frozen=True)
class KpiResult:
    """The business result of a window, as one sentence and as numbers."""

    name: str
    unit: str
    target: float
    better: str
    value: float | None
    reached: bool | None
    sentence: str


@dataclass(frozen=True)
class MonitorResult:
    """Everything that was measured and judged about one version in one window.

    :ivar rows_missing: predictions that were published and no longer exist.
    :ivar by_rule: whether the version's rule scored, so that its model is not judged.
    """

    state: State
    rows: int
    reasons: tuple[str, ...]
    drift: tuple[FeatureDrift, ...]
    performance: Performance
    kpi: KpiResult
    rows_missing: int = field(default=0, metadata=stored_as("rows_gone"))
    by_rule: bool = False


def to_json(record: Any) -> dict[str, Any]:
    """A record as plain JSON values."""
    if (write_json := getattr(record, "write_json", None)) is not None:
        written: dict[str, Any] = write_json()
        return written
    return {_stored_name(part): _plain(getattr(record, part.name)) for part in fields(record)}


def from_json(kind: type[Record], value: Any) -> Record:
    """Read back what :func:`to_json` wrote, with nested records and tuples restored.

    A record whose JSON has changed reads the earlier JSON as well, by its ``upgrade_json``.

    :raises TypeError: a field is missing or unknown.
    """
    if (read_json := getattr(kind, "read_json", None)) is not None:
        record: Record = read_json(value)
        return record
    if (upgrade_json := getattr(kind, "upgrade_json", None)) is not None:
        value = upgrade_json(value)
    hints = get_type_hints(kind)
    names = {_stored_name(part): part.name for part in fields(kind)}  # type: ignore[arg-type]
    unknown = sorted(set(value) - set(names))
    if unknown:
        raise TypeError(f"{kind.__name__} has no field {', '.join(unknown)}")
    return kind(**{names[key]: _restore(hints[names[key]], item) for key, item in value.items()})


def _stored_name(part: Field[Any]) -> str:
    return str(part.metadata.get("stored_as", part.name))


def _plain(value: Any) -> Any:
    if is_dataclass(value):
        return to_json(value)
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value


def _restore(hint: Any, value: Any) -> Any:
    if value is None:
        return None
    origin = get_origin(hint)
    if origin in (Union, UnionType):
        (hint,) = (option for option in get_args(hint) if option is not type(None))
        origin = get_origin(hint)
    if is_dataclass(hint) and isinstance(hint, type):
        return from_json(hint, value)
    if origin is tuple:
        inner = get_args(hint)
        if inner[-1] is Ellipsis:
            return tuple(_restore(inner[0], item) for item in value)
        return tuple(_restore(part, item) for part, item in zip(inner, value, strict=True))
    return value
