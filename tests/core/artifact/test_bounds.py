"""Model files that were altered so that a prediction would leave its arrays: all refused."""

from __future__ import annotations

import io
import json
import warnings
from collections.abc import Callable, Iterator
from copy import deepcopy
from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import (
    BaggingClassifier,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
)
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import OneHotEncoder
from sklearn.svm import SVC, SVR
from sklearn.tree import DecisionTreeClassifier

from mlops.core.artifact.audit import SCHEMA
from mlops.core.artifact.bounds import check_bounds
from mlops.core.artifact.skops_format import SKOPS
from mlops.core.artifact.stored_zip import read_members, write_stored_zip
from mlops.errors import ArtifactRefused

RNG = np.random.default_rng(1)
X = RNG.normal(size=(150, 5))
X[:, 3], X[:, 4] = RNG.integers(0, 6, 150), RNG.integers(0, 3, 150)
Y = X[:, 0] + X[:, 3] / 4 + RNG.normal(size=150) / 3 > 0.5
Y3 = RNG.integers(0, 3, 150)

Schema = dict[str, Any]
Change = Callable[[Schema, dict[str, bytes]], None]

# Values that an index field can be given; the last does not fit into 32 bits.
VALUES = (-(2**31), -3, -1, 0, 1, 2, 40, 10**6, 2**31 - 1, 2**40)


def edited(data: bytes, change: Change) -> bytes:
    """A model file after somebody changed it, with all checksums right again."""
    members = read_members(data, what="a model file")
    schema = json.loads(members.pop(SCHEMA))
    change(schema, members)
    used = {node["file"] for node in nodes_of(schema) if "file" in node}
    kept = [(name, content) for name, content in members.items() if name in used]
    return write_stored_zip([(SCHEMA, json.dumps(schema).encode()), *kept])


