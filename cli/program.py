"""A program of several commands, each a module that is imported when it is asked for."""

import argparse
import importlib
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from cli.arguments import Parser
from cli.errors import guarded

Options = Callable[[argparse.ArgumentParser], None]


def no_options(_parser: argparse.ArgumentParser) -> None:
    """Add nothing: the commands of a program need not share options."""


@dataclass(frozen=True)
class Program:
    """`python -m NAME [OPTIONS] COMMAND [OPTIONS]`.

    description: shown by --help above the commands. commands: a line for each; the module
    PACKAGE.COMMAND has `add_arguments(parser)` and `run(arguments) -> exit code`. extra: of
    pyproject.toml, what they import. options: shared by all, taken before the command as behind it.
    denied: what to do where AWS does not allow a call.
    """

    name: str
    description: str
    commands: Mapping[str, str]
    package: str
    extra: str
    options: Options = no_options
    denied: str = ""

    def main(self, words: Sequence[str] | None = None) -> int:
        """Run the command that the command line names; return its exit code."""
        return guarded(lambda: self._main(words), self.extra, denied=self.denied)

    def _main(self, words: Sequence[str] | None) -> int:
        width = max(map(len, self.commands)) + 2
        listed = "\n".join(f"  {name:<{width}}{text}" for name, text in self.commands.items())
        top = Parser(self.name, f"{self.description}\n\ncommands:\n{listed}")
        self.options(top)
        top.usage = "%(prog)s [options] COMMAND [options]"
        # One argument for the command and all that follows: two would lose a `--` between them.
        top.add_argument("words", nargs=argparse.PARSER, metavar="COMMAND", help="one of the above")
        words = sys.argv[1:] if words is None else words
        if not words:
            top.print_help()
            return 2
        given = vars(top.parse_args(words))
        command, *rest = given.pop("words")
        if command not in self.commands:
            top.error(f"invalid choice: {command!r} (choose from {', '.join(self.commands)})")
        return self._run(command, rest, given)

    def _run(self, command: str, rest: Sequence[str], given: Mapping[str, object]) -> int:
        module = importlib.import_module(f"{self.package}.{command}")
        parser = Parser(f"{self.name} {command}", module.__doc__ or "")
        module.add_arguments(parser)
        self.options(parser)
        parser.set_defaults(**given)  # those before the command, or the defaults that both share
        return int(module.run(parser.parse_args(rest)))
