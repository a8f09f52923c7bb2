"""What ships is under licences that let it ship, and every picture says which is its own."""

import re
import sys

import pytest

from tests.support.licences import libraries, licence, shipped, texts
from tests.support.project import ROOT

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="what ships are wheels for Linux")

PACKAGES = {package.metadata["Name"]: package for _, package in shipped()}
PICTURES = sorted(path.name for path in (ROOT / "events/images").iterdir() if path.suffix != ".md")


@pytest.mark.parametrize("name", PACKAGES)
def test_what_ships_names_its_licence_and_none_is_the_gpl(name: str) -> None:
    named = licence(PACKAGES[name])
    assert named
    assert not re.search(r"(?<!Lesser )General Public|(?<!L)GPL", named)


def test_no_encoder_under_the_gpl_is_inside() -> None:
    bundled = {library for package in PACKAGES.values() for library in libraries(package)}
    assert {"libde265", "libheif"} <= bundled
    assert not {"libx264", "libx265"} & bundled


def test_a_package_with_libraries_inside_has_their_licences_inside() -> None:
    assert [name for name, package in PACKAGES.items() if libraries(package)] == [
        *("pi_heif", "pillow", "numpy"),
    ]
    for name, package in PACKAGES.items():
        assert texts(package) or not libraries(package), name


@pytest.mark.parametrize("name", PICTURES)
def test_a_sample_picture_is_listed_with_its_licence(name: str) -> None:
    listed = (ROOT / "events/images/README.md").read_text()
    lines = [line for line in listed.splitlines() if line.startswith("|")]
    above = ""
    for line in lines[2:]:
        _, files, _, origin, _ = (cell.strip() for cell in line.split("|"))
        above = above if origin.startswith("the same") else origin
        if name in files.split(", "):
            assert re.search(r"\b(MIT|CC0|Apache-2\.0)\b|grant permission", above)
            return
    pytest.fail(f"events/images/README.md does not list {name}")
