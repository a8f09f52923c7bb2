"""What a command sends off this machine and writes into its home: seen at the system calls."""

import ipaddress
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from tests.support.project import ROOT

CALLS = "connect,sendto,sendmsg,sendmmsg"
DNS = 53
# In strace's words: sin_port=htons(53), sin_addr=inet_addr("192.0.2.1"), or, of version 6,
# sin6_port=htons(53), ..., inet_pton(AF_INET6, "2001:db8::1", &sin6_addr).
INTERNET = re.compile(r'sin6?_port=htons\((\d+)\).*?(?:inet_addr\(|AF_INET6, )"([^"]+)"')
# The resolver of systemd is asked through a socket of the file system.
RESOLVER = re.compile(r'sun_path="([^"]*resolve[^"]*)"')


def need_strace() -> None:
    """Skip a test where system calls cannot be watched."""
    if shutil.which("strace") is None:
        pytest.skip("strace is not installed: apt-get install strace")
    if subprocess.run(["strace", "-f", "-o", os.devnull, "true"], check=False).returncode:
        pytest.skip("strace may not trace here")


def watched(
    command: Sequence[str], folder: Path, environment: Mapping[str, str] | None = None
) -> tuple[subprocess.CompletedProcess[str], list[str], list[str]]:
    """Run a command and all that it starts, native code included, in a home that is empty.

    folder: for the home and the record. Returns how it ended, whom it called off this machine or
    asked for a name, and the files that are in its home.
    """
    need_strace()
    home, record = folder / "home", folder / "calls"
    home.mkdir()
    variables = {
        name: text
        for name, text in os.environ.items()
        # Not what the tests have set for themselves; nor what leads out of the home.
        if name != "ORT_DISABLE_TELEMETRY" and not name.startswith("XDG_")
    }
    ended = subprocess.run(
        ["strace", "-f", "--seccomp-bpf", "-e", f"trace={CALLS}", "-o", str(record), *command],
        cwd=ROOT,
        env=variables | {"HOME": str(home)} | (environment or {}),
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    written = [str(path.relative_to(home)) for path in home.rglob("*") if not path.is_dir()]
    return ended, sorted(set(calls_out(record.read_text()))), sorted(written)


def calls_out(record: str) -> Iterator[str]:
    """Yield each address off this machine, and each resolver, that strace has recorded."""
    for line in record.splitlines():
        yield from RESOLVER.findall(line)
        for port, address in INTERNET.findall(line):
            if int(port) == DNS or not ipaddress.ip_address(address).is_loopback:
                yield f"{address} port {port}"
