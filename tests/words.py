"""Words that readers trip over, counted: ``python -m tests.words [-l] [-n] [PART ...]``.

A reader whose first language is not English looks up "told" and "stands" and finds a hundred
meanings; a search for the usual term finds nothing. So these idioms are kept rare in the package
and in its pages. The figures are for a thousand words, as ``wc -w`` counts them; an underscore in
a name separates two words.
"""

from __future__ import annotations

import argparse
import ast
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

PROJECT = Path(__file__).parents[1]
SUFFIXES = {".py", ".j2", ".md", ".yml", ".js", ".sql"}
PARTS = ("plugins", "docs", "README.md", "CHANGELOG.md", "demo", "bench")

IDIOMS = (
    "told",
    "tell",
    "said",
    "says",
    "whoever",
    "whatever",
    "none where",
    "stands",
    "gone",
    "nobody",
    "somebody",
    "is no",
    "of ours",
    "lies",
    "anew",
    "on record",
)
# "is no longer" is plain English; "is no URL" is not.
SPECIAL = {"tell": "tells?", "is no": r"is[\s#]+no(?![\s#]+longer)"}
ANY = re.compile(
    r"\b(" + "|".join(SPECIAL.get(i, i.replace(" ", r"[\s#]+")) for i in IDIOMS) + r")\b",
    re.IGNORECASE,
)


def _names(*lines: str) -> frozenset[str]:
    return frozenset(" ".join(lines).split())


# Names of the past that nobody could guess the meaning of; what they name has plainer ones now.
CRYPTIC = _names(
    "Told told tell Governed Standing SeatStanding Vouched vouched take_turns unread live_package",
    "naming naming_the_model Objection Witness Act courier folded suffice calm_threads OURS MOST",
    "NOTHING EVERYTHING BEGINNING Well Said damaging Places Sides rows_gone dossier slot",
    "answer_days",
)
# Ordinary words: as the name of a variable they may do, as that of a function or a module not.
VAGUE = _names(
    "alone close better refused failed able moments words silence reading answered marked facts",
    "named found asked",
)
# Stored under this name: a column of the table of notices.
STORED = frozenset(
    {("store/tables.py", "told"), ("store/migrations/versions/0001_first_tables.py", "told")}
)


@dataclass
class Figures:
    """What some files hold.

    :ivar words: how many words they have.
    :ivar idioms: how often each idiom occurs in them.
    """

    words: int = 0
    idioms: Counter[str] = field(default_factory=Counter)

    @property
    def rate(self) -> float:
        """Idioms in a thousand words."""
        return 1000 * self.idioms.total() / self.words if self.words else 0.0

    def add(self, text: str) -> None:
        """Count the words and idioms of one more text."""
        self.words += len(text.split())
        self.idioms.update(idiom for _, idiom in found(text))


def found(text: str) -> Iterator[tuple[int, str]]:
    """Line number and name of each idiom in a text."""
    plain = text.replace("_", " ")
    for match in ANY.finditer(plain):
        idiom = " ".join(match[0].lower().replace("#", " ").split())
        yield plain.count("\n", 0, match.start()) + 1, "tell" if idiom == "tells" else idiom


def files(part: Path) -> list[Path]:
    """The texts of a part of the project: of a folder, or one file."""
    if part.is_file():
        return [part]
    return sorted(file for file in part.rglob("*") if file.suffix in SUFFIXES)


def figures(paths: Iterable[Path]) -> Figures:
    """The figures of some files together."""
    made = Figures()
    for path in paths:
        made.add(path.read_text(encoding="utf-8"))
    return made


def packages(part: Path) -> dict[str, list[Path]]:
    """The files of a part by the folder below it, or below the package, that holds them."""
    base = part / "mlops" if part.name == "plugins" else part
    made: dict[str, list[Path]] = {}
    for file in files(part):
        places = file.relative_to(base).parts if file != part else ()
        made.setdefault(places[0] if len(places) > 1 else ".", []).append(file)
    return made


def cryptic_names(root: Path) -> Iterator[str]:
    """Place and name of each definition below a folder whose name is one of those above."""
    for path in sorted(root.rglob("*.py")):
        place = path.relative_to(root).as_posix()
        tree = ast.parse(path.read_text(encoding="utf-8"))
        names = [(1, path.stem)] if path.stem in VAGUE | CRYPTIC else []
        names += [(line, name) for line, name in defined(tree) if name.strip("_") in CRYPTIC]
        names += [(line, name) for line, name in called(tree) if name.strip("_") in VAGUE]
        yield from (
            f"{place}:{line}: {name}" for line, name in names if (place, name) not in STORED
        )


def defined(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Line and name of every function, class, parameter and variable of a module."""
    for node in ast.walk(tree):
        match node:
            case (
                ast.FunctionDef(name=name)
                | ast.AsyncFunctionDef(name=name)
                | ast.ClassDef(name=name)
            ):
                yield node.lineno, name
            case ast.arg(arg=name) | ast.Name(id=name, ctx=ast.Store()):
                yield node.lineno, name


def called(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Line and name of every function and class at the top of a module."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.lineno, node.name


def print_part(part: Path, *, lines: bool) -> None:
    """Print the figures of a part and of each folder of it, with the lines if they are wanted."""
    total = figures(files(part))
    name = part.relative_to(PROJECT).as_posix()
    print(f"{name:24} {total.rate:6.2f} in a thousand of {total.words} words")
    for folder, inside in packages(part).items():
        made = figures(inside)
        if made.idioms:
            each = ", ".join(f"{count} {idiom}" for idiom, count in made.idioms.most_common())
            print(f"  {folder:22} {made.rate:6.2f}  {each}")
        if lines:
            print_lines(inside)


def print_lines(paths: Iterable[Path]) -> None:
    """Print each line that holds an idiom."""
    for path in paths:
        text = path.read_text(encoding="utf-8")
        rows = text.splitlines()
        for number, idiom in found(text):
            row = rows[number - 1].strip()
            print(f"    {path.relative_to(PROJECT)}:{number}: {idiom}: {row}")


def main() -> None:
    """Print the figures of the parts named, or of all."""
    parser = argparse.ArgumentParser(prog="python -m tests.words", description=__doc__)
    parser.add_argument("parts", nargs="*", default=PARTS, metavar="PART", help="folder or file")
    parser.add_argument("-l", "--lines", action="store_true", help="print the lines as well")
    parser.add_argument("-n", "--names", action="store_true", help="print cryptic names instead")
    options = parser.parse_args()
    if options.names:
        print("\n".join(cryptic_names(PROJECT / "plugins" / "mlops")))
        return
    for part in options.parts:
        print_part((PROJECT / part).resolve(), lines=options.lines)


if __name__ == "__main__":
    main()
