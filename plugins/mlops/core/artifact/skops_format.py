"""The skops format: scikit-learn's estimators as bytes and back, never as a pickle.

It writes the canonical form: the same fitted model gives the same bytes, in any process, so that
a digest names a model. skops itself names members by the address of an object. The canonical
form is still skops: ``skops.io.loads`` reads it.

It reads in this order: parse, audit, construct, check the arrays.
"""

from __future__ import annotations

import gc
import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any
from zipfile import ZipFile

from mlops.core.artifact.audit import SCHEMA, audit
from mlops.core.artifact.bounds import check_bounds
from mlops.core.artifact.canonical import canonical
from mlops.core.artifact.skops_io import skops_io
from mlops.core.artifact.stored_zip import ZIP_ERRORS, open_stored_zip
from mlops.errors import ArtifactRefused, TrainingError

WHAT = "a model file (skops)"


class SkopsFormat:
    """The format of scikit-learn's estimators."""

    name = "skops"
    member = "model.skops"
    libraries = ("scikit-learn", "skops")

    def require_packable(self, estimator: Any, *, trusted: Iterable[str] = ()) -> None:
        """Write the estimator, fitted or not, and read it back.

        :raises ArtifactRefused, TrainingError: one of the two fails.
        """
        self.load(self.dump(estimator), trusted=trusted)

    def dump(self, estimator: Any) -> bytes:
        """Write a fitted estimator.

        :returns: bytes that depend on the estimator and the versions of its libraries only.
        :raises TrainingError: something in it cannot be written in the skops format.
        """
        try:
            data = skops_io.dumps(estimator)
        except Exception as error:
            raise TrainingError(
                f"{type(estimator).__name__} cannot be packaged",
                found=f"{type(error).__name__}: {error}",
                expected="an estimator that skops can write",
                action="choose another estimator or another format; functions must be importable, "
                "not lambdas",
            ) from error
        return canonical(data)

    def audit(self, data: bytes, *, trusted: Iterable[str] = ()) -> frozenset[str]:
        """Check that every type in the file is allowed, without constructing anything.

        :param trusted: dotted names of types and functions that may be constructed beside those
            of :mod:`mlops.core.artifact.allowed_types`; only what a person has read belongs here.
        :raises ArtifactRefused: the bytes are a pickle or anything else but a model file, or name
            a type that is not allowed.
        """
        with open_stored_zip(data, what=WHAT) as file:
            schema = _read_schema(file)
            members = [name for name in file.namelist() if name != SCHEMA]
        return audit(schema, members=members, trusted=trusted)

    def load(self, data: bytes, *, trusted: Iterable[str] = ()) -> Any:
        """Read an estimator back.

        :raises ArtifactRefused: as :meth:`audit`, before anything is constructed; or arrays hold
            indices out of range.
        """
        with _collector_paused():
            estimator = _construct(data, self.audit(data, trusted=trusted))
        check_bounds(estimator)
        return estimator


SKOPS = SkopsFormat()


def _construct(data: bytes, names: Iterable[str]) -> Any:
    try:
        return skops_io.loads(data, trusted=sorted(names))
    except Exception as error:
        raise ArtifactRefused(
            "a model file cannot be constructed",
            found=f"{type(error).__name__}: {error}",
            expected="a file that this library wrote with these versions",
            action="bring back the approved bytes, or package the model again",
        ) from error


@contextmanager
def _collector_paused() -> Iterator[None]:
    """Without Python's cyclic garbage collector.

    A forest is some hundred thousand objects that all stay: the collector would walk over them
    again and again for nothing, a quarter of the time.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _read_schema(file: ZipFile) -> Any:
    try:
        return json.loads(file.read(SCHEMA))
    except ZIP_ERRORS as error:
        raise ArtifactRefused(
            f"{WHAT} was expected",
            found=f"a zip file without a readable {SCHEMA} ({error})",
            expected="a file in the skops format",
            action="package the model again from its training run",
        ) from error
