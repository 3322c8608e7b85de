"""One model's life, written into a store through its own API: rows as the steps would write them.

Each method adds one fact with its ledger entry.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from mlops.approvals.signatures import signed_bytes
from mlops.core.answers import APPROVE
from mlops.core.kpi import judge_kpi
from mlops.core.period import Period, parse
from mlops.core.records import (
    CandidateResult,
    Confusion,
    Curve,
    Evaluation,
    FeatureDrift,
    GateResult,
    Metrics,
    MonitorResult,
    Performance,
    State,
    to_json,
)
from mlops.digests import digest_json
from mlops.spec.load import Include, Spec
from mlops.spec.policy import Policy
from mlops.store.artifacts import Artifacts
from mlops.store.connect import Store
from mlops.store.tables import (
    Base,
    BatchRow,
    CaseRow,
    DecisionRow,
    DeploymentRow,
    GateRow,
    MeasurementRow,
    MonitorRow,
    ReportRow,
    SnapshotRow,
    SpecRow,
    TrainingRow,
    ValidationRow,
    VersionRow,
)

INCLUDE = Path(__file__).resolve().parents[2] / "include"
REPORT = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<style>body {{ font: 16px/1.5 sans-serif; margin: 40px }} h1 {{ color: #0b4f8a }}</style></head>
<body><h1>{title}</h1><script>document.body.textContent = "a script ran"</script></body></html>
"""


