"""Contexts as the steps make them: rows drawn by a seed, a model fitted, all of it measured."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import HistGradientBoostingClassifier
from threadpoolctl import threadpool_limits

from mlops.core.acceptance.criterion import Evidence
from mlops.core.acceptance.judge import judge_gates
from mlops.core.checks import ColumnSummary, DataSummary, check_contract
from mlops.core.drift.judge import drift_reasons, judge_drift, worst_state
from mlops.core.kpi import judge_kpi
from mlops.core.performance import judge_performance
from mlops.core.period import Period, parse
from mlops.core.profiler import Profiler, reference_edges
from mlops.core.profiles import Profile
from mlops.core.records import CandidateResult, Metrics, MonitorResult
from mlops.core.table import Rows as TestRows
from mlops.core.targets.binary.metrics import measure
from mlops.core.targets.binary.target import BINARY
from mlops.core.targets.evaluate import evaluate
from mlops.core.targets.selection import best_index
from mlops.reports.context import (
    DataWindow,
    Identity,
    MonitoringContext,
    ValidationContext,
    WindowResult,
    features_of,
    subject_of,
)
from mlops.spec.load import Include, Spec
from mlops.spec.model import Drift, Gate, Monitor, Performance
from mlops.spec.policy import Policy

ROOT = Path(__file__).parents[2]
INCLUDE = Include(ROOT / "demo" / "include")
TRAIN = Period(datetime(2013, 1, 1, tzinfo=UTC), datetime(2013, 6, 1, tzinfo=UTC))
TEST = parse("2013-06", "month")
CARRIERS = ("UA", "B6", "EV", "DL", "AA", "MQ", "US", "9E", "WN", "VX", "FL", "AS", "F9", "YV")
ORIGINS = ("EWR", "JFK", "LGA")
DESTINATIONS = tuple(f"{a}{b}{c}" for a in "ABCD" for b in "LRT" for c in "SXY")
CATEGORIES = {"carrier": CARRIERS, "origin": ORIGINS, "dest": DESTINATIONS}
UNITS = {
    "distance": (1_000, 500), "departure_hour": (13, 4), "weekday": (4, 2),
    "flights_same_hour": (20, 6), "origin_delay_3h": (12, 15), "origin_late_share_3h": (0.2, 0.12),
    "carrier_delay_3h": (12, 18), "origin_waiting": (4, 3), "aircraft_delay": (8, 25),
    "temp_f": (57, 12), "wind_speed_mph": (10, 5), "precip_in": (0.01, 0.03),
    "visib_miles": (9, 1.5), "humid": (60, 15), "pressure_mb": (1_018, 7),
    "plane_age": (11, 7), "seats": (135, 60),
}  # fmt: skip
WHOLE = ("departure_hour", "weekday", "flights_same_hour", "origin_waiting", "plane_age", "seats")


@dataclass(frozen=True)
class Rows:
    """Rows in the spec's order of features; categories as codes, missing values as NaN."""

    names: tuple[str, ...]
    matrix: np.ndarray
    y: np.ndarray

    def column(self, name: str) -> np.ndarray:
        return self.matrix[:, self.names.index(name)]

    def words(self, name: str) -> list[str]:
        return [CATEGORIES[name][int(code)] for code in self.column(name)]


SEASONAL = ("temp_f", "origin_delay_3h", "carrier_delay_3h", "origin_waiting")
WEIGHTS = {
    "origin_delay_3h": 0.8, "aircraft_delay": 0.7, "departure_hour": 0.5, "precip_in": 0.4,
    "origin_waiting": 0.35, "carrier_delay_3h": 0.3, "flights_same_hour": 0.2,
}  # fmt: skip


