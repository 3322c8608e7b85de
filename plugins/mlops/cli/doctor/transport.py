"""How Airflow's own lineage travels: each transport of the client, also those within others.

The client sends in a process that is forked from the task's and then ended at once, and that is
ended after ``[openlineage] execution_timeout`` in any case.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

from mlops.cli.doctor.findings import CheckResult, Finding, Passed, Severity

LONGEST_TIMEOUT_S = 2.0
# How Airflow's events call themselves.
_INTEGRATION, _JOB_TYPES = "airflow", ("task", "dag")

Config = dict[str, Any]


def transports(config: Config) -> Iterator[CheckResult]:
    """Check a transport's configuration."""
    kind = str(config.get("type"))
    transport = _class_of(kind)
    if transport is None:
        yield _finding(
            "loses lineage",
            f"the transport of the type '{kind}'",
            found="no such transport can be imported",
            expected="one of the client's, as http or file",
            action="correct the type, or install what it needs",
        )
        return
    yield from _of(transport, kind, config)


def _class_of(kind: str) -> type | None:
    from openlineage.client.transport import get_default_factory
    from openlineage.client.utils import import_from_string

    found = get_default_factory().transports.get(kind, kind)
    try:
        found = import_from_string(found) if isinstance(found, str) else found
    except Exception:  # noqa: BLE001 (a module from outside)
        return None
    return found if isinstance(found, type) else None


def _of(transport: type, kind: str, config: Config) -> Iterator[CheckResult]:
    from openlineage.client import transport as known

    if issubclass(transport, known.CompositeTransport):
        yield from _composite(config)
        return
    if issubclass(transport, known.TransformTransport):
        yield from transports(dict(config.get("transport") or {}))
        return
    sound = _sound(transport, config)
    if sound is None:
        yield _finding(
            "loses lineage",
            f"the transport '{kind}'",
            found="a configuration that the client refuses",
            expected="all keys that this transport needs",
            action="correct it: no event is sent",
        )
    elif issubclass(transport, known.AsyncHttpTransport) or _goes_async(sound):
        yield _finding(
            "loses lineage",
            f"the transport '{kind}' sends in the background",
            found="a thread in a process that Airflow ends as soon as the event is handed over",
            expected="a transport that has sent when it returns: 0 of 3 events arrived so",
            action='use {"type": "http", "timeout": 2, "retry": {"total": 0}, "url": ...}',
        )
    elif issubclass(transport, known.KafkaTransport):
        yield from _kafka(kind, sound)
    elif issubclass(transport, known.ConsoleTransport | known.NoopTransport):
        yield _finding(
            "loses lineage",
            f"the transport '{kind}'",
            found="events that go to the log, or nowhere",
            expected="a transport that delivers, as http or file",
            action="name one in [openlineage] transport",
        )
    elif hasattr(sound, "retry") and hasattr(sound, "timeout"):
        yield from _http(kind, sound)
    else:
        yield Passed(f"OpenLineage's transport is '{kind}'")


def _sound(transport: Any, config: Config) -> Any:
    """The transport's own reading of its configuration; nothing is opened."""
    try:
        return transport.config_class.from_dict(copy.deepcopy(config))
    except Exception:  # noqa: BLE001 (each transport raises what it likes)
        return None


def _goes_async(sound: Any) -> bool:
    """Whether Datadog's and Google's rules send Airflow's events in the background."""
    rules = getattr(sound, "async_transport_rules", None) or {}
    return any(
        chosen
        for integration, kinds in rules.items()
        for kind, chosen in kinds.items()
        if str(integration).lower() in ("*", _INTEGRATION)
        if str(kind).lower() in ("*", *_JOB_TYPES)
    )


def _composite(config: Config) -> Iterator[CheckResult]:
    children = config.get("transports") or []
    listed = list(children.values()) if isinstance(children, dict) else list(children)
    if not listed:
        yield _finding(
            "loses lineage",
            "the transport 'composite'",
            found="no transports in it",
            expected="at least one",
            action="name them in 'transports'",
        )
    elif config.get("continue_on_failure", True):
        yield _finding(
            "advice",
            "the transport 'composite' does not try a lost event again",
            found=f"{len(listed)} transports, of which one that succeeds makes the event a success",
            expected="to know that a lost delivery looks like a success",
            action="watch the task logs for 'failed to emit'; the governed lineage is sent until "
            "it has arrived and needs none of this",
        )
    else:
        yield _finding(
            "advice",
            "the transport 'composite' ends with the first that fails",
            found=f"{len(listed)} transports and continue_on_failure = false",
            expected="that one that fails keeps nothing from the others",
            action="set continue_on_failure to true",
        )
    for child in listed:
        yield from transports(dict(child or {}))


def _http(kind: str, sound: Any) -> Iterator[CheckResult]:
    timeout, total = float(sound.timeout), sound.retry.get("total")
    if timeout <= LONGEST_TIMEOUT_S and total == 0:
        yield Passed(f"OpenLineage's transport '{kind}' gives up after {timeout:g} s")
        return
    yield _finding(
        "advice",
        f"the transport '{kind}' makes tasks slow while its server is away",
        found=f"timeout {timeout:g} s and {total} retries, so up to [openlineage] execution_timeout"
        " at the start and at the end of each task",
        expected=f"timeout <= {LONGEST_TIMEOUT_S:g} and no retries",
        action='add "timeout": 2, "retry": {"total": 0}; the governed lineage does not need it',
    )


def _kafka(kind: str, sound: Any) -> Iterator[CheckResult]:
    if not sound.flush:
        yield _finding(
            "loses lineage",
            f"the transport '{kind}' does not flush",
            found="flush = false in a process that ends at once",
            expected="flush = true",
            action='set "flush": true, and a "message.timeout.ms" of 2000 in its config',
        )
    elif float((sound.config or {}).get("message.timeout.ms", "inf")) > 1000 * LONGEST_TIMEOUT_S:
        yield _finding(
            "advice",
            f"the transport '{kind}' waits for its broker without a limit of its own",
            found="no message.timeout.ms of 2000 or less",
            expected="that it gives up before [openlineage] execution_timeout ends it",
            action='set "message.timeout.ms": "2000" in its config',
        )
    else:
        yield Passed(f"OpenLineage's transport '{kind}' flushes, and gives up")


def _finding(severity: Severity, what: str, *, found: str, expected: str, action: str) -> Finding:
    return Finding(severity, "transport", what, found, expected, action)
