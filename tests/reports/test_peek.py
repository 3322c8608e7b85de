from pathlib import Path
from mlops.reports.validation import validation_report


def test_peek(validation, templates):
    Path("/tmp/peek").mkdir(exist_ok=True)
    Path("/tmp/peek/validation.html").write_text(validation_report(validation, templates))
