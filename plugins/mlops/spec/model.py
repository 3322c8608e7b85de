"""What a person writes about one model: four sections, named for the four phases of its life.

Everything here is frozen and refuses unknown keys. Nothing here imports pandas, opens a
connection or reads a file, so that a DAG file may use it at parse time.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from croniter import croniter
from pydantic import (
    AfterValidator,
    Discriminator,
    Field,
    StringConstraints,
    Tag,
    ValidationInfo,
    field_validator,
    model_validator,
)

from mlops.digests import canonical_json
from mlops.spec.extensions import (
    CRITERIA,
    DEFAULT_TARGET,
    DRIFT_STATISTICS,
    MODEL_FORMATS,
    TARGETS,
    named_in_file,
    require_in_file,
    target_in_file,
)
from mlops.spec.section import Section

Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,40}$")]
ColumnName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,62}$")]
# Of what customers can add from outside: drift statistics and others; as the registries have it.
ItemName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")]
Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
SqlFile = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_\-./]+\.sql$")]
DottedName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)+$")]
Share = Annotated[float, Field(ge=0, le=1)]
PeriodUnit = Literal["hour", "day", "week", "month"]
DEFAULT_FORMAT = "skops"
# Of hours these are eleven years; more of them are counted back, one by one, out of the calendar.
Periods = Annotated[int, Field(ge=1, le=100_000)]
# What the tables and the view of the predictions hold beside the key.
PREDICTION_COLUMNS = (
    "event_time",
    "score",
    "decision",
    "model_version",
    "batch",
    "shard",
    "window_start",
    "window_end",
    "published_at",
)
# Words of Airflow's that cron does not know.
_AIRFLOW_SCHEDULES = ("@once", "@continuous", "@quarterly")


def _schedule(text: str) -> str:
    if text not in _AIRFLOW_SCHEDULES:
        try:
            croniter(text)
        except ValueError as error:
            why = str(error).rstrip(".")
            raise ValueError(
                f"'{text}' is not a schedule ({why}); write one as '0 6 1 * *' or '@monthly'"
            ) from error
    return text


Schedule = Annotated[Text, AfterValidator(_schedule)]


def _not_ours(column: str) -> str:
    if column in PREDICTION_COLUMNS:
        raise ValueError(_column_is_taken(column))
    return column


def _column_is_taken(column: str) -> str:
    """Why a column cannot be the key."""
    return (
        f"the predictions have a column '{column}' of their own; give the key another name "
        "with AS, in the SQL and here"
    )


def _not_postgres_own(schema: str) -> str:
    if schema == "mlops":
        raise ValueError("'mlops' is the schema of the store, which only its owner changes")
    if schema.startswith("pg_"):
        raise ValueError(f"'{schema}': Postgres keeps names that begin with pg_ for itself")
    return schema


def _not_given(value: Any) -> bool:
    return value is None


def _is_empty(value: Any) -> bool:
    return not value


OutputSchema = Annotated[Name, AfterValidator(_not_postgres_own)]
KeyColumn = Annotated[ColumnName, AfterValidator(_not_ours)]


def _require_json(params: dict[str, Any]) -> None:
    try:
        canonical_json(params)
    except ValueError as error:
        raise ValueError("'params' must not hold NaN or infinity") from error


def _known_measure(name: str, info: ValidationInfo) -> str:
    target = target_in_file(info)
    if target is not None and name not in target.kpi_measures:
        known = ", ".join(target.kpi_measures) or "none, so give 'sql'"
        raise ValueError(f"'{name}' is not a measure of the target {target.name}: {known}")
    return name


class Kpi(Section):
    """The business result that the model is there for.

    Either ``sql`` on the customer's own tables, which sees ``:window_start``, ``:window_end`` and
    ``:as_of`` and returns one row with the column ``value``; or, where the share of right
    decisions is the result, ``measure``: of the rows that came true the percentage that had been
    flagged (``recall``), or of the flagged rows the percentage that came true (``precision``).

    :ivar name: what the reports call it.
    :ivar sql: SQL file that computes it from your tables.
    :ivar measure: what is computed from labels and decisions, where no ``sql`` is given.
    :ivar unit: the unit of the value, as reports print it.
    :ivar target: the value to reach.
    :ivar better: on which side of the target a value is good.
    :ivar sentence: how a person would say it; the names in braces are filled in.
    """

    name: Text
    sql: SqlFile | None = None
    measure: Annotated[ItemName, AfterValidator(_known_measure)] | None = None
    unit: Text
    target: float
    better: Literal["higher", "lower"] = "higher"
    sentence: Text = "{name}: {value} {unit} in {period}, target {target}"

    @model_validator(mode="after")
    def _one_of_two(self) -> Kpi:
        if (self.sql is None) == (self.measure is None):
            raise ValueError("give either 'sql' or 'measure', and only one of them")
        return self


class Manage(Section):
    """Why the model exists, who answers for it, how much harm it could do.

    :ivar decision: the decision that the score is used for.
    :ivar use: who reads the score, when, and what they do with it.
    :ivar restrictions: what the model must not be used for, a sentence each.
    :ivar limitations: what its developer knows it cannot do, a sentence each; approvers read it.
    :ivar business_owner: user id of the person who answers for the use of the model.
    :ivar developer: user id of the person who developed it; that person can never sign.
    :ivar exposure: how much harm a wrong score can do; the tiers of the policy go by it.
    :ivar purpose: a word such as ``credit``; the tiers of the policy go by it.
    :ivar kpi: the business result that the model is there for.
    :ivar value_per_period: what one period of good decisions is worth, in words, for the report.
    :ivar review_months: months from packaging to the next review, of which ``mlops_governance``
        reminds.
    :ivar runbook: what the person on call does when something is wrong.
    """

    decision: Text
    use: Text
    restrictions: tuple[Text, ...] = ()
    limitations: tuple[Text, ...] = Field(default=(), exclude_if=_is_empty)
    business_owner: Text
    developer: Text
    exposure: Literal["low", "medium", "high"]
    purpose: Text
    kpi: Kpi
    value_per_period: Text | None = None
    review_months: Annotated[int, Field(ge=1, le=60)] = 12
    runbook: Text | None = None


class NumericFeature(Section):
    """A number (or a boolean, read as 0 and 1).

    :ivar kind: ``numeric``, which is the default.
    :ivar min: the smallest value that is allowed.
    :ivar max: the largest value that is allowed.
    :ivar max_null_share: the share of rows that may have no value.
    :ivar means: what the column is, for reports.
    """

    kind: Literal["numeric"] = "numeric"
    min: float | None = None
    max: float | None = None
    max_null_share: Share = 0.0
    means: Text | None = None

    @model_validator(mode="after")
    def _ordered(self) -> NumericFeature:
        if self.min is not None and self.max is not None and self.max < self.min:
            raise ValueError(f"'max' ({self.max:g}) must not be below 'min' ({self.min:g})")
        return self


class CategoricalFeature(Section):
    """A name out of a list that training learns.

    :ivar kind: ``categorical``.
    :ivar max_null_share: the share of rows that may have no value.
    :ivar max_unseen_share: the share of rows to score that may have a value which training did not
        see.
    :ivar means: what the column is, for reports.
    """

    kind: Literal["categorical"]
    max_null_share: Share = 0.0
    max_unseen_share: Share = 0.01
    means: Text | None = None


def _kind(value: Any) -> str | None:
    kind = value.get("kind", "numeric") if isinstance(value, dict) else getattr(value, "kind", None)
    return kind if isinstance(kind, str) else None


Feature = Annotated[
    Annotated[NumericFeature, Tag("numeric")] | Annotated[CategoricalFeature, Tag("categorical")],
    Discriminator(
        _kind,
        custom_error_type="feature_kind",
        custom_error_message="a feature is numeric or categorical, as in {min: 0} or "
        "{kind: categorical}",
    ),
]


class Contract(Section):
    """What the rows must be like before anything is learnt from them, or scored.

    :ivar min_rows: fewer rows than this are not trained on.
    :ivar label_share: the lowest and the highest share of true labels.
    :ivar max_age_days: the newest row may be this much older than the window's end.
    """

    min_rows: Annotated[int, Field(ge=1)] = 1_000
    label_share: tuple[Share, Share] = (0.001, 0.999)
    max_age_days: float | None = None

    @model_validator(mode="after")
    def _ordered(self) -> Contract:
        if self.label_share[1] < self.label_share[0]:
            raise ValueError(f"'label_share' goes from low to high, found {list(self.label_share)}")
        return self


class Split(Section):
    """Training periods, then test periods; the last one ends at the run's clock.

    :ivar unit: the length of one period.
    :ivar train: how many periods are trained on.
    :ivar test: how many periods after those are tested on.
    """

    unit: PeriodUnit = "month"
    train: Periods
    test: Periods = 1


class Candidate(Section):
    """One technique to try: an estimator class by its dotted name, or a factory function.

    :ivar name: its name in reports and in the ledger.
    :ivar estimator: dotted name of an estimator class, as scikit-learn has them.
    :ivar factory: dotted name of a function that returns an estimator, in place of ``estimator``.
    :ivar format: the model format in which the fitted estimator is packaged.
    :ivar params: arguments of the class or of the function.
    """

    name: Name
    estimator: DottedName | None = None
    factory: DottedName | None = None
    format: ItemName = Field(
        default=DEFAULT_FORMAT,
        exclude_if=lambda name: name == DEFAULT_FORMAT,
    )
    params: dict[str, Any] = Field(default_factory=dict)

    @field_validator("format")
    @classmethod
    def _format_is_known(cls, name: str, info: ValidationInfo) -> str:
        require_in_file(MODEL_FORMATS, name, info)
        return name

    @model_validator(mode="after")
    def _one_of_two(self) -> Candidate:
        if (self.estimator is None) == (self.factory is None):
            raise ValueError("give either 'estimator' or 'factory', and only one of them")
        _require_json(self.params)
        return self


def _known_target(name: str, info: ValidationInfo) -> str:
    named_in_file(TARGETS, name, info)
    return name


def _known_metric(name: str, info: ValidationInfo) -> str:
    target = target_in_file(info)
    if target is not None and name not in (known := [metric.name for metric in target.metrics]):
        raise ValueError(
            f"'{name}' is not a metric of the target {target.name}: {', '.join(known)}"
        )
    return name


MetricName = Annotated[ItemName, AfterValidator(_known_metric)]


class Gate(Section):
    """A criterion, registered before training: what is measured, and one bound.

    With ``slice``, every value of that slice with at least ``min_rows`` test rows must reach the
    bound. With ``against: champion``, the metric is the difference to the live version on the
    same rows, where more is better for ``auc`` and ``average_precision`` only. With ``kind``, a
    criterion that was added from outside measures what its ``params`` ask for.

    :ivar kind: a criterion that was added from outside, by its name, in place of ``metric``.
    :ivar metric: a metric of the target.
    :ivar params: what a criterion of that ``kind`` asks for.
    :ivar at_least: the measured value must not be lower.
    :ivar at_most: the measured value must not be higher.
    :ivar slice: a categorical feature; each of its values must reach the bound.
    :ivar against: ``champion``: measure the difference to the live version.
    :ivar min_rows: values of the slice with fewer test rows are not judged.
    """

    kind: ItemName | None = Field(default=None, exclude_if=_not_given)
    metric: MetricName | None = Field(default=None, exclude_if=_not_given)
    params: dict[str, Any] = Field(default={}, exclude_if=_is_empty)
    at_least: float | None = None
    at_most: float | None = None
    slice: ColumnName | None = None
    against: Literal["champion"] | None = None
    min_rows: Annotated[int, Field(ge=1)] = 200

    @model_validator(mode="after")
    def _one_bound(self) -> Gate:
        if (self.at_least is None) == (self.at_most is None):
            raise ValueError("give either 'at_least' or 'at_most', and only one of them")
        if self.slice is not None and self.against is not None:
            raise ValueError("'slice' and 'against' do not go together")
        if self.kind is None and self.metric is None:
            raise ValueError("'metric' is missing")
        if self.kind is None and self.params:
            raise ValueError("'params' belong to a 'kind'")
        _require_json(self.params)
        return self

    @model_validator(mode="after")
    def _kind_is_sound(self, info: ValidationInfo) -> Gate:
        if self.kind is not None:
            criterion = named_in_file(CRITERIA, self.kind, info)
            if criterion is not None and (problem := criterion.problem(self)):
                raise ValueError(f"a gate of kind '{self.kind}': {problem}")
        return self

    @property
    def kind_name(self) -> str:
        """The kind of criterion: as given, or what the other keys make it."""
        if self.kind is not None:
            return self.kind
        if self.slice is not None:
            return "slice"
        return "champion" if self.against else "metric"

    @property
    def direction(self) -> Literal["at_least", "at_most"]:
        """On which side of its limit a measured value has to lie."""
        return "at_least" if self.at_least is not None else "at_most"

    @property
    def limit(self) -> float:
        """The number of the bound."""
        return next(limit for limit in (self.at_least, self.at_most) if limit is not None)

    @property
    def bound(self) -> str:
        """The bound as text: ``≥ 0.75``."""
        return f"{'≥' if self.direction == 'at_least' else '≤'} {self.limit:g}"


class Develop(Section):
    """From the customer's tables to a fitted model.

    :ivar features_sql: SQL file of key, time and features, as known at the moment of the decision.
    :ivar outcomes_sql: SQL file of key and label, as known by ``:as_of``.
    :ivar key: the column that identifies a row; none of the names that the predictions use
        themselves.
    :ivar time: the column of the time that a row belongs to.
    :ivar label: the column to be predicted.
    :ivar target: the kind of label; without it ``binary``, true or false.
    :ivar features: the columns that the model is given, by name.
    :ivar contract: what the rows must be like.
    :ivar split: which periods are trained on, and which are tested on.
    :ivar seed: the seed of all randomness.
    :ivar candidates: the techniques to try; all of them are recorded.
    :ivar select_by: the metric by which the best candidate is chosen.
    :ivar slices: categorical features whose values reports look at one by one.
    :ivar gates: the acceptance criteria, registered before training.
    :ivar trusted_types: types that a package may hold beyond the curated list; approvers see them.
    """

    features_sql: SqlFile
    outcomes_sql: SqlFile
    key: KeyColumn
    time: ColumnName
    label: ColumnName
    target: Annotated[ItemName, AfterValidator(_known_target)] | None = Field(
        default=None, exclude_if=_not_given
    )
    features: Annotated[dict[ColumnName, Feature], Field(min_length=1)]
    contract: Contract = Contract()
    split: Split
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 13  # what scikit-learn takes
    candidates: Annotated[tuple[Candidate, ...], Field(min_length=1)]
    select_by: MetricName = Field(default="auc", validate_default=True)
    slices: tuple[ColumnName, ...] = ()
    gates: Annotated[tuple[Gate, ...], Field(min_length=1)]
    trusted_types: tuple[DottedName, ...] = ()

    @model_validator(mode="after")
    def _names_agree(self, info: ValidationInfo) -> Develop:
        reserved = {"key": self.key, "time": self.time, "label": self.label}
        if len(set(reserved.values())) < len(reserved):
            raise ValueError(f"key, time and label are three columns, found {reserved}")
        for role, column in reserved.items():
            if column in self.features:
                raise ValueError(f"column '{column}' is the {role} and cannot be a feature as well")
        target = target_in_file(info)
        if target is not None and self.key in [each.name for each in target.prediction_columns]:
            raise ValueError(_column_is_taken(self.key))
        if "score" in self.features:
            raise ValueError("a feature cannot be called 'score', which is the model's own column")
        names = [candidate.name for candidate in self.candidates]
        if len(set(names)) != len(names):
            raise ValueError(f"candidates must have different names, found {names}")
        wanted = {*self.slices, *(gate.slice for gate in self.gates if gate.slice)}
        unknown = sorted(wanted - set(self.categorical))
        if unknown:
            raise ValueError(
                f"slices are categorical features, and these are not: {', '.join(unknown)}"
            )
        return self

    def format_of(self, candidate: str) -> str:
        """The model format of the candidate of this name."""
        return next(each.format for each in self.candidates if each.name == candidate)

    @property
    def target_name(self) -> str:
        """What kind of label is predicted."""
        return self.target or DEFAULT_TARGET

    @property
    def categorical(self) -> tuple[str, ...]:
        """Names of the categorical features, in the spec's order."""
        return tuple(name for name, f in self.features.items() if f.kind == "categorical")

    @property
    def measured_slices(self) -> tuple[str, ...]:
        """The slices to look at, and those that a gate is about, once each."""
        gated = (gate.slice for gate in self.gates if gate.slice is not None)
        return tuple(dict.fromkeys((*self.slices, *gated)))

    @property
    def numeric(self) -> tuple[str, ...]:
        """Names of the numeric features, in the spec's order."""
        return tuple(name for name, f in self.features.items() if f.kind == "numeric")


