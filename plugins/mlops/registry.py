"""What can be added from outside: one registry for each kind of thing, each thing under a name.

A module declares a registry and what the library itself offers in it, as a constant beside the
protocol that every item keeps to::

    MODEL_FORMATS: Registry[ModelFormat] = Registry(
        "model format",
        group="mlops.model_formats",
        built_in={"skops": "mlops.core.artifact.skops_format:SKOPS"},
        requires=("dump", "load"),
    )

and asks for an item by its name, ``MODEL_FORMATS.get("skops")``, where a step needs it. A customer
adds an item in one of two ways, and edits no file of this library:

*An entry point of an installed distribution*, in the registry's group. Its name is the item's
name; its value is the item itself, as ``module:attribute``::

    [project.entry-points."mlops.model_formats"]
    xgboost-json = "acme_mlops.xgboost_format:XGBOOST"

*A module that the option* ``[mlops] extensions`` *names.* It is imported once in a process, and
registers its items while it is imported::

    from mlops.core.artifact.formats import MODEL_FORMATS

    MODEL_FORMATS.register("xgboost-json", XgboostFormat())

Three rules:

- Nothing is loaded before it is asked for. An item of the library is found by its name without a
  look at any extension, so a broken extension never stops a model that does not use it. Importing
  an extension module costs what the module imports: keep heavy imports inside its functions.
- A name belongs to one item. A second item under it is refused, and the library's own names are
  taken. The same file that is executed twice, as Airflow does with files below ``plugins/``, gives
  the same item twice, and the later one is kept.
- Any error of an extension becomes one :class:`~mlops.errors.ExtensionError` that names it.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from threading import Lock
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

from mlops import extensions
from mlops.errors import ExtensionError
from mlops.extensions import extension_error, import_extensions

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

T = TypeVar("T")

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")

# Held while something is noted, never while something is imported: an import has locks of its own.
_LOCK = Lock()


@dataclass(frozen=True)
class _Offer(Generic[T]):
    """An item, and the file that offers it."""

    item: T
    file: str

    @property
    def origin(self) -> tuple[str, str]:
        """Equal for what one file offers when it is executed twice."""
        return os.path.realpath(self.file), self._made_of.__qualname__

    @property
    def _made_of(self) -> Any:
        return self.item if hasattr(self.item, "__qualname__") else type(self.item)

    def __str__(self) -> str:
        return f"{self._made_of.__module__}.{self._made_of.__qualname__} of {self.file}"


class Registry(Generic[T]):
    """Items of one kind by name.

    :param kind: what an item is, for messages: "model format".
    :param group: the group of entry points that add items.
    :param built_in: the library's own items: ``module:attribute``, which is imported when it is
        asked for first, or the item itself.
    :param requires: attributes that every item must have; if an item has the attribute ``name``
        it must be the name that it is registered under.
    """

    _all: ClassVar[list[Registry[Any]]] = []

    def __init__(
        self,
        kind: str,
        *,
        group: str,
        built_in: Mapping[str, str | T],
        requires: Sequence[str] = (),
    ) -> None:
        self.kind = kind
        self.group = group
        self._built_in = dict(built_in)
        self._requires = tuple(requires)
        self._registered: dict[str, _Offer[T]] = {}
        self._points: dict[str, list[EntryPoint]] | None = None
        self._loaded: dict[str, _Offer[T]] = {}
        Registry._all.append(self)

    def register(self, name: str, item: T) -> T:
        """Add an item; for extension modules, while they are imported.

        :returns: the item.
        :raises ExtensionError: the name belongs to another item, or the item lacks something.
        """
        self._check(name, item)
        offer = _Offer(item, sys._getframe(1).f_code.co_filename)
        with _LOCK:
            known = self._registered.get(name)
            if name in self._built_in:
                raise self._duplicate(name, ["this library", str(offer)])
            if known is not None and known.origin != offer.origin:
                raise self._duplicate(name, [str(known), str(offer)])
            self._registered[name] = offer
        return item

    def get(self, name: str) -> T:
        """The item of this name.

        :raises ExtensionError: no item has this name, two extensions offer it, or the extension
            that may have it cannot be loaded.
        """
        if name in self._built_in:
            return self._built_in_item(name)
        broken = import_extensions()
        points = self._entry_points().get(name, [])
        if len(points) > 1:
            raise self._duplicate(name, map(_describe_point, points))
        offer = self._entry_point_item(name, points[0]) if points else None
        registered = self._registered.get(name)
        if offer is not None:
            # A module that an entry point names may register the same item as well.
            if registered is not None and registered.origin != offer.origin:
                raise self._duplicate(name, [_describe_point(points[0]), str(registered)])
            return offer.item
        if registered is not None:
            return registered.item
        if broken:
            raise broken[0]
        raise ExtensionError(
            f"{self.kind} {name!r} is not known",
            found=f"the known ones are {', '.join(self.names())}",
            expected="one of them",
            action="correct the name; or install the distribution that adds it, or name its module "
            "in the option [mlops] extensions, wherever this process runs",
        )

    def built_in_names(self) -> tuple[str, ...]:
        """The names of the library's own items, in their order."""
        return tuple(self._built_in)

    def require(self, name: str) -> None:
        """Refuse a name that :meth:`get` would not find; the library's own items are not loaded.

        :raises ExtensionError: as :meth:`get`.
        """
        if name not in self._built_in:
            self.get(name)

    def names(self) -> tuple[str, ...]:
        """The names of all items: the library's own in their order, then the others, sorted.

        Extension modules are imported for it; what entry points name is not.

        :raises ExtensionError: an extension module cannot be loaded.
        """
        for error in import_extensions():
            raise error
        others = {*self._registered, *self._entry_points()} - set(self._built_in)
        return (*self._built_in, *sorted(others))

    def items(self) -> Iterator[tuple[str, T]]:
        """All names with their items, each loaded; in the order of :meth:`names`.

        :raises ExtensionError: as :meth:`get`; also for an entry point under a name of the library.
        """
        for name in self.names():
            points = self._entry_points().get(name, [])
            if points and name in self._built_in:
                raise self._duplicate(name, ["this library", *map(_describe_point, points)])
            yield name, self.get(name)

    def _built_in_item(self, name: str) -> T:
        item = self._built_in[name]
        if isinstance(item, str):
            module, _, attribute = item.partition(":")
            item = self._built_in[name] = getattr(import_module(module), attribute)
        return item

    def _entry_points(self) -> Mapping[str, list[EntryPoint]]:
        """Entry points of the group by name; the metadata of all distributions is read once."""
        if self._points is None:
            # Imported here: most processes need the library's own items only.
            from importlib.metadata import entry_points  # noqa: PLC0415

            points: dict[str, list[EntryPoint]] = {}
            for point in entry_points(group=self.group):
                named = points.setdefault(point.name, [])
                # One distribution that is on the path twice is not two of them.
                if point.value not in [other.value for other in named]:
                    named.append(point)
            self._points = points
        return self._points

    def _entry_point_item(self, name: str, point: EntryPoint) -> _Offer[T]:
        if name not in self._loaded:
            try:
                item: T = point.load()
            except Exception as error:  # a customer's module may raise anything
                raise extension_error(_describe_point(point), error) from error
            self._check(name, item)
            self._loaded[name] = _Offer(item, str(sys.modules[point.module].__file__))
        return self._loaded[name]

    def _check(self, name: str, item: T) -> None:
        if not _NAME.fullmatch(name):
            raise ExtensionError(
                f"the name of a {self.kind}",
                found=repr(name),
                expected="letters, digits, '_', '.' and '-'",
            )
        missing = [attribute for attribute in self._requires if not hasattr(item, attribute)]
        own_name = getattr(item, "name", name)
        if missing or own_name != name:
            lack = f"without {', '.join(missing)}" if missing else f"whose name is {own_name!r}"
            raise ExtensionError(
                f"{self.kind} {name!r}",
                found=f"an object of {type(item).__module__}.{type(item).__qualname__} {lack}",
                expected=f"an object of this name with {', '.join(self._requires)}",
                action="correct the extension, or take it out",
            )

    def _duplicate(self, name: str, offers: Iterable[str]) -> ExtensionError:
        return ExtensionError(
            f"{self.kind} {name!r} is offered twice",
            found=", and by ".join(offers),
            expected="one item under each name",
            action="give one of them another name, or take one out",
        )


@contextmanager
def extensions_for(*modules: str) -> Iterator[None]:
    """For tests: these extension modules only, and all registries as before at the end.

    Distributions that were put on ``sys.path`` in the meantime are found within the block.
    """
    before = extensions.STATE.source, set(extensions.STATE.imported)
    registered = {id(registry): dict(registry._registered) for registry in Registry._all}
    extensions.STATE.source = lambda: modules
    _forget_entry_points()
    try:
        yield
    finally:
        for module in extensions.STATE.imported - before[1]:
            # A module that is still loaded would not register its items a second time.
            sys.modules.pop(module, None)
        extensions.STATE.source, extensions.STATE.imported = before
        for registry in Registry._all:
            registry._registered = registered.get(id(registry), {})
        _forget_entry_points()


def _forget_entry_points() -> None:
    for registry in Registry._all:
        registry._points, registry._loaded = None, {}


def _describe_point(point: EntryPoint) -> str:
    owner = point.dist.name if point.dist is not None else "an unnamed distribution"
    return f"{point.value} (entry point of {owner})"
