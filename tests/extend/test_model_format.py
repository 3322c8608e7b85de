"""``docs/extend/model-format.md``: a customer's format from the training to the predictions."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pyarrow as pa
import pytest

from mlops.core.artifact.formats import MODEL_FORMATS
from mlops.core.artifact.package import load_model, read
from mlops.core.artifact.stored_zip import read_members
from mlops.errors import SpecError, TrainingError
from mlops.registry import extensions_for
from mlops.testing.model_format import ModelFormatConformance
from tests.extend.conftest import Extend
from tests.fixtures.life import PROJECT, Life
from tests.fixtures.small import AS_OF, DAY

PAGE, NAME = "model-format.md", "acme-scorecard"
SKLEARN = "      estimator: sklearn.ensemble.HistGradientBoostingClassifier\n"
PARAMS = "      params: {max_iter: 5, max_leaf_nodes: 7}\n"
SCORECARD = (
    "    - name: scorecard\n"
    "      estimator: acme_scorecard.Scorecard\n"
    f"      format: {NAME}\n"
    "      params: {bins: 8}\n"
)
SPEC = "models/late.yml"
FEATURES = ("carrier", "origin", "distance", "hour")


@pytest.mark.usefixtures("one_thread")
def test_a_model_in_it_is_trained_packaged_signed_deployed_and_scored(
    fresh: Life, extend: Extend
) -> None:
    # Beside a candidate of scikit-learn's, which it has to beat.
    fresh.edit(
        SPEC,
        {
            SKLEARN: "      estimator: sklearn.dummy.DummyClassifier\n",
            PARAMS: SCORECARD,
        },
    )
    with extend.page(PAGE):
        release = fresh.release(AS_OF)
        assert release.training.chosen == "scorecard"
        report = Path(release.documented.location).read_text()
        assert "added to this library, &#39;acme-scorecard&#39;:" in report
        fresh.live(release)
        digest = release.packaged.package_digest
        data = fresh.workspace.artifacts.read(digest)
        manifest = json.loads(read_members(data, what="a package")["manifest.json"])
        assert manifest["format"] == 2
        assert manifest["model_format"] == {"name": NAME, "member": "model.scorecard"}
        loaded = load_model(read(data, expected_digest=digest))
        assert type(loaded.estimator).__module__ == "acme_scorecard"
        plan, _, published = fresh.publish(DAY)
        assert published.rows == plan.rows > 0
        assert scores(fresh) == pytest.approx(expected(fresh, loaded), abs=0)
        # Run again, the same training is the same version.
        assert fresh.release(AS_OF).packaged == release.packaged


def scores(life: Life) -> dict[int, float]:
    """The published predictions by their keys."""
    return dict(life.rows("SELECT flight_id, score FROM ml.late"))


def expected(life: Life, loaded: Any) -> dict[int, float]:
    """What the package gives for the rows of the window, without the steps of scoring."""
    rows = life.rows(
        "SELECT flight_id, carrier, origin, CAST(distance AS float8),"
        " CAST(extract(hour FROM scheduled_departure) AS int) FROM flights"
        " WHERE scheduled_departure >= %s AND scheduled_departure < %s",
        DAY.start,
        DAY.end,
    )
    keys, *columns = zip(*rows, strict=True)
    table = pa.table(dict(zip(FEATURES, map(pa.array, columns), strict=True)))
    found = loaded.predict(loaded.contents.encoder.encode_table(table))
    return dict(zip(keys, found.tolist(), strict=True))


@pytest.mark.usefixtures("one_thread")
def test_without_the_extension_the_spec_is_refused_with_its_line(
    fresh: Life, extend: Extend
) -> None:
    fresh.edit(SPEC, {PARAMS: PARAMS + SCORECARD})
    with (
        extensions_for(),
        pytest.raises(
            SpecError,
            match=rf"late.yml:\d+: develop.candidates.1.format: model format '{NAME}' is not known",
        ),
    ):
        fresh.release(AS_OF)


@pytest.mark.usefixtures("one_thread")
def test_an_estimator_of_another_kind_is_refused_by_its_candidate(
    fresh: Life, extend: Extend
) -> None:
    fresh.edit(SPEC, {PARAMS: f"{PARAMS}      format: {NAME}\n"})
    message = (
        r"candidate 'boosted_trees' \(sklearn.*\) cannot be packaged: .*; expected a scorecard; "
        "what to do: name another model format"
    )
    with extend.page(PAGE), pytest.raises(TrainingError, match=message):
        fresh.release(AS_OF)


def suite_of(module: ModuleType, *modules: str) -> Iterator[str]:
    """Run the suite as the page shows; gives the names of the tests."""

    class Suite(ModelFormatConformance):
        model_format = module.ScorecardFormat()

        def make_estimator(self) -> Any:
            return module.Scorecard()

    Suite.modules = modules
    for name in (name for name in dir(Suite) if name.startswith("test_")):
        getattr(Suite(), name)()
        yield name


def test_it_passes_the_suite(extend: Extend) -> None:
    with extend.page(PAGE) as module:
        assert len(list(suite_of(module, "acme_scorecard"))) >= 10


def test_an_entry_point_makes_it_known_as_well(extend: Extend) -> None:
    page = (PROJECT / "docs" / "extend" / PAGE).read_text()
    (points,) = re.findall(r"```toml\n\[project\.entry-points\.(.*?)\]\n(.*?)```", page, re.DOTALL)
    group, point = points[0].strip('"'), points[1].strip()
    write_distribution(extend.folder, f"[{group}]\n{point.replace(chr(34), '')}\n")
    with extend.page(PAGE), extensions_for():
        MODEL_FORMATS._registered.clear()
        sys.modules.pop("acme_scorecard")
        assert NAME in MODEL_FORMATS.names()
        assert "acme_scorecard" not in sys.modules
        assert MODEL_FORMATS.get(NAME).member == "model.scorecard"
        assert len(list(suite_of(sys.modules["acme_scorecard"]))) >= 10


def write_distribution(folder: Path, entry_points: str) -> None:
    """What an installer leaves of a distribution beside its modules."""
    info = folder / "acme_scorecard-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-scorecard\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(entry_points)
