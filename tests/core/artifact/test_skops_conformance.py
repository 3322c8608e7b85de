"""The skops format passes the suite that every model format must pass."""

from __future__ import annotations

from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.kernel_approximation import Nystroem
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from mlops.core.artifact.skops_format import SKOPS
from mlops.testing.model_format import ModelFormatConformance


class TestForest(ModelFormatConformance):
    model_format = SKOPS

    def make_estimator(self):
        return RandomForestClassifier(5, random_state=0)


class TestHistogramBoosting(ModelFormatConformance):
    model_format = SKOPS

    def make_estimator(self):
        return HistGradientBoostingClassifier(max_iter=5, random_state=0)


class TestPipeline(ModelFormatConformance):
    model_format = SKOPS

    def make_estimator(self):
        columns = [("numbers", StandardScaler(), [0, 1]), ("names", OneHotEncoder(), [2])]
        return make_pipeline(ColumnTransformer(columns), LogisticRegression())


class TestTrustedType(ModelFormatConformance):
    model_format = SKOPS
    trusted = ("sklearn.kernel_approximation.Nystroem",)

    def make_estimator(self):
        return make_pipeline(
            StandardScaler(), Nystroem(n_components=20, random_state=0), LogisticRegression()
        )
