"""What a terminal may be sent: names, tables that fit it, commands to paste, questions."""

import ast
import io
import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from cli.terminal import (
    Progress,
    columns_of,
    confirmed,
    escaped,
    escaped_output,
    own_command,
    printable,
    read_back,
    shortened,
    table,
)
from tests.support.project import ROOT

ROOMS = ("cli", "ops", "local", "model")
HOSTILE = "\x1b[2J\x9b31m\u202egpj\u2066\u200e\u061c\x07\x7f"
# What a key of S3 may hold and a terminal would obey, hide, or not give back when it is copied.
NAMES = {
    "plain": "photos/bicycle 1.jpg",
    "escape sequences": "a\x1b[2J\x1b]0;title\x07.jpg",
    "C1 controls": "a\x9b31m.jpg",
    "marks of direction": "\u202egpj.exe\u2066\u200e\u061c.jpg",
    "lines": "new\nline\r\n\u2028.jpg",
    "odd spaces": "a\N{NO-BREAK SPACE}b\N{IDEOGRAPHIC SPACE}\t.jpg",
    "joined emoji": "\N{WOMAN}\N{ZERO WIDTH JOINER}\N{ROCKET}.jpg",
    "beyond U+FFFF": "\N{ROCKET}\N{TAG LATIN SMALL LETTER A}.jpg",
    "backslashes": "back\\slash\\\\u0041\\u001b.jpg",
    "not Unicode": "a\udc80.jpg",
}
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


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
def test_a_printed_name_is_harmless_and_can_be_read_back(name: str) -> None:
    printed = printable(name)
    assert printed.isprintable()
    assert read_back(printed) == name
    assert read_back(escaped(printed, encoding="ascii")) == name  # a terminal that has no more


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
def test_escaped_json_is_the_same_json(name: str) -> None:
    text = escaped(json.dumps({name: name}, ensure_ascii=False))
    assert text.isprintable()
    assert json.loads(text) == {name: name}


@pytest.mark.parametrize("width", range(3, 40))
def test_an_escape_is_not_cut(width: int) -> None:
    name = "\x1b\N{TAG LATIN SMALL LETTER A}" * 4
    head, tail = shortened(printable(name), width).split("\N{HORIZONTAL ELLIPSIS}")
    assert name.startswith(read_back(head))
    assert name.endswith(read_back(tail))


def test_whatever_is_printed_is_escaped_and_lines_end(capsys: pytest.CaptureFixture[str]) -> None:
    with escaped_output():
        print(HOSTILE, "one", file=sys.stderr)
        print("two")
        sys.stdout.writelines([HOSTILE, "\n"])
    out, err = capsys.readouterr()
    assert err == escaped(HOSTILE) + " one\n"
    assert out == f"two\n{escaped(HOSTILE)}\n"


def test_a_character_that_the_terminal_s_encoding_lacks_is_escaped(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, "cp1252", write_through=True))
    with escaped_output():
        print("ü \N{CJK UNIFIED IDEOGRAPH-65E5}")
    assert written.getvalue() == b"\xfc \\u65e5\n"


def test_progress_is_escaped_but_its_own_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    with escaped_output(), Progress() as progress:
        progress.tell(HOSTILE)
    assert capsys.readouterr().err == f"\r\033[K{escaped(HOSTILE)}\r\033[K"


def commands() -> list[str]:
    """Return the modules that people run, as `python -m` takes them."""
    paths = [path for room in ROOMS for path in sorted((ROOT / room).rglob("*.py"))]
    names = [
        path.relative_to(ROOT).with_suffix("").as_posix().replace("/", ".")
        for path in paths
        if '__name__ == "__main__"' in path.read_text()
    ]
    # One runs in the endpoint's container and one in a function: they import nothing of cli.
    others = {"model.serving.server", "local.lambdas.bootstrap"}
    return [name.removesuffix(".__main__") for name in names if name not in others]


@pytest.mark.parametrize("module", commands())
def test_every_command_escapes_what_its_command_line_says(module: str) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", module, *[HOSTILE] * 3], cwd=ROOT, capture_output=True, text=True
    )
    assert (ended.returncode, ended.stdout) == (2, "")
    assert "\\u001b[2J" in ended.stderr or "\\x1b[2J" in ended.stderr  # as repr() quotes it
    assert ended.stderr.replace("\n", "").isprintable()


def test_no_command_prints_past_the_escape() -> None:
    past = {"__stdout__", "__stderr__", "buffer", "unescaped", "tty"}
    found = {
        (path.relative_to(ROOT).as_posix(), node.attr)
        for room in ROOMS
        for path in (ROOT / room).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute)
        and (node.attr in past or ast.unparse(node) in ("os.write", "os.system"))
    }
    assert found == {("cli/terminal.py", "unescaped")}
