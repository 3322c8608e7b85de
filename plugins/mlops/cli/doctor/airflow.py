"""Airflow's own configuration, as far as our promises hang on it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

from mlops.cli.doctor.findings import Check, CheckResult, Finding, Passed

# They run every task on the machine of the scheduler.
_ON_ONE_MACHINE = {"LocalExecutor", "PreloadedLocalExecutor", "SequentialExecutor"}


def everybody_admin() -> Iterator[CheckResult]:
    """``[core] simple_auth_manager_all_admins``: everybody is an administrator without a login."""
    from airflow.configuration import conf

    simple = "SimpleAuthManager" in conf.get("core", "auth_manager", fallback="")
    if simple and conf.getboolean("core", "simple_auth_manager_all_admins", fallback=False):
        yield Finding(
            severity="unsafe",
            check="everybody_admin",
            what="[core] simple_auth_manager_all_admins is on",
            found="every visitor is an administrator of the name Anonymous",
            expected="people who log in: a signature is one person's",
            action="set it to False, and give each person a login",
        )
    else:
        yield Passed("people log in to Airflow by name")


def metadata_database() -> Iterator[CheckResult]:
    """Airflow's own database is one for many processes."""
    from airflow.configuration import conf

    scheme = urlsplit(conf.get("database", "sql_alchemy_conn")).scheme.partition("+")[0]
    if scheme == "sqlite":
        yield Finding(
            severity="unsafe",
            check="metadata_database",
            what="Airflow's metadata database, [database] sql_alchemy_conn",
            found="SQLite, which is for trying Airflow out",
            expected="Postgres",
            action="make a Postgres database, name it there and run: airflow db migrate",
        )
    else:
        yield Passed(f"Airflow's metadata database is {scheme}")


def base_url() -> Iterator[CheckResult]:
    """``[api] base_url``: the links that people are sent."""
    from airflow.configuration import conf

    if conf.get("api", "base_url", fallback="") or "":
        yield Passed("[api] base_url is set, so notices can link to the pages")
    else:
        yield Finding(
            severity="advice",
            check="base_url",
            what="[api] base_url is not set",
            found="nothing",
            expected="the address at which people reach Airflow",
            action="set it: the links in requests and mails are made of it",
        )


def artifacts() -> Iterator[CheckResult]:
    """``[mlops] artifact_root`` is reached by every worker."""
    from airflow.configuration import conf

    from mlops.settings import artifact_root

    # An executor may be written as a dotted path, with an alias, and for a team.
    named = [name.strip() for name in re.split("[,;]", conf.get("core", "executor"))]
    kinds = {name.rpartition("=")[2].partition(":")[0].rpartition(".")[2] for name in named}
    elsewhere = sorted(kinds - _ON_ONE_MACHINE - {""})
    scheme = urlsplit(artifact_root()).scheme
    if elsewhere and scheme in ("", "file"):
        yield Finding(
            severity="unsafe",
            check="artifacts",
            what="[mlops] artifact_root is a folder, and tasks run on other machines",
            found=f"a local folder with {', '.join(elsewhere)}",
            expected="a place that every worker and the API server reach, as s3://bucket/mlops",
            action="name a bucket: a package that one worker writes must be there for the next",
        )
    else:
        yield Passed(f"artifacts are kept where every worker reaches them ({scheme or 'file'})")


def plugin() -> Iterator[CheckResult]:
    """The plugin is loaded: its pages, and its listener, which sees tasks that are set by hand."""
    from airflow import plugins_manager

    plugins_manager.ensure_plugins_loaded()
    names = {str(info.get("name")) for info in plugins_manager.get_plugin_info(["name"])}
    errors = plugins_manager.get_import_errors()
    if "mlops" in names:
        yield Passed("the plugin mlops is loaded")
        return
    yield Finding(
        severity="unsafe",
        check="plugin",
        what="the plugin mlops is not loaded",
        found=f"import errors in {', '.join(sorted(errors))}" if errors else "no plugin mlops",
        expected="plugins/mlops with its .airflowignore below [core] plugins_folder",
        action="put it there, then look at: airflow plugins; without it the pages are not "
        "shown, and an approval task whose state is set by hand is not noticed",
    )


CHECKS: tuple[Check, ...] = (everybody_admin, metadata_database, base_url, artifacts, plugin)
