"""How the checks of loaded arrays say no."""

from __future__ import annotations

from typing import Any, NoReturn

import numpy as np

from mlops.errors import ArtifactRefused


def refuse_array(what: str, *, found: object, expected: object) -> NoReturn:
    """Refuse a model file because of a value in it.

    :raises ArtifactRefused: always.
    """
    raise ArtifactRefused(
        f"a model file was altered or damaged: {what}",
        found=found,
        expected=expected,
        action="do not use this file; bring back the approved bytes, or package the model again",
    )


def check_range(what: str, values: Any, count: int) -> None:
    """Every value must be an index into ``count`` things.

    :raises ArtifactRefused: naming the first that is not.
    """
    values = np.asarray(values)
    wrong = ~((values >= 0) & (values < count))
    if wrong.any():
        refuse_array(what, found=values[wrong].flat[0], expected=f"0 to {count - 1}")


def check_equal(what: str, found: object, expected: object) -> None:
    """:raises ArtifactRefused: the two differ."""
    if found != expected:
        refuse_array(what, found=found, expected=expected)


def check_is(owner: str, part: object, kind: type | tuple[type, ...]) -> None:
    """:raises ArtifactRefused: a part of ``owner`` has another type."""
    if not isinstance(part, kind):
        kinds = kind if isinstance(kind, tuple) else (kind,)
        refuse_array(
            f"{owner}: a part of it",
            found=type(part).__name__,
            expected=" or ".join(kind.__name__ for kind in kinds),
        )
