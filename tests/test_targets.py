"""What holds for labels of two values only is in the package of that target, and nowhere else.

The words of :data:`WORDS` are looked for in what runs: in names, in texts that are shown or
compared, and in templates; not in comments and docstrings, which may take an example from any
target.
"""

from __future__ import annotations

import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[1]
PLACES = ("plugins/mlops", "demo")

WORDS = re.compile(
    r"predict_proba|roc_auc|\bauc\b|\bAUC\b|\bbrier|average_precision|log_loss|calibration_error"
    r"|both classes|one class|two classes|positive_share|\bpositives\b|true_positive|false_positive"
    r"|confusion|deploy\.threshold|at the threshold|decision boolean|label_share|true label"
    r"|probabilit|outside \[0, 1\]|NOT IN \('0'|targets[./]binary|\bBINARY|target_binary"
)

# The target itself, and how it is shown.
OF_THE_TARGET = (
    "plugins/mlops/core/targets/binary/",
    "plugins/mlops/reports/targets/binary/",
    "plugins/mlops/reports/templates/target_binary.html.j2",
)
# Where a word of one target belongs to something else; each with its reason.
ALLOWED = {
    "plugins/mlops/spec/extensions.py": "the registry of targets",
    "plugins/mlops/reports/targets/report.py": "the registry of what shows them",
    "plugins/mlops/spec/model.py": "keys and defaults of specs, which never change",
    "plugins/mlops/reports/earlier_names.py": "names in templates that customers have written",
    "plugins/mlops/testing/criterion.py": "the example by which criteria are tested",
}


def code_lines(text: str) -> Iterator[tuple[int, str]]:
    """The lines of a module without comments and docstrings, each with its number."""
    lines: dict[int, list[str]] = {}
    starts = True  # whether a text here would be a statement of its own
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type in (tokenize.NEWLINE, tokenize.NL, tokenize.INDENT, tokenize.DEDENT):
            starts = starts or token.type == tokenize.NEWLINE
            continue
        if token.type == tokenize.COMMENT or (token.type == tokenize.STRING and starts):
            continue
        starts = False
        for place, line in enumerate(token.string.splitlines()):
            lines.setdefault(token.start[0] + place, []).append(line)
    for number, parts in sorted(lines.items()):
        yield number, re.sub(r" ?([.,()\[\]]) ?", r"\1", " ".join(parts))


def found(file: Path) -> Iterator[str]:
    """File and line of each word."""
    text = file.read_text()
    lines = code_lines(text) if file.suffix == ".py" else enumerate(text.splitlines(), start=1)
    for number, line in lines:
        for word in WORDS.finditer(line):
            yield f"{file}:{number}: {word[0]}"


def searched() -> Iterator[Path]:
    for place in PLACES:
        for file in sorted((PROJECT / place).rglob("*")):
            if file.suffix in (".py", ".j2", ".html"):
                yield file


def test_no_other_package_assumes_labels_of_two_values() -> None:
    files = list(searched())
    assert len(files) > 200
    outside = [
        line
        for file in files
        if not (name := str(file.relative_to(PROJECT))).startswith(OF_THE_TARGET)
        if name not in ALLOWED
        for line in found(file)
    ]
    assert outside == [], "move it to the target, and ask the target for it"


@pytest.mark.parametrize("name", ALLOWED)
def test_an_exception_is_one(name: str) -> None:
    assert list(found(PROJECT / name)), "it has none of these words any more: take it off the list"


def test_words_are_found_in_what_runs(tmp_path: Path) -> None:
    module = tmp_path / "module.py"
    module.write_text(
        '"""The AUC."""\n'
        "from mlops.core.targets.binary.target import BINARY  # of two classes\n"
        "\n\ndef flag(scores, deploy):\n"
        '    """Where the threshold is reached: deploy.threshold."""\n'
        "    # predict_proba\n"
        "    text = 'it has one class'\n"
        "    return scores >= deploy.threshold, f'AUC {text}'\n"
    )
    template = tmp_path / "page.html.j2"
    template.write_text("<p>\n{{ metrics.auc }}\n</p>\n")
    assert list(found(module)) == [
        f"{module}:2: targets.binary",
        f"{module}:2: BINARY",
        f"{module}:8: one class",
        f"{module}:9: deploy.threshold",
        f"{module}:9: AUC",
    ]
    assert list(found(template)) == [f"{template}:2: auc"]
