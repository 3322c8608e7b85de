"""Names and node ids: whatever people call their things, Marquez can tell the parts apart."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mlops.errors import LineageError
from mlops.lineage.safe_names import LONGEST, checked_namespace, safe_name
from tests.lineage.node_ids import Node, dataset_id, field_id, job_id, original_name, split

NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40)
ODD_NAMES = st.text("ab09:#%/ .\n\u2028ä", min_size=1, max_size=12)
NAMESPACES = st.one_of(
    st.sampled_from(["file", "mlops-prod", "postgres://db.example:5432", "s3://bucket"]),
    st.builds("mlops://{}:{}/{}".format, st.from_regex(r"[a-z][a-z0-9.-]{0,9}", fullmatch=True),
              st.integers(1, 65535), st.from_regex(r"[a-z_]{1,9}", fullmatch=True)),
)  # fmt: skip


def java_parts(node_id: str, expected: int) -> list[str] | None:
    """NodeId.parts of Marquez, statement by statement; none where it throws."""
    if re.match(r"^(dataset|datasetField|job|run):.*$", node_id, re.ASCII) is None:
        return None
    if re.search(r"[\n\r\x85\u2028\u2029]", node_id):  # what "." leaves out in Java
        return None
    simple = re.split("[:#]", node_id)
    while simple and not simple[-1]:  # String.split drops them
        simple.pop()
    if len(simple) < expected:
        return None
    if len(simple) == expected:
        return simple
    cuts = list(re.finditer(r":(?!//|\d+)", node_id, re.ASCII))
    if len(cuts) < expected - 1:
        return None  # Matcher.start() throws
    found, begin = [], 0
    for cut in cuts[: expected - 1]:
        found.append(node_id[begin : cut.start()])
        begin = cut.end()
    return [*found, node_id[begin:]]


@given(st.one_of(NAMES, ODD_NAMES))
@example("30d_sum")
@example("//server/share")
@example(" a ")
@example("%41")
def test_a_name_is_read_back(name: str) -> None:
    safe = safe_name(name)
    assert original_name(safe) == name
    assert not re.search(r"[:#\n\r\x00]", safe)
    assert not re.match(r"[0-9]|//", safe)


@given(st.lists(st.one_of(NAMES, ODD_NAMES), min_size=2, max_size=2, unique=True))
def test_two_names_never_become_one(names: list[str]) -> None:
    first, second = names
    assert safe_name(first) != safe_name(second)


@pytest.mark.parametrize(
    "name",
    ["shop.public.orders", "models/churn/versions/7", "/var/data/x.parquet", "churn.v7.train",
     "a b", "größe", "_1"],
)  # fmt: skip
def test_a_plain_name_stays(name: str) -> None:
    assert safe_name(name) == name


def test_only_what_must_is_written_otherwise() -> None:
    assert safe_name("30d_sum") == "%330d_sum"
    assert safe_name("a:b#c%") == "a%3Ab%23c%25"
    assert safe_name("//a//b") == "%2F/a//b"
    assert safe_name("a\u2028") == "a%E2%80%A8"


@given(NAMESPACES, st.one_of(NAMES, ODD_NAMES), st.one_of(NAMES, ODD_NAMES))
def test_marquez_finds_the_parts_that_went_in(namespace: str, name: str, column: str) -> None:
    safe, field = safe_name(name), safe_name(column)
    dataset, job, whole = (
        dataset_id(namespace, safe),
        job_id(namespace, safe),
        field_id(namespace, safe, field),
    )
    assert java_parts(dataset, 3) == ["dataset", namespace, safe]
    assert java_parts(job, 3) == ["job", namespace, safe]
    assert java_parts(whole, 4) == ["datasetField", namespace, safe, field]
    assert split(dataset) == Node("dataset", namespace, safe)
    assert split(whole) == Node("datasetField", namespace, safe, field)
    version = "#0b8f33d6-8f6a-4a7c-9a3c-0e5a4b4d3f11"
    assert split(whole + version) == Node("datasetField", namespace, safe, field, version[1:])


@given(st.text("dfjob:#/a0", max_size=14), st.sampled_from(["dataset", "datasetField", "job"]))
@example(rest="0:a:a", kind="dataset")
def test_ids_are_taken_apart_as_marquez_does(rest: str, kind: str) -> None:
    """Of any id: the same parts, or a refusal where Marquez throws or finds an empty part."""
    node_id = f"{kind}:{rest}"
    parts = java_parts(node_id, 4 if kind == "datasetField" else 3)
    if parts is None or not all(parts) or parts[0] != kind:
        with pytest.raises(LineageError, match="a node id"):
            split(node_id)
        return
    node = split(node_id)
    last = parts[-1].partition("#")[0]
    named = [node.kind, node.namespace, node.name, *([node.field] if kind[-1] == "d" else [])]
    assert named == [*parts[:-1], last]


@pytest.mark.parametrize("name", ["", "\ud800", "x" * 256, ":" * 86])
def test_a_name_that_cannot_be_written_is_refused(name: str) -> None:
    with pytest.raises(LineageError, match="name"):
        safe_name(name)
    assert len(safe_name("x" * LONGEST)) == LONGEST


def test_a_name_that_is_too_long_is_named() -> None:
    with pytest.raises(LineageError, match=r"yyy' is too long .* found 256 .* at most 255"):
        safe_name("y" * 256)


@pytest.mark.parametrize(
    "namespace",
    [
        "",
        "a b",
        "a:b",
        "a:",
        "5ns",
        "//h",
        "postgres://[::1]:5432",
        "a;b",
        "a=b",
        "ä",
        "x" * 256,
        "a\n",
    ],
)
def test_a_namespace_that_marquez_would_change_is_refused(namespace: str) -> None:
    with pytest.raises(LineageError, match="a namespace of the lineage"):
        checked_namespace(namespace)


@given(NAMESPACES)
def test_namespaces_in_use_are_taken(namespace: str) -> None:
    assert checked_namespace(namespace) == namespace


@pytest.mark.parametrize("name", ["30d_sum", "a:b", "a#b", "//x", "x" * 256, "a\nb"])
def test_an_id_is_made_of_safe_names_only(name: str) -> None:
    with pytest.raises(LineageError):
        field_id("postgres://h:5432", name, "a")
    with pytest.raises(LineageError):
        field_id("postgres://h:5432", "t", name)
