"""What others wrote reaches a terminal harmless, from every command, and can be pasted back."""

import ast
import io
import json
import subprocess
import sys

import pytest

from cli.escaping import escaped, escaped_output, printable, read_back
from cli.terminal import Progress, shortened
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
    assert found == {("cli/escaping.py", "unescaped")}
