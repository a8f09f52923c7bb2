"""A program of several commands: options on both sides of the command, one form of error."""

import argparse
import sys
import types
from dataclasses import replace

import pytest
from botocore.exceptions import ClientError

from cli.errors import CommandError
from cli.program import Program


def options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--stack", default="from-samconfig")


@pytest.fixture
def program(monkeypatch: pytest.MonkeyPatch) -> Program:
    """A program of one command, which prints the stack that it was given."""

    def run(arguments: argparse.Namespace) -> int:
        if arguments.fail:
            raise CommandError("the value 7\nis above the limit of 5")
        print(arguments.stack)
        return 1

    def add_arguments(parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--fail", action="store_true")

    module = types.ModuleType("commands.say", "Say the stack.")
    vars(module).update(run=run, add_arguments=add_arguments)
    monkeypatch.setitem(sys.modules, "commands", types.ModuleType("commands"))
    monkeypatch.setitem(sys.modules, "commands.say", module)
    return Program("program", "A program.", {"say": "say it"}, "commands", "extra", options)


@pytest.mark.parametrize(
    ("words", "stack"),
    [
        pytest.param(["say"], "from-samconfig", id="default"),
        pytest.param(["say", "--stack", "X"], "X", id="behind"),
        pytest.param(["--stack", "X", "say"], "X", id="before"),
        pytest.param(["--stack", "X", "say", "--stack", "Y"], "Y", id="the last counts"),
    ],
)
def test_shared_options_stand_before_the_command_or_behind_it(
    program: Program, capsys: pytest.CaptureFixture[str], words: list[str], stack: str
) -> None:
    assert program.main(words) == 1
    assert capsys.readouterr().out == f"{stack}\n"


@pytest.mark.parametrize(
    ("words", "error"),
    [
        pytest.param(["say", "--strange"], "unrecognized arguments: --strange", id="option"),
        pytest.param(["say", "--sta", "X"], "unrecognized arguments: --sta X", id="abbreviation"),
        pytest.param(["strange"], "invalid choice: 'strange'", id="command"),
    ],
)
def test_what_is_no_command_line_is_one_line_like_every_error(
    program: Program, capsys: pytest.CaptureFixture[str], words: list[str], error: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        program.main(words)
    printed = capsys.readouterr().err
    assert ended.value.code == 2
    assert printed.startswith("error: ")
    assert error in printed
    assert printed.endswith(" --help\n")
    assert printed.count("\n") == 1


def test_an_error_of_a_command_is_one_line(
    program: Program, capsys: pytest.CaptureFixture[str]
) -> None:
    assert program.main(["say", "--fail"]) == 2
    assert capsys.readouterr().err == "error: the value 7 is above the limit of 5\n"


def test_a_call_that_is_not_allowed_is_told_with_the_program_s_advice(
    program: Program, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(_arguments: argparse.Namespace) -> int:
        raise ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "Query")

    monkeypatch.setattr(sys.modules["commands.say"], "run", run)
    assert program.main(["say"]) == 2
    assert capsys.readouterr().err == "error: Query is not allowed: no\n"
    assert replace(program, denied="attach a policy").main(["say"]) == 2
    assert capsys.readouterr().err == "error: Query is not allowed: no; attach a policy\n"


def test_without_a_command_the_help_is_shown(
    program: Program, capsys: pytest.CaptureFixture[str]
) -> None:
    assert program.main([]) == 2
    assert "say it" in capsys.readouterr().out
