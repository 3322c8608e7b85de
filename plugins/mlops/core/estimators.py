"""Factories that a spec may name where one class of scikit-learn does not do.

A factory gets ``features`` (the columns of the matrix, in order), ``seed``, and the candidate's
``params``; it gives an unfitted classifier that takes the matrix as the encoder makes it: float64,
categories as codes from 0 on, NaN where a value is missing or a category is new.
"""

from __future__ import annotations

from collections.abc import Sequence

from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from mlops.core.encode import Feature


def scaled_logistic_regression(
    *,
    features: Sequence[Feature],
    seed: int,
    C: float = 1.0,  # noqa: N803 (as scikit-learn calls it)
    max_iter: int = 500,
) -> Pipeline:
    """Logistic regression over scaled numbers and one column for each category.

    A missing number becomes the median of training, with a column that says that it was missing;
    a missing category is a category of its own; a category that training did not see is none of
    them, so that its coefficient is zero.

    :param features: the columns of the matrix, in order; at least one.
    :param seed: for solvers that draw random numbers; the one used here does not.
    :param C: inverse strength of the L2 penalty, above 0; smaller is simpler.
    :param max_iter: steps after which the solver gives up, with a warning.
    :returns: an unfitted pipeline with ``fit`` and ``predict_proba``.
    """
    numbers = make_pipeline(
        # A column that is empty in training must not move the ones behind it.
        SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True),
        StandardScaler(),
    )
    columns = ColumnTransformer(
        [
            ("numbers", numbers, _indices(features, "numeric")),
            ("names", OneHotEncoder(handle_unknown="ignore"), _indices(features, "categorical")),
        ]
    )
    return make_pipeline(columns, LogisticRegression(C=C, max_iter=max_iter, random_state=seed))


def _indices(features: Sequence[Feature], kind: str) -> list[int]:
    return [index for index, feature in enumerate(features) if feature.kind == kind]
