"""The operators of ``<model>_release``: one class a step, from the spec to a live version."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from mlops.lineage.events import dataset_names
from mlops.operators.base import StepOperator
from mlops.operators.lineage import Reads
from mlops.operators.run_params import moment

if TYPE_CHECKING:
    from airflow.sdk import Context

    from mlops.workspace.workspace import Workspace


class IntakeOperator(StepOperator):
    """Register the model's spec; the whole run uses it, even if its file changes later."""

    generated_task = "release.intake"

    def step(self, workspace: Workspace, context: Context) -> Any:  # noqa: ARG002
        """Run :func:`mlops.flow.intake.intake`."""
        from mlops.flow.intake import intake

        return intake(workspace, model=self.model)


class SnapshotOperator(StepOperator):
    """Freeze the rows that a version is trained and tested on.

    :param spec_digest: digest of the registered spec (templated).
    :param as_of: the run's clock as an ISO date or time; empty for the run's own (templated).
    """

    generated_task = "release.snapshot"
    template_fields: Sequence[str] = (
        *StepOperator.template_fields,
        "spec_digest",
        "as_of",
    )

    def __init__(
        self,
        *,
        spec_digest: str,
        as_of: str = "",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.spec_digest = spec_digest
        self.as_of = as_of

    def step(self, workspace: Workspace, context: Context) -> Any:
        """Run :func:`mlops.flow.snapshot.snapshot`."""
        from mlops.flow.snapshot import snapshot

        return snapshot(workspace, spec_digest=self.spec_digest, as_of=moment(self.as_of, context))


class CheckDataOperator(StepOperator):
    """Hold frozen rows against the contract; all checks are recorded.

    :param snapshot_id: the snapshot (templated).
    """

    generated_task = "release.check_data"
    reads = (Reads("snapshot_id", dataset_names.snapshot),)
    template_fields: Sequence[str] = (
        *StepOperator.template_fields,
        "snapshot_id",
    )

    def __init__(
        self,
        *,
        snapshot_id: str,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.snapshot_id = snapshot_id

    def step(self, workspace: Workspace, context: Context) -> Any:  # noqa: ARG002
        """Run :func:`mlops.flow.check_data.check_data`."""
        from mlops.flow.check_data import check_data

        return check_data(workspace, snapshot_id=self.snapshot_id)


class TrainOperator(StepOperator):
    """Fit every candidate on a snapshot and choose the best one.

    :param snapshot_id: the snapshot (templated).
    """

    generated_task = "release.train"
    reads = (Reads("snapshot_id", dataset_names.snapshot),)
    template_fields: Sequence[str] = (
        *StepOperator.template_fields,
        "snapshot_id",
    )

    def __init__(
        self,
        *,
        snapshot_id: str,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.snapshot_id = snapshot_id

    def step(self, workspace: Workspace, context: Context) -> Any:  # noqa: ARG002
        """Run :func:`mlops.flow.train.train`."""
        from mlops.flow.train import train

        return train(workspace, snapshot_id=self.snapshot_id)


class ValidateOperator(StepOperator):
    """Judge the chosen candidate by the gates registered before training.

    :param training_id: the training (templated).
    """

    generated_task = "release.validate"
    reads = (Reads("training_id", dataset_names.training),)
    template_fields: Sequence[str] = (
        *StepOperator.template_fields,
        "training_id",
    )

    def __init__(
        self,
        *,
        training_id: str,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.training_id = training_id

    def step(self, workspace: Workspace, context: Context) -> Any:  # noqa: ARG002
        """Run :func:`mlops.flow.validate.validate`."""
        from mlops.flow.validate import validate

        return validate(workspace, training_id=self.training_id)


class PackageOperator(StepOperator):
    """Put all that will run into one file with one digest, which people sign.

    :param training_id: the training (templated).
    :param champion: the version that validation compared with, 0 for none (templated).
    """

    generated_task = "release.package"
    reads = (Reads("training_id", dataset_names.training),)
    template_fields: Sequence[str] = (
        *StepOperator.template_fields,
        "training_id",
        "champion",
    )

    def __init__(
        self,
        *,
        training_id: str,
        champion: str,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.training_id = training_id
        self.champion = champion

    def step(self, workspace: Workspace, context: Context) -> Any:  # noqa: ARG002
        """Run :func:`mlops.flow.package.package`."""
        from mlops.flow.package import package

        return package(workspace, training_id=self.training_id, champion=int(self.champion))


class DocumentOperator(StepOperator):
    """Write the validation report of a version.

    :param version: number of the version (templated).
    """

    generated_task = "release.document"
    reads = (Reads("version", dataset_names.version),)
    template_fields: Sequence[str] = (
        *StepOperator.template_fields,
        "version",
    )

    def __init__(
        self,
        *,
        version: str,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.version = version

    def step(self, workspace: Workspace, context: Context) -> Any:  # noqa: ARG002
        """Run :func:`mlops.flow.document.document`."""
        from mlops.flow.document import document

        return document(workspace, model=self.model, version=int(self.version))


class DeployOperator(StepOperator):
    """Make a version live, if every seat has signed these very bytes.

    :param version: number of the version (templated).
    """

    generated_task = "release.deploy"
    reads = (Reads("version", dataset_names.version),)
    template_fields: Sequence[str] = (
        *StepOperator.template_fields,
        "version",
    )

    def __init__(
        self,
        *,
        version: str,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.version = version

    def step(self, workspace: Workspace, context: Context) -> Any:  # noqa: ARG002
        """Run :func:`mlops.flow.deploy.deploy`."""
        from mlops.flow.deploy import deploy

        result = deploy(workspace, model=self.model, version=int(self.version))
        if result.superseded:
            self.log.warning("nothing was changed: %s", result.superseded)
        return result