class Deploy(Section):
    """Who signs, and how the live version scores.

    :ivar policy: name of the policy, a file of ``include/policies/``.
    :ivar schedule: when ``<model>_score`` runs, as cron or as a word of Airflow's; without it, on
        demand.
    :ivar window: the length of the period that one batch scores.
    :ivar shards: in how many parallel parts a batch is scored.
    :ivar threshold: scores from here on make the decision true.
    :ivar output_schema: the schema of the predictions in the warehouse.
    :ivar scoring_sql: SQL file that scoring reads in place of ``features_sql``.
    :ivar rule_sql: what scores where the policy falls back to a rule: key, time and a score from 0
        to 1.
    :ivar min_rows: a window with fewer rows is not scored. With 0, a window without rows is an
        empty batch.
    """

    policy: Name = "standard"
    schedule: Schedule | None = None
    window: PeriodUnit = "month"
    shards: Annotated[int, Field(ge=1, le=256)] = 1
    threshold: Share = 0.5
    output_schema: OutputSchema = "ml"
    scoring_sql: SqlFile | None = None
    rule_sql: SqlFile | None = Field(default=None, exclude_if=_not_given)
    min_rows: Annotated[int, Field(ge=0)] = 1


def _known_statistic(name: str, info: ValidationInfo) -> str:
    named_in_file(DRIFT_STATISTICS, name, info)
    return name


