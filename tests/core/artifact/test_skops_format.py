"""Model files: the same bytes for the same model, and nothing constructed that was not asked for.

Run as a program, this file prints the digests that another process finds.
"""

from __future__ import annotations

import gc
import io
import json
import os
import pickle
import subprocess
import sys
import warnings
import zipfile
from collections.abc import Callable
from functools import cache, partial
from operator import methodcaller
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
import skops.io
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.calibration import CalibratedClassifierCV
from sklearn.cluster import Birch
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.ensemble import (
    AdaBoostClassifier,
    BaggingClassifier,
    ExtraTreesClassifier,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
    StackingClassifier,
    VotingClassifier,
)
from sklearn.feature_selection import SelectFromModel, SelectKBest
from sklearn.gaussian_process import GaussianProcessClassifier
from sklearn.impute import KNNImputer, SimpleImputer
from sklearn.kernel_approximation import AdditiveChi2Sampler, Nystroem
from sklearn.linear_model import (
    ElasticNetCV,
    LinearRegression,
    LogisticRegression,
    PoissonRegressor,
    Ridge,
    RidgeCV,
    SGDClassifier,
    TweedieRegressor,
)
from sklearn.model_selection import FixedThresholdClassifier, GridSearchCV
from sklearn.naive_bayes import BernoulliNB, GaussianNB
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor, RadiusNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    KBinsDiscretizer,
    MinMaxScaler,
    OneHotEncoder,
    OrdinalEncoder,
    PolynomialFeatures,
    PowerTransformer,
    QuantileTransformer,
    RobustScaler,
    StandardScaler,
    TargetEncoder,
)
from sklearn.svm import SVC, SVR, LinearSVC
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor
from threadpoolctl import threadpool_limits

from mlops.core.artifact.audit import SCHEMA
from mlops.core.artifact.skops_format import SKOPS
from mlops.core.artifact.stored_zip import read_members, write_stored_zip
from mlops.digests import digest_bytes
from mlops.errors import ArtifactRefused, TrainingError

SEED = 0
ROWS = 160