def draw(spec: Spec, rows: int, *, seed: int, summer: float = 0.0) -> Rows:
    """Flights of a window; ``summer`` (0 to 1) brings heat, thunderstorms and longer delays."""
    random = np.random.default_rng(seed)
    columns, odds = {}, np.full(rows, -1.4)
    for name, feature in spec.content.develop.features.items():
        if feature.kind == "categorical":
            share = 1.0 / np.arange(1, len(CATEGORIES[name]) + 1) ** 0.8
            codes = random.choice(len(share), rows, p=share / share.sum())
            columns[name] = codes.astype(float)
            odds += 0.15 * (codes % 5 - 2)
            continue
        mean, spread = UNITS.get(name, (10, 2))
        values = random.normal(mean + (name in SEASONAL) * 1.1 * summer * spread, spread, rows)
        values = np.clip(values, feature.min, feature.max)
        columns[name] = values.round() if name in WHOLE else values
        odds += WEIGHTS.get(name, 0.0) * (values - mean) / spread
        missing = random.random(rows) < 0.6 * feature.max_null_share
        columns[name] = np.where(missing, np.nan, columns[name])
    y = random.random(rows) < 1 / (1 + np.exp(-odds))
    return Rows(tuple(columns), np.column_stack(list(columns.values())), y)


@pytest.fixture(scope="session")
def spec() -> Spec:
    """The demo's spec with bounds of its own, so that both verdicts are in the examples."""
    spec = INCLUDE.spec("flight_delay")
    content = spec.content
    gates = (
        Gate(metric="auc", at_least=0.7),
        Gate(metric="calibration_error", at_most=0.08),
        Gate(metric="auc", slice="origin", at_least=0.65, min_rows=1_000),
        Gate(metric="auc", against="champion", at_least=-0.01),
    )
    monitor = Monitor(
        drift=Drift(warn=0.1, alarm=0.25), performance=Performance(metric="auc", at_least=0.72)
    )
    develop = content.develop.model_copy(update={"gates": gates})
    return replace(
        spec, content=content.model_copy(update={"develop": develop, "monitor": monitor})
    )


@pytest.fixture(scope="session")
def policy() -> Policy:
    return INCLUDE.policy("standard")


@pytest.fixture(scope="session")
def templates(tmp_path_factory) -> Path:
    """The folder of a company that has no templates of its own."""
    return tmp_path_factory.mktemp("include") / "reports"


@dataclass(frozen=True)
class Trained:
    train: Rows
    test: Rows
    model: HistGradientBoostingClassifier
    candidates: tuple[CandidateResult, ...]
    profile: Profile

    def predict(self, matrix: np.ndarray) -> np.ndarray:
        with threadpool_limits(1):  # beside a busy process, waiting threads take all the time
            return self.model.predict_proba(matrix)[:, 1]


@pytest.fixture(scope="session")
def trained(spec: Spec) -> Trained:
    train, test = draw(spec, 12_000, seed=1), draw(spec, 6_000, seed=2, summer=0.1)
    with threadpool_limits(1):
        fitted = [
            HistGradientBoostingClassifier(
                max_iter=40, learning_rate=0.12, categorical_features=[0, 1, 2], random_state=13
            ).fit(train.matrix, train.y),
            DummyClassifier(strategy="prior").fit(train.matrix, train.y),
        ]
    measured = [measure(test.y, model.predict_proba(test.matrix)[:, 1]) for model in fitted]
    chosen = best_index(BINARY, "auc", measured)
    candidates = tuple(
        CandidateResult(
            name=named.name,
            technique=named.estimator or named.factory or "",
            params=tuple((key, str(value)) for key, value in named.params.items()),
            metrics=found,
            fit_seconds=seconds,
            chosen=place == chosen,
        )
        for place, (named, found, seconds) in enumerate(
            zip(
                (spec.content.develop.candidates[0], spec.content.develop.candidates[2]),
                measured,
                (3.2, 0.01),
                strict=True,
            )
        )
    )
    return Trained(train, test, fitted[0], candidates, profile(train))


