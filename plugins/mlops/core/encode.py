"""From Arrow rows to the numeric matrix that estimators see.

The encoder is learnt from the training rows, travels inside the model package, and reads the
scoring rows in exactly the same way: a column that is missing, or that has become something
else, is refused by name instead of being guessed at.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import types

from mlops.errors import DataRefused

Kind = Literal["numeric", "categorical"]
Family = Literal["boolean", "integer", "floating", "text"]

# More distinct values than this are a key or free text, not a category.
MAX_CATEGORIES = 1_000

# The rows that are encoded at a time: a batch of this size stays in the cache.
BATCH_ROWS = 65_536

_FAMILIES: dict[Kind, tuple[Family, ...]] = {
    "numeric": ("boolean", "integer", "floating"),
    "categorical": ("boolean", "integer", "text"),
}


class HasKind(Protocol):
    """What a spec states about a feature, as far as the encoder needs it."""

    @property
    def kind(self) -> Kind:
        """``numeric`` or ``categorical``."""


@dataclass(frozen=True)
class Feature:
    """One column of the matrix.

    A numeric feature is a number or a boolean (0 and 1); a categorical one is a name out of the
    list that training learnt, and its value is the position in that list.
    """

    name: str
    kind: Kind


@dataclass(frozen=True)
class FeatureEncoder:
    """How columns become numbers, learnt from the training rows.

    :ivar features: the columns of the matrix, in order.
    :ivar families: for each feature the family of its Arrow type in training.
    :ivar categories: for each categorical feature its categories, sorted; the code of a category
        is its position.
    """

    features: tuple[Feature, ...]
    families: Mapping[str, Family]
    categories: Mapping[str, tuple[str, ...]]

    @classmethod
    def fit(
        cls, features: Mapping[str, HasKind] | Iterable[Feature], rows: pa.Table
    ) -> FeatureEncoder:
        """Learn types and categories from training rows.

        :param features: the spec's features by name, or :class:`Feature` records, in the order
            of the matrix.
        :param rows: at least the columns of the features; others are left alone.
        :raises DataRefused: a column is missing, has a type that cannot be a feature, or has
            more than ``MAX_CATEGORIES`` distinct values.
        """
        wanted = tuple(_features(features))
        families = {feature.name: _family(feature, rows.schema) for feature in wanted}
        categories = {
            feature.name: _distinct(feature.name, rows.column(feature.name))
            for feature in wanted
            if feature.kind == "categorical"
        }
        return cls(features=wanted, families=families, categories=categories)

    def check(self, schema: pa.Schema) -> None:
        """Compare the columns of a query with those of training.

        :raises DataRefused: a column is missing, or is of another family of types.
        """
        for feature in self.features:
            found = _family(feature, schema)
            expected = self.families[feature.name]
            if found != expected:
                raise DataRefused(
                    f"column '{feature.name}' has changed its type",
                    found=f"{found} ({schema.field(feature.name).type})",
                    expected=f"{expected}, as in training",
                    action="cast the column in the SQL, or train a new version on the new type",
                )

    def encode(self, rows: pa.RecordBatch) -> np.ndarray:
        """Encode one batch.

        A missing value is NaN, and so is a category that training did not see; those are counted
        by :meth:`encode_counting`.

        :returns: float64 of shape (rows, features), C order: the predictors of scikit-learn's
            trees walk row by row, which costs them more than the filling costs us.
        :raises DataRefused: a column is missing or has changed its type.
        """
        self.check(rows.schema)
        matrix = np.empty((rows.num_rows, len(self.features)), dtype=np.float64)
        self._fill(rows, matrix)
        return matrix

    def encode_table(self, rows: pa.Table) -> np.ndarray:
        """Encode a whole table, batch by batch; as :meth:`encode`."""
        self.check(rows.schema)
        matrix = np.empty((rows.num_rows, len(self.features)), dtype=np.float64)
        start = 0
        for batch in rows.to_batches(max_chunksize=BATCH_ROWS):
            self._fill(batch, matrix[start : start + batch.num_rows])
            start += batch.num_rows
        return matrix

    def encode_counting(self, rows: pa.RecordBatch) -> tuple[np.ndarray, dict[str, int]]:
        """Encode one batch, and count what training did not see.

        :returns: as :meth:`encode`, and for each categorical feature the rows whose category
            training did not see.
        :raises DataRefused: a column is missing or has changed its type.
        """
        matrix = self.encode(rows)
        unseen = {}
        for index, feature in enumerate(self.features):
            if feature.kind == "categorical":
                missing = rows.column(feature.name).null_count
                unseen[feature.name] = int(np.isnan(matrix[:, index]).sum()) - missing
        return matrix, unseen

    def to_json(self) -> dict[str, Any]:
        """The encoder as plain JSON values."""
        return {
            "features": [
                {"name": feature.name, "kind": feature.kind, "family": self.families[feature.name]}
                for feature in self.features
            ],
            "categories": {name: list(values) for name, values in self.categories.items()},
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> FeatureEncoder:
        """Read back what :meth:`to_json` wrote.

        :raises DataRefused: it is something else.
        """
        try:
            features = tuple(Feature(str(item["name"]), item["kind"]) for item in value["features"])
            families = {str(item["name"]): item["family"] for item in value["features"]}
            categories = {
                str(name): tuple(map(str, values)) for name, values in value["categories"].items()
            }
        except (KeyError, TypeError, AttributeError) as error:
            raise DataRefused(
                "a feature encoder was expected",
                found=f"{type(error).__name__}: {error}",
                expected="JSON with 'features' (name, kind, family) and 'categories'",
            ) from error
        _agree(features, families, categories)
        return cls(features=features, families=families, categories=categories)

    def _fill(self, batch: pa.RecordBatch, matrix: np.ndarray) -> None:
        for index, feature in enumerate(self.features):
            column = batch.column(feature.name)
            if feature.kind == "categorical":
                column = self._codes(feature.name, column)
            numbers = pc.cast(column, pa.float64(), safe=False)
            matrix[:, index] = numbers.to_numpy(zero_copy_only=False)

    def _codes(self, name: str, column: Any) -> Any:
        values = pa.array(self.categories[name], type=pa.string())
        return pc.index_in(_as_text(column), value_set=values)


def _features(features: Mapping[str, HasKind] | Iterable[Feature]) -> Iterable[Feature]:
    if isinstance(features, Mapping):
        return [Feature(name, feature.kind) for name, feature in features.items()]
    return features


def _agree(
    features: tuple[Feature, ...],
    families: Mapping[str, str],
    categories: Mapping[str, tuple[str, ...]],
) -> None:
    """An encoder read from outside must be one that :meth:`FeatureEncoder.fit` could make."""
    wrong = [
        feature.name
        for feature in features
        if families[feature.name] not in _FAMILIES.get(feature.kind, ())
        or (feature.kind == "categorical") != (feature.name in categories)
    ]
    if wrong or len({feature.name for feature in features}) != len(features):
        raise DataRefused(
            "a feature encoder contradicts itself",
            found=f"features {', '.join(wrong) or 'of the same name'}",
            expected="each feature once, with a kind, a family that fits it and, for a "
            "categorical one, its categories",
        )


def _as_text(column: Any) -> Any:
    if types.is_dictionary(column.type):
        column = pc.dictionary_decode(column)
    return column if column.type == pa.string() else pc.cast(column, pa.string())


def _distinct(name: str, column: pa.ChunkedArray) -> tuple[str, ...]:
    # Numbers are made distinct before they are made text: few categories, many rows. Text is
    # brought into one form first, since dictionaries may differ between chunks.
    if not (types.is_integer(column.type) or types.is_boolean(column.type)):
        column = _as_text(column)
    values = pc.drop_null(_as_text(pc.unique(column)))
    if len(values) > MAX_CATEGORIES:
        raise DataRefused(
            f"categorical column '{name}'",
            found=f"{len(values):,} distinct values in the training rows",
            expected=f"at most {MAX_CATEGORIES:,}",
            action="group rare values in the SQL, or leave the column out if it is a key",
        )
    return tuple(sorted(values.to_pylist()))


def _family(feature: Feature, schema: pa.Schema) -> Family:
    """The family of a feature's column.

    Families, not types: a wider integer, or text kept as a dictionary, means the same.
    """
    positions = schema.get_all_field_indices(feature.name)
    if len(positions) != 1:
        raise DataRefused(
            f"column '{feature.name}'",
            found="it twice" if positions else f"only {', '.join(schema.names) or 'no column'}",
            expected="it once",
            action="correct the SQL: it must return every feature of the spec once",
        )
    arrow_type = schema.field(positions[0]).type
    family = _family_of(arrow_type)
    if family not in _FAMILIES[feature.kind]:
        raise DataRefused(
            f"column '{feature.name}' cannot be a {feature.kind} feature",
            found=f"type {arrow_type}",
            expected=f"{', '.join(_FAMILIES[feature.kind])}",
            action=_advice(arrow_type, feature.kind),
        )
    return family


def _family_of(arrow_type: pa.DataType) -> Family | None:
    if types.is_dictionary(arrow_type):
        return _family_of(arrow_type.value_type)
    if types.is_boolean(arrow_type):
        return "boolean"
    if types.is_integer(arrow_type):
        return "integer"
    if types.is_floating(arrow_type):
        return "floating"
    is_text = (
        types.is_string(arrow_type)
        or types.is_large_string(arrow_type)
        or types.is_string_view(arrow_type)
    )
    return "text" if is_text else None


def _advice(arrow_type: pa.DataType, kind: Kind) -> str:
    if types.is_temporal(arrow_type):
        return (
            "a moment is not a feature: take a number from it in the SQL, such as "
            "extract(hour from t) or the days since another moment"
        )
    if kind == "categorical":
        return "cast the column to text in the SQL, or make the feature numeric"
    return "cast the column to double precision in the SQL, or make the feature categorical"
