import numpy as np
import pytest

from mlops.core.targets.binary.metrics import measure
from mlops.core.targets.binary.target import BINARY
from mlops.core.targets.selection import best_index, metric_info
from mlops.errors import TrainingError
from tests.core.targets.rows import some_rows


def test_the_best_is_chosen_by_one_metric_and_the_first_of_equals():
    _, y, score = some_rows()
    good, same, bad = measure(y, score), measure(y, score), measure(y, np.full(len(y), 0.5))
    assert best_index(BINARY, "auc", [bad, good, same]) == 1
    assert best_index(BINARY, "log_loss", [bad, good, same]) == 1
    none = measure(np.full(9, True), np.full(9, 0.9))
    assert best_index(BINARY, "auc", [none, bad]) == 1
    assert best_index(BINARY, "brier", [bad, none]) == 1
    with pytest.raises(TrainingError, match="no candidate can be chosen by auc"):
        best_index(BINARY, "auc", [none, none])


def test_a_metric_that_the_target_no_longer_has_is_called_by_its_name():
    assert metric_info(BINARY, "auc").title == "AUC"
    assert metric_info(BINARY, "gini").title == "gini"
