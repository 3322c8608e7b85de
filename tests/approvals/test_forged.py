"""An approval counts only if the API server signed it: forged, copied and unsigned ones do not."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from mlops.approvals.decisions import Answer, decision_row, record_decision
from mlops.approvals.eligibility import Person
from mlops.approvals.key_register import register_key, revoke_key
from mlops.approvals.requests import approval_request_id, request_approval
from mlops.approvals.responses import refuse_response
from mlops.approvals.signatures import require_signed, seat_statuses
from mlops.approvals.signed_bytes import signed_bytes
from mlops.approvals.signing_key import SigningKey
from mlops.approvals.statement import sign_decision
from mlops.cli.main import main
from mlops.errors import NotSigned, StoreError
from mlops.flow.fallback import choose_version
from mlops.store.connect import Store
from mlops.store.migrate import upgrade
from mlops.store.tables import ApprovalRequestRow, DecisionRow, LedgerRow, VersionRow
from mlops.trust import NoSigner, Signer, Trust
from mlops.views.status import status_as_of
from tests.fixtures.approval_key import KEY
from tests.fixtures.life import TASK_ROLE, Life, elsewhere
from tests.fixtures.lives import LifeOf
from tests.fixtures.visits import asked, sign

OTHER = SigningKey(Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33))))


@pytest.fixture
def life(life_of: LifeOf) -> Life:
    """A model that one person of the seat ``owner`` signs."""
    return life_of("late")


def forge(
    life: Life, version: int, *, signer: Signer | None = None, changed: Mapping[str, Any] = {}
) -> None:
    """Write an approval of Bea with its ledger entry, as code with the tasks' role can."""
    with life.workspace.store.transaction() as transaction:
        row = transaction.get(VersionRow, life.model, version)
        answer = Answer(Person("bea", "bea"), "Approve", "it is fit", datetime.now(UTC))
        made = decision_row(
            row,
            "owner",
            answer,
            signed_bytes(transaction, row),
            request_id="forged",
            run=life.workspace.run,
            valid_days=365,
        )
        signature = sign_decision(made, signer) if signer is not None else None
        for name, value in changed.items():
            setattr(made, name, value)
        record_decision(transaction, life.workspace, made, signature=signature)


def status(life: Life, version: int) -> str:
    """Why the seat of the version is not signed, or ``signed``."""
    with life.workspace.store.transaction() as transaction:
        row = transaction.get(VersionRow, life.model, version)
        (found,) = seat_statuses(transaction, row, at=datetime.now(UTC))
    return found.reason


def register(life: Life, key: Signer) -> None:
    """Let the owner of the ledger register a key."""
    with Store(life.database).transaction() as transaction:
        register_key(transaction, key, actor="ops")


def test_an_approval_that_is_not_signed_deploys_nothing(life: Life) -> None:
    version = life.release("2026-01-05").packaged.version
    forge(life, version)
    with pytest.raises(NotSigned, match="the approval of bea is not signed by the API server"):
        life.deploy(version)
    assert sign(life, version, "owner", "bea").enough
    assert life.deploy(version).live == version


def test_an_approval_by_a_key_that_is_not_pinned_or_not_registered_deploys_nothing(
    life: Life,
) -> None:
    version = life.release("2026-01-05").packaged.version
    forge(life, version, signer=OTHER)
    with pytest.raises(NotSigned, match="which the ledger does not know"):
        life.deploy(version)
    register(life, OTHER)
    with pytest.raises(NotSigned, match=r"which \[mlops\] approval_keys does not pin"):
        life.deploy(version)


@pytest.mark.parametrize(
    "changed",
    [
        {"user_id": "ben"},
        {"reason": "it is fit for all uses"},
        {"valid_until": datetime(2999, 1, 1, tzinfo=UTC)},
        {"decided_at": datetime.now(UTC) - timedelta(days=1)},
    ],
    ids=lambda changed: next(iter(changed)),
)
def test_a_signature_of_another_text_deploys_nothing(life: Life, changed: dict[str, Any]) -> None:
    version = life.release("2026-01-05").packaged.version
    forge(life, version, signer=KEY, changed=changed)
    with pytest.raises(NotSigned, match="is another one than key"):
        life.deploy(version)


def test_the_signature_of_one_version_is_none_of_another(life: Life) -> None:
    first = life.release("2026-01-05").packaged.version
    sign(life, first, "owner", "bea")
    second = life.release("2026-01-06").packaged.version
    with life.workspace.store.transaction() as transaction:
        (given,) = transaction.find(LedgerRow, action="signature.given")
        signature = json.loads(given.payload)["signature"]
        row = transaction.get(VersionRow, life.model, second)
        answer = Answer(Person("bea", "bea"), "Approve", "it is fit for use", datetime.now(UTC))
        bound = signed_bytes(transaction, row)
        made = decision_row(
            row, "owner", answer, bound, request_id="copied", run=life.workspace.run
        )
        record_decision(transaction, life.workspace, made, signature=signature)
    with pytest.raises(NotSigned, match="is another one than key"):
        life.deploy(second)


def test_a_forged_approval_does_not_score(life: Life) -> None:
    """A version that went live with a signature that is revoked, and an approval that is forged."""
    version = life.release("2026-01-05").packaged.version
    sign(life, version, "owner", "bea")
    life.deploy(version)
    with Store(life.database).transaction() as transaction:
        revoke_key(transaction, KEY.fingerprint, actor="ops", reason="stolen")
    forge(life, version)
    with life.workspace.store.transaction() as transaction:
        assert choose_version(transaction, "late", at=datetime.now(UTC)).version is None
        found = status_as_of(transaction, "late", datetime.now(UTC))
    assert found is not None
    assert "which does not count for entry" in found.signed_by[0]
    assert "stolen" in found.signed_by[0]
    assert "not signed by the API server" in found.signed_by[1]


