"""What an acceptance criterion is: one kind of requirement that a candidate has to meet.

A spec registers criteria before training, each with a bound (``develop.gates``); validation
measures each one and holds it against its bound. A kind is one file: an object that keeps to
:class:`Criterion`, registered under the name that the spec gives as ``kind``.
``docs/extend/acceptance-criterion.md`` adds one from outside the package;
:mod:`mlops.testing.criterion` holds the tests that every kind has to pass.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from mlops.core.records import Evaluation, Metrics
from mlops.core.targets.target import Target
from mlops.registry import Registry
from mlops.spec import extensions
from mlops.spec.model import Gate

if TYPE_CHECKING:
    import pyarrow as pa

    from mlops.core.table import Rows
    from mlops.core.targets.target import Floats


@dataclass(frozen=True)
class Evidence:
    """What a criterion can be measured from.

    :ivar target: what is predicted.
    :ivar evaluation: of the chosen candidate on the test rows.
    :ivar champion: metrics of the live version on the same rows; None without a live version.
    :ivar rows: the test rows themselves, with their labels.
    :ivar scores: of the candidate for these rows, in their order.
    :ivar predict: scores of the candidate for any rows with the same columns.
    """

    target: Target
    evaluation: Evaluation
    champion: Metrics | None
    rows: Rows
    scores: Floats
    predict: Callable[[pa.Table], Floats]


@dataclass(frozen=True)
class Measurement:
    """What a criterion measured.

    :ivar value: None if it could not be measured; ``note`` then has the reason.
    :ivar waived: the criterion has nothing to compare with its bound and so stops no version, as a
        comparison with the live version where no version is live.
    """

    value: float | None
    note: str = ""
    waived: bool = False


class Criterion(Protocol):
    """One kind of acceptance criterion.

    :ivar name: as a spec gives it as ``kind`` and as results store it; it never changes.
    """

    @property
    def name(self) -> str: ...

    def problem(self, gate: Gate) -> str | None:
        """What the gate in a spec lacks or has too much for this kind; None if it is sound.

        Asked when a spec file is read, so nothing heavy may be imported for it.
        """

    def title(self, gate: Gate) -> str:
        """How reports name the gate: ``auc by origin``."""

    def measure(self, gate: Gate, evidence: Evidence) -> Measurement:
        """Measure the candidate. The bound is not the criterion's matter.

        :returns: ``value`` is None, never an exception, for what the rows do not show.
        """


CRITERIA: Registry[Criterion] = extensions.CRITERIA


def criterion_of(gate: Gate) -> Criterion:
    """The kind of a gate.

    :raises ExtensionError: it is not known.
    """
    return CRITERIA.get(gate.kind_name)
