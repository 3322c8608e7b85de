"""Somebody leaves: who would be missed, and who takes over, in one command and on record."""

from __future__ import annotations

import json

import pytest
import yaml

from mlops.cli.main import main
from tests.fixtures.lives import LifeOf
from tests.fixtures.visits import sign

SHARED = """\
policy: shared
title: Two seats of the same people
seats:
  first: {title: First, users: &people [ann], attests: that it is sound}
  second: {title: Second, users: *people, attests: that it is useful}
tiers:
  - {name: all, seats: [first, second]}
"""


def test_seats_are_handed_over_in_every_policy_and_on_record(life_of: LifeOf, capsys) -> None:
    life = life_of("late")
    version = life.release("2026-01-05").packaged.version
    places = ["--include", str(life.include), "--url", life.database]
    file = life.include / "policies" / "quick.yml"
    file.write_text("# Who signs what.\n" + file.read_text().replace("- bea", "- bea  # since May"))
    assert main(["people", "reassign", "bea", "zoe", "--reason", "bea left", *places]) == 0
    assert "zoe takes over from bea: quick.owner, soon.owner" in capsys.readouterr().out
    text = file.read_text()
    assert text.startswith("# Who signs what.\n")
    assert "- zoe  # since May" in text
    ((payload,),) = life.rows("SELECT payload FROM mlops.ledger WHERE action = 'seats.reassigned'")
    said = json.loads(payload)
    assert said["seats"] == ["quick.owner", "soon.owner"]
    assert (said["from"], said["to"], said["reason"]) == ("bea", "zoe", "bea left")
    assert sign(life, version, "owner", "bea").why == "bea does not hold the seat Owner"
    assert sign(life, version, "owner", "zoe").enough


def test_whoever_holds_no_seat_hands_nothing_over(life_of: LifeOf, capsys) -> None:
    life = life_of("late")
    places = ["--include", str(life.include), "--url", life.database]
    assert main(["people", "reassign", "eve", "zoe", "--reason", "why not", *places]) == 1
    assert "eve holds no seat" in capsys.readouterr().err
    assert life.value("SELECT count(*) FROM mlops.ledger") == 1  # the key


def test_a_hand_over_that_would_leave_a_seat_too_few_people_changes_nothing(
    life_of: LifeOf, capsys
) -> None:
    life = life_of("late")
    file = life.include / "policies" / "quick.yml"
    file.write_text(file.read_text().replace("    - lou\n", ""))
    before = file.read_text()
    places = ["--include", str(life.include), "--url", life.database]
    assert main(["people", "reassign", "lea", "lin", "--reason", "she left", *places]) == 1
    assert "needs 2 different people" in capsys.readouterr().err
    assert file.read_text() == before
    assert life.value("SELECT count(*) FROM mlops.ledger") == 1  # the key
    assert [place.name for place in file.parent.iterdir() if place.suffix != ".yml"] == []


def test_a_policy_that_is_there_twice_is_handed_over_in_neither_file(
    life_of: LifeOf, capsys
) -> None:
    life = life_of("late")
    file = life.include / "policies" / "quick.yml"
    other = file.with_suffix(".yaml")
    other.write_text(file.read_text())
    before = file.read_text()
    places = ["--include", str(life.include), "--url", life.database]
    assert main(["people", "reassign", "bea", "zoe", "--reason", "bea left", *places]) == 1
    assert "quick: two files of one name" in capsys.readouterr().err
    assert (file.read_text(), other.read_text()) == (before, before)
    assert life.value("SELECT count(*) FROM mlops.ledger") == 1  # the key


@pytest.mark.parametrize("successor", ["uid=zoe,ou=risk", "7", "no", "zoe: x", "z" * 200])
@pytest.mark.parametrize("in_brackets", [False, True])
def test_a_successor_is_one_person_however_the_id_is_spelled(
    life_of: LifeOf, successor: str, in_brackets: bool
) -> None:
    life = life_of("late")
    file = life.include / "policies" / "quick.yml"
    policy = yaml.safe_load(file.read_text())
    file.write_text(yaml.safe_dump(policy, default_flow_style=in_brackets))
    places = ["--include", str(life.include), "--url", life.database]
    assert main(["people", "reassign", "bea", successor, "--reason", "bea left", *places]) == 0
    users = policy["seats"]["owner"]["users"]
    wanted = [successor if user == "bea" else user for user in users]
    assert list(life.workspace.include.policy("quick").seats["owner"].users) == wanted