def moment(text: str) -> datetime:
    """A moment in UTC from its ISO text."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def quality(auc: float, *, rows: int = 28_243) -> Metrics:
    """Metrics that go with an AUC."""
    return Metrics(
        rows=rows,
        positives=rows // 5,
        auc=auc,
        average_precision=auc - 0.17,
        log_loss=1.19 - auc,
        brier=0.93 - auc,
        calibration_error=0.021,
        mean_score=0.198,
    )


class Life:
    """One model's life in a store.

    :param title: stands in for the title of the spec that is taken as a pattern.
    :param decision: likewise for its decision.
    :param kpi: likewise for parts of its KPI.
    """

    def __init__(
        self,
        store: Store,
        artifacts: Artifacts,
        model: str,
        *,
        title: str,
        decision: str,
        kpi: dict[str, object] | None = None,
    ) -> None:
        self.store, self.artifacts, self.model = store, artifacts, model
        pattern = Include(INCLUDE).spec("flight_delay")
        manage = pattern.content.manage
        manage = manage.model_copy(
            update={"decision": decision, "kpi": manage.kpi.model_copy(update=kpi or {})}
        )
        content = pattern.content.model_copy(
            update={"model": model, "title": title, "manage": manage}
        )
        self.spec = Spec(content=content, sql=pattern.sql)
        self.policy: Policy = Include(INCLUDE).policy("standard")

    def add(self, row: Base, action: str) -> None:
        """Write a fact with its ledger entry, about the version where the fact is of one."""
        version = getattr(row, "version", None)
        subject = self.model if version is None else f"{self.model}/v{version}"
        with self.store.transaction() as transaction:
            assert transaction.record(
                row, actor="test", action=action, subject=subject, payload={"model": self.model}
            )

    def register(self, at: str) -> None:
        """The spec."""
        self.add(
            SpecRow(
                digest=self.spec.digest,
                model=self.model,
                criteria_digest=self.spec.criteria_digest,
                content=self.spec.to_json(),
                registered_at=moment(at),
            ),
            "spec.registered",
        )

    def package(
        self, number: int, at: str, *, auc: float, months: tuple[str, str], by: str = "dora"
    ) -> None:
        """Snapshot, training, validation and version of one release."""
        key = digest_json([self.model, number])
        train = parse(months[0], "month")
        test = parse(months[1], "month")
        common = {"model": self.model, "spec_digest": self.spec.digest}
        self.add(
            SnapshotRow(
                id=key, sha256=digest_json([key, "rows"]), rows=136_110 + 28_243, bytes=4_181_200,
                train_start=train.start, test_start=test.start, test_end=test.end,
                query="SELECT 1", columns=[{"name": "carrier", "type": "text"}],
                summary={"label_share": 0.2}, taken_at=moment(at), **common,
            ),
            "snapshot.taken",
        )  # fmt: skip
        self.add(
            TrainingRow(
                id=key, snapshot_id=key, criteria_digest=self.spec.criteria_digest,
                candidates=[to_json(item) for item in candidates(auc)], chosen="boosted_trees",
                model_sha256=digest_json([key, "model"]), encoder={}, code={"mlops": "0.1.0"},
                trained_at=moment(at), **common,
            ),
            "model.trained",
        )  # fmt: skip
        self.add(
            ValidationRow(
                training_id=key, champion=number - 1, model=self.model,
                evaluation=to_json(evaluation(auc)), gates=[to_json(item) for item in gates(auc)],
                passed=True, champion_metrics=None, validated_at=moment(at),
            ),
            "model.validated",
        )  # fmt: skip
        self.add(
            VersionRow(
                number=number, package_digest=digest_json([key, "package"]), training_id=key,
                champion=number - 1, snapshot_id=key, criteria_digest=self.spec.criteria_digest,
                policy=self.policy.model_dump(mode="json"), tier="medium",
                tier_reason="exposure is medium (at least medium)", developer="sam",
                triggered_by=by, run=self.run("package", at, by), packaged_at=moment(at), **common,
            ),
            "version.packaged",
        )  # fmt: skip

    def report(
        self, number: int, at: str, *, kind: str = "validation", period: str = "", note: int = 0
    ) -> str:
        """A report, kept under its digest, which is returned."""
        title = f"{kind.capitalize()} of {self.model} v{number} {period}" + " again" * note
        text = REPORT.format(title=title)
        sha256 = self.artifacts.put_bytes(text.encode())
        self.add(
            ReportRow(
                sha256=sha256, kind=kind, model=self.model, version=number, period=period,
                location=f"reports/{sha256}.html", written_at=moment(at),
            ),
            "report.written",
        )  # fmt: skip
        return sha256

    def sign(
        self, number: int, seat: str, user: str, at: str, *, answer: str = APPROVE,
        reason: str = "", refusal: str = "", method: str = "required_action", days: int = 36_500,
        package: str = "",
    ) -> None:  # fmt: skip
        """An answer, bound to the bytes that were put before the person, or to other ones."""
        with self.store.transaction() as transaction:
            version = transaction.get(VersionRow, self.model, number)
            bound = signed_bytes(transaction, version).digests()
        bound["package"] = package or bound["package"]
        decided_at = moment(at)
        self.add(
            DecisionRow(
                id=digest_json([self.model, number, seat, user, at]), gate="", model=self.model,
                version=number, seat=seat, answer=answer, user_id=user, user_name=user,
                reason=reason, method=method, counted=not refusal, refusal=refusal,
                **{f"{what}_digest": sha256 for what, sha256 in bound.items()},
                run=self.run(f"sign_off.{seat}", at, "dora"), decided_at=decided_at,
                valid_until=decided_at + timedelta(days=days) if answer == APPROVE else None,
            ),
            "signature.given",
        )  # fmt: skip

    def ask(self, number: int, seat: str, users: Sequence[str], at: str) -> None:
        """A request that was put before people."""
        asked_at = moment(at)
        self.add(
            GateRow(
                id=digest_json([self.model, number, seat, at]), model=self.model, version=number,
                seat=seat, users=list(users), dag_id=f"{self.model}_release",
                run_id=f"manual__{at[:10]}", task_id=f"sign_off.{seat}", try_number=1,
                triggered_by="dora",
                asked_at=asked_at, answer_by=asked_at + timedelta(days=14),
            ),
            "signature.requested",
        )  # fmt: skip

    def deploy(self, number: int, at: str, *, action: str = "deploy", by: str = "dora") -> None:
        """Make a version live."""
        self.add(
            DeploymentRow(
                key=digest_json([self.model, number, at]), model=self.model, version=number,
                action=action,
                package_digest=digest_json([digest_json([self.model, number]), "package"]),
                reason=f"release manual__{at[:10]}", actor=f"task:{self.model}_release.deploy",
                run=self.run("deploy", at, by), valid_from=moment(at),
            ),
            "version.deployed",
        )  # fmt: skip

    def score(
        self, number: int, month: str, *, rows: int, unseen: dict[str, int] | None = None
    ) -> None:
        """A published batch."""
        window = parse(month, "month")
        batch = f"{self.model}/{month}/v{number}"
        self.add(
            BatchRow(
                id=batch, model=self.model, version=number, package_digest="0" * 64,
                window_start=window.start, window_end=window.end, rows=rows,
                summary={"window": month, "unseen": unseen or {}, "shards": 2},
                run=self.run("publish", f"{month}-01T00:00", "dora"),
                published_at=window.end + timedelta(hours=2),
            ),
            "batch.published",
        )  # fmt: skip

    def monitor(
        self, number: int, month: str, *, rows: int, auc: float | None, kpi: float | None,
        state: State, psi: Sequence[tuple[str, float, State]], labels: float = 1.0, look: int = 1,
    ) -> None:  # fmt: skip
        """A measurement of a batch and its verdict."""
        window = parse(month, "month")
        digest = digest_json([self.model, number, month, look])
        at = window.end + timedelta(days=look)
        batch = f"{self.model}/{month}/v{number}"
        result = self.verdict(window, rows, auc, kpi, state, psi, round(rows * labels))
        self.add(
            MeasurementRow(
                digest=digest, model=self.model, version=number, batch=batch,
                content={"labels": result.performance.labels}, measured_at=at,
            ),
            "window.measured",
        )  # fmt: skip
        self.add(
            MonitorRow(
                measurement=digest, model=self.model, version=number, batch=batch, period=month,
                window_start=window.start, window_end=window.end, state=state,
                result=to_json(result), judged_at=at,
            ),
            "window.judged",
        )  # fmt: skip

    def verdict(
        self, window: Period, rows: int, auc: float | None, kpi: float | None, state: State,
        psi: Sequence[tuple[str, float, State]], labels: int,
    ) -> MonitorResult:  # fmt: skip
        """What was judged of a window."""
        judged: State = "not_enough_data" if auc is None else ("ok" if auc >= 0.73 else "alarm")
        return MonitorResult(
            state=state,
            rows=rows,
            reasons=(),
            drift=tuple(drift(name, value, told, rows) for name, value, told in psi),
            performance=Performance(
                state=judged, metric="auc", bound="expected ≥ 0.73", measured=auc,
                metrics=quality(auc, rows=labels) if auc is not None else None, rows=rows,
                labels=labels if auc is not None else 0,
            ),
            kpi=judge_kpi(self.spec.content.manage.kpi, kpi, window),
        )  # fmt: skip

    def find(self, number: int, cause: str, finding: str, at: str) -> None:
        """A case."""
        self.add(
            CaseRow(
                id=f"{self.model}/v{number}/{cause}", model=self.model, version=number, cause=cause,
                severity="alarm", owner="sam", finding=finding, opened_at=moment(at),
            ),
            "case.opened",
        )  # fmt: skip

    def run(self, task: str, at: str, by: str) -> dict[str, object]:
        """Which task did it."""
        return {
            "dag_id": f"{self.model}_release", "run_id": f"manual__{at[:10]}", "task_id": task,
            "try_number": 1, "map_index": -1, "triggered_by": by,
        }  # fmt: skip


def candidates(auc: float) -> list[CandidateResult]:
    """The candidates of a training; the first is the one that was packaged."""
    return [
        CandidateResult(
            name="boosted_trees",
            technique="sklearn.ensemble.HistGradientBoostingClassifier",
            params=(("l2_regularization", "1.0"), ("learning_rate", "0.06"), ("max_iter", "150")),
            metrics=quality(auc), fit_seconds=3.2, chosen=True,
        ),
        CandidateResult(
            name="logistic_regression",
            technique="mlops.core.estimators.scaled_logistic_regression",
            params=(("C", "0.1"),), metrics=quality(auc - 0.034), fit_seconds=1.1, chosen=False,
        ),
        CandidateResult(
            name="base_rate", technique="sklearn.dummy.DummyClassifier",
            params=(("strategy", "prior"),), metrics=quality(0.5), fit_seconds=0.1, chosen=False,
        ),
    ]  # fmt: skip


def evaluation(auc: float) -> Evaluation:
    """An evaluation of which the pages show the metrics alone."""
    nothing = Curve((), ())
    return Evaluation(
        metrics=quality(auc), slices=(), roc=nothing, precision_recall=nothing,
        calibration=nothing, score_histogram=nothing, importance=(),
        confusion=Confusion(0.4, 1, 1, 1, 1),
    )  # fmt: skip


def gates(auc: float) -> list[GateResult]:
    """The gates of the pattern spec, all passed."""
    return [
        GateResult("auc", "≥ 0.75", auc, passed=True),
        GateResult("calibration_error", "≤ 0.05", 0.021, passed=True),
        GateResult("auc by origin", "≥ 0.7", auc - 0.02, passed=True, note="worst of 3: LGA"),
        GateResult("auc against champion", "≥ -0.01", 0.008, passed=True, note="live: v1"),
    ]  # fmt: skip


def drift(name: str, psi: float, state: State, rows: int) -> FeatureDrift:
    """How far one feature moved."""
    return FeatureDrift(
        feature=name, state=state, psi=psi, psi_expected_by_chance=0.001, null_share=0.0,
        null_share_reference=0.0, unseen_share=0.0, mean_shift=0.1, rows=rows,
    )  # fmt: skip
