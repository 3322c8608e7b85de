"""Whether an event is as the OpenLineage specification has it.

No package holds the specification's JSON schemas. What openlineage-python holds instead are the
classes that its authors generate from them, a class for each definition: with its URL, its
fields, which of them are required, their types, and checks of dates, URIs and UUIDs. An event is
held against these classes, more strictly than they do it themselves.
"""

from __future__ import annotations

import importlib
import pkgutil
import types
from collections.abc import Iterator, Mapping
from enum import Enum
from functools import cache
from typing import Any, Union, get_args, get_origin, get_type_hints

import attr
from openlineage.client import generated
from openlineage.client.generated import base

STANDARD = "https://openlineage.io/"
_ENDINGS = ("InputDatasetFacet", "OutputDatasetFacet", "DatasetFacet", "RunFacet", "JobFacet")
# Keys of facets that are not their names without the ending.
_IRREGULAR = {
    "DatasourceDatasetFacet": "dataSource",
    "DatasetVersionDatasetFacet": "version",
    "SQLJobFacet": "sql",
    "ProcessingEngineRunFacet": "processing_engine",
    "InputSubsetInputDatasetFacet": "subset",
    "OutputSubsetOutputDatasetFacet": "subset",
}
# The kind of the facets that a thing has, by the key under which it has them.
_KINDS = {
    ("Run", "facets"): base.RunFacet,
    ("Job", "facets"): base.JobFacet,
    ("InputDataset", "facets"): base.DatasetFacet,
    ("InputDataset", "inputFacets"): base.InputDatasetFacet,
    ("OutputDataset", "facets"): base.DatasetFacet,
    ("OutputDataset", "outputFacets"): base.OutputDatasetFacet,
}


def faults(event: Mapping[str, Any]) -> list[str]:
    """What is wrong with an event, each with its place in it; empty for a good one.

    Own facets, whose ``_schemaURL`` is not one of OpenLineage, need nothing but a producer and a
    URL.
    """
    found = definitions().get(str(event.get("schemaURL")))
    if found not in (base.RunEvent, base.JobEvent, base.DatasetEvent):
        return [f"schemaURL: {event.get('schemaURL')!r} is no event of OpenLineage"]
    return list(_of_class(event, found, "event"))


@cache
def definitions() -> dict[str, type]:
    """Every class of openlineage-python that stands for a definition, by its URL."""
    modules = [
        importlib.import_module(f"{generated.__name__}.{module.name}")
        for module in pkgutil.iter_modules(generated.__path__)
    ]
    return {
        kind._get_schema(): kind
        for module in modules
        for kind in vars(module).values()
        if isinstance(kind, type) and attr.has(kind) and kind.__module__ == module.__name__
        if hasattr(kind, "_get_schema")
    }


def facet_key(kind: type) -> str:
    """The key under which a standard facet stands."""
    name = kind.__name__
    if name in _IRREGULAR:
        return _IRREGULAR[name]
    ending = next(ending for ending in _ENDINGS if name.endswith(ending))
    short = name.removesuffix(ending)
    return short[0].lower() + short[1:]


def _of_class(value: Any, kind: type, place: str) -> Iterator[str]:
    if not isinstance(value, Mapping):
        yield f"{place}: {value!r} is no {kind.__name__}"
        return
    fields = {field.name: field for field in attr.fields(kind)}
    hints = _hints(kind)
    for name, field in fields.items():
        if name not in value:
            if field.default is attr.NOTHING or name in ("_producer", "_schemaURL", "producer"):
                yield f"{place}: {name} is missing"
            continue
        holder = _KINDS.get((kind.__name__, name))
        if holder is not None:
            yield from _of_facets(value[name], holder, f"{place}.{name}")
            continue
        wrong = list(_of_type(value[name], hints[name], f"{place}.{name}"))
        yield from wrong or _refused(kind, field, value[name], f"{place}.{name}")
    if not hasattr(kind, "with_additional_properties"):
        yield from (f"{place}: {name} is unknown" for name in value if name not in fields)


@cache
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)


def _of_facets(value: Any, holder: type, place: str) -> Iterator[str]:
    if not isinstance(value, Mapping):
        yield f"{place}: {value!r} is no object"
        return
    for key, facet in value.items():
        here = f"{place}.{key}"
        url = facet.get("_schemaURL") if isinstance(facet, Mapping) else None
        if not isinstance(url, str) or not url.startswith(STANDARD):
            yield from _of_class(facet, base.BaseFacet, here)
            continue
        kind = definitions().get(url)
        if kind is None or not issubclass(kind, holder):
            yield f"{here}: {url} is no {holder.__name__}"
        elif kind is not holder and facet_key(kind) != key:
            yield f"{here}: {kind.__name__} stands under {facet_key(kind)}"
        else:
            yield from _of_class(facet, kind, here)


def _of_type(value: Any, wanted: Any, place: str) -> Iterator[str]:
    """A null is never right: the definitions leave out what is not there."""
    origin = get_origin(wanted)
    if wanted is Any:
        return
    if origin in (Union, types.UnionType):
        choices = [choice for choice in get_args(wanted) if choice is not type(None)]
        tried = [list(_of_type(value, choice, place)) for choice in choices]
        yield from min(tried, key=len)
    elif origin in (list, dict):
        yield from _of_container(value, origin, get_args(wanted)[-1], place)
    elif attr.has(wanted):
        yield from _of_class(value, wanted, place)
    elif not _is_plain(value, wanted):
        yield f"{place}: {value!r} is no {wanted.__name__}"


def _of_container(value: Any, kind: type, inner: Any, place: str) -> Iterator[str]:
    if not isinstance(value, kind):
        yield f"{place}: {value!r} is no {kind.__name__}"
        return
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for name, item in items:
        yield from _of_type(item, inner, f"{place}.{name}")


def _is_plain(value: Any, wanted: type) -> bool:
    if issubclass(wanted, Enum):
        return value in [member.value for member in wanted]
    if wanted is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    if wanted is int:
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, wanted)


def _refused(kind: type, field: Any, value: Any, place: str) -> Iterator[str]:
    """What the class itself says of a value of the right type: dates, URIs, UUIDs."""
    if field.validator is None:
        return
    try:
        field.validator(kind, field, value)
    except (ValueError, TypeError, AttributeError) as error:
        yield f"{place}: {error}"
