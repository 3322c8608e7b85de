"""What every model format has to do, for any library."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pyarrow as pa
import pytest

from mlops.core.artifact.formats import ModelFormat, library_versions
from mlops.core.artifact.manifest import MANIFEST, check_members_to_write
from mlops.core.artifact.package import PackageParts, build, load_model, read
from mlops.core.artifact.stored_zip import read_members
from mlops.core.encode import Feature, FeatureEncoder
from mlops.core.targets.target import TARGETS
from mlops.errors import ArtifactRefused, MlopsError, TrainingError
from mlops.registry import extensions_for
from mlops.spec.extensions import DEFAULT_TARGET

if TYPE_CHECKING:
    from mlops.core.targets.target import Floats, Labels

_ROWS = 400
_CHANGES = 300
_COLUMNS = ("income", "age", "region")

# What a fresh process runs: it knows the format by its name only.
_READ_AND_WRITE = """
import sys
from mlops.core.artifact.formats import MODEL_FORMATS
from mlops.extensions import extensions_from
extensions_from(lambda: {modules!r})
found = MODEL_FORMATS.get({name!r})
estimator = found.load(sys.stdin.buffer.read(), trusted={trusted!r})
sys.stdout.buffer.write(found.dump(estimator))
"""


class ModelFormatConformance:
    """Tests of one format; a subclass sets ``model_format`` and gives an estimator.

    :cvar modules: the extension modules that register the format; none if an entry point of an
        installed distribution does.
    :cvar trusted: what a spec would name under ``trusted_types``.
    :cvar target_name: of the target that the estimators are for.
    """

    model_format: ClassVar[ModelFormat]
    modules: ClassVar[tuple[str, ...]] = ()
    trusted: ClassVar[tuple[str, ...]] = ()
    target_name: ClassVar[str] = DEFAULT_TARGET

    def make_estimator(self) -> Any:
        """An unfitted estimator that the format is for; a new one each time."""
        raise NotImplementedError

    def make_labels(self) -> Labels:
        """A label for each row of :func:`example_matrix`; true or false without a target."""
        return example_labels()

    def test_it_has_a_name_a_member_and_libraries(self) -> None:
        """A package can be written with them, and the libraries are installed."""
        with extensions_for(*self.modules):
            check_members_to_write(self.model_format.member, ())
            assert set(self.model_format.libraries) <= set(
                library_versions([self.model_format.name])
            )

    def test_it_accepts_its_estimators_before_and_after_the_fit(self) -> None:
        """Candidates are refused before the first one is fitted, or not at all."""
        self.model_format.require_packable(self.make_estimator(), trusted=self.trusted)
        self.model_format.require_packable(self.fitted(), trusted=self.trusted)

    def test_it_refuses_what_it_cannot_write(self) -> None:
        """By an error of this library, which names it, and before anything is fitted."""
        with pytest.raises((TrainingError, ArtifactRefused), match="object"):
            self.model_format.require_packable(object(), trusted=())
        with pytest.raises((TrainingError, ArtifactRefused), match="object"):
            self.load(self.model_format.dump(object()))

    def test_what_is_read_back_scores_the_same_to_the_last_bit(self) -> None:
        """What was measured is what scores; a second round changes nothing either."""
        estimator, matrix = self.fitted(), example_matrix()
        expected = self.predict(estimator, matrix)
        assert len(np.unique(expected)) > 1, "the example gives every row the same score"
        for _ in range(2):
            estimator = self.load(self.model_format.dump(estimator))
            assert np.array_equal(self.predict(estimator, matrix), expected)

    def test_the_same_model_gives_the_same_bytes(self) -> None:
        """The digest of a package names a model: no time, no address, no random name."""
        estimator = self.fitted()
        written = self.model_format.dump(estimator)
        assert self.model_format.dump(estimator) == written
        assert self.model_format.dump(self.fitted()) == written
        loaded = self.load(written)
        self.predict(loaded, example_matrix())
        assert self.model_format.dump(loaded) == written

    def test_another_process_reads_it_and_writes_the_same_bytes(self) -> None:
        """A fresh process finds the format by its name, with another order of hashes."""
        written = self.model_format.dump(self.fitted())
        code = _READ_AND_WRITE.format(
            modules=self.modules, name=self.model_format.name, trusted=self.trusted
        )
        done = subprocess.run(
            [sys.executable, "-c", code],
            input=written,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "PYTHONHASHSEED": "7"},
            capture_output=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr.decode()
        assert done.stdout == written

    def test_the_audit_names_what_is_constructed(self) -> None:
        """As dotted names."""
        names = self.audit(self.model_format.dump(self.fitted()))
        assert isinstance(names, frozenset)
        assert all("." in name for name in names)

    def test_a_pickle_is_refused_and_not_executed(self) -> None:
        """A user who may write to the store must not run code where the model is loaded."""
        with tempfile.TemporaryDirectory() as folder:
            mark = Path(folder) / "executed"
            for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
                data = pickle.dumps(_Payload(mark), protocol=protocol)
                for refuse in (self.audit, self.load):
                    with pytest.raises(ArtifactRefused):
                        refuse(data)
                    assert not mark.exists(), "the pickle was executed"

    def test_cut_bytes_are_refused_before_anything_is_constructed(self) -> None:
        """The audit finds out, which constructs nothing."""
        written = self.model_format.dump(self.fitted())
        for length in {0, 1, len(written) // 2, len(written) - 1}:
            for refuse in (self.audit, self.load):
                with pytest.raises(ArtifactRefused):
                    refuse(written[:length])

    def test_a_changed_byte_is_refused_or_does_not_matter(self) -> None:
        """By an error of this library, and never by another model that looks sound."""
        written, matrix = self.model_format.dump(self.fitted()), example_matrix()
        expected = self.predict(self.fitted(), matrix)
        places = np.linspace(0, len(written) - 1, _CHANGES).astype(int)
        for place, bit in zip(places, np.arange(_CHANGES) % 8, strict=True):
            changed = bytearray(written)
            changed[place] ^= 1 << int(bit)
            try:
                loaded = self.load(bytes(changed))
            except ArtifactRefused:
                continue
            except MlopsError as error:
                pytest.fail(f"byte {place}: {type(error).__name__}, expected ArtifactRefused")
            found = self.predict(loaded, matrix)
            assert np.array_equal(found, expected), f"byte {place} changes the model"

    def test_a_package_holds_it_and_proves_its_golden_rows(self) -> None:
        """Written, read, constructed and predicted again, as deployment does."""
        with extensions_for(*self.modules):
            package = build(self._parts())
            assert build(self._parts()).digest == package.digest
            members = read_members(package.data, what="a package")
            assert self.model_format.member in members.keys() - {MANIFEST}
            contents = read(package.data, expected_digest=package.digest)
            assert contents.model_format == self.model_format.name
            assert set(self.model_format.libraries) <= set(contents.requirements)
            loaded = load_model(contents, trusted=self.trusted)
            assert loaded.warnings == ()
            assert loaded.check_golden() == 0.0

    def fitted(self) -> Any:
        """The estimator, fitted to the example rows; the same model each time."""
        estimator = self.make_estimator()
        estimator.fit(example_matrix(), self.make_labels())
        return estimator

    def predict(self, estimator: Any, matrix: Floats) -> Floats:
        """The scores of some rows, as the target predicts them."""
        with extensions_for(*self.modules):
            return TARGETS.get(self.target_name).predict(estimator, matrix)

    def load(self, data: bytes) -> Any:
        """Construct an estimator of these bytes."""
        return self.model_format.load(data, trusted=self.trusted)

    def audit(self, data: bytes) -> frozenset[str]:
        """Audit these bytes."""
        return self.model_format.audit(data, trusted=self.trusted)

    def _parts(self) -> PackageParts:
        estimator, matrix = self.fitted(), example_matrix()
        rows = pa.table(dict(zip(_COLUMNS, matrix.T, strict=True)))
        features = [Feature(name, "numeric") for name in _COLUMNS]
        golden = matrix[::20]
        return PackageParts(
            model="example",
            model_bytes=self.model_format.dump(estimator),
            model_format=self.model_format.name,
            encoder=FeatureEncoder.fit(features, rows),
            schema=[{"name": name, "type": "double"} for name in _COLUMNS],
            spec={"model": "example", "content": {"develop": {"target": self.target_name}}},
            golden_inputs=golden,
            golden_outputs=self.predict(estimator, golden),
            reference={"rows": _ROWS},
            card="# example\n",
            code={},
            facts={},
        )


def example_matrix() -> Floats:
    """Rows of three numeric features, without a missing value."""
    random = np.random.default_rng(5)
    return np.column_stack(
        [
            random.gamma(4.0, 800.0, _ROWS),
            random.integers(18, 90, _ROWS),
            random.integers(0, 4, _ROWS),
        ]
    ).astype(np.float64)


def example_labels() -> np.ndarray:
    """A label for each of the example rows, which depends on its features and on chance."""
    matrix = example_matrix()
    chance = 1.0 / (1.0 + np.exp((matrix[:, 0] - 3_000.0) / 900.0 - matrix[:, 2] + 1.5))
    return np.random.default_rng(6).uniform(size=_ROWS) < chance


class _Payload:
    """What a pickle would execute: it makes a file."""

    def __init__(self, mark: Path) -> None:
        self._mark = mark

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        return Path.touch, (self._mark,)
