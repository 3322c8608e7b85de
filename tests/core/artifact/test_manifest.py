"""Package format 2: optional members, other formats of models, and what a reader must know."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from mlops.core.artifact.formats import MODEL_FORMATS, library_versions
from mlops.core.artifact.manifest import MANIFEST, OPTIONAL
from mlops.core.artifact.package import PackageContents, PackageParts, build, load_model, read
from mlops.core.artifact.skops_format import SKOPS
from mlops.core.artifact.stored_zip import read_members, write_stored_zip
from mlops.core.encode import Feature, FeatureEncoder
from mlops.core.targets.binary.scores import predict_scores
from mlops.digests import digest_bytes
from mlops.errors import ArtifactChanged, ArtifactRefused, ExtensionError, TrainingError
from mlops.registry import extensions_for

Change = Callable[[dict[str, Any], dict[str, bytes]], Any]
EXTRA = {
    "exports/model.onnx": b"onnx",
    "source/factory.py": b"def factory(): ...\n",
    "calibration.json": b"{}",
    "profiles.json": b"[]",
}


class Share:
    """An estimator that gives every row the share of true labels."""

    share = 0.0

    def fit(self, x: np.ndarray, y: np.ndarray) -> Share:
        self.share = float(y.mean())
        return self

    def predict_proba(self, x: np.ndarray) -> np.ndarray:
        return np.tile([1 - self.share, self.share], (len(x), 1))


class ShareFormat:
    """The share as a text."""

    name = "share-text"
    member = "model.txt"
    libraries: tuple[str, ...] = ("pydantic",)

    def require_packable(self, estimator: Any, *, trusted: object) -> None:
        if not isinstance(estimator, Share):
            raise TrainingError(f"{type(estimator).__name__} cannot be packaged")

    def dump(self, estimator: Any) -> bytes:
        self.require_packable(estimator, trusted=())
        return repr(estimator.share).encode()

    def audit(self, data: bytes, *, trusted: object) -> frozenset[str]:
        try:
            float(data)
        except ValueError as error:
            raise ArtifactRefused("a number was expected") from error
        return frozenset()

    def load(self, data: bytes, *, trusted: object) -> Share:
        self.audit(data, trusted=trusted)
        found = Share()
        found.share = float(data)
        return found


@pytest.fixture
def share_format() -> Iterator[ShareFormat]:
    with extensions_for():
        yield MODEL_FORMATS.register("share-text", ShareFormat())  # type: ignore[return-value]


def parts(*, estimator: Any = None, **others: Any) -> PackageParts:
    from sklearn.dummy import DummyClassifier

    x, y = np.arange(8.0).reshape(-1, 1), np.arange(8) > 4
    fitted = (estimator or DummyClassifier()).fit(x, y)
    write = MODEL_FORMATS.get(others.get("model_format", "skops")).dump
    rows = pa.table({"x": x[:, 0]})
    return PackageParts(
        model="late",
        model_bytes=write(fitted),
        encoder=FeatureEncoder.fit([Feature("x", "numeric")], rows),
        schema=[{"name": "x", "type": "double"}],
        spec={"model": "late"},
        golden_inputs=x,
        golden_outputs=predict_scores(fitted, x),
        reference={"rows": 8},
        card="# late\n",
        code={},
        facts={},
        **others,
    )


def contents_of(data: bytes) -> PackageContents:
    return read(data, expected_digest=digest_bytes(data))


def manifest_of(data: bytes) -> dict[str, Any]:
    manifest: dict[str, Any] = json.loads(read_members(data, what="a package")[MANIFEST])
    return manifest


def edited(data: bytes, change: Change) -> bytes:
    """A package as another writer might have made it, with all digests right."""
    members = read_members(data, what="a package")
    manifest = json.loads(members.pop(MANIFEST))
    change(manifest, members)
    manifest["members"] = {name: digest_bytes(content) for name, content in members.items()}
    return write_stored_zip([(MANIFEST, json.dumps(manifest).encode()), *members.items()])


def test_a_package_without_optional_members_keeps_format_1():
    manifest = manifest_of(build(parts()).data)
    assert manifest["format"] == 1
    assert set(manifest) == {"format", "model", "members", "code", "facts"}
    assert "model.skops" in manifest["members"]


def test_optional_members_are_written_and_read_back():
    plain, made = build(parts()), build(parts(optional=EXTRA))
    assert manifest_of(made.data)["format"] == 2
    assert manifest_of(made.data)["optional"] == sorted(EXTRA)
    assert {name.partition("/")[0].rstrip("/") for name in EXTRA} == {
        name.rstrip("/") for name in OPTIONAL
    }
    contents = contents_of(made.data)
    assert contents.optional == EXTRA
    assert contents_of(plain.data).optional == {}
    loaded = load_model(contents)
    assert loaded.check_golden() == 0.0
    rows = np.arange(5.0).reshape(-1, 1)
    assert np.array_equal(loaded.predict(rows), load_model(contents_of(plain.data)).predict(rows))


def test_the_order_of_optional_members_does_not_matter():
    backwards = dict(reversed(EXTRA.items()))
    assert build(parts(optional=backwards)).digest == build(parts(optional=EXTRA)).digest


def test_an_optional_member_of_a_later_version_is_left_alone():
    def change(manifest, members):
        members["explanations.json"] = b"{}"
        manifest["optional"].append("explanations.json")

    contents = contents_of(edited(build(parts(optional=EXTRA)).data, change))
    assert contents.optional == {**EXTRA, "explanations.json": b"{}"}
    assert load_model(contents).check_golden() == 0.0


def test_a_changed_optional_member_is_refused():
    members = read_members(build(parts(optional=EXTRA)).data, what="a package")
    members["calibration.json"] = b"[]"
    with pytest.raises(ArtifactChanged, match=r"calibration\.json in a model package has changed"):
        contents_of(write_stored_zip(members.items()))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda manifest, members: members.update({"second_stage.bin": b"x"}),
            r"required members that are not known here; found second_stage\.bin; expected card",
        ),
        (
            lambda manifest, members: members.pop("encoder.json"),
            "without a member that every package has",
        ),
        (
            lambda manifest, members: manifest["optional"].append("encoder.json"),
            "without a member that every package has",
        ),
        (
            lambda manifest, members: manifest["optional"].append("model.skops"),
            "without a member that every package has",
        ),
        (
            lambda manifest, members: manifest["model_format"].update(member="card.md"),
            "without a member that every package has",
        ),
        (
            lambda manifest, members: manifest.pop("model_format"),
            "a model package was expected; found KeyError: 'model_format'",
        ),
        (
            lambda manifest, members: manifest.update(format=True),
            "another format; found format True; expected format 1 or 2",
        ),
    ],
)
def test_a_package_that_needs_a_later_reader_is_refused(change: Change, message: str):
    with pytest.raises(ArtifactRefused, match=message):
        contents_of(edited(build(parts(optional=EXTRA)).data, change))


def test_in_format_1_every_member_is_required():
    def change(manifest, members):
        members["exports/model.onnx"] = b"x"
        manifest["optional"] = ["exports/model.onnx"]

    with pytest.raises(ArtifactRefused, match="required members that are not known here"):
        contents_of(edited(build(parts()).data, change))


@pytest.mark.parametrize("name", ["notes.txt", "exports/", "exports", "calibration.json/x", ""])
def test_an_optional_member_that_no_reader_knows_is_not_written(name: str):
    with pytest.raises(TrainingError, match="optional members of a model package"):
        build(parts(optional={name: b"x"}))


def test_a_model_in_another_format_names_it(share_format: ShareFormat):
    made = build(parts(estimator=Share(), model_format="share-text"))
    manifest = manifest_of(made.data)
    assert manifest["format"] == 2
    assert manifest["model_format"] == {"name": "share-text", "member": "model.txt"}
    assert manifest["optional"] == []
    contents = contents_of(made.data)
    assert (contents.model_format, contents.model_bytes) == ("share-text", b"0.375")
    assert set(contents.requirements) == {"python", "numpy", "pyarrow", "pydantic"}
    loaded = load_model(contents)
    assert type(loaded.estimator) is Share
    assert loaded.check_golden() == 0.0


def test_a_model_whose_format_is_not_here_is_read_and_not_constructed(share_format: ShareFormat):
    data = build(parts(estimator=Share(), model_format="share-text")).data
    with extensions_for():
        MODEL_FORMATS._registered.clear()
        contents = contents_of(data)
        with pytest.raises(ExtensionError, match="model format 'share-text' is not known"):
            load_model(contents)


@pytest.mark.parametrize(
    "member", ["", "card.md", "manifest.json", "models/model.txt", "profiles.json", "a\\b"]
)
def test_a_format_whose_member_has_a_wrong_name_is_refused(share_format: ShareFormat, member: str):
    share_format.member = member
    with pytest.raises(TrainingError, match="the name of the model's file"):
        build(parts(estimator=Share(), model_format="share-text"))


def test_a_library_that_is_not_installed_is_named(share_format: ShareFormat):
    share_format.libraries = ("acme-trees",)
    with pytest.raises(ExtensionError, match="no installed distribution acme-trees"):
        library_versions(["skops", "share-text"])


def test_the_libraries_of_skops_are_those_of_every_package_so_far():
    assert sorted(library_versions(["skops"])) == ["numpy", "pyarrow", "scikit-learn", "skops"]
    assert MODEL_FORMATS.get("skops") is SKOPS