def nodes_of(schema: Any) -> Iterator[Schema]:
    """All descriptions of objects in a file."""
    if isinstance(schema, dict):
        if isinstance(schema.get("__loader__"), str):
            yield schema
        for value in schema.values():
            yield from nodes_of(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from nodes_of(value)


def described(schema: Schema, name: str, attribute: str | int = "") -> Schema:
    """The first object of a class; the first that has the attribute, if any has."""
    found = [node for node in nodes_of(schema) if node["__class__"] == name]
    having = [
        node
        for node in found
        if isinstance(attribute, str) and attribute in node["content"].get("content", ())
    ]
    return (having or found)[0]


def attributes(node: Schema) -> Schema:
    """The attributes of an object, by name."""
    return node["content"]["content"]


def json_value(value: Any) -> Schema:
    """The description of a plain value."""
    return {
        "__class__": "str",
        "__module__": "builtins",
        "__loader__": "JsonNode",
        "content": json.dumps(value),
    }


def set_value(owner: str, attribute: str, value: Any) -> Change:
    """Give an attribute another plain value."""

    def change(schema: Schema, members: dict[str, bytes]) -> None:
        content = described(schema, owner, attribute)["content"]
        if attribute not in content["content"]:
            types = content["key_types"]
            types.pop("__id__")
            types["content"].append({**types["content"][0]})
        content["content"][attribute] = json_value(value)

    return change


def set_array(
    owner: str, attribute: str | int, edit: Callable[[np.ndarray], np.ndarray | None]
) -> Change:
    """Change an array in place, or put another one there."""

    def change(schema: Schema, members: dict[str, bytes]) -> None:
        node = attributes(described(schema, owner, attribute))[attribute]
        array = np.load(io.BytesIO(members[node["file"]]))
        replaced = edit(array)
        put_array(node, members, array if replaced is None else replaced)

    return change


def put_array(node: Schema, members: dict[str, bytes], array: np.ndarray) -> None:
    """Give one node an array of its own; others that shared the old one keep it."""
    buffer = io.BytesIO()
    np.save(buffer, array)
    node.pop("__id__", None)
    node["file"] = f"put{len(members)}.npy"
    members[node["file"]] = buffer.getvalue()


def set_item(index: Any, value: Any) -> Callable[[np.ndarray], None]:
    """An edit that sets some items of an array."""

    def edit(array: np.ndarray) -> None:
        array[index] = value

    return edit


def set_field(field: str, node: int, value: Any) -> Callable[[np.ndarray], None]:
    """An edit that sets a field of a node."""

    def edit(array: np.ndarray) -> None:
        array[field][node] = value

    return edit


def refused(estimator: Any, change: Change, match: str) -> None:
    """Assert that the file is read as it is, and refused once it is changed."""
    written = SKOPS.dump(estimator)
    assert SKOPS.load(edited(written, lambda schema, members: None)) is not None
    with pytest.raises(ArtifactRefused, match=match):
        SKOPS.load(edited(written, change))


# More threads than processors make these small models slow.
pytestmark = pytest.mark.usefixtures("one_thread")


@cache
def _fitted(make: Callable[..., Any], labels: str, parameters: str) -> Any:
    y = {"two": Y, "three": Y3}[labels]
    return make(**json.loads(parameters)).fit(X, y)


def fitted(make: Callable[..., Any], labels: str = "two", **parameters: Any) -> Any:
    """A model of one's own to spoil."""
    return deepcopy(_fitted(make, labels, json.dumps(parameters)))


def tree() -> DecisionTreeClassifier:
    return fitted(DecisionTreeClassifier, random_state=0, max_depth=4)


def forest() -> RandomForestClassifier:
    return fitted(RandomForestClassifier, n_estimators=3, random_state=0)


def boosting(labels: str = "two") -> GradientBoostingClassifier:
    return fitted(GradientBoostingClassifier, labels, n_estimators=3, random_state=0)


def hist(**parameters: Any) -> HistGradientBoostingClassifier:
    parameters = {"max_iter": 3, "random_state": 0, "min_samples_leaf": 5} | parameters
    return fitted(HistGradientBoostingClassifier, **parameters)


def neighbours(**parameters: Any) -> KNeighborsClassifier:
    return KNeighborsClassifier(leaf_size=10, **parameters).fit(X, Y)


@pytest.mark.parametrize(
    ("edit", "match"),
    [
        (set_field("left_child", 0, 10**9), "left child of node 0; found 1000000000"),
        (set_field("left_child", 0, -2), "left child of node 0"),
        (set_field("left_child", 0, 0), "left child of node 0; found 0"),
        (set_field("right_child", 0, 10**9), "right child of node 0"),
        (set_field("right_child", 1, 1), "right child of node 1"),
        (set_field("right_child", 0, -1), "children of a node"),
        (set_field("right_child", 0, 1), "parents of its nodes"),
        (set_field("feature", 0, 5), "feature; found 5; expected 0 to 4"),
        (set_field("feature", 0, -1), "feature; found -1"),
        (lambda nodes: nodes[:3], "constructed"),
        (lambda nodes: nodes[:0], "constructed"),
    ],
)
def test_nodes_of_a_decision_tree(edit, match):
    refused(tree(), set_array_of_tree("nodes", edit), match)


def set_array_of_tree(attribute: str, edit: Callable[[np.ndarray], np.ndarray | None]) -> Change:
    return set_array("Tree", attribute, edit)


@pytest.mark.parametrize(
    ("attribute", "value", "match"),
    [
        ("node_count", 3, "node_count"),
        ("node_count", 0, "node_count"),
        ("node_count", -1, "node_count"),
        ("max_depth", 1, "max_depth; found 1"),
    ],
)
def test_counts_of_a_decision_tree(attribute, value, match):
    refused(tree(), set_value("Tree", attribute, value), match)


def set_constructor(index: int, value: Any) -> Change:
    """Change an argument of the constructor of a tree: features, classes, outputs."""

    def change(schema: Schema, members: dict[str, bytes]) -> None:
        described(schema, "Tree")["__reduce__"]["args"]["content"][index] = json_value(value)

    return change


@pytest.mark.parametrize(
    ("index", "value"), [(0, 10**6), (0, 2), (0, -1), (2, 0), (2, -1), (2, 2), (2, 2**40)]
)
def test_sizes_of_a_decision_tree(index, value):
    refused(tree(), set_constructor(index, value), "altered|constructed")


def test_a_leaf_without_values_is_refused():
    def change(schema: Schema, members: dict[str, bytes]) -> None:
        described_tree = described(schema, "Tree")
        nodes = attributes(described_tree)["nodes"]
        for attribute, array in (
            (described_tree["__reduce__"]["args"]["content"][1], np.zeros(1, dtype=np.int64)),
            (attributes(described_tree)["values"], np.zeros((5, 1, 0))),
            (nodes, np.load(io.BytesIO(members[nodes["file"]]))[:5]),
        ):
            put_array(attribute, members, array)
        attributes(described_tree)["node_count"] = json_value(5)

    refused(tree(), change, "size of its leaves")


@pytest.mark.parametrize("owner", ["DecisionTreeClassifier", "RandomForestClassifier"])
@pytest.mark.parametrize("width", [1, 6, 10**6])
def test_owners_of_trees_must_know_their_width(owner, width):
    refused(forest(), set_value(owner, "n_features_in_", width), "feature")


def test_a_part_that_is_no_tree_is_refused():
    estimator = forest()
    estimator.estimators_[1] = DummyClassifier().fit(X, Y)
    refused(forest(), lambda schema, members: replace(schema, members, estimator), "a part of it")
    lonely = tree()
    lonely.tree_ = DummyClassifier()
    refused(tree(), lambda schema, members: replace(schema, members, lonely), "a part of it")


def replace(schema: Schema, members: dict[str, bytes], estimator: Any) -> None:
    """Put another model into a file."""
    other = read_members(SKOPS.dump(estimator), what="a model file")
    schema.clear()
    schema.update(json.loads(other.pop(SCHEMA)))
    members.clear()
    members.update(other)


def test_gradient_boosting_adds_up_within_its_columns():
    wide = boosting("three")
    wide.n_trees_per_iteration_ = 1
    with pytest.raises(ArtifactRefused, match="shape of estimators_"):
        check_bounds(wide)
    refused(boosting("three"), set_value("GradientBoostingClassifier", "init_", None), "altered")
    narrow = boosting("three")
    narrow.init_.classes_ = narrow.init_.classes_[:2]
    with pytest.raises(ArtifactRefused, match="classes of init_"):
        check_bounds(narrow)
    binary = boosting()
    binary.estimators_[1, 0] = tree()
    with pytest.raises(ArtifactRefused, match="values in a leaf"):
        check_bounds(binary)
    change = set_value("GradientBoostingClassifier", "n_features_in_", 2)
    refused(boosting(), change, "features of a tree")


@pytest.mark.parametrize(
    ("field", "value", "match"),
    [
        ("left", 10**6, "left child of node 0"),
        ("left", 0, "left child of node 0"),
        ("right", 2**32 - 1, "right child of node 0"),
        ("feature_idx", 5, "feature_idx; found 5"),
        ("feature_idx", -1, "feature_idx; found -1"),
        ("is_categorical", 1, "bitset_idx|a split"),
        ("is_leaf", 1, "parents"),
    ],
)
@pytest.mark.parametrize("parameters", [{}, {"categorical_features": [3, 4]}])
def test_nodes_of_histogram_boosting(field, value, match, parameters):
    estimator = hist(**parameters)
    root = estimator._predictors[0][0].nodes[0]
    if root[field] == value:
        pytest.skip("this is its value")
    if field == "is_categorical" and parameters:
        match += "|feature"
    change = set_array("TreePredictor", "nodes", set_field(field, 0, value))
    refused(estimator, change, match)


def _categorical_split(estimator: HistGradientBoostingClassifier) -> tuple[int, int]:
    """Stage and node of a split on categories."""
    for stage, (predictor,) in enumerate(estimator._predictors):
        found = np.flatnonzero(predictor.nodes["is_categorical"] & ~predictor.nodes["is_leaf"])
        if len(found):
            return stage, int(found[0])
    raise AssertionError("the model has no categorical split")


def test_categories_of_histogram_boosting():
    for field, value, match in (
        ("bitset_idx", 10**6, "bitset_idx"),
        ("feature_idx", 4, "numeric threshold"),
    ):
        estimator = hist(categorical_features=[3, 4], max_iter=8)
        stage, node = _categorical_split(estimator)
        estimator._predictors[stage][0].nodes[field][node] = value
        with pytest.raises(ArtifactRefused, match=match):
            check_bounds(estimator)
    for attribute in ("raw_left_cat_bitsets", "binned_left_cat_bitsets"):
        estimator = hist(categorical_features=[3, 4])
        predictor = estimator._predictors[0][0]
        setattr(predictor, attribute, np.zeros((9, 4), dtype=np.uint32))
        with pytest.raises(ArtifactRefused, match=f"shape of {attribute}"):
            check_bounds(estimator)


@pytest.mark.parametrize(
    ("owner", "attribute", "value", "match"),
    [
        ("_BinMapper", "is_categorical_", np.zeros(3, dtype=np.uint8), "is_categorical_"),
        ("_BinMapper", "is_categorical_", np.zeros(99, dtype=np.uint8), "is_categorical_"),
        ("HistGradientBoostingClassifier", "n_features_in_", 3, "is_categorical_"),
        ("HistGradientBoostingClassifier", "_in_fit", True, "_in_fit"),
        ("HistGradientBoostingClassifier", "_preprocess_X", 7, "_preprocess_X"),
        ("HistGradientBoostingClassifier", "_bin_mapper", None, "a part of it"),
    ],
)
def test_parts_of_histogram_boosting(owner, attribute, value, match):
    change = (
        set_array(owner, attribute, lambda _: value)
        if isinstance(value, np.ndarray)
        else set_value(owner, attribute, value)
    )
    refused(hist(categorical_features=[3, 4]), change, match)


def test_the_preprocessor_of_histogram_boosting_must_keep_the_columns():
    def masks(estimator: Any, first: np.ndarray) -> Any:
        (name, encoder, _), *rest = estimator._preprocessor.transformers_
        estimator._preprocessor.transformers_ = [(name, encoder, first), *rest]
        return estimator

    def rename(estimator: Any) -> Any:
        estimator._preprocessor._transformer_to_input_indices["encoder"] = [1]
        return estimator

    def stand_in(estimator: Any) -> Any:
        estimator._preprocessor.transformers_[1] = ("numerical", OneHotEncoder(), [0])
        return estimator

    def without(estimator: Any) -> Any:
        del estimator._preprocessor.transformers_[1]
        return estimator

    def other_function(estimator: Any) -> Any:
        estimator._preprocessor.transformers_[1][1].func = np.tanh
        return estimator

    for altered, match in (
        (masks(hist(categorical_features=[3]), np.zeros(5, dtype=bool)), "used twice or never"),
        (masks(hist(categorical_features=[3]), np.zeros(4, dtype=bool)), "columns"),
        (masks(hist(categorical_features=[3]), [1]), "a part of it"),
        (rename(hist(categorical_features=[3, 4])), "columns"),
        (without(hist(categorical_features=[3])), "transformers; found 1; expected 2"),
        (stand_in(hist(categorical_features=[3])), "a part of it"),
        (other_function(hist(categorical_features=[3])), "a part of it"),
    ):
        with pytest.raises(ArtifactRefused, match=match):
            check_bounds(altered)


@pytest.mark.parametrize("algorithm", ["kd_tree", "ball_tree"])
@pytest.mark.parametrize(
    ("position", "edit", "match"),
    [
        (0, lambda data: data[:, :2].copy(), "shape of its tree"),
        (0, lambda data: data[:20].copy(), "shape of its tree"),
        (1, set_item(3, 10**6), "idx_array; found 1000000"),
        (1, set_item(3, -1), "idx_array; found -1"),
        (1, lambda index: index[:-1].copy(), "length of idx_array"),
        (2, set_field("idx_end", 0, 10**6), "rows of node 0"),
        (2, set_field("idx_start", 1, -5), "children of node 0"),
        (2, set_field("idx_end", 2, 10**6), "children of node 0"),
        (2, set_field("idx_end", 1, 10**6), "children of node 0"),
        (2, set_field("is_leaf", -1, 0), "children"),
        (2, lambda nodes: nodes[:3].copy(), "number of nodes"),
        (3, lambda bounds: bounds[:, :1].copy(), "node_bounds"),
    ],
)
def test_neighbour_trees(algorithm, position, edit, match):
    name = {"kd_tree": "KDTree", "ball_tree": "BallTree"}[algorithm]
    refused(neighbours(algorithm=algorithm), set_array(name, position, edit), match)


@pytest.mark.parametrize("leaf_size", [0, -1])
def test_neighbour_trees_have_leaves(leaf_size):
    def change(schema: Schema, members: dict[str, bytes]) -> None:
        attributes(described(schema, "KDTree"))[4] = json_value(leaf_size)

    refused(neighbours(algorithm="kd_tree"), change, "leaf_size")


def test_weights_of_a_metric():
    estimator = neighbours(algorithm="ball_tree", metric_params={"w": np.ones(5)}, p=3)
    change = set_array("MinkowskiDistance64", 1, lambda weights: weights[:2].copy())
    refused(estimator, change, "weights of the metric")


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (set_array("KNeighborsClassifier", "_y", set_item(0, 7)), "_y; found 7"),
        (set_array("KNeighborsClassifier", "_y", set_item(0, -1)), "_y; found -1"),
        (set_array("KNeighborsClassifier", "_y", lambda y: y[:9].copy()), "length of _y"),
        (set_array("KNeighborsClassifier", "_fit_X", lambda x: x[:9].copy()), "n_samples_fit_"),
        (set_value("KNeighborsClassifier", "n_neighbors", 10**6), "n_neighbors"),
        (set_value("KNeighborsClassifier", "n_features_in_", 2), "columns"),
        (set_value("KNeighborsClassifier", "_tree", 5), "a part of it"),
    ],
)
def test_neighbours(change, match):
    refused(neighbours(algorithm="brute"), change, match)


