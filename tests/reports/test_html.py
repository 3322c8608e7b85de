"""Templates to HTML: earlier names go on working, and an error names the template and its line."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from mlops.core.records import FeatureDrift
from mlops.errors import SpecError
from mlops.reports.context import SeatView
from mlops.reports.earlier_names import DeprecatedName
from mlops.reports.html import render

DRIFT = FeatureDrift(
    feature="hour",
    state="ok",
    statistic="psi",
    value=0.25,
    expected_by_chance=0.01,
    null_share=0.0,
    null_share_reference=0.0,
    unseen_share=0.0,
    mean_shift=None,
    rows=500,
)


@dataclass(frozen=True)
class Broken:
    """A record with a property that fails."""

    @property
    def amount(self) -> float:
        raise ZeroDivisionError("no rows")


def error_of(folder: Path, **values: Any) -> str:
    """What is wrong with ``own.html.j2`` of a company's folder."""
    with pytest.raises(SpecError) as raised:
        render(folder, "own.html.j2", **values)
    assert raised.value.__cause__ is not None
    return str(raised.value)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("{{ 'many' | decimal }}", "cannot be filled; found ValueError: "),
        ("{{ 1 + 'many' }}", "cannot be filled; found TypeError: unsupported operand"),
        ("{{ [1] | first | length }}", "cannot be filled; found TypeError: object of type 'int'"),
        ("{{ record.amount }}", "cannot be filled; found ZeroDivisionError: no rows"),
        ("{{ 'x' | percent('many') }}", "cannot be filled; found TypeError: "),
        ("{{ record.total | decimal }}", "a name that reports do not have; found .* 'total'"),
        ("{{ record.total | percent }}", "a name that reports do not have; found .* 'total'"),
        ("{{ record.total | count }}", "a name that reports do not have; found .* 'total'"),
        ("{{ total }}", "a name that reports do not have; found 'total' is undefined"),
        ("{{ 1 | euros }}", "is broken; found No filter named 'euros'"),
        ("{% for %}", "is broken; found Expected an expression"),
        ("{% include 'lost.html' %}", "includes lost.html, which is not there"),
    ],
)
def test_every_error_in_a_template_names_its_file_and_line(
    tmp_path: Path, line: str, expected: str
) -> None:
    file = tmp_path / "own.html.j2"
    file.write_text(f"<p>\n<br>\n{line}\n</p>")
    message = error_of(tmp_path, record=Broken())
    assert message.startswith(f"{file}:3: the report template ")
    assert re.search(expected, message), message


def test_an_error_in_a_file_that_is_included_names_that_file(tmp_path: Path) -> None:
    (tmp_path / "own.html.j2").write_text("\n{% include 'logo.svg' %}")
    (tmp_path / "logo.svg").write_text("<svg>\n\n{{ 'many' | decimal }}")
    assert error_of(tmp_path).startswith(f"{tmp_path / 'logo.svg'}:3: ")
    (tmp_path / "logo.svg").write_text("<svg>\n{% if %}")
    assert error_of(tmp_path).startswith(f"{tmp_path / 'logo.svg'}:2: ")


def test_an_error_in_a_template_of_an_extension_names_the_kind_of_report(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"^own\.html\.j2:2: the report template cannot be filled"):
        render(tmp_path, "own.html.j2", "<p>\n{{ 1 + 'many' }}")


def test_a_file_that_is_not_text_is_named(tmp_path: Path) -> None:
    (tmp_path / "own.html.j2").write_bytes(b"<p>\xff</p>")
    assert error_of(tmp_path).startswith("own.html.j2: the report template cannot be filled")


def test_earlier_names_mean_what_they_meant_and_are_warned_of_once(tmp_path: Path) -> None:
    (tmp_path / "own.html.j2").write_text(
        "{{ seat.people }} {{ seat['signs'] }} {{ items | map(attribute='psi') | join(' ') }}"
        " {{ items[0].psi_expected_by_chance }} {{ seat.people }} {{ seat.required }}"
    )
    seat = SeatView("Model risk", "that the risk is known", 2)
    with pytest.warns(DeprecatedName) as seen:
        html = render(tmp_path, "own.html.j2", seat=seat, items=[DRIFT])
    assert html == "2 that the risk is known 0.25 0.01 2 2"
    assert [str(item.message) for item in seen] == [
        f"{tmp_path / 'own.html.j2'}: names of report templates have changed, write 'required' for "
        "'people', 'value' for 'psi', 'expected_by_chance' for 'psi_expected_by_chance', 'attests' "
        "for 'signs'; the earlier names still work"
    ]


def test_a_value_of_another_statistic_is_not_printed_as_psi(tmp_path: Path) -> None:
    (tmp_path / "own.html.j2").write_text("{{ item.psi | decimal }}")
    other = replace(DRIFT, statistic="acme_distance")
    assert "a name that reports do not have; found " in error_of(tmp_path, item=other)
