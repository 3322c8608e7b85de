"""The model package: everything that scores, in one file with one digest, which people sign.

The file is a zip of stored members, written the same way each time: the same training gives the
same bytes. It holds the model and its encoder, the schema and the spec that it came from, golden
rows with their predictions, the versions of the libraries, the reference profile and the model
card; and a manifest with the digest of each of them.
"""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from typing import Any

import numpy as np

from mlops.core.artifact.stored_zip import read_members, write_stored_zip
from mlops.core.encode import FeatureEncoder
from mlops.core.scores import require_probabilities
from mlops.digests import canonical_json, digest_bytes
from mlops.errors import ArtifactChanged, ArtifactRefused, DataRefused, TrainingError

FORMAT = 1
LIBRARIES = ("numpy", "scikit-learn", "skops", "pyarrow")

_WHAT = "a model package"
_MANIFEST = "manifest.json"
_BRING_BACK = "bring back the approved bytes, or release a new version and have it signed"


@dataclass(frozen=True, kw_only=True)
class PackageParts:
    """What goes into a package.

    :ivar model: the model's name.
    :ivar model_bytes: what :func:`mlops.core.artifact.model_file.dump` wrote.
    :ivar schema: name and Arrow type of each training column, as JSON values.
    :ivar spec: the spec's canonical content, as JSON values.
    :ivar golden_inputs: encoded rows, float64 of shape (rows, features); some tens.
    :ivar golden_outputs: their predictions, float64 of shape (rows,).
    :ivar reference: the reference profile of drift, as JSON values.
    :ivar card: the model card, as Markdown without the time of writing.
    :ivar code: versions of libraries and digests of the code that trained, as JSON values.
    :ivar facts: what else must be bound to the bytes: digests of snapshot, spec and criteria.
    """

    model: str
    model_bytes: bytes
    encoder: FeatureEncoder
    schema: Sequence[Mapping[str, Any]]
    spec: Mapping[str, Any]
    golden_inputs: np.ndarray
    golden_outputs: np.ndarray
    reference: Any
    card: str
    code: Mapping[str, Any]
    facts: Mapping[str, Any]


@dataclass(frozen=True)
class Package:
    """A package as bytes, and the SHA-256 that names it."""

    data: bytes
    digest: str


@dataclass(frozen=True, kw_only=True)
class PackageContents:
    """What a package holds, read and checked; nothing of the model is constructed yet.

    :ivar requirements: version of Python and of each library that the model was made with.
    """

    digest: str
    model: str
    model_bytes: bytes
    encoder: FeatureEncoder
    schema: Sequence[Mapping[str, Any]]
    spec: Mapping[str, Any]
    golden_inputs: np.ndarray
    golden_outputs: np.ndarray
    requirements: Mapping[str, str]
    reference: Any
    card: str
    code: Mapping[str, Any]
    facts: Mapping[str, Any]


def build(parts: PackageParts) -> Package:
    """Write a package.

    :raises TrainingError: the golden rows do not fit the encoder.
    :raises PredictionError: a golden score is not a probability.
    """
    _check_golden_parts(parts)
    members = {
        "model.skops": parts.model_bytes,
        "encoder.json": _json(parts.encoder.to_json()),
        "schema.json": _json(list(parts.schema)),
        "spec.json": _json(parts.spec),
        "golden.json": _json(
            {
                "inputs": [[_exact(value) for value in row] for row in parts.golden_inputs],
                "outputs": [float(value) for value in parts.golden_outputs],
            }
        ),
        "requirements.json": _json(
            {name: parts.code.get(name, found) for name, found in installed_versions().items()}
        ),
        "reference.json": _json(parts.reference),
        "card.md": parts.card.encode(),
    }
    manifest = {
        "format": FORMAT,
        "model": parts.model,
        "members": {name: digest_bytes(content) for name, content in members.items()},
        "code": parts.code,
        "facts": parts.facts,
    }
    data = write_stored_zip([(_MANIFEST, _json(manifest)), *members.items()])
    return Package(data=data, digest=digest_bytes(data))