@cache
def data() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Six columns, the last two of them codes; a label; a positive number."""
    rng = np.random.default_rng(SEED)
    x = rng.normal(size=(ROWS, 6))
    x[:, 4], x[:, 5] = rng.integers(0, 5, ROWS), rng.integers(0, 3, ROWS)
    y = x[:, 0] + 0.3 * x[:, 4] + rng.normal(size=ROWS) / 3 > 0.5
    return x, y, np.exp(x[:, 0] / 4 + x[:, 4] / 5)


def _columns(**one_hot: Any) -> ColumnTransformer:
    numbers = make_pipeline(SimpleImputer(add_indicator=True), StandardScaler())
    ordinal = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    return ColumnTransformer(
        [
            ("numbers", numbers, [0, 1, 2, 3]),
            ("one_hot", OneHotEncoder(handle_unknown="ignore", **one_hot), [4]),
            ("ordinal", ordinal, slice(5, 6)),
        ],
        remainder="passthrough",
    )


def _trees(count: int = 5) -> RandomForestClassifier:
    return RandomForestClassifier(count, random_state=SEED)


ZOO: dict[str, Callable[[], Any]] = {
    "ada_boost": lambda: AdaBoostClassifier(n_estimators=4, random_state=SEED),
    "bagging": lambda: BaggingClassifier(n_estimators=4, max_features=0.5, random_state=SEED),
    "bernoulli": BernoulliNB,
    "calibrated_forest": lambda: CalibratedClassifierCV(_trees(), cv=2),
    "calibrated_isotonic": lambda: CalibratedClassifierCV(GaussianNB(), method="isotonic", cv=2),
    "calibrated_temperature": lambda: CalibratedClassifierCV(
        LogisticRegression(), method="temperature", cv=2
    ),
    "dummy": DummyClassifier,
    "extra_trees": lambda: ExtraTreesClassifier(5, random_state=SEED),
    "fixed_threshold": lambda: FixedThresholdClassifier(LogisticRegression(), threshold=0.3),
    "forest": _trees,
    "gaussian": GaussianNB,
    "gradient_boosting": lambda: GradientBoostingClassifier(n_estimators=5, random_state=SEED),
    "hist_boosting": lambda: HistGradientBoostingClassifier(max_iter=5, random_state=SEED),
    "hist_boosting_categories": lambda: HistGradientBoostingClassifier(
        max_iter=5, random_state=SEED, categorical_features=[4, 5]
    ),
    "hist_boosting_constraints": lambda: HistGradientBoostingClassifier(
        max_iter=5,
        random_state=SEED,
        early_stopping=True,
        monotonic_cst=[1, 0, 0, 0, 0, 0],
        interaction_cst=[{5, 3, 1}, {0, 2, 4}],
    ),
    "k_bins": lambda: make_pipeline(
        KBinsDiscretizer(quantile_method="averaged_inverted_cdf"), LogisticRegression()
    ),
    "lda": LinearDiscriminantAnalysis,
    "linear_svc": lambda: LinearSVC(random_state=SEED),
    "logistic": LogisticRegression,
    "mlp": lambda: MLPClassifier(max_iter=5, random_state=SEED),
    "neighbours": KNeighborsClassifier,
    "neighbours_ball": lambda: KNeighborsClassifier(algorithm="ball_tree", metric="manhattan"),
    "neighbours_brute": lambda: KNeighborsClassifier(algorithm="brute", weights="distance"),
    "neighbours_minkowski": lambda: KNeighborsClassifier(algorithm="kd_tree", p=3),
    "pipeline_columns": lambda: make_pipeline(_columns(), LogisticRegression()),
    "pipeline_drop": lambda: make_pipeline(_columns(drop="first"), LogisticRegression()),
    "pipeline_function": lambda: make_pipeline(
        FeatureUnion([("tanh", FunctionTransformer(np.tanh)), ("same", "passthrough")]),
        LogisticRegression(),
    ),
    "pipeline_hist": lambda: make_pipeline(
        _columns(sparse_output=False),
        HistGradientBoostingClassifier(max_iter=5, random_state=SEED),
    ),
    "pipeline_infrequent": lambda: make_pipeline(_columns(min_frequency=30), _trees()),
    "pipeline_scalers": lambda: make_pipeline(
        KNNImputer(), RobustScaler(), PowerTransformer(), SelectKBest(k=4), LogisticRegression()
    ),
    "pipeline_select": lambda: make_pipeline(
        SelectFromModel(_trees()), PolynomialFeatures(), PCA(2), LogisticRegression()
    ),
    "pipeline_target": lambda: make_pipeline(TargetEncoder(random_state=SEED), GaussianNB()),
    "sgd": lambda: SGDClassifier(loss="modified_huber", random_state=SEED, early_stopping=True),
    "stacking": lambda: StackingClassifier(
        [("a", LogisticRegression()), ("b", DecisionTreeClassifier(random_state=SEED))], cv=2
    ),
    "svc": SVC,
    "tree": lambda: DecisionTreeClassifier(random_state=SEED, ccp_alpha=0.01),
    "voting": lambda: VotingClassifier(
        [("a", LogisticRegression()), ("b", _trees())], voting="soft"
    ),
}

REGRESSORS: dict[str, Callable[[], Any]] = {
    "dummy_mean": DummyRegressor,
    "elastic_net": lambda: ElasticNetCV(cv=2),
    "forest_regression": lambda: RandomForestRegressor(4, random_state=SEED),
    "gradient_huber": lambda: GradientBoostingRegressor(
        n_estimators=4, loss="huber", random_state=SEED
    ),
    "hist_poisson": lambda: HistGradientBoostingRegressor(
        max_iter=4, loss="poisson", random_state=SEED
    ),
    "hist_quantile": lambda: HistGradientBoostingRegressor(
        max_iter=4, loss="quantile", quantile=0.3, random_state=SEED
    ),
    "linear": LinearRegression,
    "neighbours_regression": KNeighborsRegressor,
    "poisson": PoissonRegressor,
    "quantile_target": lambda: TransformedTargetRegressor(
        LinearRegression(), transformer=QuantileTransformer(n_quantiles=10)
    ),
    "ridge": Ridge,
    "ridge_cv": RidgeCV,
    "sinh_target": lambda: TransformedTargetRegressor(Ridge(), func=np.log, inverse_func=np.exp),
    "svr": SVR,
    "tree_regression": lambda: DecisionTreeRegressor(random_state=SEED),
    "tweedie": lambda: TweedieRegressor(power=1.5),
}

ALL = sorted({**ZOO, **REGRESSORS})


def fit(name: str) -> Any:
    """Train one of the zoo, in one thread; how well it does is no matter here."""
    x, label, number = data()
    estimator = {**ZOO, **REGRESSORS}[name]()
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return estimator.fit(x, label if name in ZOO else number)


def scores(estimator: Any) -> np.ndarray:
    """What the estimator says about its own rows."""
    x = data()[0]
    ask = getattr(estimator, "predict_proba", None) or estimator.predict
    return np.asarray(ask(x))


def edited(data: bytes, change: Callable[[dict[str, Any], dict[str, bytes]], Any]) -> bytes:
    """A model file after somebody changed its description or its arrays, checksums and all."""
    members = read_members(data, what="a model file")
    schema = json.loads(members.pop(SCHEMA))
    change(schema, members)
    return write_stored_zip([(SCHEMA, json.dumps(schema).encode()), *members.items()])


@pytest.mark.parametrize("name", ALL)
def test_training_twice_gives_the_same_bytes(name):
    estimator = fit(name)
    written = SKOPS.dump(estimator)
    assert SKOPS.dump(estimator) == written
    assert SKOPS.dump(fit(name)) == written


@pytest.mark.parametrize("name", ALL)
def test_what_was_loaded_predicts_the_same_and_is_the_same_file(name):
    estimator = fit(name)
    written = SKOPS.dump(estimator)
    loaded = SKOPS.load(written)
    assert type(loaded) is type(estimator)
    assert np.array_equal(scores(loaded), scores(estimator))
    # Having predicted, having been loaded: neither is part of the model.
    assert SKOPS.dump(loaded) == written


@pytest.mark.parametrize("name", ALL)
def test_plain_skops_reads_the_canonical_form(name):
    estimator = fit(name)
    written = SKOPS.dump(estimator)
    plain = skops.io.loads(written, trusted=skops.io.get_untrusted_types(data=written))
    assert np.array_equal(scores(plain), scores(estimator))


def test_another_process_gives_the_same_bytes():
    root = Path(__file__).parents[3]
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(root / "plugins"), str(root)]),
        "PYTHONHASHSEED": "4711",
        "OMP_NUM_THREADS": "1",
    }
    done = subprocess.run(
        [sys.executable, __file__], env=environment, capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout) == digests()


def test_memory_between_the_fields_of_nodes_is_not_written():
    tree = fit("tree_regression")
    # Unpickling leaves whatever lay in the memory there; so does a pool of processes.
    copies = {SKOPS.dump(pickle.loads(pickle.dumps(tree))) for _ in range(5)}
    assert copies == {SKOPS.dump(tree)}


def test_equal_constants_are_written_alike_however_they_lie_in_memory():
    one, two = fit("logistic"), fit("logistic")
    one.solver, two.solver = "lbfgs", "".join(["lb", "fgs"])
    one.penalty = two.penalty = None
    one.tol, two.tol = 0.5, float("0.5")
    one.note, two.note = ("a", 0.5, one.tol), ("a", 0.5, float("0.5"))
    assert SKOPS.dump(one) == SKOPS.dump(two)


def test_members_are_stored_with_a_fixed_time():
    with zipfile.ZipFile(io.BytesIO(SKOPS.dump(fit("forest")))) as file:
        entries = file.infolist()
    assert entries[0].filename == SCHEMA
    assert [entry.filename for entry in entries[1:]] == [f"{i}.npy" for i in range(1, len(entries))]
    assert {entry.compress_type for entry in entries} == {zipfile.ZIP_STORED}
    assert {entry.date_time for entry in entries} == {(1980, 1, 1, 0, 0, 0)}


class Bomb:
    """An object whose unpickling leaves a trace."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


