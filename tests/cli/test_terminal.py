"""Tables that fit the terminal, commands to paste, questions."""

import io
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from cli.terminal import columns_of, confirmed, own_command, shortened, table
from tests.support.project import ROOT

HEADER = ("age", "number", "upload")
LONG = "a/very/long/folder/" * 6 + "photo.jpg#9e107d9d"


def on_terminal(monkeypatch: pytest.MonkeyPatch, columns: int) -> None:
    """Let standard output look like a terminal of so many columns."""
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    monkeypatch.setenv("COLUMNS", str(columns))


@pytest.mark.parametrize("columns", [40, 80, 200])
def test_a_table_fits_the_terminal(monkeypatch: pytest.MonkeyPatch, columns: int) -> None:
    on_terminal(monkeypatch, columns)
    text = table(HEADER, [("1h", "1,000", LONG), ("2d", "7", "x")], flexible=("upload",))
    assert max(map(columns_of, text.splitlines())) <= columns
    assert text.splitlines()[1].endswith("#9e107d9d")


def test_two_columns_share_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    on_terminal(monkeypatch, 80)
    text = table(("was", "now"), [("a" * 100, "b" * 30)], flexible=("was", "now"))
    was, now = text.splitlines()[1].split()
    assert (len(was), now) == (48, "b" * 30)


def test_a_column_that_may_not_be_shortened_is_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    on_terminal(monkeypatch, 40)
    assert LONG in table(HEADER, [("1h", "1", LONG)])


def test_nothing_is_shortened_in_a_pipe(capsys: pytest.CaptureFixture[str]) -> None:
    print(table(HEADER, [("1h", "1", LONG)], flexible=("upload",)))
    assert LONG in capsys.readouterr().out


def test_numbers_stand_right_and_a_name_may_have_two_lines() -> None:
    text = table(("name", "two\nlines"), [("a", "7"), ("bcdefg", "10,000")], right=("two\nlines",))
    assert text.splitlines() == [
        "name       two",
        "         lines",
        "a            7",
        "bcdefg  10,000",
    ]


def test_what_the_terminal_s_encoding_lacks_keeps_columns_straight(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), "cp1252"))
    text = table(("name", "ms"), [("\N{BICYCLE}.jpg", "1"), ("plain.jpg", "1")])
    assert len({line.rindex(" ") for line in text.splitlines()}) == 1
    assert "\\ud83d\\udeb2.jpg  1" in text


def test_wide_and_combining_characters_keep_columns_straight() -> None:
    names = ["自転車.jpg", "u\N{COMBINING DIAERESIS}.jpg", "plain.jpg"]
    lines = table(("key", "label"), [(name, "bicycle") for name in names]).splitlines()
    assert len({columns_of(line.partition("bicycle")[0]) for line in lines[1:]}) == 1


@pytest.mark.parametrize("text", ["自転車" * 20, "e\N{COMBINING ACUTE ACCENT}" * 41, "a" * 41])
def test_a_shortened_text_keeps_its_ends(text: str) -> None:
    short = shortened(text, 40)
    assert columns_of(short) in (39, 40)
    head, tail = short.split("\N{HORIZONTAL ELLIPSIS}")
    assert text.startswith(head)
    assert text.endswith(tail)


def test_a_cell_cannot_steer_the_terminal_and_no_table_has_colours(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    on_terminal(monkeypatch, 80)
    assert "\x1b" not in table(("key",), [("a\x1b[2Jb.jpg",)], flexible=("key",))


def test_a_command_to_paste_runs_this_python_and_quotes_names(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    command = own_command("ops", "show", "it's a photo.jpg#1")
    assert shlex.split(command)[1:] == ["-m", "ops", "show", "it's a photo.jpg#1"]
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "executable", str(tmp_path / ".venv" / "bin" / "python"))
    assert own_command("ops", "status") == ".venv/bin/python -m ops status"


def test_a_pasted_command_works_where_this_one_was_started() -> None:
    code = "from cli.terminal import own_command; print(own_command('ops', 'cost', '--json'))"
    printed = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    subprocess.run(printed, shell=True, cwd=ROOT, capture_output=True, check=True)


def test_a_reader_that_has_seen_enough_is_no_error() -> None:
    command = f"{own_command('ops', 'cost', '--json')} | head -1; exit ${{PIPESTATUS[0]}}"
    ended = subprocess.run(
        ["bash", "-c", command], cwd=ROOT, capture_output=True, text=True, env=os.environ
    )
    assert (ended.returncode, ended.stderr) == (0, "")


def test_no_answer_deletes_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def ctrl_d() -> str:
        raise EOFError

    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    monkeypatch.setattr("builtins.input", ctrl_d)
    assert not confirmed("Delete?", yes=False)
    assert "nothing was changed" in capsys.readouterr().err
