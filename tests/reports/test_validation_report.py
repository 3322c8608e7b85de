import pickle
import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from mlops.core.records import Metrics, to_json
from mlops.core.targets.binary.records import Confusion, Curve, Details, details_of
from mlops.errors import SpecError
from mlops.reports.phrases import missing_facts, verdict
from mlops.reports.targets.binary.report import flagged_of_hundred
from mlops.reports.validation import validation_report

VOID = {"meta", "br"}


class Reader(HTMLParser):
    """Keeps the tags and the text of a page, and stops at one that is not closed in turn."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture(scope="module")
def html(validation, templates) -> str:
    return validation_report(validation, templates)


@pytest.fixture(scope="module")
def page(html) -> Reader:
    return Reader(html)


def test_it_needs_nothing_but_itself(html, page):
    for tag in ("script", "link", "img", "iframe", "object", "base", "form", "image", "use"):
        assert page.all(tag) == []
    assert "http" not in html.replace("http://www.w3.org/2000/svg", "").replace(
        'http-equiv="Content-Security-Policy"', ""
    )
    assert "url(" not in html
    assert "@import" not in html
    assert not any(name.startswith("on") for _, found in page.tags for name in found)
    assert "default-src 'none'" in html


def test_equal_records_give_equal_bytes_in_another_process(validation, templates, html, tmp_path):
    file = tmp_path / "context.pickle"
    file.write_bytes(pickle.dumps(validation))
    code = (
        "import pickle, sys; from pathlib import Path; "
        "from mlops.reports.validation import validation_report; "
        "context = pickle.loads(Path(sys.argv[1]).read_bytes()); "
        "sys.stdout.buffer.write(validation_report(context, Path(sys.argv[2])).encode())"
    )
    paths = ":".join(path for path in sys.path if path)
    other = subprocess.run(
        [sys.executable, "-c", code, str(file), str(templates)],
        env={"PYTHONHASHSEED": "4711", "PYTHONPATH": paths, "TZ": "Asia/Tokyo", "LANG": "C"},
        capture_output=True,
        check=True,
    )
    assert other.stdout.decode() == html


def test_it_says_what_is_asked_and_of_which_bytes(page, validation):
    subject, identity = validation.subject, validation.identity
    for words in (
        subject.title,
        subject.decision,
        subject.use,
        *subject.restrictions,
        subject.tier_reason,
        *(seat.attests for seat in subject.seats),
        subject.business_owner,
        subject.developer,
        identity.package_sha256,
        identity.spec_digest,
        identity.snapshot_digest,
        identity.criteria_digest,
        identity.ledger_head,
        "January to May 2013",
        "June 2013",
        "2013-07-01 04:20 UTC",
        "12,000",
        "scikit-learn",
    ):
        assert " ".join(str(words).split()) in page.text


def test_every_gate_check_candidate_and_slice_is_in_it(page, validation):
    for gate in validation.gates:
        assert gate.note in page.text
    for check in validation.checks:
        assert check.found in page.text
        assert check.expected in page.text
    for candidate in validation.candidates:
        assert candidate.name in page.text
        assert candidate.technique in page.text
    for item in validation.evaluation.slices:
        assert item.value in page.text
    for _, text in validation.sql:
        assert " ".join(text.split()) in page.text
    assert "AUC by origin" in page.text
    assert "≥ −0.01" in page.text
    assert "no version is live yet" in page.text


def test_the_threshold_is_told_in_words(page, validation):
    right, caught = flagged_of_hundred(details_of(validation.evaluation).confusion)
    assert f"{right} of 100 flights flagged were late" in page.text
    assert f"{caught} of 100 flights that were late had been flagged" in page.text


def test_pictures_and_tables_can_be_heard(page):
    pictures = page.all("svg")
    assert len(pictures) == 9
    assert all(found["role"] == "img" and found["aria-label"] for found in pictures)
    assert len(page.all("title")) == len(pictures) + 1
    assert all(found.get("scope") in ("row", "col") for found in page.all("th"))
    assert page.all("html") == [{"lang": "en"}]
    assert len(page.all("h1")) == 1


def test_a_page_full_of_scripts_runs_none(hostile, templates):
    html = validation_report(hostile, templates)
    assert "<script" not in html
    assert "&lt;script&gt;" in html
    assert Reader(html).all("script") == []


def test_what_failed_stands_on_top(validation, templates):
    gates = (replace(validation.gates[0], passed=False), *validation.gates[1:])
    broken = replace(validation.checks[0], passed=False, found="9 rows")
    context = replace(validation, gates=gates, checks=(broken, *validation.checks[1:]))
    text = Reader(validation_report(context, templates)).text
    top = text[: text.index("What is asked for")]
    assert "1 of 4 criteria was not met: AUC." in top
    assert f"1 of {len(validation.checks)} data checks did not pass" in top
    assert "enough rows 9 rows, expected at least 10,000" in top
    assert "✓" not in top


def test_nothing_registered_is_no_verdict(validation):
    assert "no verdict" in verdict(replace(validation, gates=()))


def test_what_is_missing_is_listed_and_never_left_blank(validation, templates):
    found, details = validation.evaluation, details_of(validation.evaluation)
    nothing = Curve((), ())
    bare = replace(
        validation,
        subject=replace(
            validation.subject,
            restrictions=(),
            tier=None,
            tier_reason=None,
            seats=(),
            value_per_period=None,
            runbook=None,
        ),
        identity=replace(
            validation.identity,
            criteria_registered_at=None,
            run_id=None,
            code=(),
            ledger_head=None,
        ),
        train=replace(validation.train, labels={"label_share": None}),
        features=tuple(replace(item, means=None) for item in validation.features),
        sql=(),
        tables=(),
        checks=(),
        gates=(),
        evaluation=replace(
            found,
            metrics=Metrics(
                found.metrics.rows,
                {**found.metrics.values, "auc": None, "average_precision": None},
            ),
            slices=(),
            importance=(),
            details=to_json(
                Details(
                    roc=nothing,
                    precision_recall=nothing,
                    calibration=details.calibration,
                    score_histogram=details.score_histogram,
                    confusion=Confusion(0.4, 0, 0, 10, 2),
                )
            ),
        ),
        missing_facts=("Whether the desk reads the scores.",),
    )
    text = Reader(validation_report(bare, templates)).text
    listed = missing_facts(bare)
    assert len(listed) == 21
    assert all(line in text for line in listed)
    assert "not known" in text
    assert "None " not in text.replace("None that", "")
    assert "nan" not in text.lower().split()


def test_the_live_version_is_compared_when_there_is_one(validation, templates):
    context = replace(validation, champion=validation.candidates[1].metrics, champion_version=2)
    assert "Live version 2" in Reader(validation_report(context, templates)).text
    unmeasured = replace(validation, champion=None, champion_version=2)
    assert any("version 2 was not measured" in line for line in missing_facts(unmeasured))


def test_an_error_in_a_company_s_template_names_file_and_line(validation, tmp_path):
    file = tmp_path / "validation.html.j2"
    file.write_text("<p>\n{% if %}")
    with pytest.raises(SpecError, match=r"validation\.html\.j2:2: the report template is broken"):
        validation_report(validation, tmp_path)
    file.write_text("<p>\n\n{{ report.subject.titel }}")
    with pytest.raises(SpecError, match=r"validation\.html\.j2:3: .* 'titel'"):
        validation_report(validation, tmp_path)
    file.write_text("{% include 'letterhead.html.j2' %}")
    with pytest.raises(SpecError, match=r"includes letterhead\.html\.j2, which is not there"):
        validation_report(validation, tmp_path)


def test_a_company_may_replace_one_template_and_keep_the_others(validation, tmp_path):
    """The shipped validation.html.j2 then includes the company's own style."""
    shipped = validation_report(validation, tmp_path / "nothing")
    (tmp_path / "style.css").write_text("body { color: #123456 }")
    own = validation_report(validation, tmp_path)
    assert "#123456" in own
    assert "#123456" not in shipped
    assert own.count("<h2") == shipped.count("<h2") > 5


def test_a_company_may_write_its_own_template(validation, tmp_path):
    (tmp_path / "validation.html.j2").write_text(
        "<h1>{{ report.subject.title }}</h1>{{ view.verdict }} {{ report.test.rows | count }}"
    )
    html = validation_report(validation, tmp_path)
    assert html.startswith("<h1>Will this flight")
    assert html.endswith("6,000")
