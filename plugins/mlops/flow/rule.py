"""Deploy: the rule that scores while no version may, where the policy falls back to one.

A rule is SQL in the spec, and so it is signed with the version: it gives each row's key, its time
and a ``score`` between 0 and 1, from whatever the business would go by without a model.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from mlops.core.period import Period
from mlops.core.profile import Profile
from mlops.errors import NotSigned
from mlops.flow.fallback import choose
from mlops.flow.plan import Plan
from mlops.flow.workspace import Workspace, now
from mlops.spec.load import Spec
from mlops.spec.model import Feature, NumericFeature
from mlops.warehouse import sql
from mlops.warehouse.pushdown import profile_rows

SCORE = "score"
# What the rows of a rule must be like; the rest of the contract is about a model's features.
RULE_SCORE: Mapping[str, Feature] = {SCORE: NumericFeature(min=0, max=1)}


def rule_query(spec: Spec, window: Period) -> str:
    """The rule's rows in a window: key, time, and the score as a float8."""
    parameters = {"window_start": window.start, "window_end": window.end, "as_of": window.end}
    develop = spec.content.develop
    columns = ", ".join(sql.quoted(name) for name in (develop.key, develop.time))
    text = sql.statement(sql.render(spec.rule_sql, parameters))
    return f"SELECT {columns}, CAST({SCORE} AS float8) AS {SCORE}\nFROM (\n{text}\n) AS rule"


def rule_profile(workspace: Workspace, query: str) -> Profile:
    """What the scores of a window are like."""
    return profile_rows(workspace.warehouse_url, query, edges={SCORE: (0.0, 1.0)}, categories={})


def require_rule(workspace: Workspace, plan: Plan) -> None:
    """Refuse unless the rule of the plan's version is what scores now.

    :raises NotSigned: a version scores again, or another one's rule.
    """
    with workspace.store.transaction() as transaction:
        choice = choose(transaction, plan.model, at=now())
    if not choice.by_rule or choice.version is None or choice.version.number != plan.version:
        raise NotSigned(
            f"batch {plan.batch}",
            found="a plan of the rule, which is not what scores now",
            expected="the safe state that the policy names",
            action="clear the task 'check_input', which plans the window anew",
        )


class RuleEncoder:
    """A rule's rows have their scores already; see :class:`mlops.warehouse.score.Encoder`."""

    def encode_counting(self, rows: pa.RecordBatch) -> tuple[NDArray[np.float64], dict[str, int]]:
        """The scores, shape (rows, 1); a missing one is NaN, which nothing scores."""
        scores = rows.column(SCORE).to_numpy(zero_copy_only=False).astype(np.float64)
        return np.ascontiguousarray(scores.reshape(-1, 1)), {}


def scores_of(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """The scores themselves, shape (rows,)."""
    return matrix[:, 0]
