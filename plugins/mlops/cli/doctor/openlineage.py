"""Airflow's own lineage, as its OpenLineage provider and the client read their configuration."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from mlops.cli.doctor.emission_policy import emission_findings
from mlops.cli.doctor.findings import Check, CheckResult, Finding, Passed, Severity
from mlops.cli.doctor.maskable_passwords import connections_with_maskable_passwords
from mlops.cli.doctor.transport import transports

# Less, and an event that is being sent is cut off on a busy machine.
SHORTEST_S = 5


def on() -> Iterator[CheckResult]:
    """The provider is installed, not disabled, and has a transport."""
    from airflow.configuration import conf as airflow

    try:
        from airflow.providers.openlineage import conf
    except ImportError:
        yield _finding(
            "on",
            "Airflow's OpenLineage provider is not installed",
            found="no package apache-airflow-providers-openlineage",
            expected="that package, on every worker",
            action="install it; the governed lineage does without it",
        )
        return
    switched_off = airflow.getboolean("openlineage", "disabled", fallback=False)
    if switched_off or os.environ.get("OPENLINEAGE_DISABLED", "").lower().strip() in ("true", "1"):
        yield _finding(
            "on",
            "OpenLineage is switched off",
            found="[openlineage] disabled, or OPENLINEAGE_DISABLED",
            expected="neither",
            action="take it out",
        )
    elif conf.is_disabled():
        yield _finding(
            "on",
            "OpenLineage has no transport",
            found="none of transport, config_path, config_conn_id and OPENLINEAGE_URL",
            expected="a place for Airflow's own events",
            action='set [openlineage] transport, as {"type": "http", "url": ..., "timeout": 2, '
            '"retry": {"total": 0}}',
        )
    else:
        yield Passed("OpenLineage is on")


def transport() -> Iterator[CheckResult]:
    """The transport, with all that it is made of."""
    if not _is_on():
        return
    config = _client_config()
    if config.transport and config.transport.get("type"):
        yield from transports(dict(config.transport))
    elif url := os.environ.get("OPENLINEAGE_URL"):
        # As the client makes it of this one variable: with its own timeout and its own retries.
        yield from transports({"type": "http", "url": url})
    else:
        yield from transports({"type": "console"})


def reducing() -> Iterator[CheckResult]:
    """``dataset.reducing_enabled`` of the client."""
    if not _is_on():
        return
    if _client_config().dataset.reducing_enabled:
        yield _finding(
            "reducing",
            "the client shortens the names of datasets",
            found="dataset.reducing_enabled is on",
            expected="off: it cuts off trailing dates and parts as k=v, so that two things become "
            "one",
            action="take it out of the client's configuration",
        )
    else:
        yield Passed("names of datasets are sent as they are")


def namespace() -> Iterator[CheckResult]:
    """``[openlineage] namespace``: of Airflow's jobs."""
    if not _is_on():
        return
    from airflow.configuration import conf as airflow
    from airflow.providers.openlineage import conf

    named = airflow.get("openlineage", "namespace", fallback="")
    if named or os.environ.get("OPENLINEAGE_NAMESPACE"):
        yield Passed(f"Airflow's jobs are in the namespace '{conf.namespace()}'")
        return
    yield _finding(
        "namespace",
        "[openlineage] namespace is not set",
        found=f"'{conf.namespace()}', as of every Airflow without one",
        expected="a name of this Airflow's own",
        action="set it once, and for good: another one makes other jobs and other runs",
    )


def emission_policy() -> Iterator[CheckResult]:
    """Rules that keep our operators' events back, or send too much in them."""
    if not _is_on():
        return
    from airflow.providers.openlineage import conf

    try:
        rules = conf.emission_policy()
    except ValueError:
        yield _finding(
            "emission_policy",
            "[openlineage] emission_policy",
            found="something that is not a JSON array",
            expected="a JSON array of rules",
            action="correct it: until then none of it holds",
            severity="advice",
        )
        rules = []
    yield from emission_findings(rules)


def timing() -> Iterator[CheckResult]:
    """``[openlineage] execution_timeout`` and ``execute_in_thread``."""
    if not _is_on():
        return
    from airflow.configuration import conf as airflow
    from airflow.providers.openlineage import conf

    allowed = airflow.getint("core", "task_success_overtime", fallback=20)
    if SHORTEST_S <= conf.execution_timeout() < allowed:
        yield Passed(f"sending an event may take {conf.execution_timeout()} s")
    else:
        yield _finding(
            "timing",
            "[openlineage] execution_timeout",
            found=f"{conf.execution_timeout()} s",
            expected=f"at least {SHORTEST_S} s, and less than [core] task_success_overtime, which "
            f"is {allowed} s: then Airflow ends the process",
            action="set it to 10",
            severity="advice",
        )
    if conf.execute_in_thread():
        yield Passed("events are sent from a thread of the task")
    else:
        yield _finding(
            "timing",
            "events are sent from a forked process",
            found="[openlineage] execute_in_thread is off",
            expected="on: a fork that hangs can leave its task 'running' (airflow#68708)",
            action="set it to True",
            severity="advice",
        )


def maskable_passwords() -> Iterator[CheckResult]:
    """Passwords that are part of a name: Airflow masks them everywhere."""
    if not _is_on():
        return
    found = connections_with_maskable_passwords()
    for conn_id in found:
        yield _finding(
            "maskable_passwords",
            f"the password of the connection '{conn_id}' is a word of our names",
            found="a password that occurs in the name of a database, a table, a model or a job",
            expected="a long random one: Airflow writes *** wherever it occurs in its own events "
            "(the governed ones do not pass there)",
            action="change the password",
        )
    if not found:
        yield Passed("no connection's password occurs in a name")


def _is_on() -> bool:
    try:
        from airflow.providers.openlineage import conf
    except ImportError:
        return False
    return not conf.is_disabled() and not _disabled_by_client()


def _disabled_by_client() -> bool:
    return os.environ.get("OPENLINEAGE_DISABLED", "").lower().strip() in ("true", "1")


def _client_config() -> Any:
    """What the client would go by: Airflow's configuration, a file and the environment, merged."""
    from airflow.providers.openlineage.plugins.adapter import OpenLineageAdapter
    from openlineage.client import OpenLineageClient
    from openlineage.client.transport.noop import NoopConfig, NoopTransport

    with _environment_kept():
        # With a transport of its own it makes none of those that are configured.
        client = OpenLineageClient(
            config=OpenLineageAdapter().get_openlineage_config(),
            transport=NoopTransport(NoopConfig()),
        )
        return client.config


@contextmanager
def _environment_kept() -> Iterator[None]:
    """The client writes into the environment what ``OPENLINEAGE_URL`` means."""
    before: Mapping[str, str] = dict(os.environ)
    try:
        yield
    finally:
        for name in set(os.environ) - set(before):
            del os.environ[name]
        os.environ.update(before)


def _finding(
    check: str,
    what: str,
    *,
    found: str,
    expected: str,
    action: str,
    severity: Severity = "loses lineage",
) -> Finding:
    return Finding(severity, check, what, found, expected, action)


CHECKS: tuple[Check, ...] = (
    on,
    transport,
    reducing,
    namespace,
    emission_policy,
    timing,
    maskable_passwords,
)
