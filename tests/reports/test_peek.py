from pathlib import Path
from mlops.reports.validation import validation_report
from mlops.reports.monitoring import monitoring_report
from mlops.reports.evidence import evidence_markdown
from mlops.reports.context import EvidenceContext
def test_peek(validation, monitoring, hostile, templates):
    Path("/tmp/peek").mkdir(exist_ok=True)
    Path("/tmp/peek/validation.html").write_text(validation_report(validation, templates))
    Path("/tmp/peek/monitoring.html").write_text(monitoring_report(monitoring, templates))
    for c in (validation, hostile):
        t=evidence_markdown(EvidenceContext(c, c.subject.seats[0], report="/reports/5c5c.html"))
        print(t, len(t))