def test_an_answer_that_could_not_be_signed_is_recorded_and_asked_for_again(life: Life) -> None:
    version = life.release("2026-01-05").packaged.version
    unkeyed = elsewhere(life, signer=NoSigner("the API server has no key"))
    decision = sign(unkeyed, version, "owner", "bea")
    assert not decision.counted
    assert not decision.enough
    assert "could not be signed: the API server has no key" in decision.why
    assert "nobody has signed" in status(life, version)
    with life.workspace.store.transaction() as transaction:
        (row,) = transaction.find(DecisionRow, version=version)
        (entry,) = transaction.find(LedgerRow, action="signature.refused")
    assert (row.counted, row.user_id) == (False, "bea")
    assert "could not be signed" in entry.payload
    assert sign(life, version, "owner", "ben").enough
    assert status(life, version) == "signed"


@pytest.mark.parametrize(
    ("signer", "trusted", "why"),
    [
        (NoSigner("the API server has no key"), KEY, "the API server has no key"),
        (OTHER, KEY, "is not a key of the ledger that counts"),
        (KEY, OTHER, r"is not pinned in \[mlops\] approval_keys"),
    ],
)
def test_a_person_is_refused_before_airflow_takes_an_answer_that_cannot_be_signed(
    life: Life, signer: Signer | NoSigner, trusted: SigningKey, why: str
) -> None:
    version = life.release("2026-01-05").packaged.version
    asked(life, version, "owner", "bea")
    trust = Trust(keys=frozenset({trusted.fingerprint}))
    url = life.workspace.store.libpq_url
    here = elsewhere(life, signer=signer, store=Store(url, trust=trust))
    with life.workspace.store.transaction() as transaction:
        (request,) = transaction.find(ApprovalRequestRow, version=version)
    answer = Answer(Person("bea", "bea"), "Approve", "it is fit", datetime.now(UTC))
    refusal = refuse_response(here.workspace, request=request, answer=answer)
    assert refusal is not None
    assert not refusal.outside
    assert re.search(why, refusal.reason)
    assert refuse_response(life.workspace, request=request, answer=answer) is None


def test_a_rejection_needs_no_key(life: Life) -> None:
    """What closes a seat must not wait for one."""
    version = life.release("2026-01-05").packaged.version
    sign(life, version, "owner", "bea")
    unkeyed = elsewhere(life, signer=NoSigner())
    run = replace(life.workspace.run, task_id="sign_off.owner", run_id="again")
    request_approval(elsewhere(unkeyed, run=run).workspace, model="late", version=version,
                     seat="owner")  # fmt: skip
    assert approval_request_id(run)
    assert sign(unkeyed, version, "owner", "ben", choice="Reject", reason="too few rows").counted
    with pytest.raises(NotSigned, match="ben rejected: too few rows"):
        life.deploy(version)


def test_what_was_recorded_before_the_first_key_counts_as_the_policy_says(
    life_of: LifeOf, database: str
) -> None:
    life = life_of("late")
    life.run(
        "ALTER TABLE mlops.ledger DISABLE TRIGGER append_only",
        "DELETE FROM mlops.ledger",
        "ALTER TABLE mlops.ledger ENABLE TRIGGER append_only",
    )
    version = life.release("2026-01-05").packaged.version
    forge(life, version)
    policy = life.include / "policies" / "quick.yml"
    assert "recorded before approvals were signed" in status(life, version)
    assert "the policy does not accept it" in status(life, version)
    text = policy.read_text()
    today = datetime.now(UTC)
    until = (today + timedelta(days=30)).date()
    policy.write_text(f"{text}unsigned_accepted_until: {until}\n")
    assert status(life, version) == "signed"
    with life.workspace.store.transaction() as transaction:
        row = transaction.get(VersionRow, life.model, version)
        require_signed(transaction, row, at=datetime.now(UTC))
        with pytest.raises(NotSigned, match=r"accept it until .* only"):
            require_signed(transaction, row, at=today + timedelta(days=32))
    register(life, KEY)
    assert status(life, version) == "signed"
    second = life.release("2026-01-06").packaged.version
    forge(life, second)
    assert "not signed by the API server" in status(life, second)
    policy.write_text(text + f"unsigned_accepted_until: {date(2020, 1, 1)}\n")
    assert "accept it until 2020-01-01 only" in status(life, version)


def test_verify_names_each_approval_that_is_not_signed(
    life: Life, capsys: pytest.CaptureFixture[str]
) -> None:
    version = life.release("2026-01-05").packaged.version
    sign(life, version, "owner", "bea")
    assert main(["ledger", "verify", "--url", life.database]) == 0
    assert "1 approvals are signed by keys of the ledger, of which none is pinned" in (
        capsys.readouterr().out
    )
    forge(life, version)
    assert main(["ledger", "verify", "--url", life.database]) == 1
    assert "is not signed by the API server" in capsys.readouterr().err


def test_the_tasks_role_cannot_append_an_approval_where_the_api_server_has_its_own(
    life: Life, postgres: Any
) -> None:
    version = life.release("2026-01-05").packaged.version
    postgres.ensure_role("mlops_api")
    upgrade(life.database, task_role=TASK_ROLE, api_role="mlops_api")
    with pytest.raises(StoreError, match=r"may not append signature\.given"):
        forge(life, version, signer=KEY)
    url = postgres.url(life.database.rpartition("/")[2], user="mlops_api")
    server = elsewhere(life, store=Store(url, trust=life.workspace.store.trust))
    assert sign(server, version, "owner", "bea").enough
    assert life.deploy(version).live == version
