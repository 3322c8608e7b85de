"""The governed lineage: does it reach Marquez."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import UUID

from mlops.cli.doctor.findings import Check, CheckResult, Finding, Passed, of_error, place
from mlops.cli.doctor.store import open_store
from mlops.errors import LineageError, StoreError
from mlops.lineage.marquez.client import Marquez
from mlops.lineage.marquez.relay import emptied, refusals, waiting
from mlops.settings import marquez_api_key, marquez_url

_NO_RUN = str(UUID(int=0))
_DELIVER = "python -m mlops lineage deliver"


def marquez() -> Iterator[CheckResult]:
    """``[mlops] marquez_url``: it answers, and has every event that it received."""
    url = marquez_url()
    if url is None:
        yield Finding(
            severity="advice",
            check="marquez",
            what="[mlops] marquez_url is not set",
            found="nothing",
            expected="the address of a Marquez, as http://marquez:5000",
            action="set it: until then the governed lineage is kept in the store, and not shown",
        )
        return
    if any(sign in url for sign in "@?#"):
        # A password or a key in it would stand in every message about it.
        yield Finding(
            severity="unsafe",
            check="marquez",
            what="[mlops] marquez_url holds more than an address",
            found=f"a login or parameters beside {place(url)}",
            expected="an address alone, as http://marquez:5000",
            action="take them out; a proxy before Marquez takes [mlops] marquez_api_key",
        )
        return
    try:
        server = Marquez(url, api_key=marquez_api_key())
        server.run(_NO_RUN)
    except LineageError as error:
        yield of_error(
            error,
            severity="loses lineage",
            check="marquez",
            action="start it, or correct [mlops] marquez_url; what is governed waits meanwhile",
        )
        return
    yield Passed(f"Marquez answers at {place(url)}")
    yield from _delivered(server)


def _delivered(server: Marquez) -> Iterator[CheckResult]:
    try:
        store = open_store()
        left = waiting(store, server.url)
        held_back = refusals(store, server.url)
        lost = emptied(store, server)
    except StoreError:
        return  # the check of the store reports it
    if held_back:
        yield Finding(
            severity="loses lineage",
            check="marquez_refused",
            what="Marquez has refused events; the later ones of their models wait behind them",
            found=f"{len(held_back)} refused, the first {held_back[0]}",
            expected="none",
            action="look for the reason with python -m mlops lineage verify, or in Marquez' log",
        )
    if lost:
        yield Finding(
            severity="loses lineage",
            check="marquez_emptied",
            what="Marquez does not have what it received: it has been emptied",
            found="a run that had arrived, and is missing",
            expected="all runs that had arrived",
            action=f"{_DELIVER}: all is sent again; then stop what deletes from it",
        )
    elif left:
        yield Finding(
            severity="advice",
            check="marquez_waiting",
            what="governed events wait in the outbox",
            found=f"{left} that have not arrived",
            expected="none",
            action=f"{_DELIVER}, and see that mlops_governance is not paused",
        )
    else:
        yield Passed("Marquez has received every event")


CHECKS: tuple[Check, ...] = (marquez,)
