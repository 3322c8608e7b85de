"""The suite for model formats finds what it is there for."""

from __future__ import annotations

import itertools
import json
import pickle
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from _pytest.outcomes import Failed

from mlops.core.artifact.formats import MODEL_FORMATS
from mlops.core.artifact.stored_zip import read_members, write_stored_zip
from mlops.errors import ArtifactRefused, MlopsError, TrainingError
from mlops.registry import extensions_for
from mlops.testing.model_format import ModelFormatConformance


class Line:
    """The first column, scaled to 0 and 1 by the largest value of training."""

    largest = 1.0

    def fit(self, x: np.ndarray, y: np.ndarray) -> Line:
        self.largest = float(x[:, 0].max())
        return self

    def predict_proba(self, x: np.ndarray) -> np.ndarray:
        share = np.clip(x[:, 0] / self.largest, 0, 1)
        return np.column_stack([1 - share, share])


class LineFormat:
    """A sound format, of which each test breaks one thing."""

    name = "line"
    member = "model.line"
    libraries: tuple[str, ...] = ()

    def require_packable(self, estimator: Any, *, trusted: object) -> None:
        if not isinstance(estimator, Line):
            raise TrainingError(f"{type(estimator).__name__} cannot be packaged")

    def dump(self, estimator: Any) -> bytes:
        self.require_packable(estimator, trusted=())
        return write_stored_zip([("line.json", json.dumps(estimator.largest).encode())])

    def audit(self, data: bytes, *, trusted: object) -> frozenset[str]:
        if set(read_members(data, what="a line")) != {"line.json"}:
            raise ArtifactRefused("a line was expected")
        return frozenset({"tests.Line"})

    def load(self, data: bytes, *, trusted: object) -> Line:
        self.audit(data, trusted=trusted)
        line = Line()
        line.largest = json.loads(read_members(data, what="a line")["line.json"])
        return line


class Pickled(LineFormat):
    def dump(self, estimator: Any) -> bytes:
        self.require_packable(estimator, trusted=())
        return pickle.dumps(estimator)

    def audit(self, data: bytes, *, trusted: object) -> frozenset[str]:
        return frozenset({type(self.load(data, trusted=())).__name__})

    def load(self, data: bytes, *, trusted: object) -> Any:
        return pickle.loads(data)


class Bare(LineFormat):
    """The number alone: without a checksum, another number is another model."""

    def dump(self, estimator: Any) -> bytes:
        return json.dumps({"largest": estimator.largest}).encode()

    def audit(self, data: bytes, *, trusted: object) -> frozenset[str]:
        try:
            float(json.loads(data)["largest"])
        except (ValueError, KeyError, TypeError) as error:
            raise ArtifactRefused("a line was expected") from error
        return frozenset({"tests.Line"})

    def load(self, data: bytes, *, trusted: object) -> Line:
        self.audit(data, trusted=trusted)
        line = Line()
        line.largest = float(json.loads(data)["largest"])
        return line


class Counting(LineFormat):
    numbers = itertools.count()

    def dump(self, estimator: Any) -> bytes:
        members = read_members(super().dump(estimator), what="a line")
        members["line.json"] += b" " * (next(self.numbers) % 7)
        return write_stored_zip(members.items())


class Rounded(LineFormat):
    def dump(self, estimator: Any) -> bytes:
        return write_stored_zip([("line.json", b"%.4f" % estimator.largest)])


class Careless(LineFormat):
    """It looks at the bytes while it constructs, not before."""

    def audit(self, data: bytes, *, trusted: object) -> frozenset[str]:
        return frozenset({"tests.Line"})


class Accepting(LineFormat):
    def require_packable(self, estimator: Any, *, trusted: object) -> None:
        pass


class Missing(LineFormat):
    libraries = ("acme-lines",)


class Clashing(LineFormat):
    member = "card.md"


BROKEN = {
    "test_a_changed_byte_is_refused_or_does_not_matter": Bare,
    "test_a_package_holds_it_and_proves_its_golden_rows": Clashing,
    "test_a_pickle_is_refused_and_not_executed": Pickled,
    "test_cut_bytes_are_refused_before_anything_is_constructed": Careless,
    "test_it_has_a_name_a_member_and_libraries": Missing,
    "test_it_refuses_what_it_cannot_write": Accepting,
    "test_the_same_model_gives_the_same_bytes": Counting,
    "test_what_is_read_back_scores_the_same_to_the_last_bit": Rounded,
}


# It asks a fresh process for the format by its name, which only an installed one has.
ELSEWHERE = "test_another_process_reads_it_and_writes_the_same_bytes"
NAMES = sorted(name for name in dir(ModelFormatConformance) if name.startswith("test_"))


class Suite(ModelFormatConformance):
    def make_estimator(self) -> Line:
        return Line()


@pytest.fixture(autouse=True)
def _registered() -> Iterator[None]:
    with extensions_for():
        yield


def run(model_format: LineFormat, name: str) -> None:
    Suite.model_format = MODEL_FORMATS.register("line", model_format)
    getattr(Suite(), name)()


@pytest.mark.parametrize("name", [name for name in NAMES if name != ELSEWHERE])
def test_a_sound_format_passes(name: str) -> None:
    run(LineFormat(), name)


@pytest.mark.parametrize("name", sorted(BROKEN))
def test_what_is_broken_is_found(name: str) -> None:
    with pytest.raises((AssertionError, Failed, MlopsError, pickle.UnpicklingError, ValueError)):
        run(BROKEN[name](), name)


def test_a_format_that_only_one_process_knows_is_found() -> None:
    with pytest.raises(AssertionError, match="model format 'line' is not known"):
        run(LineFormat(), ELSEWHERE)
