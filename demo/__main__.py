"""``python -m demo life | up | load | marquez | status | down``, or ``mlops COMMAND …``."""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence

from demo.client import AirflowClient
from demo.contents import load_flights, make_store
from demo.environment import TASK_ROLE, WAREHOUSE_DATABASE
from demo.errors import DemoError
from demo.life import MODEL, Life
from demo.local import local_platform
from demo.marquez import is_wanted
from demo.platform import Platform
from demo.summary import summary
from demo.users import USERS
from demo.words import from_here
from mlops.errors import MlopsError

EXIT_REFUSED = 1
EXIT_NOT_RUNNING = 3
EXIT_INTERRUPTED = 130


def up(platform: Platform) -> int:
    """Start Postgres and Airflow over a filled warehouse, and say who may log in."""
    load(platform)
    _start_marquez(platform)
    platform.start(_say)
    _say(f"Log in at {platform.url} with any of these names; the password is the name:")
    for user in USERS:
        _say(f"  {user.name:<6} {user.duty} (role {user.role})")
    return 0


def life(platform: Platform) -> int:
    """Take one model through its whole life, say what came of it, and leave Airflow running."""
    begin = time.monotonic()
    load(platform)
    _start_marquez(platform)
    platform.start(_say)
    Life(AirflowClient(platform.url), _say).live()
    _say(
        summary(
            platform.postgres.url(WAREHOUSE_DATABASE, user=TASK_ROLE),
            MODEL,
            url=platform.url,
            reports=str(from_here(platform.places.artifacts / "reports" / MODEL)),
            lineage=str(from_here(platform.places.lineage)),
            marquez=platform.marquez_url,
        )
    )
    _say(f"{'Took':<11} {time.monotonic() - begin:.0f} s")
    return 0


def load(platform: Platform) -> int:
    """Start Postgres; load the flights of 2013 and make our own tables."""
    platform.start_postgres(_say)
    load_flights(platform.postgres, _say)
    make_store(platform.places, platform.postgres, _say)
    return 0


def marquez(platform: Platform) -> int:
    """Start Postgres and Marquez; Airflow sends its lineage there from its next start on."""
    platform.start_postgres(_say)
    if platform.marquez is not None:
        platform.marquez.start(_say)
    return 0


def status(platform: Platform) -> int:
    """Say what runs and where."""
    postgres = platform.postgres
    where = f"running on port {postgres.port}" if postgres.running else "not running"
    _say(f"postgres       {where}")
    if platform.marquez is not None:
        lives = platform.marquez.running
        _say(f"marquez        {f'running at {platform.marquez.url}' if lives else 'not running'}")
    for name, alive in platform.alive().items():
        _say(f"{name:<14} {'running' if alive else 'not running'}")
    if platform.running:
        _say(f"Airflow is at {platform.url}; logs are in {platform.places.logs}")
    return 0 if platform.running and postgres.running else EXIT_NOT_RUNNING


def down(platform: Platform) -> int:
    """End Airflow, Marquez and Postgres; what they hold stays."""
    platform.stop()
    _say("Airflow, Marquez and Postgres have ended; what they hold stays for the next start")
    return 0


def run_mlops(platform: Platform, arguments: Sequence[str]) -> int:
    """Run a command of ``mlops`` with the connections and the settings of the demo's Airflow."""
    if not platform.postgres.running:
        print("nothing is running: start it with make demo or make up", file=sys.stderr)
        return EXIT_NOT_RUNNING
    command = [sys.executable, "-m", "mlops", *arguments]
    return subprocess.run(command, env=platform.environment(), check=False).returncode


COMMANDS: Mapping[str, Callable[[Platform], int]] = {
    "life": life,
    "up": up,
    "load": load,
    "marquez": marquez,
    "status": status,
    "down": down,
}


def main(arguments: list[str] | None = None) -> int:
    """Run one command and give its exit code: 0, 1 for a refusal, 3 when nothing runs."""
    parser = argparse.ArgumentParser(prog="python -m demo", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for name, command in COMMANDS.items():
        commands.add_parser(name, help=command.__doc__)
    command_of_mlops = commands.add_parser("mlops", help=run_mlops.__doc__)
    command_of_mlops.add_argument("arguments", nargs=argparse.REMAINDER, help="as mlops takes them")
    chosen = parser.parse_args(arguments)
    try:
        if chosen.command == "mlops":
            return run_mlops(local_platform(), chosen.arguments)
        return COMMANDS[chosen.command](local_platform())
    except (DemoError, MlopsError) as error:
        print(f"error: {error}", file=sys.stderr)
        return EXIT_REFUSED
    except KeyboardInterrupt:
        print("interrupted; `python -m demo down` ends what has been started", file=sys.stderr)
        return EXIT_INTERRUPTED


def _start_marquez(platform: Platform) -> None:
    """Start Marquez where that is possible; the demo goes on without it."""
    if platform.marquez is None or not is_wanted() or platform.running:
        return
    try:
        reason = platform.marquez.missing()
        if reason is None:
            platform.marquez.start(_say)
    except DemoError as error:
        reason = str(error)
    if reason is not None:
        _say(f"Lineage is kept in the store, and not sent to a Marquez: {reason}")


def _say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
