"""Bounds of other arrays that compiled code indexes: neighbour trees, support vectors, codes."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.neighbors import BallTree, KDTree

from mlops.core.artifact.refusal import check_equal, check_is, check_range, refuse_array

_MT19937_WORDS = 624
_REGRESSION = ("epsilon_svr", "nu_svr")


def check_neighbour_tree(tree: Any) -> None:
    """A KDTree or BallTree: a complete binary tree over a permutation of the rows."""
    name = type(tree).__name__
    data, index, nodes, bounds, leaf_size, _, n_nodes, *_, metric, weight = tree.__getstate__()
    rows, width = data.shape
    check_equal(f"{name}: length of idx_array", index.shape, (rows,))
    check_range(f"{name}: idx_array", index, rows)
    check_equal(f"{name}: number of nodes", nodes.shape, (n_nodes,))
    planes = 2 if isinstance(tree, KDTree) else 1
    check_equal(f"{name}: shape of node_bounds", bounds.shape, (planes, n_nodes, width))
    if weight is not None:
        check_equal(f"{name}: length of sample_weight", weight.shape, (rows,))
    if leaf_size < 1:
        refuse_array(f"{name}: leaf_size", found=leaf_size, expected="at least 1")
    _check_neighbour_nodes(name, nodes, rows)
    vector = metric.__getstate__()[1]
    if type(metric).__name__.startswith("Minkowski") and len(vector):
        check_equal(f"{name}: weights of the metric", len(vector), width)


def _check_neighbour_nodes(name: str, nodes: np.ndarray, rows: int) -> None:
    """Node i has the children 2i + 1 and 2i + 2, which share its rows between them."""
    if not len(nodes) or (nodes["idx_start"][0], nodes["idx_end"][0]) != (0, rows):
        refuse_array(f"{name}: rows of node 0", found="others", expected=f"0 to {rows}")
    splits = np.flatnonzero(nodes["is_leaf"] == 0)
    check_range(f"{name}: children", 2 * splits + 2, len(nodes))
    first, second = nodes[2 * splits + 1], nodes[2 * splits + 2]
    start, end = nodes["idx_start"][splits], nodes["idx_end"][splits]
    shared = (first["idx_start"] == start) & (second["idx_end"] == end)
    shared &= (first["idx_end"] == second["idx_start"]) & (first["idx_end"] >= start)
    shared &= first["idx_end"] <= end
    if not shared.all():
        at = splits[int(np.argmin(shared))]
        found = "rows outside of their parent's"
        refuse_array(f"{name}: children of node {at}", found=found, expected="its rows, shared")


def check_neighbours(model: Any) -> None:
    """Neighbours are looked up in arrays that must all have one entry for each training row."""
    rows = getattr(model, "_fit_X", None)
    if rows is None:
        return
    name = type(model).__name__
    check_is(name, rows, np.ndarray)
    check_equal(f"{name}: columns", rows.shape[1:], (model.n_features_in_,))
    check_equal(f"{name}: n_samples_fit_", model.n_samples_fit_, len(rows))
    check_equal(f"{name}: length of _y", len(model._y), len(rows))
    check_range(f"{name}: n_neighbors", model.n_neighbors, len(rows) + 1)
    if model._tree is not None:
        check_is(name, model._tree, (KDTree, BallTree))
        check_equal(f"{name}: shape of its tree", model._tree.data.shape, rows.shape)
    if hasattr(model, "classes_") and not model.outputs_2d_:
        check_range(f"{name}: _y", model._y, len(model.classes_))


def check_support_vectors(model: Any) -> None:
    """libsvm gets pointers and counts: every array must be as long as the others imply."""
    if not hasattr(model, "support_"):
        return
    name = type(model).__name__
    if model._sparse or model.kernel == "precomputed" or callable(model.kernel):
        expected = "a kernel that libsvm knows, on dense rows"
        refuse_array(f"{name}: kernel", found=model.kernel, expected=expected)
    count = len(model.support_)
    is_regression = model._impl in _REGRESSION
    classes = 2 if is_regression else len(model.classes_)
    pairs = classes * (classes - 1) // 2
    shape = (count, model.n_features_in_)
    check_equal(f"{name}: shape of support_vectors_", model.support_vectors_.shape, shape)
    check_equal(f"{name}: columns at fit", model.shape_fit_[1], model.n_features_in_)
    check_equal(f"{name}: length of _n_support", model._n_support.shape, (classes,))
    if not is_regression:
        check_range(f"{name}: _n_support", model._n_support, count + 1)
        check_equal(f"{name}: sum of _n_support", int(model._n_support.sum()), count)
    check_equal(f"{name}: shape of _dual_coef_", model._dual_coef_.shape, (classes - 1, count))
    check_equal(f"{name}: length of _intercept_", model._intercept_.shape, (pairs,))
    for attribute in ("_probA", "_probB"):
        length = len(getattr(model, attribute))
        if length not in (0, pairs):
            refuse_array(f"{name}: length of {attribute}", found=length, expected=f"0 or {pairs}")


def check_one_hot(encoder: Any) -> None:
    """The codes that become column numbers of a sparse matrix must stay below its width."""
    if not hasattr(encoder, "categories_"):
        return
    name = "OneHotEncoder"
    infrequent = encoder._infrequent_indices if encoder._infrequent_enabled else None
    widths = [
        _check_categories(name, column, categories, encoder, infrequent)
        for column, categories in enumerate(encoder.categories_)
    ]
    dropped = encoder._drop_idx_after_grouping
    if dropped is not None:
        check_equal(f"{name}: length of drop_idx_", len(dropped), len(widths))
        for column, index in enumerate(dropped):
            if index is not None:
                check_range(f"{name}: drop_idx_", index, widths[column])
                widths[column] -= 1
    check_equal(f"{name}: columns of its output", list(encoder._n_features_outs), widths)


def _check_categories(
    name: str, column: int, categories: np.ndarray, encoder: Any, infrequent: Any
) -> int:
    """Check one column's categories; returns how many codes they have after grouping."""
    known = categories[~np.isnan(categories)] if categories.dtype.kind == "f" else categories
    # Codes of sorted numbers are found by bisection; those of objects in a dictionary.
    if known.dtype != object and np.any(known[1:] <= known[:-1]):
        refuse_array(f"{name}: categories_", found="out of order", expected="rising numbers")
    if infrequent is None or infrequent[column] is None:
        return len(categories)
    check_range(f"{name}: infrequent categories", infrequent[column], len(categories))
    codes = len(categories) - len(infrequent[column]) + 1
    mapping = encoder._default_to_infrequent_mappings[column]
    check_equal(f"{name}: codes of infrequent categories", len(mapping), len(categories))
    check_range(f"{name}: codes of infrequent categories", mapping, codes)
    return codes


def check_random(source: Any) -> None:
    """The position in a generator's buffer is an index as well."""
    if isinstance(source, np.random.Generator):
        found = type(source.bit_generator).__name__
        check_equal("numpy.random.Generator: bit generator", found, "PCG64")
        return
    state = source.get_state(legacy=False)
    check_equal("numpy.random.RandomState: bit generator", state["bit_generator"], "MT19937")
    check_range("numpy.random.RandomState: pos", state["state"]["pos"], _MT19937_WORDS + 1)
