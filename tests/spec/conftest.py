"""A small sound spec and policy on disk, to be broken in one place at a time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import pytest

from mlops.errors import SpecError
from mlops.spec.load import Include, Spec
from mlops.spec.model import ModelSpec
from mlops.spec.policy import Policy

SPEC = """\
# Who is about to leave?
model: churn
title: Will this customer leave within three months?

manage:
  decision: Whom do we call?
  use: A list of names on the first of each month.
  business_owner: bea
  developer: sam
  exposure: low
  purpose: operations
  kpi:
    name: Customers kept
    sql: kpi.sql
    unit: customers
    target: 10

develop:
  features_sql: features.sql
  outcomes_sql: outcomes.sql
  key: customer
  time: month
  label: gone
  features:
    age: {min: 0, max: 120}
    plan: {kind: categorical}
  split: {train: 3}
  candidates:
    - name: line
      estimator: sklearn.linear_model.LogisticRegression
      params: {C: 0.1}
  gates:
    - {metric: auc, at_least: 0.7}

monitor:
  performance: {metric: auc, at_least: 0.65}
"""

POLICY = """\
policy: standard
title: The standard policy

seats:
  owner:
    title: Owner
    users: [bea]
    attests: that it is worth having
  risk:
    title: Risk
    users: [max, may]
    required: 2
    attests: that its risk is acceptable

tiers:
  - name: high
    exposure_at_least: low
    purposes: [credit]
    seats: [owner, risk]
  - name: medium
    exposure_at_least: medium
    seats: [owner, risk]
  - name: low
    seats: [owner]
"""

SQL = ("features", "kpi", "outcomes")

NOTHING: Mapping[str, str] = MappingProxyType({})


Changes = Mapping[str, str]


def edited(text: str, changes: Changes) -> str:
    """``text`` with each key of ``changes``, which stands in it once, replaced by its value."""
    for old, new in changes.items():
        assert text.count(old) == 1, f"{old!r} stands in the text {text.count(old)} times"
        text = text.replace(old, new)
    return text


@dataclass(frozen=True)
class Folder:
    """An include folder with the sound spec and policy, and what reading them edited says."""

    root: Path

    @property
    def include(self) -> Include:
        """The folder as the library sees it."""
        return Include(self.root)

    @property
    def spec_file(self) -> Path:
        """The spec's file."""
        return self.root / "models" / "churn.yml"

    @property
    def policy_file(self) -> Path:
        """The policy's file."""
        return self.root / "policies" / "standard.yml"

    def sql(self, name: str) -> Path:
        """One of the spec's SQL files."""
        return self.root / "sql" / "churn" / name

    def spec(self, changes: Changes = NOTHING) -> Spec:
        """Read the spec with some of its text replaced."""
        self.spec_file.write_text(edited(SPEC, changes))
        return self.include.read_spec(self.spec_file)

    def content(self, changes: Changes = NOTHING) -> ModelSpec:
        """The content of the spec with some of its text replaced."""
        return self.spec(changes).content

    def policy(self, changes: Changes = NOTHING) -> Policy:
        """Read the policy with some of its text replaced."""
        self.policy_file.write_text(edited(POLICY, changes))
        return self.include.policy("standard")

    def spec_error(self, changes: Changes) -> list[str]:
        """The lines of the error that the edited spec gives, without the folder's own path."""
        with pytest.raises(SpecError) as raised:
            self.spec(changes)
        return self.lines(raised.value)

    def policy_error(self, changes: Changes) -> list[str]:
        """The lines of the error that the edited policy gives, without the folder's own path."""
        with pytest.raises(SpecError) as raised:
            self.policy(changes)
        return self.lines(raised.value)

    def lines(self, error: SpecError) -> list[str]:
        """An error's lines, without the folder's own path."""
        return str(error).replace(f"{self.root}/", "").splitlines()

    def line(self, text: str) -> int:
        """The number of the first line of the spec, as it stands now, that holds ``text``."""
        lines = self.spec_file.read_text().splitlines()
        return next(number for number, line in enumerate(lines, 1) if text in line)


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    """An include folder with one sound spec, its SQL and one sound policy."""
    for name in ("models", "policies", "sql/churn"):
        (tmp_path / name).mkdir(parents=True)
    made = Folder(tmp_path)
    made.spec_file.write_text(SPEC)
    made.policy_file.write_text(POLICY)
    for name in SQL:
        made.sql(f"{name}.sql").write_text(f"SELECT 1 AS {name}\n")
    return made
