"""Which pages are generated, and what begins each."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Callable
from pathlib import Path

from mlops import errors
from mlops.core.targets.binary.target import BINARY
from mlops.errors import MlopsError
from tests.reference.commands import command_sections
from tests.reference.keys import key_sections
from tests.reference.operators import operator_sections
from tests.reference.text import markdown, prose, sentence, table

PROJECT = Path(__file__).parents[2]
FOLDER = PROJECT / "docs" / "reference"
NOTE = "<!-- Made from the code by `make reference`. Change the code, not this page. -->\n\n"
CONNECTIONS = (
    (
        "`mlops_store`",
        "`mlops_tasks`",
        "what `mlops db upgrade` grants: SELECT and INSERT in schema `mlops`",
    ),
    (
        "`warehouse`, or what a spec's `warehouse` names",
        "yours",
        "SELECT on the tables of your SQL; for the predictions, CREATE on the database or on the "
        "schema `deploy.output_schema`",
    ),
)
_SETTING = re.compile(r"``\[mlops\] (\w+)``: (.*?)\.? Default: (.*?)\.(?: (.*))?$", re.DOTALL)


def spec_page() -> str:
    """The keys of a spec."""
    metrics = ", ".join(f"`{metric.name}`" for metric in BINARY.metrics)
    return f"""{NOTE}# Spec

`include/models/<model>.yml`, or `.yaml`: one file for each model, and one file only. Unknown keys
and wrong types are refused with file and line. SQL files are below `include/sql/<model>/` and use
the parameters `:window_start`, `:window_end` and `:as_of`. For editors there is a
[JSON Schema](../schema/README.md).

Metrics of the target `binary`: {metrics}.

{key_sections("model")}"""


def policy_page() -> str:
    """The keys of a policy."""
    return f"""{NOTE}# Policy

`include/policies/<policy>.yml`: who signs what. Keys that had another name before are still read
under it: `people` is now `required`, `signs` is `attests`, `answer_days` is `respond_within_days`.
A file that uses an earlier name gives one warning, and has the same digest in both spellings.

{key_sections("policy")}"""


def settings_page() -> str:
    """The options of section ``[mlops]``, and the connections."""
    options = table(("option", "default", "what it is"), setting_rows())
    connections = table(("connection", "role", "what it needs"), CONNECTIONS)
    return f"""{NOTE}# Settings and connections

## Section `[mlops]` of Airflow's configuration

Each option may be given by an environment variable instead, as `AIRFLOW__MLOPS__ARTIFACT_ROOT`.

{options}
## Connections

{connections}"""


def setting_rows() -> list[tuple[str, str, str]]:
    """Option, default and meaning of each setting, from its docstring."""
    rows = []
    for node in ast.parse((PROJECT / "plugins/mlops/settings.py").read_text()).body:
        if isinstance(node, ast.FunctionDef):
            text = " ".join(prose(ast.get_docstring(node) or "").replace("`", "``").split())
            found = _SETTING.match(text)
            assert found, f"{node.name}: {text}"
            assert found[1] == node.name
            what = sentence(f"{found[2]}. {found[4] or ''}")
            rows.append((f"`{node.name}`", markdown(found[3]), markdown(what)))
    return rows


def commands_page() -> str:
    """The commands."""
    return f"""{NOTE}# Commands

`mlops` from a wheel, `python -m mlops` from copied folders. The exit code is 0 when all is well,
1 as each command states or on an error, 2 for wrong usage. Connections are found as Airflow finds
them.

{command_sections()}"""


def operators_page() -> str:
    """The operators and sensors."""
    return f"""{NOTE}# Operators and sensors

Those of a model take `model`, `warehouse_conn_id` (default `warehouse`) and `store_conn_id`
(default `[mlops] store_conn_id`). Each is safe to clear and rerun, and gives ids, digests and a
short summary, each as an XCom of its own: `snapshot.field("snapshot_id")`.
`demo/dags/flight_delay_rehearsal.py` is a DAG written by hand with them; [an operator of your
own](../extend/operator.md) takes part as these do.

{operator_sections()}"""


def errors_page() -> str:
    """The errors."""
    rows = [
        (
            f"`{error.__name__}`",
            f"`{error.__base__.__name__}`" if error is not MlopsError else "",
            "yes" if error.retryable else "",
            prose(error.__doc__ or ""),
        )
        for error in vars(errors).values()
        if inspect.isclass(error) and issubclass(error, MlopsError)
    ]
    return f"""{NOTE}# Errors

A message has up to four parts: what is wrong, what was found, what was expected, what to do.
Where a second try may help, Airflow tries again; any other error fails the task at once. What to
do at night: [Operations](../operations.md).

{table(("error", "kind of", "worth a retry", "what it means"), rows)}"""


PAGES: dict[str, Callable[[], str]] = {
    "spec.md": spec_page,
    "policy.md": policy_page,
    "settings.md": settings_page,
    "commands.md": commands_page,
    "operators.md": operators_page,
    "errors.md": errors_page,
}
