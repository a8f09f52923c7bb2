"""The errors of the commands."""

import ast
import csv
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PIL import Image

import cli.errors
from cli.errors import guarded
from tests.support.project import ROOT


def subclasses(name: str) -> Iterator[str]:
    """Yield the classes below one, by their names, in what the commands are made of."""
    for package in ("cli", "model", "ops", "local"):
        for path in (ROOT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.ClassDef) and name in map(last_name, node.bases):
                    yield from (node.name, *subclasses(node.name))


def last_name(base: ast.expr) -> str:
    return ast.unparse(base).rpartition(".")[2]


def test_the_tree_of_errors_is_whole() -> None:
    tree = "\n".join(re.findall(r"^ +\+-- .*", cli.errors.__doc__ or "", re.MULTILINE))
    assert set(re.findall(r"\b[A-Z]\w*Error\b", tree)) == set(subclasses("CommandError"))


FULL = Path("/dev/full")
on_a_full_disk = pytest.mark.skipif(not FULL.exists(), reason="there is no /dev/full")


def write_rows() -> None:
    with FULL.open("w") as file:
        csv.writer(file).writerow(["a picture", "bicycle"])


def write_document() -> None:
    with FULL.open("w") as document:
        json.dump({"label": "bicycle"}, document)


@on_a_full_disk
@pytest.mark.parametrize(
    "work",
    [
        pytest.param(lambda: FULL.write_text("labels"), id="write_text"),
        pytest.param(lambda: FULL.write_bytes(bytes(100_000)), id="write_bytes"),
        pytest.param(lambda: shutil.copyfile(__file__, FULL), id="copy"),
        pytest.param(lambda: Image.new("RGB", (64, 64)).save(FULL, "PNG"), id="picture"),
        pytest.param(write_rows, id="csv"),
        pytest.param(write_document, id="json"),
    ],
)
def test_a_full_disk_is_one_line_that_names_the_folder(
    work: Callable[[], object], capsys: pytest.CaptureFixture[str]
) -> None:
    assert guarded(work, "ops") == 2
    assert capsys.readouterr().err == (
        "error: /dev/full: No space left on device; free some space in /dev,"
        " or choose another folder\n"
    )


@on_a_full_disk
@pytest.mark.parametrize("flush", [False, True])
def test_a_full_disk_behind_standard_output_is_one_line(flush: bool) -> None:
    code = (
        "from cli.errors import guarded\n"
        f"raise SystemExit(guarded(lambda: print('a table', flush={flush}) or 0, 'ops'))"
    )
    with FULL.open("w") as full:
        ended = subprocess.run(
            [sys.executable, "-c", code], cwd=ROOT, stdout=full, stderr=subprocess.PIPE, text=True
        )
    assert ended.returncode == 2
    assert ended.stderr == (
        "error: No space left on device: free some space where standard output or temporary files"
        " are written to\n"
    )