@pytest.mark.parametrize("make", [SVC, SVR])
@pytest.mark.parametrize(
    ("attribute", "edit"),
    [
        ("support_", lambda array: array[:5].copy()),
        ("support_vectors_", lambda array: array[:5].copy()),
        ("support_vectors_", lambda array: array[:, :2].copy()),
        ("_n_support", lambda array: array[:1].copy()),
        ("_n_support", lambda array: np.append(array, array)),
        ("_dual_coef_", lambda array: array[:, :3].copy()),
        ("_intercept_", lambda array: array[:0].copy()),
        ("_probA", lambda array: np.ones(9)),
    ],
)
def test_support_vectors(make, attribute, edit):
    estimator = make().fit(X, Y)
    refused(estimator, set_array(make.__name__, attribute, edit), "altered")


def test_support_vectors_are_as_many_as_their_classes_say():
    change = set_array("SVC", "_n_support", set_item(0, 10**6))
    refused(SVC().fit(X, Y), change, "_n_support; found 1000000")
    refused(SVC().fit(X, Y), set_value("SVC", "kernel", "precomputed"), "kernel")
    refused(SVC().fit(X, Y), set_value("SVC", "_sparse", True), "kernel")
    refused(SVC().fit(X, Y), set_value("SVC", "_impl", "epsilon_svr"), "_impl")


