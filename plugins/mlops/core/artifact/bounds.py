"""Check the arrays of a loaded model whose values its compiled code uses as indices.

scikit-learn follows such indices without looking, for speed. skops checks types, not values. So
a file that was altered could make a prediction read, or write, outside of its arrays. Nothing
is predicted before these checks have passed.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import FunctionType
from typing import Any

import numpy as np
from sklearn.ensemble._forest import BaseForest
from sklearn.ensemble._gb import BaseGradientBoosting
from sklearn.ensemble._hist_gradient_boosting.gradient_boosting import BaseHistGradientBoosting
from sklearn.ensemble._hist_gradient_boosting.predictor import TreePredictor
from sklearn.neighbors import BallTree, KDTree, KNeighborsClassifier, KNeighborsRegressor
from sklearn.preprocessing import OneHotEncoder
from sklearn.svm._base import BaseLibSVM
from sklearn.tree import BaseDecisionTree
from sklearn.tree._tree import Tree

from mlops.core.artifact import array_bounds, tree_bounds
from mlops.core.artifact.refusal import refuse_array

_CHECKS: tuple[tuple[type | tuple[type, ...], Callable[[Any], None]], ...] = (
    (Tree, tree_bounds.check_tree),
    (BaseDecisionTree, tree_bounds.check_decision_tree),
    (BaseForest, tree_bounds.check_forest),
    (BaseGradientBoosting, tree_bounds.check_gradient_boosting),
    (TreePredictor, tree_bounds.check_predictor),
    (BaseHistGradientBoosting, tree_bounds.check_hist_gradient_boosting),
    ((KDTree, BallTree), array_bounds.check_neighbour_tree),
    ((KNeighborsClassifier, KNeighborsRegressor), array_bounds.check_neighbours),
    (BaseLibSVM, array_bounds.check_support_vectors),
    (OneHotEncoder, array_bounds.check_one_hot),
    ((np.random.RandomState, np.random.Generator), array_bounds.check_random),
)

_LEAVES = (type(None), bool, int, float, str, bytes, type, FunctionType, np.generic, np.ufunc)


def check_bounds(model: Any) -> None:
    """Walk over everything that hangs on a loaded model and check it.

    :raises ArtifactRefused: with the type, the place in its arrays, what was found there and
        what was expected.
    """
    for part in _parts(model):
        _check_attributes(part)
        kind: Any = type(part)
        for check in _checks(kind):
            try:
                check(part)
            except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
                found = f"{type(error).__name__}: {error}"
                refuse_array(type(part).__name__, found=found, expected="what fitting leaves")


def _parts(model: Any) -> Iterator[Any]:
    """The model and, below it, each object that is more than a value, once each.

    Parts come before what hangs on them is walked into, so that a check may rely on types only.
    """
    stack, seen = [model], set()
    while stack:
        value = stack.pop()
        if isinstance(value, _LEAVES) or id(value) in seen:
            continue
        seen.add(id(value))
        if not isinstance(value, (dict, list, tuple, set, np.ndarray)):
            yield value
        stack.extend(_below(value))


def _below(value: Any) -> Iterable[Any]:
    if isinstance(value, Mapping):
        return value.values()
    if isinstance(value, (list, tuple, set)):
        return value
    if isinstance(value, np.ndarray):
        return value.ravel().tolist() if value.dtype == object else ()
    if isinstance(value, functools.partial):
        return (value.func, *value.args, *value.keywords.values(), *vars(value).values())
    if isinstance(value, (KDTree, BallTree)):
        return value.__getstate__()  # type: ignore[no-any-return]
    return vars(value).values() if hasattr(value, "__dict__") else ()


@functools.cache
def _checks(kind: type) -> tuple[Callable[[Any], None], ...]:
    return tuple(check for bases, check in _CHECKS if issubclass(kind, bases))


@functools.cache
def _class_attributes(kind: type) -> frozenset[str]:
    return frozenset(name for base in kind.__mro__ for name in vars(base))


def _check_attributes(part: Any) -> None:
    """Nothing may stand in front of a method, such as the one that counts the columns of X."""
    kind: Any = type(part)
    if not (kind.__module__.startswith("sklearn.") and hasattr(part, "__dict__")):
        return
    hidden = sorted(_class_attributes(kind).intersection(vars(part)) - {"__dict__"})
    if hidden:
        refuse_array(
            f"{kind.__name__}: the file replaces what the class defines",
            found=", ".join(hidden),
            expected="only attributes that fitting sets",
        )
