"""What every part of a spec or a policy is: frozen, strict, and able to give a key a new name.

A registered spec is known by the digest of its whole content, and a version keeps the policy that
it was packaged under. So a key that gets a better name keeps its first name in that content: both
spellings are read, and they give one digest.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import AliasChoices, BaseModel, ConfigDict, Field

Location = tuple[str | int, ...]


class Section(BaseModel):
    """A part of a spec: frozen, strict, no unknown key.

    A registered spec is known by the digest of its whole content, defaults included. So a key that
    is added here later must be left out of the content where it is not given (``exclude_if``), or
    every spec of before would be another one.
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, allow_inf_nan=False, serialize_by_alias=True
    )


class DeprecatedKey(FutureWarning):
    """A file uses the earlier name of a key."""


def renamed(new: str, *, old: str) -> Any:
    """The annotation of a field whose key was called ``old`` before; use it in ``Annotated``.

    Both names are read; the content that is registered and digested keeps the old one.
    """
    return Field(validation_alias=AliasChoices(new, old), serialization_alias=old)


def deprecated_keys(record: Any, content: Any) -> Iterator[tuple[Location, str]]:
    """Where ``content``, from which ``record`` was read, uses the earlier name of a key.

    :return: the place of each such key, and the key's name of today.
    """
    for key, name, part in _parts(record, content):
        if name is not None and key != name:
            yield (key,), name
        for place, new in deprecated_keys(part, content[key]):
            yield (key, *place), new


def _parts(record: Any, content: Any) -> Iterator[tuple[Any, str | None, Any]]:
    """Each part that ``content`` gives: its key there, the field's name if it has one, the part."""
    if isinstance(record, BaseModel):
        for name, field in type(record).model_fields.items():
            for key in {name, field.serialization_alias} & content.keys():
                yield key, name, getattr(record, name)
    elif isinstance(record, dict):
        yield from ((key, None, part) for key, part in record.items() if key in content)
    elif isinstance(record, tuple):
        yield from ((index, None, part) for index, part in enumerate(record))


def warn_of_deprecated_keys(path: Path, line: int, names: dict[str, str]) -> None:
    """Warn once of a file that uses earlier names, however often it does.

    :param line: the first place.
    :param names: the name of today for each earlier one.
    """
    pairs = ", ".join(f"'{new}' for '{old}'" for old, new in sorted(names.items()))
    warnings.warn(
        f"{path}:{line}: keys have new names, write {pairs}; the earlier names are still read and "
        "give the same digest",
        DeprecatedKey,
        stacklevel=4,
    )