def _pickled(bomb: Bomb) -> bytes:
    return pickle.dumps(bomb)


def _old_pickle(bomb: Bomb) -> bytes:
    return pickle.dumps(bomb, protocol=0)


def _joblib(bomb: Bomb, *, compress: Any = 0) -> bytes:
    buffer = io.BytesIO()
    joblib.dump(bomb, buffer, compress=compress)
    return buffer.getvalue()


def _zipped_pickle(bomb: Bomb) -> bytes:
    return write_stored_zip([("archive/data.pkl", pickle.dumps(bomb))])


@pytest.mark.parametrize(
    ("write", "found"),
    [
        (_pickled, "a pickle"),
        (_old_pickle, "bytes that start with"),
        (_joblib, "a pickle"),
        (partial(_joblib, compress=3), "a compressed pickle"),
        (partial(_joblib, compress=("gzip", 3)), "a gzip file"),
        (_zipped_pickle, "without a readable schema.json"),
    ],
)
def test_a_pickle_in_any_dress_is_refused_before_anything_is_constructed(write, found, tmp_path):
    trace = tmp_path / "constructed"
    with pytest.raises(ArtifactRefused, match=found):
        SKOPS.load(write(Bomb(trace)))
    assert not trace.exists()


def test_a_pickle_inside_an_array_is_refused_before_it_is_constructed(tmp_path):
    trace = tmp_path / "constructed"
    buffer = io.BytesIO()
    np.save(buffer, np.array([Bomb(trace)], dtype=object), allow_pickle=True)

    def change(schema, members):
        members["1.npy"] = buffer.getvalue()

    with pytest.raises(ArtifactRefused, match="cannot be constructed"):
        SKOPS.load(edited(SKOPS.dump(fit("logistic")), change))
    assert not trace.exists()


