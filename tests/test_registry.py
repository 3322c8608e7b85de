"""Registries: the library's own items, entry points, and modules that a setting names."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from mlops.errors import ExtensionError
from mlops.registry import Registry, extensions_for

PLUGINS = Path(__file__).parents[1] / "plugins"
GROUP = "mlops.test_colours"


@dataclass(frozen=True)
class Colour:
    """What the registry of these tests holds."""

    name: str
    rgb: str = "000000"


COLOURS: Registry[Colour] = Registry(
    "colour",
    group=GROUP,
    built_in={"red": Colour("red"), "blue": "mlops_test_blue:BLUE"},
    requires=("name", "rgb"),
)

REGISTERS = "from {here} import COLOURS, Colour\nCOLOURS.register({name!r}, {item})\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder on ``sys.path``, whose modules are forgotten afterwards."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(sys.modules, "colours_here", sys.modules[__name__])
    known = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - known:
        del sys.modules[name]


def write_module(folder: Path, name: str, item: str, *, colour: str) -> None:
    """A module that registers one colour while it is imported."""
    text = REGISTERS.format(here="colours_here", name=colour, item=item)
    (folder / f"{name}.py").write_text(text)


def write_distribution(folder: Path, name: str, **points: str) -> None:
    """An installed distribution with entry points, as an installer leaves it."""
    info = folder / f"{name.replace('-', '_')}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    lines = "".join(f"{point} = {value}\n" for point, value in points.items())
    (info / "entry_points.txt").write_text(f"[{GROUP}]\n{lines}")


def test_an_item_of_the_library_is_imported_when_it_is_asked_for(folder: Path) -> None:
    (folder / "mlops_test_blue.py").write_text(
        "from colours_here import Colour\nBLUE = Colour('blue', '0000ff')\n"
    )
    assert "mlops_test_blue" not in sys.modules
    assert COLOURS.get("red") is COLOURS.get("red")
    assert "mlops_test_blue" not in sys.modules
    assert COLOURS.get("blue").rgb == "0000ff"
    assert "mlops_test_blue" in sys.modules


def test_an_extension_module_adds_an_item(folder: Path) -> None:
    write_module(folder, "acme_green", "Colour('green', '00ff00')", colour="green")
    with extensions_for("acme_green"):
        assert COLOURS.names() == ("red", "blue", "green")
        assert COLOURS.get("green").rgb == "00ff00"
    assert COLOURS.names() == ("red", "blue")
    with extensions_for("acme_green"):  # and once more, as another test would
        assert COLOURS.get("green").rgb == "00ff00"


def test_an_entry_point_adds_an_item_and_is_loaded_when_it_is_asked_for(folder: Path) -> None:
    (folder / "acme_white.py").write_text(
        "from colours_here import Colour\nWHITE = Colour('white', 'ffffff')\n"
    )
    write_distribution(folder, "acme-colours", white="acme_white:WHITE")
    with extensions_for():
        assert COLOURS.names() == ("red", "blue", "white")
        assert "acme_white" not in sys.modules
        assert COLOURS.get("white").rgb == "ffffff"
        assert COLOURS.get("white") is COLOURS.get("white")


def test_an_unknown_name_is_refused_with_the_known_ones(folder: Path) -> None:
    write_module(folder, "acme_green", "Colour('green')", colour="green")
    with (
        extensions_for("acme_green"),
        pytest.raises(ExtensionError, match=r"^colour 'pink' is not known") as caught,
    ):
        COLOURS.get("pink")
    assert caught.value.found == "the known ones are red, blue, green"
    assert "[mlops] extensions" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("import nothing_of_this_name", "ModuleNotFoundError: No module named"),
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("def", "SyntaxError: "),
    ],
)
def test_a_broken_extension_is_named_and_stops_only_what_needs_it(
    folder: Path, text: str, found: str
) -> None:
    (folder / "acme_broken.py").write_text(text)
    write_module(folder, "acme_green", "Colour('green')", colour="green")
    with extensions_for("acme_broken", "acme_green"):
        assert COLOURS.get("red").name == "red"
        assert COLOURS.get("green").name == "green"
        for ask in (lambda: COLOURS.get("pink"), COLOURS.names, lambda: list(COLOURS.items())):
            with pytest.raises(
                ExtensionError, match=r"^the extension acme_broken \(the option"
            ) as caught:
                ask()
            assert str(caught.value.found).startswith(found)
            assert caught.value.__cause__ is not None


def test_a_broken_entry_point_is_named(folder: Path) -> None:
    write_distribution(folder, "acme-colours", pink="acme_missing:PINK", grey="colours_here:GREY")
    with extensions_for():
        for name, value in (("pink", "acme_missing:PINK"), ("grey", "colours_here:GREY")):
            named = rf"^the extension {value} \(entry point of acme-colours\) cannot be loaded"
            with pytest.raises(ExtensionError, match=named):
                COLOURS.get(name)
        assert COLOURS.get("red").name == "red"


def test_a_name_of_the_library_is_taken(folder: Path) -> None:
    write_module(folder, "acme_red", "Colour('red', '990000')", colour="red")
    write_distribution(folder, "acme-colours", red="colours_here:COLOURS")
    with extensions_for("acme_red"):
        assert COLOURS.get("red").rgb == "000000"
        with pytest.raises(ExtensionError, match="acme_red") as caught:
            COLOURS.get("pink")
        assert "colour 'red' is offered twice" in str(caught.value)
    with extensions_for(), pytest.raises(ExtensionError, match="colour 'red' is offered twice"):
        list(COLOURS.items())


def test_two_extensions_may_not_offer_one_name(folder: Path) -> None:
    write_module(folder, "acme_one", "Colour('green')", colour="green")
    (folder / "acme_two.py").write_text(
        "from colours_here import COLOURS, Colour\n"
        "COLOURS.register('green', Colour('green'))\n"
        "WHITE = Colour('white')\n"
    )
    write_distribution(folder, "acme-a", white="acme_two:WHITE", grey="acme_two:GREY")
    (folder / "acme_three.py").write_text(
        "from colours_here import Colour\nWHITE, GREEN = Colour('white'), Colour('green')\n"
    )
    write_distribution(folder, "acme-b", white="acme_three:WHITE", green="acme_three:GREEN")
    with extensions_for("acme_one", "acme_two"):
        for name, first, second in (
            ("white", "acme_two:WHITE (entry point of acme-a)", "acme_three:WHITE"),
            ("green", "acme_three:GREEN (entry point of acme-b)", "acme_one.py"),
        ):
            with pytest.raises(ExtensionError, match=f"^colour '{name}' is offered twice") as got:
                COLOURS.get(name)
            assert first in str(got.value)
            assert second in str(got.value)
        with pytest.raises(ExtensionError, match=r"extension acme_two .*offered twice"):
            COLOURS.names()


def test_one_item_by_an_entry_point_and_by_its_module_is_one(folder: Path) -> None:
    (folder / "acme_white.py").write_text(
        "from colours_here import COLOURS, Colour\n"
        "WHITE = COLOURS.register('white', Colour('white', 'ffffff'))\n"
    )
    write_distribution(folder, "acme-colours", white="acme_white:WHITE")
    with extensions_for():
        assert COLOURS.get("white") is COLOURS.get("white")
    del sys.modules["acme_white"]
    with extensions_for("acme_white"):
        assert COLOURS.get("white") is COLOURS.get("white")
        assert COLOURS.names() == ("red", "blue", "white")


def test_a_file_that_is_executed_twice_offers_its_items_once(folder: Path) -> None:
    """Airflow executes each file below ``plugins/`` under its stem, whatever package it is in."""
    (folder / "acme").mkdir()
    (folder / "acme" / "shades.py").write_text(
        "from colours_here import COLOURS, Colour\n"
        "class Shade(Colour): ...\n"
        "COLOURS.register('green', Shade('green', __name__))\n"
    )
    (folder / "shades.py").symlink_to(folder / "acme" / "shades.py")
    with extensions_for("acme.shades"):
        assert COLOURS.get("green").rgb == "acme.shades"
        module = sys.modules["acme.shades"]
        file = str(folder / "shades.py")
        exec(compile(Path(file).read_text(), file, "exec"), module.__dict__)
        assert COLOURS.get("green").rgb == "acme.shades"
        assert COLOURS.names() == ("red", "blue", "green")


@pytest.mark.parametrize(
    ("name", "item", "message"),
    [
        ("green", Colour("grey"), "Colour whose name is 'grey'"),
        ("green", "a text", "found an object of builtins.str without name, rgb"),
        ("light green", Colour("light green"), "found 'light green'; expected letters"),
        ("", Colour(""), "found ''; expected letters"),
    ],
)
def test_an_item_is_checked_when_it_is_registered(name: str, item: Colour, message: str) -> None:
    with pytest.raises(ExtensionError, match=message):
        COLOURS.register(name, item)
    assert name not in COLOURS.names()


@pytest.mark.airflow
def test_the_setting_names_the_modules_and_nothing_is_imported_before_it_is_needed(
    folder: Path,
) -> None:
    (folder / "acme_green.py").write_text(
        "print('imported')\n"
        "from registry_here import COLOURS\n"
        "COLOURS.register('green', 'the green of acme')\n"
    )
    (folder / "registry_here.py").write_text(
        "from mlops.registry import Registry\n"
        "COLOURS = Registry('colour', group='mlops.test_colours', built_in={'red': None})\n"
    )
    code = (
        "import sys\n"
        "from mlops import settings\n"
        "from registry_here import COLOURS\n"
        "import mlops.lifecycle, mlops.plugin\n"
        "assert COLOURS.get('red') is None\n"
        "print('not yet')\n"
        "print(COLOURS.get('green'), settings.extensions())\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={
            "PATH": "/usr/bin:/bin",
            "PYTHONPATH": f"{PLUGINS}:{folder}",
            "AIRFLOW_HOME": str(folder / "home"),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__MLOPS__EXTENSIONS": "acme_green, acme_green,",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[-3:] == ["not yet", "imported", "the green of acme ('acme_green',)"]
