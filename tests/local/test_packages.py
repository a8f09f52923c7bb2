"""What the embedded AWS deploys of a function: its folder, and what it requires."""

import io
import re
import zipfile
from pathlib import Path

import pytest

from local.packages import NotInstalled, zipped
from tests.support.project import ROOT


def places(package: bytes) -> set[str]:
    return set(zipfile.ZipFile(io.BytesIO(package)).namelist())


def test_a_package_has_what_the_function_requires_and_nothing_else() -> None:
    found = places(zipped(ROOT / "functions" / "serialize"))
    assert {"app.py", "requirements.txt", "PIL/__init__.py", "pi_heif/__init__.py"} <= found
    folders = {place.partition("/")[0] for place in found if "/" in place}
    names = {re.split("[-.]", name)[0] for name in folders}
    assert names == {"PIL", "pillow", "pi_heif"}
    assert places(zipped(ROOT / "functions" / "filter")) == {"app.py"}


def test_a_package_is_the_same_for_the_same_files() -> None:
    folder = ROOT / "functions" / "serialize"
    assert zipped(folder) == zipped(folder)


def test_what_sam_build_has_put_into_a_folder_is_not_lent_again(tmp_path: Path) -> None:
    requirements = (ROOT / "functions/serialize/requirements.txt").read_text()
    (tmp_path / "requirements.txt").write_text(requirements)
    for name in ("pillow-12.2.0", "pi_heif-1.0.0"):
        (tmp_path / f"{name}.dist-info").mkdir()
    assert places(zipped(tmp_path)) == {"requirements.txt"}


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("pillow==1.0", "requires pillow==1.0, and 12.2.0 is installed"),
        ("nothing-of-that-name==1.0", "requires nothing-of-that-name==1.0, and it is missing"),
    ],
    ids=["another version", "absent"],
)
def test_what_cannot_be_lent_is_named(tmp_path: Path, line: str, words: str) -> None:
    (tmp_path / "requirements.txt").write_text(f"{line}\n")
    with pytest.raises(NotInstalled, match=words):
        zipped(tmp_path)
