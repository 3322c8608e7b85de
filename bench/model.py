"""The model of the score bench: gradient boosting on histograms, 100 trees, 25 features."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from bench.server import NUMBERS, TEXTS
from mlops.core.encode import Feature, FeatureEncoder
from mlops.warehouse.postgres.stream import stream

TRAINING_ROWS = 30_000
TREES = 100


def fit(url: str, table: str, path: Path) -> None:
    """Fit on the first rows and keep two forms of one model: for matrices, and for data frames."""
    from sklearn.compose import make_column_transformer
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OrdinalEncoder

    with stream(url, f"SELECT * FROM {table} WHERE id <= {TRAINING_ROWS} ORDER BY id") as batches:
        rows = pa.Table.from_batches(list(batches), batches.schema)
    features = [Feature(name, "categorical") for name in TEXTS]
    features += [Feature(name, "numeric") for name in NUMBERS]
    encoder = FeatureEncoder.fit(features, rows)
    x = encoder.encode_table(rows)
    noise = np.random.default_rng(0).normal(size=len(x))
    label = np.nan_to_num(x[:, len(TEXTS) + 1]) / 500 + x[:, 1] / 5 + noise > 1.5
    model = HistGradientBoostingClassifier(
        max_iter=TREES, early_stopping=False, random_state=0
    ).fit(x, label)
    columns = make_column_transformer(
        (OrdinalEncoder(dtype=np.float64), list(TEXTS)), ("passthrough", list(NUMBERS))
    ).fit(rows.to_pandas())
    with path.open("wb") as file:
        pickle.dump((encoder, model, make_pipeline(columns, model)), file)


def load(path: str) -> Any:
    """Encoder, model and pipeline, as :func:`fit` kept them."""
    with Path(path).open("rb") as file:
        return pickle.load(file)
