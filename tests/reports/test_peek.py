from dataclasses import replace
from pathlib import Path
from mlops.reports.validation import validation_report
from mlops.reports.monitoring import monitoring_report
def test_peek(validation, monitoring, templates):
    Path("/tmp/peek/validation.html").write_text(validation_report(validation, templates))
    Path("/tmp/peek/monitoring.html").write_text(monitoring_report(monitoring, templates))
    gates=(replace(validation.gates[0],passed=False,measured=.61),)+validation.gates[1:]
    ch=tuple(replace(c,passed=False,found="31.2 %") if c.subject=="temp_f" and c.name.startswith("miss") else c for c in validation.checks)
    Path("/tmp/peek/xfailed.html").write_text(validation_report(replace(validation,gates=gates,checks=ch,champion=validation.candidates[1].metrics,champion_version=2,missing_facts=("Whether the desk read the scores.",)), templates))
