"""Templates of reports reach nothing but what they are given."""

from __future__ import annotations

import pytest
from jinja2.exceptions import SecurityError

from mlops.reports.earlier_names import TemplateEnvironment


@pytest.mark.parametrize(
    "template",
    [
        "{{ ().__class__.__base__.__subclasses__() }}",
        "{{ found.append(1) }}",
        "{{ '{0.__class__.__mro__}'.format(found) }}",
        "{{ cycler.__init__.__globals__ }}",
    ],
)
def test_a_template_cannot_leave_its_values(template: str) -> None:
    found: list[int] = []
    with pytest.raises(SecurityError):
        TemplateEnvironment().from_string(template).render(found=found)
    assert found == []
