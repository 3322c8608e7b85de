"""``people leaving | reassign``: who would be missed, and who takes over."""

from __future__ import annotations

import getpass
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from mlops.errors import SpecError
from mlops.flow.governance import find_orphaned_seats
from mlops.spec.load import Include
from mlops.store.connect import Store
from mlops.vocabulary import LedgerAction, reassignment_subject


def leaving(root: Path, user: str) -> int:
    """Print the seats that could not be signed without ``user``; 1 where there are some."""
    include = Include(root)
    if not include.spec_files():
        # A mistyped folder must not give the answer that all models could still be signed.
        raise SpecError(f"{root / 'models'}: no spec found", expected="at least one .yml or .yaml")
    found = find_orphaned_seats(include, user)
    for item in found:
        left = ", ".join(item.left) or "no user"
        if len(item.left) >= item.needed:
            left += ", needed in other seats too"
        print(f"{item.model}: seat {item.seat} needs {item.needed}, without {user} it has {left}")
    if not found:
        print(f"no model would be left without a signatory if {user} left")
    return 1 if found else 0


def reassign(root: Path, url: str, user: str, successor: str, reason: str) -> int:
    """Hand every seat of ``user`` to ``successor``, in the policy files and in the ledger.

    All files are checked before the first one is written; comments and order stay as they are.
    Earlier signatures stay those of the people who gave them.

    :raises SpecError: ``user`` holds no seat, or a policy would not be valid afterwards.
    """
    include = Include(root)
    changed: dict[Path, str] = {}
    seats: list[str] = []
    for file in include.policy_files():
        include.policy(file.stem)  # one that is broken or there twice is refused
        text = file.read_text(encoding="utf-8")
        places = _places(text, user)
        if places:
            changed[file] = _replaced(text, places, successor)
            seats += [f"{file.stem}.{seat}" for seat, _, _ in places]
    if not seats:
        raise SpecError(f"{user} holds no seat", expected="a user that a policy names")
    for file, text in changed.items():
        _check(file, text)
    who = os.environ.get("SUDO_USER") or getpass.getuser()
    parts = {file: file.with_suffix(".part") for file in changed}
    for file, part in parts.items():
        part.write_text(changed[file], encoding="utf-8")
    with _remove_at_end(parts.values()), Store(url).transaction() as transaction:
        transaction.note(
            actor=who,
            action=LedgerAction.SEATS_REASSIGNED,
            subject=reassignment_subject(user, successor),
            payload={"from": user, "to": successor, "seats": seats, "reason": reason},
        )
        for file, part in parts.items():
            part.replace(file)
    print(f"{successor} takes over from {user}: {', '.join(seats)}")
    return 0


@contextmanager
def _remove_at_end(parts: Iterable[Path]) -> Iterator[None]:
    """Remove the parts of files at the end, also after an error."""
    try:
        yield
    finally:
        for part in parts:
            part.unlink(missing_ok=True)


def _places(text: str, user: str) -> list[tuple[str, int, int]]:
    """The places of ``user`` in the seats of a policy: seat, first and last character."""
    root: Any = yaml.compose(text, Loader=yaml.SafeLoader)
    found = []
    for seat, node in _pairs(_child(root, "seats")):
        users = _child(node, "users")
        for item in users.value if users is not None else ():
            if item.value == user:
                found.append((seat, item.start_mark.index, item.end_mark.index))
    return found


def _replaced(text: str, places: list[tuple[str, int, int]], successor: str) -> str:
    # As an item of a list in brackets, where a comma in an id must be quoted.
    written = yaml.safe_dump([successor], default_flow_style=True, width=float("inf"))[1:-2]
    # Seats that share their users by an alias have them in one place.
    spans = {(start, end) for _, start, end in places}
    for start, end in sorted(spans, reverse=True):
        text = text[:start] + written + text[end:]
    return text


def _check(file: Path, text: str) -> None:
    """Read the text as the policy that it would be."""
    draft = file.with_suffix(".draft")
    draft.write_text(text, encoding="utf-8")
    try:
        from mlops.spec.policy import Policy
        from mlops.spec.yaml_file import read_yaml

        read_yaml(draft, Policy)
    finally:
        draft.unlink()


def _child(node: Any, name: str) -> Any:
    return next((value for key, value in _pairs(node) if key == name), None)


def _pairs(node: Any) -> list[tuple[str, Any]]:
    if not isinstance(node, yaml.MappingNode):
        return []
    return [(key.value, value) for key, value in node.value]