def one_hot(**parameters: Any) -> OneHotEncoder:
    return OneHotEncoder(**parameters).fit(X[:, 3:])


def test_one_hot_codes_stay_within_the_columns():
    def outs(encoder: OneHotEncoder) -> None:
        encoder._n_features_outs = [1, 1]

    def unsorted(encoder: OneHotEncoder) -> None:
        encoder.categories_[1] = encoder.categories_[1][::-1].copy()

    def shorter(encoder: OneHotEncoder) -> None:
        encoder.categories_[0] = encoder.categories_[0][:2]

    def dropped(encoder: OneHotEncoder) -> None:
        encoder._drop_idx_after_grouping = np.array([99, 0], dtype=object)

    def grouped(encoder: OneHotEncoder) -> None:
        encoder._default_to_infrequent_mappings[0][0] = 99

    for change, parameters, match in (
        (outs, {}, "columns of its output"),
        (unsorted, {}, "out of order"),
        (shorter, {}, "columns of its output"),
        (dropped, {"drop": "first"}, "drop_idx_; found 99"),
        (grouped, {"min_frequency": 26}, "codes of infrequent categories; found 99"),
    ):
        encoder = one_hot(**parameters)
        check_bounds(encoder)
        change(encoder)
        with pytest.raises(ArtifactRefused, match=match):
            check_bounds(encoder)