@pytest.mark.parametrize("broken", [b"", b"PK\x03\x04", b"PK\x05\x06" + bytes(18), b"no model"])
def test_bytes_that_are_nothing_are_refused(broken):
    with pytest.raises(ArtifactRefused):
        SKOPS.load(broken)


def test_a_truncated_file_is_refused():
    written = SKOPS.dump(fit("logistic"))
    for length in range(0, len(written), 97):
        with pytest.raises(ArtifactRefused):
            SKOPS.load(written[:length])


def test_a_compressed_file_is_refused():
    with pytest.raises(ArtifactRefused, match="compressed or encrypted"):
        SKOPS.load(skops.io.dumps(fit("logistic"), compression=zipfile.ZIP_DEFLATED))


def test_a_name_that_stands_twice_is_refused():
    members = list(read_members(SKOPS.dump(fit("logistic")), what="a model file").items())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        twice = write_stored_zip([*members, members[0]])
    with pytest.raises(ArtifactRefused, match="twice"):
        SKOPS.load(twice)


def test_entries_that_share_their_bytes_are_refused():
    written = SKOPS.dump(fit("forest"))
    with zipfile.ZipFile(io.BytesIO(written)) as file:
        entries = file.infolist()
        largest = max(entries, key=lambda entry: entry.file_size)
        forged = io.BytesIO(written)
        with zipfile.ZipFile(forged, "a") as target:
            for number in range(9):
                entry = zipfile.ZipInfo(f"copy{number}.npy")
                entry.header_offset = largest.header_offset
                entry.file_size = entry.compress_size = largest.file_size
                entry.CRC = largest.CRC
                target.filelist.append(entry)
            target._didModify = True
    with pytest.raises(ArtifactRefused):
        SKOPS.load(forged.getvalue())


def test_a_member_that_nothing_uses_is_refused():
    def change(schema, members):
        members["note.txt"] = b"hello"

    with pytest.raises(ArtifactRefused, match=r"note\.txt"):
        SKOPS.load(edited(SKOPS.dump(fit("logistic")), change))


def test_a_missing_member_is_refused():
    def change(schema, members):
        members.popitem()

    with pytest.raises(ArtifactRefused):
        SKOPS.load(edited(SKOPS.dump(fit("logistic")), change))


@pytest.mark.parametrize("protocol", [None, True, 0, 1, 3, "2"])
def test_another_version_of_the_format_is_refused(protocol):
    with pytest.raises(ArtifactRefused, match="protocol"):
        SKOPS.load(
            edited(
                SKOPS.dump(fit("logistic")),
                lambda schema, _: schema.update(protocol=protocol),
            )
        )


