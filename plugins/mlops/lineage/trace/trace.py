"""Everything that a column, a load, a version or a batch has reached, or has come from.

public.flights                 a table: every reading of it
public.flights.dep_delay       one of its columns
flight_delay/v3                a version
flight_delay/2013-07/v3        a scored batch; one of the rule has /rule behind
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from mlops.errors import LineageError
from mlops.lineage.events import facets
from mlops.lineage.events.datasets import OWN_SCHEME
from mlops.lineage.trace.graph import Column, GovernedRun, Graph

_VERSION = re.compile(r"(?P<model>[a-z][a-z0-9_]*)/v(?P<number>\d+)")
_BATCH = re.compile(r"[a-z][a-z0-9_]*/[^/]+/v\d+(/rule)?")
SCORING = (".score", ".rule")  # how the names of the jobs end that make a batch


@dataclass(frozen=True)
class Step:
    """A run in the tree, with what came after it (or before it, upstream).

    :ivar seen: it is shown above already, with all that follows from it.
    """

    run: GovernedRun
    columns: tuple[str, ...] = ()
    seen: bool = False
    next: tuple[Step, ...] = ()


@dataclass(frozen=True)
class Trace:
    """An answer: the tree, and all runs in it once each, in ledger order."""

    about: str
    upstream: bool
    tree: tuple[Step, ...]
    runs: tuple[GovernedRun, ...] = field(default=())


@dataclass(frozen=True)
class Load:
    """Which readings of a table are asked about.

    :ivar xid: those that saw this transaction, which loaded the rows.
    :ivar since: those at or after this moment, as ISO text in UTC.
    """

    xid: int | None = None
    since: str | None = None

    def is_in(self, run: GovernedRun) -> bool:
        """Whether the state that a run observed holds the load."""
        if self.since is not None and run.at < self.since:
            return False
        if self.xid is None:
            return True
        return any(_visible(self.xid, output.version) for output in run.outputs)


def trace(graph: Graph, about: str, *, upstream: bool = False, load: Load | None = None) -> Trace:
    """Follow a thing through the graph.

    :param about: see the top of this module.
    :param load: of a table, only the readings that saw this load.
    :raises LineageError: no event has ever named it.
    """
    if _BATCH.fullmatch(about):
        return _by_runs(graph, about, _of_batch(graph, about), upstream=upstream)
    if version := _VERSION.fullmatch(about):
        job = f"{version['model']}.v{version['number']}.package"
        found = [run for run in graph.runs if run.job == job]
        return _by_runs(graph, about, found, upstream=upstream)
    place = _place(graph, about)
    if place is not None:
        found = [run for run in graph.writing(place) if (load or Load()).is_in(run)]
        return _by_runs(graph, about, found, upstream=upstream, empty_is_an_answer=True)
    column = _column(graph, about)
    if column is not None and not upstream:
        return _by_columns(graph, about, column)
    if column is not None:
        return _columns_before(graph, about, column)
    raise _unknown(graph, about)


def _by_runs(
    graph: Graph,
    about: str,
    start: Sequence[GovernedRun],
    *,
    upstream: bool,
    empty_is_an_answer: bool = False,
) -> Trace:
    if not start and not empty_is_an_answer:
        raise _unknown(graph, about)
    links = graph.producers if upstream else graph.consumers
    seen: dict[str, GovernedRun] = {}

    def step(run: GovernedRun) -> Step:
        if run.id in seen:
            return Step(run, seen=True)
        seen[run.id] = run
        return Step(run, next=tuple(step(other) for other in links.get(run.id, ())))

    tree = tuple(step(run) for run in start)
    return Trace(about, upstream, tree, _in_order(seen.values()))


def _by_columns(graph: Graph, about: str, column: Column) -> Trace:
    """Downstream of a column: through the columns of each output that comes from it."""
    seen: dict[tuple[str, frozenset[str]], GovernedRun] = {}

    def step(run: GovernedRun, reached: frozenset[Column]) -> Step | None:
        touched = {
            (*output.place, name)
            for output in run.outputs
            for name, sources in output.columns.items()
            if sources & reached
        }
        if not touched:
            return None
        names = frozenset(name for *_, name in touched)
        if (run.id, names) in seen:
            return Step(run, tuple(sorted(names)), seen=True)
        seen[(run.id, names)] = run
        return Step(run, tuple(sorted(names)), next=after(run, frozenset(touched)))

    def after(run: GovernedRun, touched: frozenset[Column]) -> tuple[Step, ...]:
        found = (step(other, touched) for other in graph.consumers.get(run.id, ()))
        return tuple(item for item in found if item is not None)

    origin = frozenset({column})
    tree = [
        Step(run, (column[2],), next=after(run, origin))
        for run in graph.writing((column[0], column[1]))
    ]
    runs = _in_order([*(item.run for item in tree), *seen.values()])
    return Trace(about, upstream=False, tree=tuple(tree), runs=runs)


def _columns_before(graph: Graph, about: str, column: Column) -> Trace:
    """Upstream of a column: the runs that wrote it, and the columns that it comes from."""
    seen: dict[tuple[str, str], GovernedRun] = {}

    def steps(run: GovernedRun, names: frozenset[str], place: tuple[str, str]) -> Step | None:
        sources: set[Column] = set()
        for output in run.outputs:
            if output.place == place:
                for name in names:
                    sources |= output.columns.get(name, frozenset())
        key = (run.id, ",".join(sorted(names)))
        if key in seen:
            return Step(run, tuple(sorted(names)), seen=True)
        seen[key] = run
        before = []
        for producer in graph.producers.get(run.id, ()):
            for output in producer.outputs:
                wanted = frozenset(c[2] for c in sources if (c[0], c[1]) == output.place)
                if wanted and (found := steps(producer, wanted, output.place)):
                    before.append(found)
        return Step(run, tuple(sorted(names)), next=tuple(before))

    place = (column[0], column[1])
    tree = [steps(run, frozenset({column[2]}), place) for run in graph.writing(place)]
    return Trace(about, True, tuple(t for t in tree if t), _in_order(seen.values()))  # noqa: FBT003


def _in_order(runs: Iterable[GovernedRun]) -> tuple[GovernedRun, ...]:
    return tuple(sorted({run.id: run for run in runs}.values(), key=lambda run: run.position))


def _of_batch(graph: Graph, about: str) -> list[GovernedRun]:
    return [
        run
        for run in graph.runs
        if run.job.endswith(SCORING) and run.facets.get(facets.BATCH, {}).get("batch") == about
    ]


def _place(graph: Graph, about: str) -> tuple[str, str] | None:
    """The dataset of this name: whole, or a table without its database."""
    found = sorted(p for p in graph.places() if _is(p, about) and graph.writing(p))
    if len(found) > 1:
        names = sorted({name for _, name in found})
        raise LineageError(
            f"'{about}' is the name of several tables",
            found=", ".join(names if len(names) > 1 else (f"{n} {name}" for n, name in found)),
            expected="one of them",
            action="write it with its database; where it is one server under several addresses, "
            "set [mlops] lineage_hosts",
        )
    return found[0] if found else None


def _is(place: tuple[str, str], about: str) -> bool:
    return place[1] == about or (
        not place[0].startswith(OWN_SCHEME) and place[1].partition(".")[2] == about
    )


def _column(graph: Graph, about: str) -> Column | None:
    table, _, column = about.rpartition(".")
    place = _place(graph, table) if table else None
    if place is None:
        return None
    known = {
        name
        for run in graph.writing(place)
        for output in run.outputs
        if output.place == place
        for name in output.columns
    }
    return (*place, column) if column in known else None


def _unknown(graph: Graph, about: str) -> LineageError:
    tables = sorted(
        {
            place[1].partition(".")[2]
            for place in graph.places()
            if not place[0].startswith((OWN_SCHEME, "file", "s3:", "gs:"))
        }
    )
    return LineageError(
        f"nothing is known of '{about}'",
        found=f"tables {', '.join(tables) or 'none'}",
        expected="a table (public.flights), a column of one (public.flights.dep_delay), a version "
        "(flight_delay/v3) or a batch (flight_delay/2013-07/v3)",
        action="write it as above; what was never read or written by a step is not known",
    )


def _visible(xid: int, snapshot: str) -> bool:
    """Whether a transaction is seen in a Postgres snapshot ``xmin:xmax:xip,xip``."""
    parts = snapshot.split(":")
    if len(parts) != 3 or not (parts[0].isdigit() and parts[1].isdigit()):  # noqa: PLR2004
        return False
    running = {int(item) for item in parts[2].split(",") if item}
    return xid < int(parts[0]) or (xid < int(parts[1]) and xid not in running)