def test_the_position_of_a_random_state():
    estimator = BaggingClassifier(n_estimators=2, random_state=np.random.RandomState(1)).fit(X, Y)
    check_bounds(estimator)
    state = estimator.random_state.get_state(legacy=False)
    state["state"]["pos"] = 10**6
    estimator.random_state.set_state(state)
    with pytest.raises(ArtifactRefused, match="RandomState: pos; found 1000000"):
        check_bounds(estimator)
    with pytest.raises(ArtifactRefused, match="found MT19937; expected PCG64"):
        check_bounds(np.random.Generator(np.random.MT19937(1)))


@pytest.mark.parametrize("name", ["predict_proba", "decision_function", "_validate_params"])
def test_nothing_may_stand_in_front_of_a_method(name):
    refused(
        LogisticRegression().fit(X, Y),
        set_value("LogisticRegression", name, 1),
        "replaces what the class defines",
    )


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_any_index_in_a_decision_tree_is_refused_or_harmless(data):
    estimator = tree()
    nodes = estimator.tree_.__getstate__()["nodes"]
    for _ in range(data.draw(st.integers(1, 3))):
        field = data.draw(st.sampled_from(["left_child", "right_child", "feature"]))
        nodes[field][data.draw(st.integers(0, len(nodes) - 1))] = data.draw(
            st.sampled_from(VALUES) | st.integers(-2, len(nodes))
        )
    _refused_or_harmless(estimator)


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_any_index_in_histogram_boosting_is_refused_or_harmless(data):
    estimator = hist(categorical_features=[3, 4])
    nodes = estimator._predictors[0][0].nodes
    for _ in range(data.draw(st.integers(1, 3))):
        field = data.draw(
            st.sampled_from(
                ["left", "right", "feature_idx", "bitset_idx", "is_categorical", "is_leaf"]
            )
        )
        value = data.draw(st.sampled_from(VALUES) | st.integers(0, len(nodes)))
        node = data.draw(st.integers(0, len(nodes) - 1))
        nodes[field][node] = np.array([value]).astype(nodes.dtype[field])[0]
    _refused_or_harmless(estimator)


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_any_index_in_a_neighbour_tree_is_refused_or_harmless(data):
    estimator = neighbours(algorithm=data.draw(st.sampled_from(["kd_tree", "ball_tree"])))
    _, index, nodes, *_ = estimator._tree.__getstate__()
    if data.draw(st.booleans()):
        index[data.draw(st.integers(0, len(index) - 1))] = data.draw(st.sampled_from(VALUES))
    else:
        field = data.draw(st.sampled_from(["idx_start", "idx_end", "is_leaf"]))
        nodes[field][data.draw(st.integers(0, len(nodes) - 1))] = data.draw(
            st.sampled_from(VALUES) | st.integers(0, len(index))
        )
    _refused_or_harmless(estimator)


def _refused_or_harmless(estimator: Any) -> None:
    """What passes the checks can be asked without leaving its arrays: the process survives."""
    try:
        loaded = SKOPS.load(SKOPS.dump(estimator))
    except ArtifactRefused:
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert loaded.predict(X).shape == (len(X),)