def test_types_outside_of_the_list_are_refused_by_name():
    x, y, _ = data()
    search = GridSearchCV(LogisticRegression(), {"C": [1.0, 2.0]}, cv=2).fit(x, y)
    with pytest.raises(ArtifactRefused, match=r"_search\.GridSearchCV") as caught:
        SKOPS.load(SKOPS.dump(search))
    assert "LogisticRegression" not in str(caught.value)
    # Its results are a masked array, which no line of a spec can allow.
    assert "no spec can allow numpy.ma.MaskedArray" in str(caught.value)


def test_a_spec_may_add_a_type_by_name():
    x, y, _ = data()
    pipeline = make_pipeline(Nystroem(random_state=SEED), LogisticRegression()).fit(x, y)
    written = SKOPS.dump(pipeline)
    with pytest.raises(ArtifactRefused, match="Nystroem"):
        SKOPS.load(written)
    loaded = SKOPS.load(written, trusted=["sklearn.kernel_approximation.Nystroem"])
    assert np.array_equal(scores(loaded), scores(pipeline))


OUTSIDE: dict[str, Callable[[], Any]] = {
    "additive_chi2": lambda: make_pipeline(
        FunctionTransformer(np.abs), AdditiveChi2Sampler(), LogisticRegression()
    ),
    "gaussian_process": lambda: GaussianProcessClassifier(random_state=SEED),
    "nystroem": lambda: make_pipeline(Nystroem(random_state=SEED), LogisticRegression()),
    "own_function": lambda: make_pipeline(FunctionTransformer(halve), LogisticRegression()),
    "partial": lambda: make_pipeline(
        FunctionTransformer(partial(np.clip, a_min=0, a_max=1)), LogisticRegression()
    ),
    "radius": lambda: RadiusNeighborsClassifier(radius=9.0),
}

NEVER: dict[str, Callable[[], Any]] = {
    "method": lambda: make_pipeline(
        FunctionTransformer(MinMaxScaler().fit(data()[0]).transform), LogisticRegression()
    ),
    "operator": lambda: make_pipeline(
        FunctionTransformer(methodcaller("copy")), LogisticRegression()
    ),
    "partial_argument": lambda: make_pipeline(
        FunctionTransformer(partial(larger, 0.0)), LogisticRegression()
    ),
    "both": lambda: make_pipeline(
        Nystroem(random_state=SEED), FunctionTransformer(methodcaller("copy")), LogisticRegression()
    ),
}


def halve(x: Any) -> Any:
    """A function that a user wrote."""
    return x / 2


def larger(bound: float, x: Any) -> Any:
    """Another one."""
    return np.maximum(bound, x)


@pytest.mark.parametrize("name", sorted(OUTSIDE))
def test_the_types_that_the_error_names_are_those_that_a_spec_must_name(name):
    x, y, _ = data()
    estimator = OUTSIDE[name]().fit(x, y)
    written = SKOPS.dump(estimator)
    with pytest.raises(ArtifactRefused, match="may not be constructed") as caught:
        SKOPS.load(written)
    action, _, names = str(caught.value.action).partition("which the approvers will see: ")
    assert "'develop: trusted_types' of the spec" in action
    loaded = SKOPS.load(written, trusted=names.split(", "))
    assert np.array_equal(scores(loaded), scores(estimator))


@pytest.mark.parametrize("name", sorted(NEVER))
def test_an_error_names_no_permission_where_no_spec_can_give_one(name):
    x, y, _ = data()
    written = SKOPS.dump(NEVER[name]().fit(x, y))
    with pytest.raises(ArtifactRefused, match="no spec can allow") as caught:
        SKOPS.load(written)
    assert "trusted_types" not in str(caught.value)
    with pytest.raises(ArtifactRefused, match="no spec can allow"):
        SKOPS.load(written, trusted=str(caught.value.found).split(", "))


def shout(x: Any) -> Any:
    raise AssertionError("a function out of a model file was called")