class Drift(Section):
    """What counts as a change that matters: a drift statistic, and its two bounds.

    Without ``statistic`` it is ``psi``, the population stability index. The bounds have the unit
    of the statistic, so another one needs bounds of its own.

    :ivar statistic: name of the drift statistic; without it ``psi``.
    :ivar warn: from here on a feature's change is a warning.
    :ivar alarm: from here on a feature's change is an alarm.
    :ivar min_rows: with fewer values drift is not judged.
    """

    statistic: Annotated[ItemName, AfterValidator(_known_statistic)] | None = Field(
        default=None, exclude_if=_not_given
    )
    warn: Annotated[float, Field(gt=0)] = 0.1
    alarm: Annotated[float, Field(gt=0)] = 0.25
    min_rows: Annotated[int, Field(ge=1)] = 500

    @model_validator(mode="after")
    def _ordered(self) -> Drift:
        if self.alarm < self.warn:
            raise ValueError(f"'alarm' ({self.alarm:g}) must not be below 'warn' ({self.warn:g})")
        if self.statistic is not None and not {"warn", "alarm"} <= self.model_fields_set:
            raise ValueError("with 'statistic', give 'warn' and 'alarm' in its unit")
        return self

    @property
    def statistic_name(self) -> str:
        """The statistic by which drift is measured."""
        return self.statistic or "psi"


