"""``mlops``: what a person or a CI job asks from a shell."""

from __future__ import annotations

import argparse
import json
import logging
import os
import re
import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from mlops import __version__
from mlops.errors import LineageError, MlopsError, SpecError, StoreError
from mlops.installation import require_one_installation


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; 0 when all is well, 1 when something was found, 2 for wrong usage."""
    options = _parser().parse_args(arguments)
    # As Airflow's own commands: connections also come from the metadata database.
    os.environ.setdefault("_AIRFLOW_PROCESS_CONTEXT", "server")
    try:
        require_one_installation()
        return int(options.run(options))
    except MlopsError as error:
        print(error, file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="mlops", description=__doc__)
    parser.add_argument("--version", action="version", version=f"mlops {__version__}")
    commands = parser.add_subparsers(required=True, metavar="command")
    _add_init(commands)
    _add_schema(commands)
    _add_check(commands)
    _add_doctor(commands)
    _add_db(commands)
    _add_ledger(commands)
    _add_verify(commands)
    _add_keys(commands)
    _add_status(commands)
    _add_signoff(commands)
    _add_people(commands)
    _add_lineage(commands)
    _add_trace(commands)
    return parser


def _add_command(
    commands: argparse._SubParsersAction[argparse.ArgumentParser],
    name: str,
    what: str,
    *,
    one: str = "",
) -> argparse.ArgumentParser:
    """Add a command.

    :param what: what it does; ``--help`` and the reference show it.
    :param one: when it ends with exit code 1; empty for a command that finds nothing.
    """
    code = f"exit code 1 when {one}" if one else ""
    return commands.add_parser(name, help=what, description=what, epilog=code)


def _add_init(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    command = _add_command(
        commands,
        "init",
        "write DAG files, a policy and, with --model, a first spec and its SQL from the columns of "
        "a table; overwrite nothing",
        one="the table lacks a column that is named",
    )
    command.add_argument("folder", type=Path, help="where dags/ and include/ are")
    command.add_argument("--model", help="name of the model whose spec is written")
    command.add_argument("--table", help="the table or view of its cases, as public.loans")
    command.add_argument("--key", help="the column that identifies a case")
    command.add_argument("--time", help="the column of the moment that a case belongs to")
    command.add_argument("--label", help="the column that is to be predicted")
    command.add_argument(
        "--connection", default="warehouse", help="the Airflow connection of the table"
    )
    command.set_defaults(run=_init)


def _add_schema(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    command = _add_command(commands, "schema", "print the JSON Schema of specs or of policies")
    command.add_argument(
        "kind", choices=["model", "policy"], help="the one of specs, or the one of policies"
    )
    command.set_defaults(run=_schema)


def _add_check(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    command = _add_command(
        commands,
        "check",
        "read all specs, policies and SQL and list every error and placeholder; needs no database",
        one="something is wrong",
    )
    command.add_argument("--include", type=Path, help="default: [mlops] include_folder")
    command.add_argument(
        "--warehouse",
        default="postgres",
        metavar="TYPE",
        help="type of the connections that the specs name; it decides how SQL is read",
    )
    command.set_defaults(run=_check)


def _add_doctor(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    command = _add_command(
        commands,
        "doctor",
        "check the configuration for unsafe settings and lost lineage, each with its cure; change "
        "nothing",
        one="something is unsafe or loses lineage",
    )
    command.add_argument("--json", action="store_true", help="for a program")
    command.set_defaults(run=_doctor)


def _add_db(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    group = commands.add_parser("db", help="the tables of the store").add_subparsers(required=True)
    command = _add_command(
        group,
        "upgrade",
        "make or upgrade schema mlops; safe to run twice",
        one="an administrator must grant something first, which it names",
    )
    _add_url(command, "of a role that may create schema mlops")
    command.add_argument("--task-role", help="default: [mlops] task_role")
    command.add_argument(
        "--api-role",
        help="role of the API server, which alone may append approvals from then on",
    )
    command.set_defaults(run=_upgrade)


def _add_ledger(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    group = commands.add_parser("ledger", help="the hash-chained ledger").add_subparsers(
        required=True
    )
    command = _add_command(
        group,
        "verify",
        "walk the hash chain; name the first broken entry",
        one="the chain is broken, or the entry of --head is missing",
    )
    command.add_argument(
        "--head",
        type=_noted,
        metavar="SEQ:DIGEST",
        help="an entry that a report or a lineage event names; it must still be there",
    )
    _add_url(command, "of the store")
    command.set_defaults(run=_verify)


def _add_verify(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    group = commands.add_parser("verify", help="what is outside of the store").add_subparsers(
        required=True
    )
    command = _add_command(
        group,
        "predictions",
        "compare published predictions, and the views that show them, with what was recorded",
        one="something differs",
    )
    command.add_argument("--model", help="one model (default: all)")
    _add_url(command, "of the store")
    command.set_defaults(run=_verify_predictions)


def _add_keys(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    group = commands.add_parser(
        "keys", help="the keys with which the API server signs approvals"
    ).add_subparsers(required=True)
    create = _add_command(
        group,
        "create",
        "make a key file that only its owner can read, and register its public key in the ledger",
        one="the file is there already, or the role does not own the ledger",
    )
    create.add_argument("file", type=Path, help="the file to make, as /etc/mlops/approvals.pem")
    create.add_argument(
        "--replaces", type=Path, metavar="FILE", help="the key file whose place it takes"
    )
    shown = _add_command(group, "list", "show the keys that the ledger knows, and which are pinned")
    revoke = _add_command(
        group,
        "revoke",
        "record that approvals by a key no longer count",
        one="the ledger does not know the key",
    )
    revoke.add_argument("fingerprint", help="of the key, as keys list shows it")
    revoke.add_argument("--reason", required=True, help="it goes into the ledger")
    revoke.add_argument(
        "--through",
        type=int,
        default=0,
        metavar="SEQ",
        help="the last ledger entry up to which its approvals go on counting; default: none",
    )
    for command, run in ((create, _create_key), (shown, _list_keys), (revoke, _revoke_key)):
        _add_url(command, "of the role that owns schema mlops")
        command.set_defaults(run=run)


def _add_status(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    command = _add_command(
        commands,
        "status",
        "show which version was live, trained on what, signed by whom",
        one="nothing was live",
    )
    command.add_argument("model", help="name of the model")
    command.add_argument("--as-of", type=_moment, help="a date, as 2026-03-14; default: now")
    _add_url(command, "of the store")
    command.set_defaults(run=_status)


def _add_signoff(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    group = commands.add_parser(
        "signoff", help="approval requests that wait for people"
    ).add_subparsers(required=True)
    command = _add_command(group, "status", "show what waits for whom, since when")
    _add_url(command, "of the store")
    command.set_defaults(run=_signoff)


def _add_people(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    group = commands.add_parser("people", help="who holds which seat").add_subparsers(required=True)
    leaving = _add_command(
        group,
        "leaving",
        "show the seats that could not be signed without a person",
        one="there are such seats",
    )
    leaving.add_argument("user", help="user id of the person")
    reassign = _add_command(
        group,
        "reassign",
        "hand all seats of one person to another, in the policy files and in the ledger",
        one="nothing could be handed over",
    )
    reassign.add_argument("user", help="user id of the person who leaves")
    reassign.add_argument("successor", help="user id of the person who takes the seats")
    reassign.add_argument("--reason", required=True, help="it goes into the ledger")
    _add_url(reassign, "of the store")
    for command, run in ((leaving, _leaving), (reassign, _reassign)):
        command.add_argument("--include", type=Path, help="default: [mlops] include_folder")
        command.set_defaults(run=run)


def _add_lineage(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    group = commands.add_parser("lineage", help="the governed lineage").add_subparsers(
        required=True
    )
    deliver = _add_command(
        group,
        "deliver",
        "send to Marquez what has not arrived there",
        one="something still waits",
    )
    verify = _add_command(
        group,
        "verify",
        "hold outbox and Marquez against the ledger, run by run",
        one="something is missing, changed, hidden or too much, which it names",
    )
    verify.add_argument(
        "--repair",
        action="store_true",
        help="send to Marquez again what is missing, changed or hidden there, and compare again",
    )
    for command, run in ((deliver, _deliver), (verify, _verify_lineage)):
        _add_url(command, "of the store")
        _add_marquez(command)
        command.set_defaults(run=run)


def _add_trace(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    command = _add_command(
        commands,
        "trace",
        "show everything that a table, a column, a load, a version or a batch has reached, or came "
        "from",
        one="nothing is known of it",
    )
    command.add_argument(
        "about",
        help="a table, column, version or batch, as public.flights, public.flights.dep_delay, "
        "flight_delay/v3, flight_delay/2013-07/v3",
    )
    command.add_argument("--upstream", action="store_true", help="what it came from instead")
    command.add_argument("--xid", type=int, help="of a table: what saw this transaction's rows")
    command.add_argument("--since", type=_moment, help="of a table: what read it from then on")
    command.add_argument("--json", action="store_true", help="for a program")
    _add_url(command, "of the store")
    _add_marquez(command)
    command.set_defaults(run=_trace)


def _add_marquez(command: argparse.ArgumentParser) -> None:
    command.add_argument("--marquez", help="its URL; default: [mlops] marquez_url")


def _add_url(command: argparse.ArgumentParser, whose: str) -> None:
    command.add_argument("--url", help=f"Postgres URL {whose}; default: the connection mlops_store")


def _moment(text: str) -> datetime:
    from mlops.core.period import utc

    try:
        return utc(text)
    except (ValueError, OverflowError):
        raise argparse.ArgumentTypeError(
            f"found {text!r}, expected a date, as 2026-03-14, or a moment of the calendar"
        ) from None


def _noted(text: str) -> tuple[int, str]:
    found = re.fullmatch(r"(\d{1,18}):([0-9a-f]{64})", text)
    if found is None:
        raise argparse.ArgumentTypeError(
            f"found {text!r}, expected a number, a colon and 64 hexadecimal digits, as reports have"
        )
    return int(found[1]), found[2]


def _init(options: argparse.Namespace) -> int:
    from mlops.cli.init import Start, init
    from mlops.connections import open_warehouse

    named = {name: getattr(options, name) for name in ("model", "table", "key", "time", "label")}
    if not any(named.values()):
        return init(options.folder)
    missing = [f"--{name}" for name, value in named.items() if not value]
    if missing:
        raise SpecError(
            "the first spec of a model",
            found=f"no {', '.join(missing)}",
            expected="--model, --table, --key, --time and --label, or none of them",
        )
    columns = open_warehouse(options.connection).describe(f"SELECT * FROM {options.table}")
    return init(options.folder, Start(**named, warehouse=options.connection, columns=columns))


def _schema(options: argparse.Namespace) -> int:
    from mlops.spec.schema import json_schema

    print(json.dumps(json_schema(options.kind), indent=2))
    return 0


def _check(options: argparse.Namespace) -> int:
    from mlops.cli.check import check

    return check(options.include or _include(), warehouse=options.warehouse)


def _doctor(options: argparse.Namespace) -> int:
    from mlops.cli.doctor.command import doctor

    return doctor(in_json=options.json)


def _upgrade(options: argparse.Namespace) -> int:
    from mlops.store.migrate import upgrade

    role = options.task_role or _task_role()
    # Where Airflow was imported, Alembic would log each of its steps.
    logging.getLogger("alembic").setLevel(logging.WARNING)
    api_role = options.api_role
    revision = upgrade(options.url or _store_url(), task_role=role, api_role=api_role)
    print(f"schema mlops is at revision {revision}; role {role} may read and add, nothing else")
    if api_role is not None:
        print(f"role {api_role} of the API server may append approvals, and {role} may not")
    return 0


def _verify(options: argparse.Namespace) -> int:
    from mlops.cli.ledger import verify

    return verify(options.url or _store_url(), options.head)


def _verify_predictions(options: argparse.Namespace) -> int:
    from mlops.cli.verify import predictions

    return predictions(options.url or _store_url(), options.model)


def _create_key(options: argparse.Namespace) -> int:
    from mlops.cli.keys import create

    return create(options.url or _store_url(), options.file, replaces=options.replaces)


def _list_keys(options: argparse.Namespace) -> int:
    from mlops.cli.keys import show
    from mlops.settings import approval_keys

    return show(options.url or _store_url(), approval_keys())


def _revoke_key(options: argparse.Namespace) -> int:
    from mlops.cli.keys import revoke

    return revoke(
        options.url or _store_url(),
        options.fingerprint,
        reason=options.reason,
        through=options.through,
    )


def _status(options: argparse.Namespace) -> int:
    from mlops.cli.status import status

    return status(options.url or _store_url(), options.model, options.as_of)


def _signoff(options: argparse.Namespace) -> int:
    from mlops.cli.signoff import status

    return status(options.url or _store_url())


def _leaving(options: argparse.Namespace) -> int:
    from mlops.cli.people import leaving

    return leaving(options.include or _include(), options.user)


def _reassign(options: argparse.Namespace) -> int:
    from mlops.cli.people import reassign

    return reassign(
        options.include or _include(),
        options.url or _store_url(),
        options.user,
        options.successor,
        options.reason,
    )


def _deliver(options: argparse.Namespace) -> int:
    from mlops.cli.lineage import deliver
    from mlops.settings import marquez_api_key

    url = options.marquez or _marquez_url()
    if url is None:
        raise LineageError(
            "no Marquez to deliver to",
            expected="--marquez http://host:5000, or the option [mlops] marquez_url",
        )
    return deliver(options.url or _store_url(), url, marquez_api_key())


def _verify_lineage(options: argparse.Namespace) -> int:
    from mlops.cli.lineage import verify
    from mlops.settings import marquez_api_key

    url = options.marquez or _marquez_url()
    return verify(options.url or _store_url(), url, marquez_api_key(), mend=options.repair)


def _trace(options: argparse.Namespace) -> int:
    from mlops.cli.lineage import follow
    from mlops.lineage.trace.trace import Load

    since = options.since.isoformat(timespec="microseconds") if options.since else None
    return follow(
        options.url or _store_url(),
        options.about,
        upstream=options.upstream,
        load_of=Load(xid=options.xid, since=since),
        in_json=options.json,
        marquez_url=options.marquez or _marquez_url(),
    )


def _marquez_url() -> str | None:
    from mlops.settings import marquez_url

    return marquez_url()


def _include() -> Path:
    from mlops.settings import include_folder

    return include_folder()


def _task_role() -> str:
    from mlops.settings import task_role

    return task_role()


def _store_url() -> str:
    from mlops.connections import database_url
    from mlops.settings import store_conn_id

    conn_id = store_conn_id()
    try:
        return database_url(conn_id)
    except MlopsError:
        raise
    except Exception as error:  # each place where Airflow looks for connections has its own
        raise StoreError(
            f"Airflow's connection '{conn_id}'",
            found=type(error).__name__,
            expected="a Postgres connection that is defined in Airflow",
            action=f"name the store with --url, or define the connection, as AIRFLOW_CONN_"
            f"{conn_id.upper()}",
        ) from error
