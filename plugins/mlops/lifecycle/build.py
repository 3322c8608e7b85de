"""Turn every spec into its DAGs, and say which specs are broken without hiding the others."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import cache
from pathlib import Path

from airflow.sdk import DAG, get_parsing_context

from mlops.errors import SpecError
from mlops.installation import require_one_installation
from mlops.lifecycle.control import control_dag
from mlops.lifecycle.monitor import monitor_dag
from mlops.lifecycle.release import release_dag
from mlops.lifecycle.score import score_dag
from mlops.settings import include_folder
from mlops.spec.load import Include, require_rule, tier_of
from mlops.spec.model import ModelSpec
from mlops.spec.policy import Policy, Tier

# What follows a model's name in the name of each of its DAGs, and what builds that DAG.
PHASES: Mapping[str, Callable[[ModelSpec, Policy, Tier], DAG]] = {
    "release": release_dag,
    "score": lambda spec, policy, tier: score_dag(spec),  # noqa: ARG005
    "monitor": lambda spec, policy, tier: monitor_dag(spec),  # noqa: ARG005
    "control": lambda spec, policy, tier: control_dag(spec, tier),  # noqa: ARG005
}


def build_dags(root: Path | None = None) -> list[DAG]:
    """Build ``<model>_release``, ``_score``, ``_monitor`` and ``_control`` of every sound spec.

    A broken spec has no DAGs; :func:`report_broken_specs` shows why. DAGs register themselves with
    the file that is being parsed.

    A task parses the file of its DAG again. Airflow names that DAG in the parsing context, so that
    the task reads one spec and builds one DAG, however many models there are.

    :param root: the include folder; default: ``[mlops] include_folder``.
    :raises InstallationError: another package is named ``mlops``, or this one is there twice.
    """
    require_one_installation()
    include = Include(root or include_folder())
    policy = cache(include.policy)  # read once, however many specs name it
    wanted = get_parsing_context().dag_id
    dags: list[DAG] = []
    for file, phases in _files_and_phases(include, wanted):
        try:
            sources = _read(include, file, policy)
            dags += [PHASES[phase](*sources) for phase in phases]
        except SpecError:
            continue
    return dags


def _files_and_phases(include: Include, wanted: str | None) -> Iterable[tuple[Path, Iterable[str]]]:
    """Each spec file to read, with the phases whose DAGs to build.

    :param wanted: the one DAG that is needed; None: all.
    """
    if wanted is None:
        return ((file, PHASES) for file in include.spec_files())
    model, _, phase = wanted.rpartition("_")
    try:
        file = include.spec_file(model)
    except SpecError:  # two files of one name: a broken spec, which report_broken_specs names
        return ()
    return [(file, (phase,))] if phase in PHASES and file.exists() else ()


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