def test_functions_are_refused_unless_they_are_on_the_list():
    x, y, _ = data()
    pipeline = make_pipeline(FunctionTransformer(np.tanh), LogisticRegression()).fit(x, y)
    pipeline[0].func = shout
    with pytest.raises(ArtifactRefused, match=r"shout"):
        SKOPS.load(SKOPS.dump(pipeline))
    pipeline[0].func = partial(np.tanh)
    with pytest.raises(ArtifactRefused, match=r"functools\.partial of numpy\.tanh"):
        SKOPS.load(SKOPS.dump(pipeline))
    pipeline[0].func = partial(shout, 1)
    with pytest.raises(ArtifactRefused, match="not a plain function"):
        SKOPS.load(SKOPS.dump(pipeline))


@pytest.mark.parametrize(
    ("loader", "module", "name"),
    [
        ("FunctionNode", "os", "system"),
        ("TypeNode", "builtins", "eval"),
        ("ObjectNode", "subprocess", "Popen"),
        ("DictNode", "sklearn.tree._tree", "Tree"),
        ("ConstructorFromReduceNode", "builtins", "bytearray"),
        ("OperatorFuncNode", "operator", "methodcaller"),
        ("MethodNode", "sklearn.linear_model._logistic", "LogisticRegression"),
        ("Nobody", "knows", "it"),
    ],
)
def test_a_node_that_was_written_by_hand_is_refused(loader, module, name):
    def change(schema, members):
        schema["content"]["content"]["tol"] = {
            "__class__": name,
            "__module__": module,
            "__loader__": loader,
            "__id__": 999_999,
            "content": [],
            "attrs": [],
        }

    with pytest.raises(ArtifactRefused, match="may not be constructed") as caught:
        SKOPS.load(edited(SKOPS.dump(fit("logistic")), change))
    assert f"{module}.{name}" in str(caught.value)


@pytest.mark.parametrize("target", ["nobody", "itself"])
def test_a_reference_to_what_is_not_there_yet_is_refused(target):
    def change(schema, members):
        schema["content"]["content"]["tol"] = {
            "__class__": None,
            "__module__": None,
            "__loader__": "CachedNode",
            "__id__": 999_999 if target == "nobody" else schema["content"]["__id__"],
        }

    with pytest.raises(ArtifactRefused, match="cannot be constructed"):
        SKOPS.load(edited(SKOPS.dump(fit("logistic")), change))


def test_a_description_that_is_no_object_is_refused():
    for schema in (b"[]", b"{}", b"7", b'{"__loader__": 1, "protocol": 2}', b"[" * 100_000):
        with pytest.raises(ArtifactRefused):
            SKOPS.load(write_stored_zip([(SCHEMA, schema)]))


@pytest.mark.parametrize("was_enabled", [True, False])
@pytest.mark.parametrize("readable", [True, False])
def test_the_garbage_collector_is_left_as_it_was(was_enabled, readable):
    before = gc.isenabled()
    (gc.enable if was_enabled else gc.disable)()
    try:
        if readable:
            SKOPS.load(_small())
        else:
            with pytest.raises(ArtifactRefused):
                SKOPS.load(_small()[:-1])
        assert gc.isenabled() is was_enabled
    finally:
        (gc.enable if before else gc.disable)()


def test_what_skops_cannot_write_is_named():
    with pytest.raises(TrainingError, match="Birch cannot be packaged"):
        SKOPS.dump(Birch(n_clusters=2).fit(data()[0]))


@settings(max_examples=300, deadline=None)
@given(position=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_a_flipped_bit_is_refused_or_does_not_matter(position, bit):
    written = bytearray(_small())
    written[int(position * len(written))] ^= 1 << bit
    try:
        loaded = SKOPS.load(bytes(written))
    except ArtifactRefused:
        return
    # The time of a member, say: nothing that the model is made of.
    assert np.array_equal(scores(loaded), scores(fit("logistic")))


@cache
def _small() -> bytes:
    return SKOPS.dump(fit("logistic"))


def digests() -> dict[str, str]:
    """The digest of each of the zoo."""
    return {name: digest_bytes(SKOPS.dump(fit(name))) for name in ALL}


if __name__ == "__main__":
    print(json.dumps(digests()))
