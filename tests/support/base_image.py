"""A base image made of this machine's own Python, for engines that reach no registry.

It stands in for python:3.11-slim: /usr/local/bin/python3 with pip, /bin/sh, and the C libraries
that wheels need. Wheels put into it are what its pip installs from, as there is no network.
"""

import io
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
from collections.abc import Iterable
from pathlib import Path

import pip

from tests.support.container_engine import Engine

# What wheels for manylinux may expect of any Linux (PEP 600), beside what Python itself needs.
WHEEL_LIBRARIES = ("libstdc++.so.6", "libgcc_s.so.1", "librt.so.1", "libpthread.so.0", "libdl.so.2")
NOT_NEEDED = re.compile(r"(^|/)(__pycache__|test|tests|idlelib|site-packages|dist-packages)(/|$)")
ENVIRONMENT = {
    "PATH": "/usr/local/bin:/bin",
    "LD_LIBRARY_PATH": "/usr/local/lib",
    "PIP_NO_INDEX": "1",
    "PIP_FIND_LINKS": "/wheels",
}


def make_base_image(
    engine: Engine,
    tag: str,
    folder: Path,
    wheels: Iterable[Path] = (),
    programs: Iterable[str] = (),
) -> None:
    """Import an image with this Python, wheels and programs; folder is for the tar file."""
    archive = folder / "base.tar"
    with tarfile.open(archive, "w") as tar:
        _add_python(tar, [Path(found) for name in programs if (found := shutil.which(name))])
        for wheel in wheels:
            tar.add(wheel, f"wheels/{wheel.name}")
        temporary = tarfile.TarInfo("tmp")
        temporary.type, temporary.mode = tarfile.DIRTYPE, 0o1777
        tar.addfile(temporary)
        passwd = b"root:x:0:0:root:/root:/bin/sh\n"
        entry = tarfile.TarInfo("etc/passwd")
        entry.size = len(passwd)
        tar.addfile(entry, io.BytesIO(passwd))
    changes = [f"ENV {name}={value}" for name, value in ENVIRONMENT.items()]
    options = [argument for change in changes for argument in ("--change", change)]
    engine.docker("import", *options, str(archive), tag)


def _add_python(tar: tarfile.TarFile, programs: list[Path]) -> None:
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    interpreter = Path(sys.executable).resolve()
    library = Path(sysconfig.get_path("stdlib"))
    shell = Path("/bin/sh").resolve()

    def ordinary(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
        member.uid = member.gid = 0
        member.mode |= 0o444 | (0o111 if member.isdir() else 0)
        return None if NOT_NEEDED.search(member.name) else member

    tar.add(interpreter, "usr/local/bin/python3")
    tar.add(shell, "bin/sh")
    tar.add(library, f"usr/local/lib/{version}", filter=ordinary)
    tar.add(Path(pip.__file__).parent, f"usr/local/lib/{version}/pip", filter=ordinary)
    extensions = list((library / "lib-dynload").glob("*.so"))
    for program in programs:
        tar.add(program.resolve(), f"bin/{program.name}")
    for name, path in _libraries([interpreter, shell, *programs, *extensions]).items():
        # The loader's own path is written into every program; the rest is found by name.
        place = str(path)[1:] if name.startswith("ld-") else f"usr/local/lib/{name}"
        tar.add(path.resolve(), place)


def _libraries(programs: Iterable[Path]) -> dict[str, Path]:
    """Return the shared libraries of programs, and those of WHEEL_LIBRARIES, by name."""
    listing = subprocess.run(
        ["ldd", *map(str, programs)], capture_output=True, text=True, check=False
    ).stdout
    found = {name: Path(path) for name, path in re.findall(r"(\S+) => (/\S+)", listing)}
    for path in re.findall(r"^\s*(/\S*/ld-\S+) \(", listing, re.MULTILINE):
        found[Path(path).name] = Path(path)
    known = subprocess.run(
        ["/sbin/ldconfig", "-p"], capture_output=True, text=True, check=True
    ).stdout
    for name in WHEEL_LIBRARIES:
        match = re.search(rf"^\s*{re.escape(name)} \(libc6,[^)]*\) => (\S+)$", known, re.MULTILINE)
        if match:
            found.setdefault(name, Path(match[1]))
    return found
