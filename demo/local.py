"""The demo of this very checkout: its folders and its ports."""

from __future__ import annotations

import os
from pathlib import Path

from demo.environment import Urls
from demo.marquez import DEFAULT_PORT as DEFAULT_MARQUEZ_PORT
from demo.marquez import PORT_VARIABLE as MARQUEZ_PORT_VARIABLE
from demo.marquez import EmbeddedMarquez
from demo.platform import DEFAULT_PORT, PORT_VARIABLE, Platform
from demo.ports import port_from_environment
from demo.postgres import PORT_VARIABLE as POSTGRES_PORT_VARIABLE
from demo.postgres import EmbeddedPostgres

PROJECT = Path(__file__).resolve().parents[1]
FOLDER_VARIABLE = "MLOPS_DEMO_FOLDER"
# The same at each start, since the names of the data sets in the lineage hold it.
DEFAULT_POSTGRES_PORT = 55432


def local_platform() -> Platform:
    """The platform in ``.demo``, or in the folder that ``MLOPS_DEMO_FOLDER`` names.

    ``MLOPS_DEMO_PORT`` (8080), ``MLOPS_DEMO_POSTGRES_PORT`` (55432) and
    ``MLOPS_DEMO_MARQUEZ_PORT`` (5000) choose the ports.

    :raises DemoError: when one of them is not a port.
    """
    folder = Path(os.environ.get(FOLDER_VARIABLE) or PROJECT / ".demo").absolute()
    places = Urls(
        folder=folder, project=PROJECT, dags=PROJECT / "demo" / "dags", plugins=PROJECT / "plugins"
    )
    postgres_port = port_from_environment(POSTGRES_PORT_VARIABLE, DEFAULT_POSTGRES_PORT)
    postgres = EmbeddedPostgres(folder / "postgres", postgres_port)
    marquez_port = port_from_environment(MARQUEZ_PORT_VARIABLE, DEFAULT_MARQUEZ_PORT)
    return Platform(
        places,
        postgres,
        port=port_from_environment(PORT_VARIABLE, DEFAULT_PORT),
        marquez=EmbeddedMarquez(folder / "marquez", postgres, marquez_port),
    )
