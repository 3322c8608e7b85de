"""How fitted estimators become bytes and come back: the protocol, and the registry of formats.

A candidate of a spec names its format (``format: skops`` where it names none), and so does every
package. A format for another library is added from outside; ``docs/extend/model-format.md`` shows
how, and :mod:`mlops.testing.model_format` holds the tests that a format must pass.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Protocol

from mlops.core.targets.target import Estimator
from mlops.errors import ExtensionError
from mlops.registry import Registry
from mlops.spec import extensions

# What encodes and scores rows, for every format of a model.
BASE_LIBRARIES = ("numpy", "pyarrow")


class ModelFormat(Protocol):
    """One way to write fitted estimators as bytes.

    The bytes come from a store that others can write to. So a format must never run code that
    they name: no pickle, and no type that the format itself does not construct on purpose.
    """

    @property
    def name(self) -> str:
        """What specs and packages call the format."""

    @property
    def member(self) -> str:
        """The name of the model's file inside a package, as ``model.skops``."""

    @property
    def libraries(self) -> tuple[str, ...]:
        """The distributions whose versions a model in this format depends on.

        Name the distribution of the format itself as well, if it has one.
        """

    def require_packable(self, estimator: Any, *, trusted: Iterable[str]) -> None:
        """Refuse an estimator that this format cannot write, before it is fitted.

        :param trusted: the spec's ``trusted_types``.
        :raises ArtifactRefused, TrainingError: it cannot be written, or would not be read back.
        """

    def dump(self, estimator: Any) -> bytes:
        """Write a fitted estimator: the same model gives the same bytes, in any process.

        :raises TrainingError: it cannot be written.
        """

    def audit(self, data: bytes, *, trusted: Iterable[str]) -> frozenset[str]:
        """Check bytes without constructing anything.

        :param trusted: dotted names that the spec adds to what the format constructs; a format
            whose types are fixed takes no notice of them.
        :returns: the dotted names of all that :meth:`load` would construct.
        :raises ArtifactRefused: the bytes are something else, are damaged, or name a type that
            may not be constructed.
        """

    def load(self, data: bytes, *, trusted: Iterable[str]) -> Estimator:
        """Audit the bytes, then construct the estimator, which scores as the one that was written.

        :raises ArtifactRefused: as :meth:`audit`; or what was constructed is not sound.
        """


MODEL_FORMATS: Registry[ModelFormat] = extensions.MODEL_FORMATS


def library_versions(formats: Iterable[str]) -> dict[str, str]:
    """Versions of the distributions that models in these formats depend on.

    :raises ExtensionError: a format is not known, or names a distribution that is not installed.
    """
    libraries = list(BASE_LIBRARIES)
    for name in formats:
        libraries += MODEL_FORMATS.get(name).libraries
    try:
        return {library: _version(library) for library in dict.fromkeys(libraries)}
    except PackageNotFoundError as error:
        raise ExtensionError(
            f"a library of the model formats {', '.join(formats)}",
            found=f"no installed distribution {error.name}",
            expected=f"installed distributions {', '.join(dict.fromkeys(libraries))}",
            action="install it where the tasks run, or correct 'libraries' of the format",
        ) from error


@cache
def _version(distribution: str) -> str:
    return version(distribution)