def read(data: bytes, *, expected_digest: str) -> PackageContents:
    """Read a package whose digest is known. No model is constructed.

    :param expected_digest: the SHA-256 that was signed.
    :raises ArtifactChanged: the bytes, or a member against the manifest, are others.
    :raises ArtifactRefused: this is no package, or one of a format that is not known here.
    """
    found = digest_bytes(data)
    if found != expected_digest:
        raise ArtifactChanged(
            "the bytes of a model package have changed",
            found=f"sha256 {found}",
            expected=f"approved sha256 {expected_digest}",
            action=_BRING_BACK,
        )
    members = read_members(data, what=_WHAT)
    try:
        manifest = json.loads(members.pop(_MANIFEST))
        _check_manifest(manifest, members)
        return _contents(found, manifest, members)
    except (KeyError, TypeError, ValueError, AttributeError, DataRefused) as error:
        raise ArtifactRefused(
            f"{_WHAT} was expected",
            found=f"{type(error).__name__}: {error}",
            expected=f"a package of format {FORMAT}",
            action="package the model again from its training run",
        ) from error


@cache
def installed_versions() -> dict[str, str]:
    """Version of Python and of each library that a model depends on, here and now."""
    return {
        "python": platform.python_version(),
        **{library: version(library) for library in LIBRARIES},
    }


def _check_golden_parts(parts: PackageParts) -> None:
    rows = len(parts.golden_outputs)
    shapes = (parts.golden_inputs.shape, parts.golden_outputs.shape)
    expected = ((rows, len(parts.encoder.features)), (rows,))
    if shapes != expected or not rows:
        raise TrainingError(
            f"{parts.model}: golden rows",
            found=f"shapes {shapes[0]} and {shapes[1]}",
            expected=f"at least one row, of shapes {expected[0]} and {expected[1]}",
        )
    require_probabilities(
        parts.golden_outputs, rows=rows, what=parts.model, name_row="golden row {}".format
    )


def _check_manifest(manifest: Mapping[str, Any], members: Mapping[str, bytes]) -> None:
    if manifest["format"] != FORMAT:
        raise ArtifactRefused(
            "a model package of another format",
            found=f"format {manifest['format']!r}",
            expected=f"format {FORMAT}",
            action="read it with the version of this library that wrote it",
        )
    expected: Mapping[str, str] = manifest["members"]
    if set(expected) != set(members):
        raise ArtifactRefused(
            "a model package with other members than its manifest names",
            found=", ".join(sorted(members)),
            expected=", ".join(sorted(expected)),
            action=_BRING_BACK,
        )
    for name, content in members.items():
        if digest_bytes(content) != expected[name]:
            raise ArtifactChanged(
                f"{name} in a model package has changed",
                found=f"sha256 {digest_bytes(content)}",
                expected=f"sha256 {expected[name]} of its manifest",
                action=_BRING_BACK,
            )


def _contents(
    digest: str, manifest: Mapping[str, Any], members: Mapping[str, bytes]
) -> PackageContents:
    golden = json.loads(members["golden.json"])
    encoder = FeatureEncoder.from_json(json.loads(members["encoder.json"]))
    inputs = np.array([[_number(value) for value in row] for row in golden["inputs"]])
    return PackageContents(
        digest=digest,
        model=manifest["model"],
        model_bytes=members["model.skops"],
        encoder=encoder,
        schema=json.loads(members["schema.json"]),
        spec=json.loads(members["spec.json"]),
        golden_inputs=inputs,
        golden_outputs=np.array(golden["outputs"], dtype=np.float64),
        requirements=json.loads(members["requirements.json"]),
        reference=json.loads(members["reference.json"]),
        card=members["card.md"].decode(),
        code=manifest["code"],
        facts=manifest["facts"],
    )


def _json(value: Any) -> bytes:
    try:
        return canonical_json(value).encode()
    except (TypeError, ValueError) as error:
        raise TrainingError(
            "a part of the model package cannot be written as JSON",
            found=str(error),
            expected="finite numbers, texts, lists and records of them",
        ) from error


def _exact(value: float) -> float | str | None:
    """A float as JSON, which knows neither NaN (here null) nor infinity (here its name)."""
    if np.isnan(value):
        return None
    return float(value) if np.isfinite(value) else str(float(value))


def _number(value: float | str | None) -> float:
    return float("nan") if value is None else float(value)
