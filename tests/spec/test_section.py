"""A key that got a better name: both spellings are read, and they give one content."""

from __future__ import annotations

import re
import warnings
from typing import TYPE_CHECKING, Annotated

import pytest
from pydantic import Field

from mlops.digests import digest_json
from mlops.errors import SpecError
from mlops.spec.policy import Policy
from mlops.spec.section import DeprecatedKey, Section, deprecated_keys, renamed
from mlops.spec.yaml_file import read_yaml

if TYPE_CHECKING:
    from pathlib import Path

    from tests.spec.conftest import Folder

EARLIER = {"attests": "signs", "required": "people", "respond_within_days": "answer_days"}


class Part(Section):
    """A part with a renamed key."""

    description: Annotated[str | None, renamed("description", old="means")] = None


class Whole(Section):
    """Renamed keys in a mapping, in a list, and none in what is free text."""

    parts: dict[str, Part]
    more: tuple[Part, ...] = ()
    params: dict[str, int] = Field(default_factory=dict)


def in_earlier_words(text: str) -> str:
    for new, old in EARLIER.items():
        text = re.sub(rf"\b{new}:", f"{old}:", text)
    return text


def test_both_spellings_of_a_policy_give_one_content_with_the_earlier_names(folder: Folder) -> None:
    file = folder.policy_file
    today = folder.policy({"\nseats:\n": "\nrespond_within_days: 3\nseats:\n"})
    file.write_text(in_earlier_words(file.read_text()))
    assert "people: 2" in file.read_text()
    with pytest.warns(DeprecatedKey) as caught:
        earlier = folder.include.policy("standard")
    assert earlier == today
    assert (today.respond_within_days, today.seats["risk"].required) == (3, 2)
    content = today.model_dump(mode="json")
    assert digest_json(content) == digest_json(earlier.model_dump(mode="json"))
    assert content["answer_days"] == 3
    assert set(content["seats"]["risk"]) >= {"people", "signs"}
    assert not set(content["seats"]["risk"]) & set(EARLIER)
    line = next(
        n for n, text in enumerate(file.read_text().splitlines(), 1) if "answer_days" in text
    )
    assert [str(item.message) for item in caught] == [
        f"{file}:{line}: keys have new names, write 'respond_within_days' for 'answer_days', "
        "'required' for 'people', 'attests' for 'signs'; the earlier names are still read and "
        "give the same digest"
    ]


def test_what_was_stored_is_read_without_a_warning(folder: Folder) -> None:
    stored = folder.policy().model_dump(mode="json")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert Policy.model_validate(stored, strict=False) == folder.policy()


def test_a_key_in_both_spellings_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "whole.yml"
    file.write_text("parts:\n  a:\n    description: x\n    means: y\n")
    with pytest.raises(SpecError) as caught:
        read_yaml(file, Whole)
    expected = f"{file}:4: parts.a.means: unknown key; remove it or correct its spelling."
    assert str(caught.value) == expected


def test_a_missing_key_is_named_as_it_is_called_today(folder: Folder) -> None:
    with pytest.raises(SpecError, match=r"seats\.owner\.attests: is missing; add it"):
        folder.policy({"\n    attests: that it is worth having": ""})


def test_each_place_of_an_earlier_name_is_found() -> None:
    content = {
        "parts": {"means": {"description": "a"}, "b": {"means": "b"}},
        "more": [{}, {"means": "c"}],
        "params": {"means": 1},
    }
    record = Whole.model_validate(content, strict=False)
    assert sorted(deprecated_keys(record, content)) == [
        (("more", 1, "means"), "description"),
        (("parts", "b", "means"), "description"),
    ]