def test_somebody_who_stands_in_a_seat_twice_is_one_person(life_of: LifeOf, capsys) -> None:
    life = life_of("late")
    places = ["--include", str(life.include), "--url", life.database]
    assert main(["people", "reassign", "lin", "lea", "--reason", "lin left", *places]) == 0
    capsys.readouterr()
    assert main(["people", "leaving", "lou", "--include", str(life.include)]) == 1
    assert capsys.readouterr().out == "late_two: seat risk needs 2, without lou it has lea\n"


def test_seats_that_share_their_users_are_handed_over_once(life_of: LifeOf, capsys) -> None:
    life = life_of("late")
    file = life.include / "policies" / "shared.yml"
    file.write_text(SHARED)
    places = ["--include", str(life.include), "--url", life.database]
    assert main(["people", "reassign", "ann", "alexandra", "--reason", "she left", *places]) == 0
    assert "shared.first, shared.second" in capsys.readouterr().out
    assert file.read_text() == SHARED.replace("ann", "alexandra")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (SHARED.replace("[ann]", "ann"), "should be a valid array; found 'ann'"),
        (SHARED + "}", "is not YAML"),
        ("caf\xe9", "is not UTF-8"),
    ],
    ids=["a name for a list", "no YAML", "no UTF-8"],
)
def test_nothing_is_handed_over_while_a_policy_is_broken(
    life_of: LifeOf, capsys, text: str, sentence: str
) -> None:
    life = life_of("late")
    (life.include / "policies" / "shared.yml").write_bytes(text.encode("latin-1"))
    places = ["--include", str(life.include), "--url", life.database]
    assert main(["people", "reassign", "bea", "zoe", "--reason", "bea left", *places]) == 1
    said = capsys.readouterr().err
    assert "policies/shared.yml:" in said and sentence in said
    assert life.value("SELECT count(*) FROM mlops.ledger") == 1  # the key


def test_of_a_folder_without_a_spec_nobody_hears_that_nobody_is_missed(tmp_path, capsys) -> None:
    assert main(["people", "leaving", "bea", "--include", str(tmp_path)]) == 1
    answer = capsys.readouterr()
    assert answer.out == ""
    assert answer.err.startswith(f"{tmp_path}/models: no spec found; expected at least one")


def test_one_person_left_for_two_seats_leaves_a_model_unsigned(life_of: LifeOf, capsys) -> None:
    life = life_of("late")
    file = life.include / "policies" / "quick.yml"
    policy = yaml.safe_load(file.read_text())
    owner, risk = policy["seats"]["owner"], policy["seats"]["risk"]
    owner["users"], risk["users"], risk["required"] = ["bea"], ["bea", "lou"], 1
    policy["tiers"][0]["seats"] = ["owner", "risk"]
    file.write_text(yaml.safe_dump(policy))
    assert main(["people", "leaving", "lou", "--include", str(life.include)]) == 1
    told = "seat risk needs 1, without lou it has bea, needed in other seats too"
    assert told in capsys.readouterr().out


@pytest.mark.parametrize(("user", "code"), [("lou", 0), ("bea", 0), ("eve", 0)])
def test_nobody_is_missed_while_others_can_sign(life_of: LifeOf, user: str, code: int) -> None:
    life = life_of("late")
    assert main(["people", "leaving", user, "--include", str(life.include)]) == code


def test_whoever_would_be_missed_is_named(life_of: LifeOf, capsys) -> None:
    life = life_of("late")
    file = life.include / "policies" / "quick.yml"
    file.write_text(file.read_text().replace("    - lou\n", ""))
    assert main(["people", "leaving", "lin", "--include", str(life.include)]) == 1
    said = capsys.readouterr().out
    assert said == "late_two: seat risk needs 2, without lin it has lea\n"
