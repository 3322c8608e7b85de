"""Estimators that a user might write, and that cannot be packaged."""

from __future__ import annotations

from typing import Any

from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer


class HomeMade(ClassifierMixin, BaseEstimator):
    """A class of the user's own, which nobody has put on the list of allowed types."""

    def fit(self, x: Any, y: Any) -> HomeMade:
        """Learn nothing."""
        return self

    def predict_proba(self, x: Any) -> Any:
        """Say the same of every row."""
        return [[0.5, 0.5]] * len(x)


def home_made(*, features: Any, seed: int) -> HomeMade:
    """A factory of a class that skops can write and that nobody allowed."""
    return HomeMade()


def with_a_lambda(*, features: Any, seed: int) -> Any:
    """A factory of a pipeline with a function that has no name."""
    return make_pipeline(FunctionTransformer(lambda x: x), LogisticRegression())

def broken(*, features: Any, seed: int) -> Any:
    raise KeyError("nope")
