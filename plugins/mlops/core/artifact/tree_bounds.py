"""Bounds of the node arrays of decision trees: scikit-learn's own, and those of histograms."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from sklearn._loss.loss import HalfMultinomialLoss
from sklearn.compose import ColumnTransformer
from sklearn.ensemble._hist_gradient_boosting.binning import _BinMapper
from sklearn.ensemble._hist_gradient_boosting.predictor import TreePredictor
from sklearn.preprocessing import FunctionTransformer, OrdinalEncoder
from sklearn.tree import BaseDecisionTree
from sklearn.tree._tree import Tree
from sklearn.utils.validation import check_array

from mlops.core.artifact.refusal import check_equal, check_is, check_range, refuse_array

_LEAF = -1
_BITSET_WORDS = 8
_MAX_CATEGORY = 255


def check_tree(tree: Any) -> None:
    """A :class:`sklearn.tree._tree.Tree`: links, features, depth and the size of its values."""
    name = "sklearn.tree._tree.Tree"
    # The counts first: the views on the nodes below have the length that they say.
    if not 1 <= tree.node_count == tree.capacity:
        refuse_array(f"{name}: node_count", found=tree.node_count, expected=tree.capacity)
    if tree.max_n_classes < 1 or tree.n_outputs < 1:
        found = f"{tree.n_outputs} outputs of {tree.max_n_classes} values"
        refuse_array(f"{name}: size of its leaves", found=found, expected="at least one value")
    nodes = tree.__getstate__()["nodes"]
    left, right = nodes["left_child"], nodes["right_child"]
    inner = left != _LEAF
    if np.any((right == _LEAF) == inner):
        refuse_array(f"{name}: children of a node", found="one", expected="none or two")
    splits = np.flatnonzero(inner)
    _check_links(name, splits, left[splits], right[splits], len(nodes))
    check_range(f"{name}: feature", nodes["feature"][splits], tree.n_features)
    depth = int(tree.compute_node_depths().max()) - 1
    if depth > tree.max_depth:
        refuse_array(f"{name}: max_depth", found=tree.max_depth, expected=f"at least {depth}")


def check_decision_tree(estimator: Any) -> None:
    """A decision tree must refuse rows of another width than its nodes index."""
    tree = getattr(estimator, "tree_", None)
    if tree is not None:
        name = type(estimator).__name__
        check_is(name, tree, Tree)
        check_equal(f"{name}: n_features_in_", estimator.n_features_in_, tree.n_features)


def check_forest(forest: Any) -> None:
    """A forest counts the columns once and hands the rows to its trees as they are."""
    name = type(forest).__name__
    for tree in getattr(forest, "estimators_", ()):
        check_is(name, tree, BaseDecisionTree)
        check_equal(f"{name}: features of a tree", tree.n_features_in_, forest.n_features_in_)


def check_gradient_boosting(model: Any) -> None:
    """The stages add up in place, one column of the output for each column of trees."""
    trees = getattr(model, "estimators_", None)
    if trees is None:
        return
    name, width = type(model).__name__, model.n_trees_per_iteration_
    if trees.shape != (len(trees), width) or not trees.size:
        expected = f"(stages, {width})"
        refuse_array(f"{name}: shape of estimators_", found=trees.shape, expected=expected)
    for tree in trees.ravel():
        check_is(name, tree, BaseDecisionTree)
        check_equal(f"{name}: features of a tree", tree.n_features_in_, model.n_features_in_)
        check_equal(f"{name}: outputs of a tree", tree.tree_.n_outputs, 1)
        check_equal(f"{name}: values in a leaf", tree.tree_.max_n_classes, 1)
    if width != 1:
        check_is(name, model._loss, HalfMultinomialLoss)
        check_equal(f"{name}: classes", len(model.classes_), width)
        check_equal(f"{name}: classes of the loss", model._loss.n_classes, width)
        if model.init_ != "zero":
            check_equal(f"{name}: classes of init_", len(model.init_.classes_), width)


def check_predictor(predictor: Any) -> None:
    """A tree of histogram gradient boosting: its links and its bitsets."""
    name = type(predictor).__name__
    nodes = predictor.nodes
    if nodes.ndim != 1 or not len(nodes):
        refuse_array(f"{name}: shape of nodes", found=nodes.shape, expected="(nodes,)")
    splits = np.flatnonzero(nodes["is_leaf"] == 0)
    left, right = nodes["left"][splits].astype(np.int64), nodes["right"][splits].astype(np.int64)
    _check_links(name, splits, left, right, len(nodes))
    categorical = splits[nodes["is_categorical"][splits] != 0]
    for attribute in ("raw_left_cat_bitsets", "binned_left_cat_bitsets"):
        bitsets = getattr(predictor, attribute)
        check_equal(f"{name}: shape of {attribute}", bitsets.shape, (len(bitsets), _BITSET_WORDS))
        check_range(f"{name}: bitset_idx", nodes["bitset_idx"][categorical], len(bitsets))


def check_hist_gradient_boosting(model: Any) -> None:
    """The features of all trees, the known categories, and the width of the rows."""
    predictors = getattr(model, "_predictors", None)
    if predictors is None:
        return
    width, name = model.n_features_in_, type(model).__name__
    if vars(model).get("_in_fit", False):
        refuse_array(f"{name}: _in_fit", found="set", expected="a model that is not being fitted")
    check_is(name, model._bin_mapper, _BinMapper)
    is_categorical = np.asarray(model._bin_mapper.is_categorical_)
    thresholds = model._bin_mapper.bin_thresholds_
    check_equal(f"{name}: is_categorical_", is_categorical.shape, (width,))
    check_equal(f"{name}: bin_thresholds_", len(thresholds), width)
    for feature in np.flatnonzero(is_categorical):
        check_range(f"{name}: known categories", thresholds[feature], _MAX_CATEGORY + 1)
    trees = [tree for stage in predictors for tree in stage]
    for tree in trees:
        check_is(name, tree, TreePredictor)
    if trees:
        # All trees at once: they are many and small.
        nodes = np.concatenate([tree.nodes for tree in trees])
        nodes = nodes[nodes["is_leaf"] == 0]
        check_range(f"{name}: feature_idx", nodes["feature_idx"], width)
        asked = nodes["feature_idx"][nodes["is_categorical"] != 0]
        if not np.all(is_categorical[asked]):
            refuse_array(f"{name}: a split", found="categories", expected="a numeric threshold")
    if model._preprocessor is not None:
        _check_preprocessor(name, model._preprocessor, width)


def _check_preprocessor(name: str, preprocessor: Any, width: int) -> None:
    """What reorders the columns before the trees see them must keep their number."""
    check_is(name, preprocessor, ColumnTransformer)
    used = [part for part in preprocessor.transformers_ if part[1] != "drop"]
    check_equal(f"{name}: transformers", len(used), 2)
    (first, encoder, categories), (second, checker, numbers) = used
    check_is(name, encoder, OrdinalEncoder)
    check_is(name, checker, FunctionTransformer)
    check_is(name, checker.func, partial)
    if checker.func.func is not check_array or checker.func.args:
        refuse_array(f"{name}: preprocessor", found=checker.func, expected="check_array")
    for mask in (categories, numbers):
        check_is(name, mask, np.ndarray)
        check_equal(f"{name}: columns", (mask.dtype, mask.shape), (np.dtype(bool), (width,)))
    if np.any(categories == numbers):
        refuse_array(f"{name}: columns", found="one used twice or never", expected="each once")
    indices = preprocessor._transformer_to_input_indices
    check_equal(f"{name}: columns", len(indices[first]) + len(indices[second]), width)


def _check_links(
    name: str, splits: np.ndarray, left: np.ndarray, right: np.ndarray, count: int
) -> None:
    """Children come after their parent, so no cycle; and each node but the root has one parent."""
    for side, child in (("left", left), ("right", right)):
        wrong = (child <= splits) | (child >= count)
        if wrong.any():
            at = int(np.argmax(wrong))
            refuse_array(
                f"{name}: {side} child of node {splits[at]}",
                found=child[at],
                expected=f"{splits[at] + 1} to {count - 1}",
            )
    parents = np.bincount(np.concatenate([left, right]), minlength=count)
    parents[0] += 1
    if np.any(parents != 1):
        at = int(np.argmax(parents != 1))
        found = f"node {at} with {parents[at]}"
        refuse_array(f"{name}: parents of its nodes", found=found, expected="one each")
