"""What signs approvals on this platform, and which of it is still open."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import select

from mlops.approvals.key_register import read_key_register
from mlops.approvals.secret_file import load_key_file, read_secret_file
from mlops.cli.doctor.findings import Check, CheckResult, Finding, Passed, of_error
from mlops.cli.doctor.store import open_store
from mlops.errors import KeyUnusable, StoreError
from mlops.settings import api_store_url_file, approval_key_file, approval_keys
from mlops.store.tables import LedgerGuardRow
from mlops.store.transaction import Transaction


def approval_signatures() -> Iterator[CheckResult]:
    """Keys are pinned and registered, and the files of the API server are its own."""
    yield from _files()
    if not approval_keys():
        yield Finding(
            severity="unsafe",
            check="approval_signatures",
            what="[mlops] approval_keys is not set",
            found="no key that is trusted: no approval counts, and nothing can be deployed",
            expected="the fingerprint of the key with which the API server signs",
            action="mlops keys create, as the API server's user; then set what it prints",
        )
        return
    try:
        with open_store().transaction() as transaction:
            yield from list(_registered(transaction))
            yield from list(_roles(transaction))
    except StoreError:
        return  # the check of the store has it


def _registered(transaction: Transaction) -> Iterator[CheckResult]:
    current = {key.fingerprint for key in read_key_register(transaction).current()}
    if current & approval_keys():
        yield Passed("approvals are signed by a key that the ledger registers and settings pin")
        return
    yield Finding(
        severity="unsafe",
        check="approval_signatures",
        what="[mlops] approval_keys",
        found="no key that the ledger registers and that was neither replaced nor revoked",
        expected="the fingerprint of a key that signs",
        action="mlops keys list shows the keys of the ledger; mlops keys create makes one",
    )


def _roles(transaction: Transaction) -> Iterator[CheckResult]:
    if transaction.session.scalar(select(LedgerGuardRow.api_roles)):
        yield Passed("the tasks' role cannot append approvals to the ledger")
        return
    yield Finding(
        severity="advice",
        check="approval_signatures",
        what="the API server has no role of its own in the store",
        found="one role for tasks and API server, which may append approvals",
        expected="another role for the API server; a forged approval is not signed, and is refused "
        "by every reader, but it is in the ledger",
        action="mlops db upgrade --api-role ROLE, and [mlops] api_store_url_file",
    )


def _files() -> Iterator[CheckResult]:
    readers = {approval_key_file(): load_key_file, api_store_url_file(): read_secret_file}
    for path, read in readers.items():
        if path is None:
            continue
        try:
            read(path)
        except KeyUnusable as error:
            # Where another user asks, the file is closed to them, and that is right.
            if isinstance(error.__cause__, PermissionError):
                yield Passed(f"{path} is closed to the user who runs doctor")
            else:
                yield of_error(
                    error, severity="unsafe", check="approval_signatures", action="correct it"
                )
        else:
            yield Finding(
                severity="advice",
                check="approval_signatures",
                what=f"{path} can be read here",
                found="a user who may read what only the API server needs",
                expected="another user for the scheduler and the tasks, who can read neither this "
                "file nor [api_auth] jwt_secret of the API server",
                action="run doctor as the tasks' user as well; if it can read the file, see "
                "docs/threat-model.md, Arrangements of processes",
            )


CHECKS: tuple[Check, ...] = (approval_signatures,)
