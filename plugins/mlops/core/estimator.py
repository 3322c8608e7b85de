"""From a candidate in a spec to an estimator: a dotted name, or a factory function."""

from __future__ import annotations

import hashlib
import inspect
import platform
import re
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Any

from mlops.core.artifact.formats import library_versions
from mlops.core.encode import Feature
from mlops.core.targets.target import Estimator, Target
from mlops.errors import TrainingError
from mlops.spec.model import Candidate


def technique(candidate: Candidate) -> str:
    """The dotted name that a candidate gives."""
    return str(candidate.estimator or candidate.factory)


def build(
    candidate: Candidate, features: Sequence[Feature], *, seed: int, target: Target
) -> Estimator:
    """Make an unfitted estimator.

    ``random_state`` is set to the seed wherever the estimator has it, and
    ``categorical_features`` to the indices of the categorical columns. A factory is called with
    ``features`` (the columns of the matrix, in order), ``seed`` and the candidate's ``params``.

    :raises TrainingError: the name cannot be imported or is not an estimator, or it refuses its
        parameters.
    """
    name = technique(candidate)
    needed = ("fit", *target.predicts_with)
    make = _class_or_factory(candidate, needed)
    try:
        if candidate.factory is not None:
            estimator = make(features=tuple(features), seed=seed, **candidate.params)
        else:
            estimator = make(**parameters_of(candidate))
            _preset(estimator, candidate, features, seed)
    except Exception as error:  # for any error of a user's factory, the reader needs its name
        raise _parameters_refused(candidate, error) from error
    missing = [method for method in needed if not hasattr(estimator, method)]
    if missing:
        raise TrainingError(
            f"candidate '{candidate.name}': {name}",
            found=f"{type(estimator).__name__} without {' and '.join(missing)}",
            expected=f"an estimator for the target {target.name}, with {' and '.join(needed)}",
            action=target.estimator_advice,
        )
    return estimator  # type: ignore[no-any-return]


def check_parameters(candidate: Candidate, *, target: Target) -> None:
    """Have an estimator's class judge its parameters, before any row is read.

    Factories, and estimators that keep no constraints as scikit-learn's do, judge them when they
    are fitted.

    :raises TrainingError: as :func:`build` raises it.
    """
    make = _class_or_factory(candidate, ("fit", *target.predicts_with))
    if candidate.factory is not None:
        return
    try:
        estimator = make(**parameters_of(candidate))
        judge = getattr(estimator, "_validate_params", None)
        if judge is not None:
            judge()
    except Exception as error:  # an estimator of the user's own may raise anything
        raise _parameters_refused(candidate, error) from error


def parameters_of(candidate: Candidate) -> dict[str, Any]:
    """The arguments of an estimator's class; ``class_weight`` by the labels as ``fit`` has them.

    A spec is kept as JSON, whose keys are text: ``{0: 1, 1: 5}`` arrives with "0" and "1".
    """
    weights = candidate.params.get("class_weight")
    if not isinstance(weights, dict):
        return dict(candidate.params)
    by_label = {_label(key): weight for key, weight in weights.items()}
    return {**candidate.params, "class_weight": by_label}


def _label(key: str) -> int | str:
    """A label that was a key in YAML: true and 1 are the same label."""
    if key in ("true", "false"):
        return int(key == "true")
    return int(key) if re.fullmatch(r"-?[0-9]+", key) else key


def _class_or_factory(candidate: Candidate, needed: Sequence[str]) -> Any:
    """What the candidate names, imported.

    :raises TrainingError: it cannot be imported, or is not the class of an estimator.
    """
    name = technique(candidate)
    make = _import(candidate.name, name)
    if candidate.estimator is not None and not (isinstance(make, type) and hasattr(make, "fit")):
        # Before it is called: a spec is not a program, and os.system would take a command.
        raise TrainingError(
            f"candidate '{candidate.name}': {name} is not an estimator",
            found=f"{type(make).__name__} {name}",
            expected=f"a class with {' and '.join(needed)}, as scikit-learn's",
            action="name a class, or write a factory and name it as 'factory'",
        )
    return make


def _parameters_refused(candidate: Candidate, error: Exception) -> TrainingError:
    return TrainingError(
        f"candidate '{candidate.name}': {technique(candidate)} refuses its parameters",
        found=f"{candidate.params} ({type(error).__name__}: {error})",
        expected="parameters that it takes",
        action="correct 'params' of the candidate in the spec, or mend the factory",
    )


def _preset(estimator: Any, candidate: Candidate, features: Sequence[Feature], seed: int) -> None:
    if not hasattr(estimator, "get_params"):
        return  # not of scikit-learn's kind: it takes what the spec gives it
    known = estimator.get_params(deep=False)
    if "random_state" in known and "random_state" not in candidate.params:
        estimator.set_params(random_state=seed)
    if "categorical_features" in known and "categorical_features" not in candidate.params:
        indices = [i for i, feature in enumerate(features) if feature.kind == "categorical"]
        estimator.set_params(categorical_features=indices or None)


def code_facts(candidates: Sequence[Candidate]) -> dict[str, Any]:
    """What the code of a training was: library versions, and the digest of each user's factory."""
    facts: dict[str, Any] = {"python": platform.python_version()}
    facts.update(library_versions(sorted({candidate.format for candidate in candidates})))
    for candidate in candidates:
        if candidate.factory is not None:
            facts[candidate.factory] = _source_digest(candidate.name, candidate.factory)
    return facts


def _source_digest(candidate: str, name: str) -> str:
    """SHA-256 of the module in which a factory is written."""
    factory = _import(candidate, name)
    try:
        source = inspect.getsource(sys.modules[factory.__module__])
    except (AttributeError, KeyError, OSError, TypeError) as error:
        raise TrainingError(
            f"candidate '{candidate}': the source of {name} cannot be read",
            found=f"{type(error).__name__}: {error}",
            expected="a function in a Python file, whose digest goes into the package",
            action="write the factory in a module of your own",
        ) from error
    return hashlib.sha256(source.encode()).hexdigest()


def _import(candidate: str, name: str) -> Any:
    module, _, attribute = name.rpartition(".")
    try:
        return getattr(import_module(module), attribute)
    except Exception as error:  # a user's module may raise anything while it is imported
        raise TrainingError(
            f"candidate '{candidate}': {name} cannot be imported",
            found=f"{type(error).__name__}: {error}",
            expected="the dotted name of a class or a function that the workers can import",
            action="correct the name in the spec, or install the module where the tasks run",
        ) from error