def profile(rows: Rows, reference: Profile | None = None) -> Profile:
    numeric = [name for name in rows.names if name not in CATEGORIES]
    edges = (
        {name: found.edges for name, found in reference.numeric.items()}
        if reference
        else {name: reference_edges(rows.column(name)) for name in numeric}
    )
    profiler = Profiler(
        edges=edges, categories={name: sorted(CATEGORIES[name]) for name in CATEGORIES}
    )
    profiler.update(
        pa.table(
            {name: pa.array(rows.column(name)) for name in numeric}
            | {name: pa.array(rows.words(name)) for name in CATEGORIES}
        )
    )
    return profiler.result()


def data_window(period: Period, y: np.ndarray) -> DataWindow:
    return DataWindow(period, len(y), {"label_share": float(y.mean())})


def checks(spec: Spec, rows: Rows):
    def column(name: str) -> ColumnSummary:
        values = rows.column(name)
        nulls = int(np.isnan(values).sum())
        if name in CATEGORIES:
            return ColumnSummary(nulls=nulls)
        return ColumnSummary(nulls, float(np.nanmin(values)), float(np.nanmax(values)))

    summary = DataSummary(
        rows=len(rows.y),
        columns={name: column(name) for name in rows.names},
        newest=datetime(2013, 6, 30, 23, 59, tzinfo=UTC),
        labels={"label_share": float(rows.y.mean())},
    )
    develop = spec.content.develop
    return check_contract(
        summary,
        features=develop.features,
        contract=develop.contract,
        window_end=TEST.end,
        target=BINARY,
    )


@pytest.fixture(scope="session")
def validation(spec: Spec, policy: Policy, trained: Trained) -> ValidationContext:
    develop, test = spec.content.develop, trained.test
    evaluation = evaluate(
        BINARY,
        labels=test.y,
        scores=trained.predict(test.matrix),
        matrix=test.matrix,
        names=test.names,
        predict=trained.predict,
        slices={name: test.words(name) for name in develop.slices},
        deploy=spec.content.deploy,
        seed=develop.seed,
    )
    evidence = Evidence(
        target=BINARY,
        evaluation=evaluation,
        champion=None,
        rows=TestRows(
            table=pa.table({name: test.column(name) for name in test.names}), label=test.y
        ),
        scores=trained.predict(test.matrix),
        predict=lambda rows: np.zeros(rows.num_rows),
    )
    return ValidationContext(
        subject=subject_of(spec.content, policy),
        identity=Identity(
            model=spec.model,
            version=3,
            package_sha256="5c" * 32,
            spec_digest=spec.digest,
            snapshot_digest="a7" * 32,
            criteria_digest=spec.criteria_digest,
            criteria_registered_at=datetime(2013, 7, 1, 4, 12, tzinfo=UTC),
            made_at=datetime(2013, 7, 1, 4, 20, tzinfo=UTC),
            run_id="scheduled__2013-07-01T00:00:00+00:00",
            code=(("python", "3.11.9"), ("scikit-learn", "1.9.1"), ("numpy", "2.4.6")),
            ledger_head="e1" * 32,
        ),
        target=develop.target_name,
        label=develop.label,
        train=data_window(TRAIN, trained.train.y),
        test=data_window(TEST, test.y),
        features=features_of(spec.content),
        sql=tuple(spec.sql.items()),
        checks=checks(spec, trained.train),
        candidates=trained.candidates,
        select_by=develop.select_by,
        gates=judge_gates(develop.gates, evidence),
        evaluation=evaluation,
        tables=("public.flights", "public.weather", "public.planes"),
        noun="flights",
    )


