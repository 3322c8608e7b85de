"""The commands, from the parser that reads them."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass

from mlops.cli.main import _parser
from tests.reference.text import sentence, table


@dataclass(frozen=True)
class Command:
    """A command: its words, and the parser that reads what follows them."""

    words: str
    parser: argparse.ArgumentParser

    @property
    def arguments(self) -> list[argparse.Action]:
        """Its arguments and options, without ``--help``."""
        return [a for a in self.parser._actions if not isinstance(a, argparse._HelpAction)]


def find_commands(
    parser: argparse.ArgumentParser | None = None, words: str = "mlops"
) -> Iterator[Command]:
    """Every command of the parser."""
    parser = parser or _parser()
    groups = [a for a in parser._actions if isinstance(a, argparse._SubParsersAction)]
    for group in groups:
        for name, child in group.choices.items():
            yield from find_commands(child, f"{words} {name}")
    if not groups:
        yield Command(words, parser)


def command_sections() -> str:
    """A section for each command: what it does, what it takes and when it ends with 1."""
    return "\n".join(_section(command) for command in find_commands())


def _section(command: Command) -> str:
    rows = [
        (f"`{_name(a)}`", "yes" if a.required else "", sentence(a.help or ""))
        for a in command.arguments
    ]
    parts = [
        f"## {command.words}",
        sentence(command.parser.description or ""),
        table(("argument", "required", "what it is"), rows).rstrip() if rows else "",
        sentence(command.parser.epilog) if command.parser.epilog else "",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _name(action: argparse.Action) -> str:
    value = action.metavar or (action.dest.upper() if action.nargs != 0 else "")
    if not action.option_strings:
        return " or ".join(action.choices or [str(value)])
    return f"{action.option_strings[-1]} {value}".strip()
