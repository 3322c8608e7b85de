"""What is signed, byte by byte, and that a change of any of it is found."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from mlops.approvals.secret_file import (
    create_key_file,
    file_fault,
    load_key_file,
    read_secret_file,
    write_secret_file,
)
from mlops.approvals.signing_key import SigningKey, fingerprint_of, is_signed_by
from mlops.approvals.statement import (
    sign_decision,
    signature_fits,
    version_statement,
)
from mlops.errors import KeyUnusable
from mlops.store.tables import DecisionRow

# RFC 8032, 7.1: secret key, public key, message, signature.
RFC_8032 = [
    (
        "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e3970"
        "1cf9b46bd25bf5f0595bbe24655141438e7a100b",
    ),
    (
        "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613"
        "d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    ),
    (
        "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760"
        "984dc6594a7c15e9716ed28dc027beceea1ec40a",
    ),
]
AT = datetime(2026, 3, 14, 9, 26, 53, 589793, tzinfo=UTC)


def key_of(seed: str) -> SigningKey:
    """The key of a seed in hexadecimal digits."""
    return SigningKey(Ed25519PrivateKey.from_private_bytes(bytes.fromhex(seed)))


KEY = key_of(RFC_8032[0][0])


def decision(**changed: Any) -> DecisionRow:
    """An approval as it is recorded."""
    values: dict[str, Any] = {
        "id": "d" * 64,
        "gate": "e" * 64,
        "model": "late",
        "version": 3,
        "seat": "model_risk",
        "answer": "Approve",
        "user_id": "7",
        "user_name": "Max",
        "reason": "as the report says: “≥ 0.7”",
        "method": "required_action",
        "counted": True,
        "refusal": "",
        "package_digest": "a" * 64,
        "spec_digest": "b" * 64,
        "snapshot_digest": "c" * 64,
        "evidence_digest": "f" * 64,
        "criteria_digest": "0" * 64,
        "run": {},
        "decided_at": AT,
        "valid_until": AT + timedelta(days=365),
    }
    return DecisionRow(**{**values, **changed})


@pytest.mark.parametrize(("secret", "public", "message", "signature"), RFC_8032)
def test_the_vectors_of_rfc_8032(secret: str, public: str, message: str, signature: str) -> None:
    key = key_of(secret)
    assert key.public_key.hex() == public
    assert key.fingerprint == fingerprint_of(bytes.fromhex(public))
    assert key.sign(bytes.fromhex(message)).hex() == signature
    assert is_signed_by(key.public_key, bytes.fromhex(signature), bytes.fromhex(message))


def test_the_text_that_is_signed_never_changes() -> None:
    """Signatures of years ago are verified with it: what stands here may not be edited."""
    found = version_statement(decision(), key=KEY.fingerprint).to_bytes().decode()
    assert found == (
        '{"answer":"Approve","at":"2026-03-14T09:26:53.589793+00:00",'
        '"evidence":{"criteria":"' + "0" * 64 + '","report":"' + "f" * 64 + '",'
        '"snapshot":"' + "c" * 64 + '","spec":"' + "b" * 64 + '"},'
        '"format":"mlops approval 1",'
        '"key":"21fe31dfa154a261626bf854046fd2271b7bed4b6abe45aa58877ef47f9721b9",'
        '"kind":"version","reason":"as the report says: “≥ 0.7”","seat":"model_risk",'
        '"subject":"late/v3","subject_digest":"' + "a" * 64 + '",'
        '"until":"2027-03-14T09:26:53.589793+00:00","user":"7"}'
    )


def test_a_signature_fits_its_decision_and_no_other_key() -> None:
    signature = sign_decision(decision(), KEY)
    assert signature_fits(decision(), signature, KEY.public_key)
    assert not signature_fits(decision(), signature, key_of(RFC_8032[1][0]).public_key)


CHANGES = {
    "model": "early",
    "version": 4,
    "seat": "owner",
    "answer": "Reject",
    "user_id": "8",
    "reason": "",
    "package_digest": "1" * 64,
    "spec_digest": "1" * 64,
    "snapshot_digest": "1" * 64,
    "evidence_digest": "1" * 64,
    "criteria_digest": "1" * 64,
    "decided_at": AT + timedelta(microseconds=1),
    "valid_until": None,
}


@pytest.mark.parametrize("field", CHANGES)
def test_one_changed_field_is_another_approval(field: str) -> None:
    signature = sign_decision(decision(), KEY)
    assert not signature_fits(decision(**{field: CHANGES[field]}), signature, KEY.public_key)


def test_evidence_that_changed_places_is_other_evidence() -> None:
    signature = sign_decision(decision(), KEY)
    moved = decision(spec_digest="c" * 64, snapshot_digest="b" * 64)
    assert not signature_fits(moved, signature, KEY.public_key)


@given(position=st.integers(0, 63), bit=st.integers(0, 7))
def test_one_changed_bit_of_a_signature_does_not_fit(position: int, bit: int) -> None:
    signature = sign_decision(decision(), KEY)
    value = bytearray.fromhex(signature["value"])
    value[position] ^= 1 << bit
    assert not signature_fits(decision(), {**signature, "value": value.hex()}, KEY.public_key)


@given(first=st.text(), second=st.text())
def test_two_reasons_have_one_signature_only_if_they_are_equal(first: str, second: str) -> None:
    signature = sign_decision(decision(reason=first), KEY)
    fits = signature_fits(decision(reason=second), signature, KEY.public_key)
    assert fits == (first == second)


@given(
    st.one_of(
        st.none(), st.text(), st.integers(), st.lists(st.text()),
        st.dictionaries(st.sampled_from(["format", "key", "value"]), st.text() | st.none()),
    )
)  # fmt: skip
def test_what_is_not_a_signature_does_not_fit(found: Any) -> None:
    assert not signature_fits(decision(), found, KEY.public_key)


def test_a_key_file_is_its_owners_alone_and_never_replaced(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "approvals.pem"
    made = create_key_file(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert load_key_file(path).fingerprint == made.fingerprint
    assert made.fingerprint in repr(made)
    with pytest.raises(KeyUnusable, match="never replaced"):
        create_key_file(path)
    assert load_key_file(path).fingerprint == made.fingerprint


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602, 0o610, 0o644])
def test_a_file_that_others_can_reach_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "key.pem"
    create_key_file(path)
    path.chmod(mode)
    with pytest.raises(KeyUnusable, match=f"mode 0{mode:o}"):
        load_key_file(path)


def test_links_pipes_folders_and_foreign_content_are_refused(tmp_path: Path) -> None:
    create_key_file(tmp_path / "key.pem")
    (tmp_path / "link.pem").symlink_to(tmp_path / "key.pem")
    os.mkfifo(tmp_path / "pipe.pem", 0o600)
    (tmp_path / "folder.pem").mkdir(mode=0o700)
    write_secret_file(tmp_path / "text.pem", b"a-secret")
    write_secret_file(tmp_path / "large.pem", b"a" * 5000)
    for name in ("link", "pipe", "folder", "text", "large", "missing"):
        with pytest.raises(KeyUnusable) as raised:
            load_key_file(tmp_path / f"{name}.pem")
        assert "a-secret" not in str(raised.value)


def test_a_file_of_another_user_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "url"
    write_secret_file(path, b"postgresql://api@db/store")
    assert read_secret_file(path) == b"postgresql://api@db/store"
    found = os.stat_result((0o100600, 1, 1, 1, 12345, 0, 20, 0, 0, 0))
    assert file_fault(found, user=12345) is None
    assert file_fault(found, user=500) == "a file of user 12345"
    assert file_fault(found, user=0) == "a file of user 12345"
