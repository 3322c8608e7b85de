"""The three DAG files of the bench make the same DAGs. How long they take is not asserted."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from bench import dags

SPECS = 2


@pytest.fixture(scope="module")
def dag_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two specs and the three DAG files."""
    made = tmp_path_factory.mktemp("dags")
    dags.prepare(made, specs=SPECS)
    return made


@pytest.fixture(scope="module")
def runs(dag_folder: Path) -> dags.Runs:
    """Each file parsed and serialised once, in a process of its own."""
    return {way: [dags.measure(dag_folder, way)] for way in dags.WAYS}


def test_generated_dags_are_those_written_by_hand(runs: dags.Runs) -> None:
    ours, hand, empty = (runs[way][0] for way in ("ours", "hand", "empty"))
    phases = ("release", "score", "monitor")
    assert {f"flight_delay_{n:04d}_{phase}" for n in range(SPECS) for phase in phases} <= set(
        ours.content
    )
    assert ours.content == hand.content
    assert ours.shape == hand.shape == empty.shape
    assert ours.content != empty.content
    assert ours.dags == hand.dags == empty.dags == len(ours.content)
    assert ours.tasks == hand.tasks == empty.tasks
    dags.must_agree(runs)


def test_parsing_loads_no_heavy_module(runs: dags.Runs) -> None:
    assert [run.heavy for found in runs.values() for run in found] == [[], [], []]


def test_files_by_hand_read_no_spec(dag_folder: Path) -> None:
    ours, hand, empty = (
        (dag_folder / f"{way}.py").read_text() for way in ("ours", "hand", "empty")
    )
    assert "build_dags" in ours
    assert "build_dags" not in hand
    assert "IntakeOperator(task_id='intake', model='flight_delay_0001')" in hand
    assert "EmptyOperator(task_id='intake')" in empty
    assert "mlops." not in empty


@pytest.mark.parametrize(("way", "what"), [("hand", "content"), ("empty", "shape")])
def test_other_dags_are_not_compared(runs: dags.Runs, way: str, what: str) -> None:
    found = runs[way][0]
    digests = {**getattr(found, what), "flight_delay_0000_release": "another"}
    other = {**runs, way: [replace(found, **{what: digests})]}
    with pytest.raises(RuntimeError, match=rf"{what} of 1 DAGs .* flight_delay_0000_release"):
        dags.must_agree(other)


def test_a_failing_file_says_why(dag_folder: Path) -> None:
    with pytest.raises(RuntimeError, match=r"No such file or directory: .*missing"):
        dags.measure(dag_folder, "missing")


def test_table_shows_every_way(runs: dags.Runs, capsys: pytest.CaptureFixture[str]) -> None:
    dags.print_table(runs, specs=SPECS)
    printed = capsys.readouterr().out
    assert f"2 specs make {runs['ours'][0].dags} DAGs" in printed
    assert all(title in printed for title in dags.WAYS.values())


def test_ratio_is_taken_round_by_round(runs: dags.Runs) -> None:
    one = runs["ours"][0]
    ours = [replace(one, cpu_s=seconds) for seconds in (2.0, 6.0, 4.0)]
    hand = [replace(one, cpu_s=seconds) for seconds in (1.0, 2.0, 4.0)]
    assert dags.ratio({"ours": ours, "hand": hand}, "ours", "hand") == 2.0
