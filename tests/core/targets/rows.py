"""Rows whose labels follow a known chance, and scores near it."""

from __future__ import annotations

import numpy as np


def some_rows(rows=4_000, digits=None, seed=1):
    random = np.random.default_rng(seed)
    matrix = random.normal(size=(rows, 3))
    chance = 1 / (1 + np.exp(-(2 * matrix[:, 0] + matrix[:, 1] - 1)))
    y = random.random(rows) < chance
    score = np.clip(chance + random.normal(0, 0.1, rows), 0, 1)
    return matrix, y, score if digits is None else score.round(digits)
