"""The model package: everything that scores, in one file with one digest, which people sign.

The file is a zip of stored members, written the same way each time: the same training gives the
same bytes. It holds the model and its encoder, the schema and the spec that it came from, golden
rows with their predictions, the versions of the libraries, the reference profile and the model
card; and :mod:`a manifest <mlops.core.artifact.manifest>` with the digest of each of them.
"""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mlops.core.artifact.formats import MODEL_FORMATS, library_versions
from mlops.core.artifact.manifest import (
    MANIFEST,
    Manifest,
    check_members_to_write,
    read_verified,
    refused_unless_a_package,
)
from mlops.core.artifact.stored_zip import write_stored_zip
from mlops.core.encode import FeatureEncoder
from mlops.core.targets.target import target_of_package
from mlops.digests import canonical_json, digest_bytes
from mlops.errors import TrainingError
from mlops.spec.model import DEFAULT_FORMAT


@dataclass(frozen=True, kw_only=True)
class PackageParts:
    """What goes into a package.

    :ivar model: the model's name.
    :ivar model_bytes: what the format's ``dump`` wrote.
    :ivar schema: name and Arrow type of each training column, as JSON values.
    :ivar spec: the spec's canonical content, as JSON values.
    :ivar golden_inputs: encoded rows, float64 of shape (rows, features); some tens.
    :ivar golden_outputs: their predictions, float64 of shape (rows,).
    :ivar reference: the reference profile of drift, as JSON values.
    :ivar card: the model card, as Markdown without the time of writing.
    :ivar code: versions of libraries and digests of the code that trained, as JSON values.
    :ivar facts: what else must be bound to the bytes: digests of snapshot, spec and criteria.
    :ivar model_format: the name of the model's format.
    :ivar optional: optional members by their names, which
        :data:`mlops.core.artifact.manifest.OPTIONAL` lists.
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
    model_format: str = DEFAULT_FORMAT
    optional: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True)
class Package:
    """A package as bytes, and the SHA-256 that names it."""

    data: bytes
    digest: str


@dataclass(frozen=True, kw_only=True)
class PackageContents:
    """What a package holds, read and checked; nothing of the model is constructed yet.

    :ivar requirements: version of Python and of each library that the model was made with.
    :ivar optional: optional members by name, those included that this version does not know.
    """

    digest: str
    model: str
    model_bytes: bytes
    model_format: str
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
    optional: Mapping[str, bytes]


def build(parts: PackageParts) -> Package:
    """Write a package, in the earliest format of packages that can hold it.

    :raises TrainingError: the golden rows do not fit the encoder, or a member has a wrong name.
    :raises PredictionError: a golden score cannot be of the target.
    :raises ExtensionError: the model's format is not known.
    """
    _check_golden_parts(parts)
    member = MODEL_FORMATS.get(parts.model_format).member
    check_members_to_write(member, parts.optional)
    here = installed_versions(parts.model_format)
    members = {
        member: parts.model_bytes,
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
            {name: parts.code.get(name, found) for name, found in here.items()}
        ),
        "reference.json": _json(parts.reference),
        "card.md": parts.card.encode(),
        **{name: parts.optional[name] for name in sorted(parts.optional)},
    }
    manifest = Manifest(
        model=parts.model,
        model_format=parts.model_format,
        model_member=member,
        optional=tuple(parts.optional),
        code=parts.code,
        facts=parts.facts,
    )
    data = write_stored_zip([(MANIFEST, _json(manifest.to_json(members))), *members.items()])
    return Package(data=data, digest=digest_bytes(data))


def read(data: bytes, *, expected_digest: str) -> PackageContents:
    """Read a package whose digest is known. No model is constructed.

    :param expected_digest: the SHA-256 that was signed.
    :raises ArtifactChanged: the bytes, or a member against the manifest, are others.
    :raises ArtifactRefused: this is not a package, or one that needs a later version to be read.
    """
    manifest, members = read_verified(data, expected_digest=expected_digest)
    with refused_unless_a_package():
        return _contents(expected_digest, manifest, members)


def installed_versions(model_format: str) -> dict[str, str]:
    """Version of Python and of each library that a model depends on, here and now."""
    return {"python": platform.python_version(), **library_versions([model_format])}


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
    target_of_package(parts.spec).require_scores(
        parts.golden_outputs, rows=rows, what=parts.model, name_row="golden row {}".format
    )


def _contents(digest: str, manifest: Manifest, members: Mapping[str, bytes]) -> PackageContents:
    golden = json.loads(members["golden.json"])
    return PackageContents(
        digest=digest,
        model=manifest.model,
        model_bytes=members[manifest.model_member],
        model_format=manifest.model_format,
        encoder=FeatureEncoder.from_json(json.loads(members["encoder.json"])),
        schema=json.loads(members["schema.json"]),
        spec=json.loads(members["spec.json"]),
        golden_inputs=np.array([[_number(value) for value in row] for row in golden["inputs"]]),
        golden_outputs=np.array(golden["outputs"], dtype=np.float64),
        requirements=json.loads(members["requirements.json"]),
        reference=json.loads(members["reference.json"]),
        card=members["card.md"].decode(),
        code=manifest.code,
        facts=manifest.facts,
        optional={name: members[name] for name in manifest.optional},
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
