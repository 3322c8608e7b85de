"""``python -m bench [name ...] [--quick]``: measure beside peers, plain techniques and limits.

Each bench is a module with ``main(quick)`` that prints its own tables. Seconds hold on one
machine on one day; what counts is a ratio within one run.
"""

from __future__ import annotations

import argparse
import compileall
import importlib
import signal
import sys
from types import FrameType

from bench.harness import PROJECT

BENCHES = {
    "snapshot": "a query to a Parquet file",
    "score": "a table through a model, predictions back into a table",
    "write": "a million rows into a table",
    "memory": "the peak of memory with four times the rows",
    "drift": "a window against a reference, from the table and in memory",
    "artifacts": "a model loaded from its file",
    "ledger": "appends of many processes, and the walk over a million entries",
    "lineage": "what lineage adds to a step, and a trace through five hundred versions",
    "imports": "what the plugin adds to the start of each Airflow process",
    "dags": "DAG files parsed and serialised",
    "steps": "each step of a life above an empty task, with and without preloading",
}


def main() -> None:
    """Run the named benches, or all of them."""
    listed = "\n".join(f"  {name:<10} {what}" for name, what in BENCHES.items())
    parser = argparse.ArgumentParser(
        prog="python -m bench",
        description=f"Measure beside peers, plain techniques and limits:\n{listed}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("names", nargs="*", metavar="name", help="default: all")
    parser.add_argument("--quick", action="store_true", help="small sizes: does it run at all?")
    given = parser.parse_args()
    unknown = sorted(set(given.names) - set(BENCHES))
    if unknown:
        parser.error(f"no bench {', '.join(unknown)}; there are {', '.join(BENCHES)}")
    # As an installation does: no process counts the time to compile our source.
    compileall.compile_dir(PROJECT / "plugins", quiet=1)
    # The end of the bench ends its database server as well.
    signal.signal(signal.SIGTERM, _leave)
    for name in given.names or BENCHES:
        importlib.import_module(f"bench.{name}").main(given.quick)


def _leave(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 (a signal's handler)
    # Once is enough: the way out is not to be interrupted.
    signal.signal(number, signal.SIG_IGN)
    sys.exit(128 + number)


if __name__ == "__main__":
    main()
