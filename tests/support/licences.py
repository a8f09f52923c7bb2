"""What ships with a deployment, and under which licences, from the installed packages' metadata."""

import re
import sys
from collections.abc import Iterator
from importlib.metadata import Distribution, distribution

from tests.support.project import ROOT, pinned
from tests.verify.tools import ToolMissing

SHIPS = {
    "functions/serialize/requirements.txt": "function `serialize`",
    "model/serving/requirements.txt": "image of the model server",
}
APPROVED = "License :: OSI Approved :: "


def shipped() -> Iterator[tuple[str, Distribution]]:
    """Yield where a package ships and the package, as it is installed here."""
    for file, place in SHIPS.items():
        for name in pinned(ROOT / file):
            yield place, distribution(name)


def licence(package: Distribution) -> str:
    """Return the licences that the metadata names: one expression, or what older fields say."""
    metadata = package.metadata
    if expression := metadata.get("License-Expression"):
        return expression
    classified = metadata.get_all("Classifier") or []
    approved = [line.removeprefix(APPROVED) for line in classified if line.startswith(APPROVED)]
    named = metadata.get("License")
    return "; ".join(dict.fromkeys([*([named] if named else []), *approved]))


def libraries(package: Distribution) -> list[str]:
    """Return the names of the shared libraries that the wheel brings along."""
    bundled = [file for file in package.files or [] if file.parts[0].endswith(".libs")]
    return sorted({re.split(r"[-.]", file.name)[0].rstrip("_") for file in bundled})


def texts(package: Distribution) -> list[str]:
    """Return the files of the package that hold its licences and those of what it bundles."""
    found = [
        file
        for file in package.files or []
        if re.search(r"LICEN[CS]E|COPYING|ThirdPartyNotices", file.name)
        and (file.parts[0].endswith(".dist-info") or file.name == "ThirdPartyNotices.txt")
    ]
    return sorted({file.name for file in found})


def rows() -> list[tuple[str, ...]]:
    """Return the table of docs/licences.md, first row the header. Raises ToolMissing off Linux."""
    if sys.platform != "linux":
        raise ToolMissing("what ships are the wheels for Linux, and these are others")
    header = ("where", "package", "licence by its metadata", "libraries inside", "texts inside")
    found = [
        (
            place,
            f"{package.metadata['Name']} {package.version}",
            licence(package),
            ", ".join(libraries(package)),
            ", ".join(texts(package)),
        )
        for place, package in shipped()
    ]
    return [header, *found]