def watched(spec: Spec, trained: Trained, label: str, *, summer: float, arrived: float = 1.0):
    """One window as the monitor measures and judges it, with a share of the labels arrived."""
    monitor, window = spec.content.monitor, parse(label, "month")
    rows = draw(spec, 5_000, seed=int(label[-2:]) + 40, summer=summer)
    drifts = judge_drift(
        trained.profile.columns, profile(rows, trained.profile).columns, monitor.drift
    )
    labels = int(len(rows.y) * arrived)
    measured: Metrics | None = None
    score = trained.predict(rows.matrix)
    if labels:
        measured = measure(rows.y[:labels], score[:labels])
    performance = judge_performance(monitor.performance, measured, rows=len(rows.y), labels=labels)
    caught = rows.y & (score >= spec.content.deploy.threshold)
    kpi = judge_kpi(spec.content.manage.kpi, 100 * caught.sum() / rows.y.sum(), window)
    sentences = list(drift_reasons(drifts, monitor.drift))
    if performance.state == "alarm":
        sentences.insert(0, f"auc {performance.measured:.3f}, {performance.bound}")
    result = MonitorResult(
        state=worst_state([*(item.state for item in drifts), performance.state]),
        rows=len(rows.y),
        reasons=tuple(sentences),
        drift=drifts,
        performance=performance,
        kpi=kpi,
    )
    return WindowResult(window, result)


@pytest.fixture(scope="session")
def monitoring(spec: Spec, trained: Trained, validation: ValidationContext) -> MonitoringContext:
    manage, monitor = spec.content.manage, spec.content.monitor
    seasons = (("2013-07", 0.25), ("2013-08", 0.35), ("2013-09", 0.1), ("2013-10", 0.15),
               ("2013-11", 0.4))  # fmt: skip
    now = watched(spec, trained, "2013-12", summer=0.6, arrived=0.42)
    return MonitoringContext(
        title=spec.content.title,
        target=spec.content.develop.target_name,
        label=spec.content.develop.label,
        model=spec.model,
        version=3,
        package_sha256="5c" * 32,
        made_at=datetime(2014, 1, 1, 6, 0, tzinfo=UTC),
        window=now.period,
        result=now.result,
        drift_statistic=monitor.drift.statistic_name,
        drift_warn=monitor.drift.warn,
        drift_alarm=monitor.drift.alarm,
        drift_min_rows=monitor.drift.min_rows,
        min_labels=monitor.performance.min_labels,
        business_owner=manage.business_owner,
        developer=manage.developer,
        earlier=tuple(watched(spec, trained, label, summer=heat) for label, heat in seasons),
        reference=validation.train,
        validated=validation.evaluation.metrics,
        performance_bound=monitor.performance.at_least,
        live_since=datetime(2013, 7, 1, 9, 30, tzinfo=UTC),
        previous_version=2,
        runbook=manage.runbook,
        ledger_head="e1" * 32,
        noun="flights",
    )


@pytest.fixture(scope="session")
def hostile(validation: ValidationContext) -> ValidationContext:
    """A context whose every text tries to be a script."""
    script = "<script>alert('x')</script>"
    found = validation.evaluation
    return replace(
        validation,
        subject=replace(
            validation.subject,
            title=script,
            decision=f"{script} | a | b\n\n# big [link](javascript:alert(1))",
            restrictions=(script,),
            runbook="`code` " + script,
        ),
        identity=replace(
            validation.identity, model=script, run_id=script, code=((script, script),)
        ),
        label=script,
        noun=script,
        sql=((script, script),),
        tables=(script,),
        features=tuple(replace(item, name=script, means=script) for item in validation.features),
        checks=tuple(replace(item, subject=script, found=script) for item in validation.checks),
        candidates=tuple(
            replace(item, name=script, technique=script, params=((script, script),))
            for item in validation.candidates
        ),
        gates=tuple(replace(item, name=script, note=script) for item in validation.gates),
        evaluation=replace(
            found,
            slices=tuple(replace(item, column=script, value=script) for item in found.slices),
            importance=tuple((script, fall) for _, fall in found.importance),
        ),
        trusted_types=(script,),
        limitations=(script,),
        missing_facts=(script,),
    )
