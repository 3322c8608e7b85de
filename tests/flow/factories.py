"""Estimators as a user might write them, most of which cannot be packaged."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer


class HomeMade(ClassifierMixin, BaseEstimator):
    """A class of the user's own, which is allowed where a spec names it."""

    def fit(self, x: np.ndarray, y: np.ndarray) -> HomeMade:
        """Learn the share of true labels."""
        self.share_ = float(y.mean())
        return self

    def predict_proba(self, x: np.ndarray) -> np.ndarray:
        """Say the same of every row."""
        return np.tile([1 - self.share_, self.share_], (len(x), 1))


def home_made(*, features: Any, seed: int) -> HomeMade:
    """A class that skops can write, and that nobody has put on a list."""
    return HomeMade()


def with_a_lambda(*, features: Any, seed: int) -> Any:
    """A function that has no name by which it could be imported."""
    return make_pipeline(FunctionTransformer(lambda x: x), LogisticRegression())


def broken(*, features: Any, seed: int) -> Any:
    """A mistake of the user's."""
    nothing: dict[str, Any] = {}
    return nothing["nope"]