class Performance(Section):
    """What the live model must go on reaching, once labels have arrived.

    :ivar metric: the metric that is watched.
    :ivar at_least: the measured value must not be lower.
    :ivar at_most: the measured value must not be higher.
    :ivar min_labels: with fewer labels performance is not judged.
    """

    metric: MetricName = Field(default="auc", validate_default=True)
    at_least: float | None = None
    at_most: float | None = None
    min_labels: Annotated[int, Field(ge=1)] = 500

    @model_validator(mode="after")
    def _one_bound(self) -> Performance:
        if (self.at_least is None) == (self.at_most is None):
            raise ValueError("give either 'at_least' or 'at_most', and only one of them")
        return self


class Monitor(Section):
    """How the live version is watched.

    :ivar schedule: when ``<model>_monitor`` runs, as cron or as a word of Airflow's; without it, on
        demand.
    :ivar window: the length of the monitored period: that of ``deploy``.
    :ivar drift: which change of the data matters.
    :ivar performance: what the live version must go on reaching.
    :ivar retrain_on_alarm: whether an alarm starts a release, which still needs its signatures.
    """

    schedule: Schedule | None = None
    window: PeriodUnit = "month"
    drift: Drift = Drift()
    performance: Performance
    retrain_on_alarm: bool = False


class ModelSpec(Section):
    """One model, described once.

    :ivar model: name of the model, and of this file.
    :ivar title: the question that the model answers.
    :ivar warehouse: Airflow connection id of its data.
    :ivar manage: why the model exists and who answers for it.
    :ivar develop: from your tables to a fitted model.
    :ivar deploy: who signs, and how the live version scores.
    :ivar monitor: how the live version is watched.
    """

    model: Name
    title: Text
    warehouse: Text = "warehouse"
    manage: Manage
    develop: Develop
    deploy: Deploy = Deploy()
    monitor: Monitor

    @field_validator("monitor")
    @classmethod
    def _watches_what_was_scored(cls, monitor: Monitor, info: ValidationInfo) -> Monitor:
        deploy = info.data.get("deploy")  # None if it has an error of its own
        if deploy is not None and monitor.window != deploy.window:
            raise ValueError(
                f"'window' is {monitor.window} and 'deploy.window' is {deploy.window}; give both "
                "the same, since a window is monitored as it was scored"
            )
        return monitor

    @property
    def sql_files(self) -> tuple[str, ...]:
        """Every SQL file that the spec names, once each, in the order of its sections."""
        named = (
            self.manage.kpi.sql,
            self.develop.features_sql,
            self.develop.outcomes_sql,
            self.deploy.scoring_sql,
            self.deploy.rule_sql,
        )
        return tuple(dict.fromkeys(file for file in named if file is not None))
