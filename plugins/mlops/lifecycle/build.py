"""Turn every spec into its DAGs, and say which specs are broken without hiding the others."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

from airflow.sdk import DAG

from mlops.errors import SpecError
from mlops.lifecycle.control import control_dag
from mlops.lifecycle.monitor import monitor_dag
from mlops.lifecycle.release import release_dag
from mlops.lifecycle.score import score_dag
from mlops.settings import include_folder
from mlops.spec.load import Include, require_rule, tier_of
from mlops.spec.model import ModelSpec
from mlops.spec.policy import Policy, Tier


def build_dags(root: Path | None = None) -> list[DAG]:
    """Build ``<model>_release``, ``_score``, ``_monitor`` and ``_control`` of every sound spec.

    A broken spec has no DAGs; :func:`report_broken_specs` says why. DAGs register themselves with
    the file that is being parsed.

    :param root: the include folder; default: ``[mlops] include_folder``.
    """
    include = Include(root or include_folder())
    policy = cache(include.policy)  # read once, however many specs name it
    dags: list[DAG] = []
    for file in include.spec_files():
        try:
            dags += _dags_of(*_read(include, file, policy))
        except SpecError:
            continue
    return dags


def report_broken_specs(root: Path | None = None) -> None:
    """Raise one error that names every broken spec, a line for each place.

    It is called from a DAG file of its own: Airflow shows the error as that file's, and the file
    with the DAGs of the sound specs stays whole.

    :raises SpecError: at least one spec is broken.
    """
    include = Include(root or include_folder())
    policy = cache(include.policy)
    problems = []
    for file in include.spec_files():
        try:
            _read(include, file, policy)
        except SpecError as error:
            problems.append(str(error))
    if problems:
        raise SpecError("\n" + "\n".join(dict.fromkeys(problems)))


def _read(
    include: Include, file: Path, policy: Callable[[str], Policy]
) -> tuple[ModelSpec, Policy, Tier]:
    spec = include.read_spec(file).content
    signed_by = policy(spec.deploy.policy)
    require_rule(spec, signed_by)
    return spec, signed_by, tier_of(spec, signed_by)


def _dags_of(spec: ModelSpec, policy: Policy, tier: Tier) -> list[DAG]:
    return [
        release_dag(spec, policy, tier),
        score_dag(spec),
        monitor_dag(spec),
        control_dag(spec, tier),
    ]
