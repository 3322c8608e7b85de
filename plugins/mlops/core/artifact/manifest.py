"""The manifest of a model package: which members it holds, with the digest of each.

Format 1 holds a fixed set of members, with a model in the format ``skops``. Format 2 names the
model's format and the member that holds it, and lists which of its members are *optional*: what a
reader may leave alone and still score rightly. Every other member is required, and a reader that
does not know one refuses the package. A package is written in format 1 unless it needs format 2.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from mlops.core.artifact.stored_zip import read_members
from mlops.digests import digest_bytes
from mlops.errors import ArtifactChanged, ArtifactRefused, DataRefused, TrainingError
from mlops.spec.model import DEFAULT_FORMAT

MANIFEST = "manifest.json"
WHAT = "a model package"

# What every package holds beside the manifest and the model.
REQUIRED = frozenset(
    {
        "encoder.json",
        "schema.json",
        "spec.json",
        "golden.json",
        "requirements.json",
        "reference.json",
        "card.md",
    }
)

# The optional members that this version can write; a name that ends in "/" is a folder.
OPTIONAL = {
    "exports/": "the model in formats that other systems read",
    "source/": "the source code of the factory, and of what it imports",
    "calibration.json": "what the scores were calibrated with",
    "profiles.json": "profiles of the training rows beside the reference",
}

_FIXED = 1
_LISTED = 2
FORMATS = (_FIXED, _LISTED)
_FIXED_MODEL = "model.skops"

BRING_BACK = "bring back the approved bytes, or release a new version and have it signed"


@dataclass(frozen=True)
class Manifest:
    """A manifest that was checked against the members beside it.

    :ivar model: the model's name.
    :ivar model_format: the name of the format of the model's bytes.
    :ivar model_member: the member that holds them.
    :ivar optional: the names of optional members, known here or not.
    """

    model: str
    model_format: str
    model_member: str
    optional: tuple[str, ...]
    code: Mapping[str, Any]
    facts: Mapping[str, Any]

    def to_json(self, members: Mapping[str, bytes]) -> dict[str, Any]:
        """The manifest of these members, as JSON values."""
        value = {
            "format": _FIXED,
            "model": self.model,
            "members": {name: digest_bytes(content) for name, content in members.items()},
            "code": self.code,
            "facts": self.facts,
        }
        if self.optional or self.model_format != DEFAULT_FORMAT:
            value["format"] = _LISTED
            value["model_format"] = {"name": self.model_format, "member": self.model_member}
            value["optional"] = sorted(self.optional)
        return value

    @classmethod
    def from_json(cls, value: Mapping[str, Any], members: Mapping[str, bytes]) -> Manifest:
        """Read a manifest, and check the members beside it.

        :raises ArtifactChanged: a member has another digest.
        :raises ArtifactRefused: another format, or other members than it names.
        :raises KeyError, TypeError, ValueError, AttributeError: it is not a manifest.
        """
        if value["format"] not in FORMATS or isinstance(value["format"], bool):
            raise ArtifactRefused(
                "a model package of another format",
                found=f"format {value['format']!r}",
                expected=f"format {' or '.join(map(str, FORMATS))}",
                action="read it with the version of this library that wrote it, or a later one",
            )
        _check_digests(value["members"], members)
        is_listed = value["format"] == _LISTED
        model = {"name": DEFAULT_FORMAT, "member": _FIXED_MODEL}
        if is_listed:
            model = {key: str(value["model_format"][key]) for key in model}
        manifest = cls(
            model=value["model"],
            model_format=model["name"],
            model_member=model["member"],
            optional=tuple(map(str, value["optional"])) if is_listed else (),
            code=value["code"],
            facts=value["facts"],
        )
        manifest._check_names(set(members))
        return manifest

    def _check_names(self, names: set[str]) -> None:
        """The required members must be those that this version knows, all of them."""
        needed = REQUIRED | {self.model_member}
        required = names - set(self.optional)
        if len(needed) == len(REQUIRED) or not needed <= required:
            raise ArtifactRefused(
                "a model package without a member that every package has",
                found=", ".join(sorted(required)),
                expected=", ".join(sorted(needed)),
                action=BRING_BACK,
            )
        if unknown := sorted(required - needed):
            raise ArtifactRefused(
                "a model package with required members that are not known here",
                found=", ".join(unknown),
                expected=", ".join(sorted(needed)),
                action="read it with the version of this library that wrote it, or a later one",
            )


def read_verified(data: bytes, *, expected_digest: str) -> tuple[Manifest, dict[str, bytes]]:
    """Read the manifest and the members of a package whose digest is known.

    :param expected_digest: the SHA-256 that was signed.
    :raises ArtifactChanged: the bytes, or a member against the manifest, are others.
    :raises ArtifactRefused: this is not a package, or one that needs a later version to be read.
    """
    found = digest_bytes(data)
    if found != expected_digest:
        raise ArtifactChanged(
            "the bytes of a model package have changed",
            found=f"sha256 {found}",
            expected=f"approved sha256 {expected_digest}",
            action=BRING_BACK,
        )
    members = read_members(data, what=WHAT)
    with refused_unless_a_package():
        return Manifest.from_json(json.loads(members.pop(MANIFEST)), members), members


def read_reference(data: bytes, *, expected_digest: str) -> Any:
    """The reference profile of a package as JSON values; neither model nor encoder is read.

    :raises ArtifactChanged, ArtifactRefused: as for :func:`read_verified`.
    """
    _, members = read_verified(data, expected_digest=expected_digest)
    with refused_unless_a_package():
        return json.loads(members["reference.json"])


@contextmanager
def refused_unless_a_package() -> Iterator[None]:
    """Turn what reading members raises into one error.

    :raises ArtifactRefused: a member is missing, or is not what a package holds there.
    """
    try:
        yield
    except (KeyError, TypeError, ValueError, AttributeError, DataRefused) as error:
        raise ArtifactRefused(
            f"{WHAT} was expected",
            found=f"{type(error).__name__}: {error}",
            expected=f"a package of format {' or '.join(map(str, FORMATS))}",
            action="package the model again from its training run",
        ) from error


def check_members_to_write(model_member: str, optional: Iterable[str]) -> None:
    """Refuse names under which a reader would not find what is written.

    :raises TrainingError: the model has the name of another member, or an optional member has a
        name that is not known.
    """
    is_plain = model_member and "/" not in model_member and "\\" not in model_member
    taken = {*REQUIRED, MANIFEST}
    if not is_plain or model_member in taken or _is_known(model_member):
        raise TrainingError(
            "the name of the model's file in a package",
            found=repr(model_member),
            expected=f"a plain name, other than {', '.join(sorted((*taken, *OPTIONAL)))}",
            action="correct 'member' of the model format",
        )
    unknown = [name for name in optional if not _is_known(name)]
    if unknown:
        raise TrainingError(
            "optional members of a model package",
            found=", ".join(unknown),
            expected=", ".join(OPTIONAL),
        )


def _is_known(name: str) -> bool:
    folder, slash, rest = name.partition("/")
    return f"{folder}{slash}" in OPTIONAL and bool(rest) == bool(slash)


def _check_digests(expected: Mapping[str, str], members: Mapping[str, bytes]) -> None:
    if set(expected) != set(members):
        raise ArtifactRefused(
            "a model package with other members than its manifest names",
            found=", ".join(sorted(members)),
            expected=", ".join(sorted(expected)),
            action=BRING_BACK,
        )
    for name, content in members.items():
        if digest_bytes(content) != expected[name]:
            raise ArtifactChanged(
                f"{name} in a model package has changed",
                found=f"sha256 {digest_bytes(content)}",
                expected=f"sha256 {expected[name]} of its manifest",
                action=BRING_BACK,
            )
